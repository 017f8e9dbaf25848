//! `cspine-trainer evaluate`: a model on labelled images.

pub(crate) mod page;
pub(crate) mod predict;
mod report;
pub(crate) mod text;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cspine_domain::Sha256;
use cspine_imaging::Limits;
use cspine_nets::{Checkpoint, Classifier, ModelError};

use crate::dataset::Dataset;
use crate::page::Provenance;

pub use predict::{Prediction, predict};
pub(crate) use report::with_interval;
pub use report::{Block, Flag, GateCounts, PerClass, Report};

/// Measures a model on labelled images.
#[derive(Debug, Clone, clap::Args)]
pub struct EvaluateArgs {
    /// Model file.
    #[arg(long, env = "CSPINE_MODEL", value_name = "FILE")]
    pub model: PathBuf,
    /// Folder with a folder for each class, or with a manifest.csv.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder for predictions.csv, evaluation.json, .txt and .html; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub report: PathBuf,
}

/// Writes the report and prints it, on rayon's current pool.
///
/// An image that cannot be read, decoded or assessed is listed and counts as an error.
///
/// # Errors
/// If model or data set cannot be used, or the report not be written.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    let model = load_model(&args.model)?;
    let dataset = Dataset::open(&args.data)?;
    fs::create_dir_all(&args.report).with_context(|| format!("cannot make {}", args.report.display()))?;
    let predictions = predict(&model, &dataset, &Limits::default())?;
    let report = Report::new(&model, &predictions);
    let text = text::render(&report, &dataset);
    write(&args.report, "predictions.csv", &predict::csv(&predictions)?)?;
    write(&args.report, "evaluation.json", &(serde_json::to_string_pretty(&report)? + "\n"))?;
    write(&args.report, "evaluation.txt", &text)?;
    let mut provenance = Provenance::new(dataset.subjects());
    provenance.digests.insert("model".to_owned(), model.sha256().to_string());
    provenance.digests.insert("images".to_owned(), report.data_digest.to_string());
    write(&args.report, "evaluation.html", &page::render(&report, &provenance))?;
    print!("{text}");
    Ok(())
}

/// Reads a model file and makes it ready.
pub(crate) fn load_model(path: &Path) -> Result<Classifier> {
    load_checkpoint(path).map(|(_, model)| model)
}

/// [`load_model`], with what the file holds.
pub(crate) fn load_checkpoint(path: &Path) -> Result<(Checkpoint, Classifier)> {
    let bytes = fs::read(path).with_context(|| format!("cannot read the model {}", path.display()))?;
    let load = || {
        let checkpoint = Checkpoint::read(&bytes)?;
        let model = Classifier::new(&checkpoint, Sha256::of(&bytes))?;
        Ok::<_, ModelError>((checkpoint, model))
    };
    load().with_context(|| format!("cannot use the model {}", path.display()))
}

/// Writes a file of a report.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
