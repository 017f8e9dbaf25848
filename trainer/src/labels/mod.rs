//! `cspine-trainer labels`: what people said of images, by hand. Events (`image.confirmed`) come by way of the workers.

mod csv;
mod import;
mod merge;

use std::path::PathBuf;

use anyhow::Result;
use cspine_domain::Class;
use cspine_service::config::DatabaseArgs;
use cspine_service::record::short_text;
use cspine_store::{LabelTally, LearningSet};

use crate::database::connect;

/// What to do with labels.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum LabelsCommand {
    /// Take in labels out of a CSV file; lines that were taken in before change nothing
    ///
    /// Columns: sop_instance_uid, content_sha256, label (dislocation, fracture, normal, unusable), reviewer (a pseudonym),
    /// source (ct, consensus, radiologist, qa), answer_seen (true, false), confirmed_at (RFC 3339), and, if a line corrects
    /// another, id and supersedes. An id is a line's for ever, in whatever file; without one a line is known by what it says.
    /// Either every line is taken in or none.
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
    /// What its lines' ids are unique within
    #[arg(long, value_name = "NAME", value_parser = short_text, default_value = "labels")]
    pub source: String,
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
    /// Who says so [default: $USER, else "operator"]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
    /// Also if no image has come under one of them yet
    #[arg(long)]
    pub force: bool,
}

/// Does it.
///
/// # Errors
/// What it says.
pub fn run(command: LabelsCommand) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            LabelsCommand::Import(args) => import::run(&args).await,
            LabelsCommand::Tally(database) => {
                let tally = connect(&database).await?.label_tally().await?;
                print!("{}", text(&tally));
                Ok(())
            }
            LabelsCommand::Merge(args) => merge::run(&args).await,
        }
    })
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
