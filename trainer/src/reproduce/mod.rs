//! `cspine-trainer reproduce`: all that the paper reports, from one command, on any folder of radiographs.
//!
//! Four networks: GoogLeNet and AlexNet, each from given weights and from fresh ones. What a network came to is written to
//! `networks/NAME.json` when it is done, and never computed twice; the report is written anew after each.

mod fresh;
mod outcome;
mod page;
mod paper;
mod plan;
mod recipe;
mod report;
mod samples;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cspine_domain::Sha256;

use crate::dataset::{Dataset, Subjects, Survey};
use crate::fit::{OperatingArgs, RecipeArgs};
use crate::page::{Made, Provenance, executable, publish};

pub use fresh::{FreshArgs, FreshSet};
pub use outcome::{Call, Outcome};
pub use recipe::Recipe;
pub use report::Report;

use plan::Plan;

/// Reproduce the paper: both networks, its recipe, its tables and figures, on a folder of radiographs
#[derive(Debug, Clone, clap::Args)]
pub struct ReproduceArgs {
    /// Labelled images: a folder for each class, or a manifest.csv; in folders train, val and test too, but all are
    /// dealt anew by --split
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
    survey: Survey,
    /// Names, labels and bytes of all of them.
    digest: Sha256,
}

/// Fits what is not fitted yet, writes the report and prints it.
///
/// # Errors
/// A data set or model that cannot be used, results of another recipe in `--out`, or a folder that cannot be written to.
pub fn run(args: &ReproduceArgs) -> Result<()> {
    let data = Data::open(args)?;
    let plan = Plan::of(args, data.digest)?;
    std::fs::create_dir_all(args.out.join("networks")).with_context(|| format!("making {}", args.out.display()))?;
    // By place in the plan. What is done comes first: a report must not lose a network while an earlier one is fitted.
    let mut done = BTreeMap::new();
    for (i, network) in plan.networks.iter().enumerate() {
        if let Some(outcome) = outcome::kept(network, args)? {
            done.insert(i, outcome);
        }
    }
    let mut report = write_report(args, &data, &plan, &done)?;
    for (i, network) in plan.networks.iter().enumerate() {
        if done.contains_key(&i) {
            continue;
        }
        println!("\n{}", network.name);
        if !args.only.is_empty() && !args.only.contains(&network.slug) {
            println!("left for another time");
            continue;
        }
        done.insert(i, outcome::make(network, args, &data)?);
        report = write_report(args, &data, &plan, &done)?;
    }
    if done.len() == plan.networks.len() {
        print!("\n{}", text::render(&report));
    }
    Ok(())
}

/// Writes what is known by now, if anything is.
fn write_report(args: &ReproduceArgs, data: &Data, plan: &Plan, done: &BTreeMap<usize, Outcome>) -> Result<Report> {
    let outcomes: Vec<&Outcome> = done.values().collect();
    let report = Report::new(args, data, &outcomes, plan.networks.len());
    if !outcomes.is_empty() {
        let provenance = provenance(args, data, &outcomes)?;
        let html = page::render(&report, &outcomes, &provenance);
        publish(&args.out, "reproduction", &html, &report, &provenance)?;
    }
    Ok(report)
}

impl Data {
    fn open(args: &ReproduceArgs) -> Result<Self> {
        let (dataset, survey) = Dataset::open_together(&args.data)?;
        let [dislocations, fractures, normals] = dataset.counts();
        println!("{dislocations} dislocations, {fractures} fractures, {normals} normals");
        println!("{survey}");
        let lines = dataset.examples.iter().zip(&survey.digests).map(|(example, sha256)| {
            format!("{} {} {:?} {sha256}\n", example.name, example.class, example.patient_key)
        });
        let digest = Sha256::of(lines.collect::<String>().as_bytes());
        ensure!(
            args.fresh.fresh_sets == 0 || survey.subjects == Subjects::Phantoms,
            "--fresh-sets measures on phantoms, and these images are not known to be any: their figures must not stand \
             in one report"
        );
        args.fresh.ensure_fresh(&dataset)?;
        Ok(Self { dataset, survey, digest })
    }
}

fn provenance(args: &ReproduceArgs, data: &Data, outcomes: &[&Outcome]) -> Result<Provenance> {
    let mut provenance = Provenance::new(data.survey.subjects);
    provenance.seeds.push(format!("split, order, augmentation, fresh weights: {}", args.recipe.seed));
    provenance.seeds.extend(args.fresh.seeds());
    provenance.digests.insert("images, with names and labels".into(), data.digest.to_string());
    provenance.digests.insert("program that wrote this report".into(), executable()?.to_string());
    for outcome in outcomes {
        provenance.digests.insert(outcome.name.clone(), outcome.model_sha256.to_string());
        if let Some(parent) = outcome.card.training.parent {
            provenance.digests.insert(format!("{}, its first weights", outcome.name), parent.to_string());
        }
        if let Some(Made { command, program, .. }) = &outcome.made {
            provenance.digests.insert(format!("{}, the program that fitted it", outcome.name), program.to_string());
            if !provenance.commands.contains(command) {
                provenance.commands.insert(provenance.commands.len() - 1, command.clone());
            }
        }
    }
    Ok(provenance)
}
