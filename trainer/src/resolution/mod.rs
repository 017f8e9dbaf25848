//! `cspine-trainer resolution`: where fine injuries go. Networks of several input sizes on the same phantoms, by the size of
//! the injury in mm, beside a simulated reader who measures at each of these resolutions.

mod cases;
mod page;
mod reader;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cspine_nets::Classifier;
use cspine_phantom::{Case, Preset};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use crate::evaluate::load_model;
use crate::page::{Provenance, publish};
use crate::phantoms::Counts;
use crate::progress::bar;

pub(crate) use cases::{film, first, natural};
pub use report::{Calls, Pair, Reading, Report, Sized};

/// Measure sensitivity against the size of the injury, for networks of several input sizes
#[derive(Debug, Clone, clap::Args)]
pub struct ResolutionArgs {
    /// Model file; several times for several input sizes
    #[arg(long = "model", required = true, value_name = "FILE")]
    pub models: Vec<PathBuf>,
    /// Folder for resolution.html and resolution.json
    #[arg(long, value_name = "DIR")]
    pub report: PathBuf,
    /// Seed of the phantoms; not 59 to 84, which pre-training saw
    #[arg(long, default_value_t = 431, value_parser = clap::value_parser!(u64).range(1..1 << 39))]
    pub seed: u64,
    /// The set as it comes, on which accuracies are measured
    #[arg(long, default_value = "dislocation=80,fracture=116,normal=106", value_name = "CLASS=N,…")]
    pub counts: Counts,
    /// Injuries of each size
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub per_size: u16,
    /// Pixels a side of the films
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(128..=2048))]
    pub film_size: u32,
    /// How the films are taken: reference, shift-a or shift-b
    #[arg(long, default_value_t = Preset::Reference)]
    pub preset: Preset,
}

/// Readings of a case that the simulated reader's shares are means of.
const READINGS: u64 = 100;

/// Writes the report and prints its table.
///
/// # Errors
/// If a model cannot be used, two have the same file, or the report cannot be written.
pub fn run(args: &ResolutionArgs) -> Result<()> {
    let models = args.models.iter().map(|path| load_model(path)).collect::<Result<Vec<Classifier>>>()?;
    for (i, model) in models.iter().enumerate() {
        let twice = models[..i].iter().any(|other| other.sha256() == model.sha256());
        ensure!(!twice, "{} is given twice", args.models[i].display());
    }
    std::fs::create_dir_all(&args.report).with_context(|| format!("making {}", args.report.display()))?;
    let report = measure(args, &models)?;
    print!("{}", report.text());
    let mut provenance = Provenance::new(true);
    provenance.seeds.push(format!("phantoms: {}", args.seed));
    for (path, model) in args.models.iter().zip(&models) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        provenance
            .digests
            .insert(format!("{name}, {} pixels", model.card().preprocessing.size), model.sha256().to_string());
    }
    publish(&args.report, "resolution", &page::render(&report, &provenance), &report, &provenance)
}

fn measure(args: &ResolutionArgs, models: &[Classifier]) -> Result<Report> {
    let natural = cases::natural(args.counts, args.seed);
    let bins = cases::by_size(usize::from(args.per_size), args.seed);
    let all: Vec<&Case> = natural.iter().chain(bins.iter().flat_map(|bin| &bin.cases)).collect();
    let progress = bar(all.len(), "read {bar:30} {pos}/{len} films, {per_sec}, {eta} left");
    let calls = all
        .par_iter()
        .with_max_len(1)
        .map(|case| {
            let film = cases::film(case, args.film_size, args.preset);
            let calls = models
                .iter()
                .map(|model| {
                    let inference = model.infer(&model.card().preprocessing.apply(&film), None)?;
                    let answered = inference.standing.is_answered();
                    Ok(if answered { Calls::of((inference.class, inference.flagged)) } else { Calls::default() })
                })
                .collect::<Result<Vec<Calls>>>()
                .with_context(|| format!("phantom of seed {}", case.seed));
            progress.inc(1);
            calls
        })
        .collect::<Result<Vec<_>>>()?;
    progress.finish_and_clear();
    let readings = models.iter().enumerate().map(|(i, model)| {
        let size = model.card().preprocessing.size;
        let network: Vec<Calls> = calls.iter().map(|calls| calls[i]).collect();
        let reader: Vec<Calls> = all.par_iter().map(|case| read(case, size)).collect();
        let milliseconds = milliseconds(model, &natural[0], args)?;
        Ok(Reading::new(model, milliseconds, &natural, &bins, &network, &reader))
    });
    let readings = readings.collect::<Result<Vec<_>>>()?;
    Ok(Report { preset: args.preset.to_string(), film_size: args.film_size, pairs: Pair::all(&readings), readings })
}

/// How often the simulated reader gives each class.
pub(crate) fn read(case: &Case, input_size: u32) -> Calls {
    let mut rng = StdRng::seed_from_u64(case.seed ^ 0x8EAD);
    let error = reader::error_mm(case, input_size);
    let mut calls = Calls::default();
    for _ in 0..READINGS {
        calls.shares[reader::read(case, error, &mut rng).index()] += 1.0 / READINGS as f64;
    }
    calls.flagged = calls.shares[0] + calls.shares[1];
    calls
}

/// The median of some passes one after the other.
fn milliseconds(model: &Classifier, case: &Case, args: &ResolutionArgs) -> Result<f64> {
    let input = model.card().preprocessing.apply(&cases::film(case, args.film_size, args.preset));
    let mut times = Vec::new();
    for _ in 0..9 {
        let begin = Instant::now();
        model.logits(std::slice::from_ref(&input))?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
