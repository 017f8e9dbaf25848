//! `cspine-trainer labels`: what people said of images, by hand. Events (`image.confirmed`) come by way of the workers.

mod csv;

use std::path::PathBuf;

use anyhow::{Context, Result};
use cspine_domain::Class;
use cspine_service::config::DatabaseArgs;
use cspine_service::record::{caller, short_text};
use cspine_store::{LabelTally, LearningSet};

use crate::database::connect;

/// What to do with labels.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum LabelsCommand {
    /// Take in labels out of a CSV file; lines that were taken in before change nothing
    ///
    /// Columns: sop_instance_uid, content_sha256, label (dislocation, fracture, normal, unusable), reviewer (a pseudonym),
    /// source (ct, consensus, radiologist, qa), answer_seen (true, false), confirmed_at (RFC 3339), and, if a line corrects
    /// another, id and supersedes. Either every line is taken in or none.
    Import(ImportArgs),
    /// Say how many labels there are, and which are not used and why
    Tally(DatabaseArgs),
    /// Say that two pseudonyms are one patient: images that would then be on two sides are used for neither
    Merge(MergeArgs),
}

/// What to take in.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The CSV file
    pub file: PathBuf,
    /// What its lines' ids are unique within [default: labels/ and the file's SHA-256]
    #[arg(long, value_name = "NAME", value_parser = short_text)]
    pub source: Option<String>,
}

/// Who is whom.
#[derive(Debug, Clone, clap::Args)]
pub struct MergeArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The pseudonym that is given up
    pub from: String,
    /// The pseudonym that stays
    pub into: String,
    /// Who says so [default: the calling user]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
}

/// Does it.
///
/// # Errors
/// What it says.
pub fn run(command: LabelsCommand) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            LabelsCommand::Import(args) => import(&args).await,
            LabelsCommand::Tally(database) => {
                let tally = connect(&database).await?.label_tally().await?;
                print!("{}", text(&tally));
                Ok(())
            }
            LabelsCommand::Merge(args) => merge(&args).await,
        }
    })
}

async fn import(args: &ImportArgs) -> Result<()> {
    let bytes = std::fs::read(&args.file).with_context(|| format!("reading {}", args.file.display()))?;
    let reviews = csv::read(&bytes, args.source.as_deref()).with_context(|| args.file.display().to_string())?;
    let taken = connect(&args.database).await?.record_reviews(&reviews).await?;
    println!("{} lines: {taken} new labels, {} were there", reviews.len(), reviews.len() - taken);
    Ok(())
}

async fn merge(args: &MergeArgs) -> Result<()> {
    let by = args.by.clone().unwrap_or_else(caller);
    let merged = connect(&args.database).await?.merge_patients(&args.from, &args.into, &by).await?;
    println!("{}", if merged { "merged" } else { "was merged before" });
    Ok(())
}

fn text(tally: &LabelTally) -> String {
    let mut text = format!("{:12}", "usable");
    for class in Class::ALL {
        text += &format!("{:>12}", class.as_str());
    }
    text.push('\n');
    for set in LearningSet::ALL {
        text += &format!("{:12}", set.as_str());
        for class in Class::ALL {
            text += &format!("{:>12}", tally.usable[set.index()][class.index()]);
        }
        text.push('\n');
    }
    text + &format!(
        "not used: {} unusable by their label, {} disputed, {} of patients on two sides, {} whose image is not here\n",
        tally.unusable, tally.disputed, tally.quarantined, tally.without_image
    )
}
