//! `cspine-trainer gate`: gives a model its scope gate, and measures what it keeps out and what it lets in.
//!
//! Sets that share no patient: films to fit to, films to find the thresholds on, films to choose between the scores
//! with, and films to report on, in scope and out of it.

pub mod films;
mod measure;
mod orientations;
pub mod outside;
mod page;
mod report;
mod spoilt;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cspine_domain::Sha256;
use cspine_nets::gate::{Gate, GateCard, Mahalanobis, Method, Score};
use cspine_nets::{Checkpoint, Classifier};
use cspine_phantom::Preset;

use crate::dataset::Dataset;
use crate::evaluate::load_checkpoint;
use crate::page::{Provenance, publish};
use crate::snapshot::write_atomically;
use films::Films;
use measure::{Looks, mean_area};

pub(crate) use measure::{as_is_and_augmented, quantile};
pub use orientations::Oriented;
pub use report::{Rate, Report, Single};
pub use spoilt::kept_out;
pub(crate) use spoilt::{films_to_spoil, scores_of_spoilt};

/// Share of films in scope over the inner threshold, unless told otherwise.
pub(crate) const INNER_SHARE: f64 = 0.05;
/// The same of the outer threshold.
pub(crate) const OUTER_SHARE: f64 = 0.005;

/// Give a model its scope gate, and measure what it keeps out
///
/// The gate is fitted to films in scope, its thresholds are found on others, and the better of two scores (energy of the
/// logits, Mahalanobis distance of the features) is kept, by how well they tell films in scope from noise, blank, inverted,
/// turned and badly cropped ones. The weights stay as they are. With --keep, the gate that the model has is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct GateArgs {
    /// Model file
    #[arg(long, env = "CSPINE_MODEL", value_name = "FILE")]
    pub model: PathBuf,
    /// Model file to write: the same network with a gate
    #[arg(long, value_name = "FILE", required_unless_present = "keep")]
    pub out: Option<PathBuf>,
    /// Measure the gate that the model has; nothing is fitted and no model is written
    #[arg(long, conflicts_with = "out")]
    pub keep: bool,
    /// Phantoms to fit to; half as many find the thresholds, and a quarter as many are reported of each sort
    #[arg(long, default_value_t = 2400, value_parser = clap::value_parser!(u32).range(40..=100_000), conflicts_with = "data")]
    pub phantoms: u32,
    /// Seed of the phantoms to fit to; the five after it are those of the other sets
    #[arg(long, default_value_t = 611, value_parser = clap::value_parser!(u64).range(1..1 << 39))]
    pub seed: u64,
    /// Pixels a side of the phantoms' films
    #[arg(long, default_value_t = 448, value_parser = clap::value_parser!(u32).range(256..=2048))]
    pub film_size: u32,
    /// A site's own radiographs in scope, of 40 patients or more, instead of phantoms: a folder as `fit` takes it
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder of photographs, or of other images out of scope, to report on
    #[arg(long, value_name = "DIR")]
    pub photographs: Option<PathBuf>,
    /// Folder of radiographs of other body parts, to be listed one by one
    #[arg(long, value_name = "DIR")]
    pub radiographs: Option<PathBuf>,
    /// Share of the films in scope that may be over the inner threshold: marked atypical
    #[arg(long, default_value_t = INNER_SHARE, value_name = "SHARE")]
    pub inner: f64,
    /// Share of the films in scope that may be over the outer threshold: not assessable
    #[arg(long, default_value_t = OUTER_SHARE, value_name = "SHARE")]
    pub outer: f64,
    /// Folder for gate.json and gate.html
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Films in scope, by what they are for.
struct Sets {
    fit: Films,
    thresholds: Films,
    choice: Films,
    /// In scope, to report on, each with its name.
    inside: Vec<(&'static str, Films)>,
    /// To make the reported films out of scope of.
    outside: Films,
    /// In words.
    what: String,
}

impl Sets {
    fn of(args: &GateArgs) -> Result<Self> {
        let Some(folder) = &args.data else { return Ok(Self::phantoms(args)) };
        let dataset = Dataset::open(folder)?;
        let images = dataset.examples.len();
        ensure!(images >= 40, "a gate needs at least 40 images to be fitted to and measured by; there are {images}");
        let what =
            format!("{images} images of a data set: 60 % to fit to, each also augmented, 20 % for the thresholds");
        let [fit, thresholds, reported] = films::deal(dataset)?;
        let (choice, inside) = (thresholds.clone(), vec![("in scope", reported.clone())]);
        Ok(Self { fit, thresholds, choice, inside, outside: reported, what })
    }

    fn phantoms(args: &GateArgs) -> Self {
        let films = |offset: u64, share: u32, preset| Films::Phantoms {
            seed: args.seed + offset,
            count: (args.phantoms / share) as usize,
            size: args.film_size,
            preset,
        };
        let reference = |offset, share| films(offset, share, Preset::Reference);
        Self {
            fit: reference(0, 1),
            thresholds: reference(1, 2),
            choice: reference(2, 8),
            inside: vec![("fresh phantoms", reference(3, 4)), ("shift-a", films(4, 4, Preset::ShiftA))],
            outside: reference(5, 4),
            what: format!("phantoms only: {} of seed {}, each also augmented", args.phantoms, args.seed),
        }
    }
}

/// Fits, chooses, finds the thresholds, measures, and writes the model; or, with `keep`, measures.
///
/// # Errors
/// If a file cannot be used or written, or there are too few images.
pub fn run(args: &GateArgs) -> Result<()> {
    ensure!(0.0 < args.outer && args.outer <= args.inner && args.inner < 1.0, "shares are 0 < --outer <= --inner < 1");
    let (mut checkpoint, model) = load_checkpoint(&args.model)?;
    let before = model.sha256();
    let looks = Looks { model, seed: args.seed };
    let sets = Sets::of(args)?;
    let areas = if args.keep { Vec::new() } else { fit(args, &sets, &looks, &mut checkpoint)? };
    let gated = Looks { model: Classifier::new(&checkpoint, before)?, ..looks };
    let card = checkpoint.card.gate.clone().context("the model has no scope gate to keep")?;
    let report = report::measure(args, &sets, &gated, card, areas)?;
    let after = match &args.out {
        Some(out) => write_model(out, checkpoint, &report)?,
        None => before,
    };
    print!("{}", report.text());
    match &args.report {
        Some(folder) => write_report(folder, args, &report, [before, after]),
        None => Ok(()),
    }
}

/// Fits both scores and puts the better one, with its thresholds, into the checkpoint: their mean areas, that one first.
fn fit(args: &GateArgs, sets: &Sets, looks: &Looks, checkpoint: &mut Checkpoint) -> Result<Vec<(Method, f64)>> {
    let fitted = looks.inside("fitting to", &sets.fit)?;
    let held_out = looks.inside("thresholds on", &sets.thresholds)?;
    let choice = looks.spoilt("choosing by", &sets.choice)?;
    let features: Vec<Vec<f32>> = fitted.into_iter().map(|observation| observation.features).collect();
    // A component wants several images to be known by.
    let components = GateCard::components_of(checkpoint.card.architecture).min(features.len() / 8);
    let mut scores = [Score::Mahalanobis(Mahalanobis::fit(&features, components)?), Score::Energy]
        .map(|score| (mean_area(&score, &held_out, &choice), score));
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let areas = scores.iter().map(|(area, score)| (score.method(), *area)).collect();
    let [(_, score), _] = scores;
    let thresholds = [args.inner, args.outer].map(|share| quantile(&score, &held_out, share));
    Gate::new(score, thresholds, &sets.what).install(checkpoint)?;
    Ok(areas)
}

fn write_model(out: &Path, mut checkpoint: Checkpoint, report: &Report) -> Result<Sha256> {
    for (name, value) in report.figures() {
        checkpoint.card.evaluation.insert(name, value);
    }
    let model = checkpoint.with_golden()?.write()?;
    write_atomically(out, &model)?;
    let sha256 = Sha256::of(&model);
    println!("wrote {} ({:.1} MB), sha256 {sha256}", out.display(), model.len() as f64 / 1e6);
    Ok(sha256)
}

fn write_report(folder: &Path, args: &GateArgs, report: &Report, [before, after]: [Sha256; 2]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut provenance = Provenance::new(args.data.is_none());
    if args.data.is_none() {
        provenance.seeds.push(format!("phantoms: {} to {}", args.seed, args.seed + 5));
    }
    provenance.digests.insert("model without the gate".to_owned(), before.to_string());
    provenance.digests.insert("model with the gate".to_owned(), after.to_string());
    publish(folder, "gate", &page::render(report, &provenance), report, &provenance)
}
