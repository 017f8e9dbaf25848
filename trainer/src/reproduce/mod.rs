//! `cspine-trainer reproduce`: all that the paper reports, from one command, on any folder of radiographs.
//!
//! Four networks: GoogLeNet and AlexNet, each from given weights and from fresh ones. What a network came to is written to
//! `networks/NAME.json` when it is done, and never computed twice; the report is written anew after each.

mod fresh;
mod outcome;
mod page;
mod paper;
mod plan;
mod report;
mod samples;
mod text;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cspine_domain::Sha256;

use crate::dataset::{Dataset, DuplicateReport};
use crate::fit::{OperatingArgs, RecipeArgs};
use crate::page::{Provenance, publish};

pub use fresh::{FreshArgs, FreshSet};
pub use outcome::{Call, Outcome};
pub use report::Report;

use plan::Plan;

/// Reproduce the paper: both networks, its recipe, its tables and figures, on a folder of radiographs
#[derive(Debug, Clone, clap::Args)]
pub struct ReproduceArgs {
    /// Labelled images: a folder for each class, with or without train, val and test, or a manifest.csv
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder for reproduction.html, reproduction.json and the networks; what it holds already is not done again
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Pre-trained GoogLeNet to begin with; without it only fresh weights are fitted
    #[arg(long, value_name = "FILE")]
    pub init_googlenet: Option<PathBuf>,
    /// Pre-trained AlexNet to begin with; without it only fresh weights are fitted
    #[arg(long, value_name = "FILE")]
    pub init_alexnet: Option<PathBuf>,
    /// Fit only these now, such as alexnet-pretrained; what of the others is done already still stands in the report
    #[arg(long, value_name = "NETWORK,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// How to learn: the paper's recipe.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Where a flag begins.
    #[command(flatten)]
    pub operating: OperatingArgs,
    /// What else to measure the networks on.
    #[command(flatten)]
    pub fresh: FreshArgs,
}

/// The images as all networks get them.
struct Data {
    dataset: Dataset,
    duplicates: DuplicateReport,
    /// Names, labels and bytes of all of them.
    digest: Sha256,
    phantoms: bool,
}

/// Fits what is not fitted yet, writes the report and prints it.
///
/// # Errors
/// A data set or model that cannot be used, results of another recipe in `--out`, or a folder that cannot be written to.
pub fn run(args: &ReproduceArgs) -> Result<()> {
    let data = Data::open(args)?;
    let plan = Plan::of(args, data.digest)?;
    std::fs::create_dir_all(args.out.join("networks")).with_context(|| format!("making {}", args.out.display()))?;
    let mut outcomes = Vec::new();
    for network in &plan.networks {
        let wanted = args.only.is_empty() || args.only.contains(&network.slug);
        let Some(outcome) = outcome::of(network, wanted, args, &data)? else { continue };
        outcomes.push(outcome);
        let report = Report::new(&data, &outcomes, plan.networks.len());
        let provenance = provenance(args, &data, &outcomes);
        publish(&args.out, "reproduction", &page::render(&report, &outcomes, &provenance), &report, &provenance)?;
        if outcomes.len() == plan.networks.len() {
            print!("\n{}", text::render(&report));
        }
    }
    Ok(())
}

impl Data {
    fn open(args: &ReproduceArgs) -> Result<Self> {
        let (dataset, duplicates) = Dataset::open_together(&args.data)?;
        let [dislocations, fractures, normals] = dataset.counts();
        println!("{dislocations} dislocations, {fractures} fractures, {normals} normals");
        let lines = dataset.examples.iter().zip(&duplicates.digests).map(|(example, sha256)| {
            format!("{} {} {:?} {sha256}\n", example.name, example.class, example.patient_key)
        });
        let digest = Sha256::of(lines.collect::<String>().as_bytes());
        let duplicates = duplicates.report(&dataset);
        println!("{duplicates}");
        let phantoms = dataset.is_of_phantoms();
        ensure!(
            args.fresh.fresh_sets == 0 || phantoms,
            "--fresh-sets measures on phantoms, and these images are none: their figures must not stand in one report"
        );
        Ok(Self { dataset, duplicates, digest, phantoms })
    }
}

fn provenance(args: &ReproduceArgs, data: &Data, outcomes: &[Outcome]) -> Provenance {
    let mut provenance = Provenance::new(data.phantoms);
    provenance.seeds.push(format!("split, order, augmentation, fresh weights: {}", args.recipe.seed));
    provenance.seeds.extend(args.fresh.seeds());
    provenance.digests.insert("images, with names and labels".into(), data.digest.to_string());
    for outcome in outcomes {
        provenance.digests.insert(outcome.name.clone(), outcome.model_sha256.to_string());
        if let Some(parent) = outcome.card.training.parent {
            provenance.digests.insert(format!("{}, its first weights", outcome.name), parent.to_string());
        }
    }
    provenance
}
