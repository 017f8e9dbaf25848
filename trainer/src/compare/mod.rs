//! `cspine-trainer compare`: readers, networks or people, on the same images.

mod contrast;
mod error;
mod read;
mod report;
mod study;
mod text;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::evaluate::write;

pub use contrast::Contrast;
pub use error::{CallsError, Place};
pub use read::{Call, Source};
pub use report::{Comparison, Input, Pair, ReaderFigures};
pub use study::{Reader, Study};

/// Compares readers, networks or people, on the same images: plain and one-vs-rest accuracy, sensitivity, specificity and
/// AUC of each, McNemar's and DeLong's test between each two.
///
/// A call is dislocation, fracture or normal; an empty one is an abstention and counts as an error. Every reader must have
/// a line for every image.
#[derive(Debug, Clone, clap::Args)]
pub struct CompareArgs {
    /// Calls as CSV with the columns reader, image and call (dislocation, fracture, normal; empty for an abstention, which
    /// counts as an error), and if wanted dislocation, fracture and normal (probabilities from 0 to 1 that sum to 1, all
    /// three or none, for AUCs) and label (the truth). Every reader needs a line for every image. May be given again.
    #[arg(long, value_name = "CALLS.csv", required_unless_present = "predictions")]
    pub calls: Vec<PathBuf>,
    /// One more reader: the predictions.csv of a report of evaluate, under this name. May be given again.
    #[arg(long, value_name = "NAME=FILE", value_parser = named)]
    pub predictions: Vec<(String, PathBuf)>,
    /// Truth as CSV with the columns image (or file) and label (or class); a manifest.csv will do. Not needed where the
    /// calls have labels; where both have, they must agree.
    #[arg(long, value_name = "TRUTH.csv")]
    pub truth: Option<PathBuf>,
    /// Folder for comparison.json and comparison.txt; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Prints the comparison, and writes it if a folder is given.
///
/// # Errors
/// [`CallsError`] if the calls or the truth cannot be used; or if the report cannot be written.
pub fn run(args: &CompareArgs) -> Result<()> {
    let (study, inputs) = open(args)?;
    let comparison = Comparison::new(&study, inputs);
    let text = text::render(&comparison);
    if let Some(report) = &args.report {
        fs::create_dir_all(report).with_context(|| format!("cannot make {}", report.display()))?;
        write(report, "comparison.json", &(serde_json::to_string_pretty(&comparison)? + "\n"))?;
        write(report, "comparison.txt", &text)?;
    }
    print!("{text}");
    Ok(())
}

fn open(args: &CompareArgs) -> Result<(Study, Vec<Input>), CallsError> {
    let (mut calls, mut labels, mut inputs) = (vec![], vec![], vec![]);
    let mut source = |path: &PathBuf| {
        let source = Source::open(path)?;
        inputs.push(Input { file: source.name.clone(), sha256: source.sha256() });
        Ok(source)
    };
    for path in &args.calls {
        calls.extend(source(path)?.calls(None)?);
    }
    for (name, path) in &args.predictions {
        calls.extend(source(path)?.calls(Some(name))?);
    }
    if let Some(path) = &args.truth {
        labels = source(path)?.labels()?;
    }
    Ok((Study::new(calls, labels)?, inputs))
}

fn named(argument: &str) -> Result<(String, PathBuf), String> {
    match argument.split_once('=') {
        Some((name, file)) if !name.trim().is_empty() && !file.is_empty() => Ok((name.trim().to_owned(), file.into())),
        _ => Err("it must be a name and a file, as network=REPORT/predictions.csv".to_owned()),
    }
}
