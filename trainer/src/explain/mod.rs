//! `cspine-trainer explain`: saliency maps, tested. Each method in the pointing game and by its energy on masks of the
//! injuries, against baselines; by deletion and insertion; by cascading randomisation; and on turned films.

mod explainer;
mod faithfulness;
mod mask;
mod page;
mod pictures;
mod pointing;
mod randomisation;
mod report;
mod rotation;
mod sample;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cspine_imaging::Limits;
use cspine_nets::{Checkpoint, SaliencyMethod};

use crate::dataset::{Dataset, digest};
use crate::evaluate::load_checkpoint;
use crate::page::{Provenance, publish};
use crate::progress::bar;

use explainer::{Baseline, Explainer, Scene};
use page::Pictures;
pub use pointing::{Contest, Pointed, Pointing};
pub use report::Report;

/// Test a model's saliency maps on images with masks of the injuries
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    /// Model file
    #[arg(long, env = "CSPINE_MODEL", value_name = "FILE")]
    pub model: PathBuf,
    /// Data set as `cspine-trainer phantoms` writes it, with masks; without them the pointing game is left out
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder for explain.html and explain.json
    #[arg(long, value_name = "DIR")]
    pub report: PathBuf,
    /// Methods to test [default: all]
    #[arg(long, value_delimiter = ',', value_name = "METHOD,…")]
    pub methods: Vec<SaliencyMethod>,
    /// Injured images that the pointing game is played on, drawn by the seed
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Of them, images for deletion and insertion; 0 leaves it out
    #[arg(long, default_value_t = 16)]
    pub faithfulness: u32,
    /// Of them, images for cascading randomisation; 0 leaves it out
    #[arg(long, default_value_t = 4)]
    pub randomised: u32,
    /// Of them, images to be turned; 0 leaves it out
    #[arg(long, default_value_t = 6)]
    pub turned: u32,
    /// Of the choice of images, the random baselines and the random weights
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Samples whose maps are shown.
const SHOWN: usize = 3;

/// Writes the report and prints its tables, on rayon's current pool.
///
/// # Errors
/// If model, data set, an image or a mask cannot be used, or the report cannot be written; the text names it.
pub fn run(args: &ExplainArgs) -> Result<()> {
    let (checkpoint, model) = load_checkpoint(&args.model)?;
    let dataset = Dataset::open(&args.data)?;
    fs::create_dir_all(&args.report).with_context(|| format!("making {}", args.report.display()))?;
    let examples = sample::draw(&dataset, args.limit as usize, args.seed);
    let samples = sample::load(&model, &examples, &Limits::default())?;
    let scene = Scene::new(&model, &samples, args.seed);
    let methods = if args.methods.is_empty() { SaliencyMethod::ALL.to_vec() } else { args.methods.clone() };
    let report = measure(args, &scene, &checkpoint, &methods)?;
    print!("{}", report.text());

    let mut provenance = Provenance::new(dataset.subjects());
    provenance.seeds.push(format!("choice of images, random maps and weights: {}", args.seed));
    provenance.digests.insert("model".to_owned(), model.sha256().to_string());
    provenance.digests.insert("images".to_owned(), report.data_digest.to_string());
    let pictures = show(args, &scene, &methods, &report)?;
    publish(&args.report, "explain", &page::render(&report, &pictures, &provenance), &report, &provenance)
}

fn measure(
    args: &ExplainArgs,
    scene: &Scene<'_>,
    checkpoint: &Checkpoint,
    methods: &[SaliencyMethod],
) -> Result<Report> {
    let samples = scene.samples;
    let explainers = explainers(methods);
    let [faithfulness, randomised, turned] =
        [args.faithfulness, args.randomised, args.turned].map(|n| spread(samples.len(), n as usize));
    let progress = bar(0, "explain {bar:30} {pos} maps, {per_sec}");
    let tell = || progress.inc(1);
    let pointing = pointing::measure(scene, &explainers, tell)?;
    let some = |chosen: &[usize]| !chosen.is_empty();
    let report = Report {
        model_sha256: scene.model.sha256(),
        architecture: checkpoint.card.architecture,
        input_size: checkpoint.card.preprocessing.size,
        data_digest: digest(samples.iter().map(|sample| sample.sha256)),
        images: samples.len(),
        mirrored: samples.iter().filter(|sample| sample.look.is_mirrored()).count(),
        turned: samples.iter().filter(|sample| sample.look.quarters() > 0).count(),
        pointing,
        faithfulness: some(&faithfulness)
            .then(|| faithfulness::measure(scene, &faithfulness, &explainers, tell))
            .transpose()?,
        randomisation: some(&randomised)
            .then(|| randomisation::measure(scene, checkpoint, &randomised, methods, args.seed, tell))
            .transpose()?,
        rotation: some(&turned).then(|| rotation::measure(scene, &turned, methods, tell)).transpose()?,
        best: None,
        best_of_one_pass: None,
    };
    progress.finish_and_clear();
    Ok(report.concluded())
}

/// Methods, then every baseline.
fn explainers(methods: &[SaliencyMethod]) -> Vec<Explainer> {
    let methods = methods.iter().map(|method| Explainer::Method(*method));
    methods.chain(Baseline::ALL.map(Explainer::Baseline)).collect()
}

/// `count` of `of` places, evenly apart.
fn spread(of: usize, count: usize) -> Vec<usize> {
    let count = count.min(of);
    (0..count).map(|i| (2 * i + 1) * of / (2 * count)).collect()
}

/// Maps of some samples, and one sample turned.
fn show(args: &ExplainArgs, scene: &Scene<'_>, methods: &[SaliencyMethod], report: &Report) -> Result<Pictures> {
    let explainers: Vec<Explainer> = methods.iter().map(|method| Explainer::Method(*method)).collect();
    let tolerance = report.pointing.as_ref().map_or(0.0, |pointing| pointing.tolerance_px);
    let row = |i: usize| {
        let sample = &scene.samples[i];
        let caption = format!("{}: maps for {}, the injury outlined", sample.name, sample.class);
        Ok((caption, pictures::maps(scene, &explainers, i, tolerance)?))
    };
    let maps = spread(scene.samples.len(), SHOWN).into_iter().map(row).collect::<Result<Vec<_>>>()?;
    let best = report.best_of_one_pass.as_ref().and_then(|name| name.parse().ok());
    let method: SaliencyMethod = best.unwrap_or(methods[0]);
    let turned = spread(scene.samples.len(), args.turned as usize).first().map(|&i| {
        let caption = format!("{}, turned, with the map by {method} and the probability", scene.samples[i].name);
        Ok::<_, anyhow::Error>((caption, pictures::turned(scene, method, i)?))
    });
    Ok(Pictures { maps, turned: turned.transpose()? })
}
