//! `cspine-trainer fit`: the paper's recipe, from fresh or given weights to a calibrated model file.

pub(crate) mod calibrate;
pub(crate) mod epochs;
mod history;
mod images;
mod operating;
mod recipe;
pub(crate) mod session;
mod split;
mod start;
mod teller;

pub use history::Epoch;
pub(crate) use history::learning_curves;
pub use images::Images;
pub use operating::OperatingArgs;
pub use recipe::{FitArgs, Recipe, RecipeArgs};
pub use session::drop_out;
pub use split::{Shares, Split};

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cspine_domain::Sha256;
use cspine_imaging::{Limits, Preprocessing};
use cspine_nets::layers::StateDict;
use cspine_nets::{Checkpoint, ModelCard};

use crate::dataset::Dataset;
use crate::metrics::collapse;
use crate::progress::bar;
use crate::snapshot::write_atomically;
use epochs::Course;
use session::{confusion, score};
use split::{Member, split};
use start::Start;
use teller::Teller;

/// What a fit left in its folder, beside `checkpoint.safetensors`, from which it goes on.
#[derive(Debug)]
pub struct Fitted {
    /// `model.safetensors`.
    pub model: PathBuf,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Its card.
    pub card: ModelCard,
    /// Which examples of the data set were for what; also in `split.csv`.
    pub split: Split,
    /// Every epoch; also in `fit.json`.
    pub history: Vec<Epoch>,
}

/// Fits a network and writes `model.safetensors`, `fit.json`, `split.csv` and `checkpoint.safetensors` to `--out`.
///
/// # Errors
/// As [`fit`], or a data set that cannot be opened.
pub fn run(args: &FitArgs) -> Result<()> {
    let (dataset, duplicates) = Dataset::open_together(&args.data)?;
    println!("{}", duplicates.report(&dataset));
    fit(args, &dataset).map(drop)
}

/// Fits a network to an opened data set, whose near duplicates were found.
///
/// # Errors
/// First weights or an image that cannot be used, a class or set without images, a checkpoint of another fit, a loss that
/// is not finite, an `--out` that cannot be written.
pub fn fit(args: &FitArgs, dataset: &Dataset) -> Result<Fitted> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let start = Start::of(args)?;
    let images = load(dataset, &start.preprocessing)?;
    let split = deal(dataset, &args.recipe)?;
    write_split(&args.out.join("split.csv"), dataset, &split)?;
    let training_digest = images.digest(&split.training);
    let recipe = args.recipe.bind(&start, training_digest);
    let training = |_| split.training.clone();
    let course = Course { training: &training, validation: &split.validation, patience: None };
    let mut teller = Teller::new(recipe.epochs);
    let listen = &mut |news: epochs::News<'_>| {
        teller.tell(&news);
        Ok(())
    };
    let (session, history) = epochs::run(&start.state, &images, &course, &recipe, &args.out, listen)?;

    let (best, loss) = session.best.context("no epoch was validated: --epochs is to be at least 1")?;
    let mut card = ModelCard::uncalibrated(start.architecture, start.preprocessing, &args.data_note);
    card.training.data_digest = Some(training_digest);
    card.training.parent = start.parent;
    card.evaluation.insert("validation_loss".into(), loss);
    calibrate_card(&mut card, &best, &images, &split, &args.operating)?;
    test(&mut card, &best, &images, &split)?;
    let model = args.out.join("model.safetensors");
    let checkpoint = Checkpoint { card, state: best }.with_golden()?;
    let bytes = checkpoint.write()?;
    write_atomically(&model, &bytes)?;
    let sha256 = Sha256::of(&bytes);
    println!("wrote {} ({:.1} MB), sha256 {sha256}", model.display(), bytes.len() as f64 / 1e6);
    Ok(Fitted { model, sha256, card: checkpoint.card, split, history })
}

fn load(dataset: &Dataset, preprocessing: &Preprocessing) -> Result<Images> {
    let [dislocations, fractures, normals] = dataset.counts();
    println!("{dislocations} dislocations, {fractures} fractures, {normals} normals");
    if [dislocations, fractures, normals].contains(&0) {
        bail!("a class has no images: a network of three classes cannot be fitted to them");
    }
    let bar = bar(dataset.examples.len(), "decoding {bar:40} {pos}/{len} images, {eta} left");
    let images = Images::load(dataset, preprocessing, &Limits::default(), || bar.inc(1))?;
    bar.finish_and_clear();
    Ok(images)
}

fn deal(dataset: &Dataset, recipe: &RecipeArgs) -> Result<Split> {
    let members = dataset.examples.iter().map(|example| Member { class: example.class, patient: example.side() });
    let members: Vec<Member<'_>> = members.collect();
    split(&members, recipe.split, recipe.seed)
}

/// Finds temperature and operating point on the validation set with the weights as stored, and whether they tell anything
/// apart.
fn calibrate_card(
    card: &mut ModelCard,
    state: &StateDict,
    images: &Images,
    split: &Split,
    operating: &OperatingArgs,
) -> Result<()> {
    let scored = score(card.architecture, state, images, &split.validation)?;
    card.temperature = calibrate::temperature(&scored);
    card.evaluation.insert("validation_loss_calibrated".into(), calibrate::nll(&scored, card.temperature));
    operating.apply(card, &scored)?;
    card.calibrated = true;
    println!("temperature {:.3}, operating point {:.4}", card.temperature, card.operating_point);
    if let Some(operating) = &card.operating {
        println!("{operating}");
    }
    card.collapsed = collapse(&confusion(&scored)).map(|collapse| collapse.to_string());
    if let Some(collapse) = &card.collapsed {
        println!("COLLAPSED: {collapse}; this model is not to be used");
    }
    Ok(())
}

fn test(card: &mut ModelCard, state: &StateDict, images: &Images, split: &Split) -> Result<()> {
    let scored = score(card.architecture, state, images, &split.test)?;
    if let Some(accuracy) = confusion(&scored).accuracy().value() {
        card.evaluation.insert("test_accuracy".into(), accuracy);
        println!("test set of {} images: plain accuracy {:.2} %", scored.len(), 100.0 * accuracy);
    }
    Ok(())
}

fn write_split(file: &Path, dataset: &Dataset, split: &Split) -> Result<()> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(["file", "class", "set"])?;
    for (set, indices) in [("training", &split.training), ("validation", &split.validation), ("test", &split.test)] {
        for &i in indices {
            let example = &dataset.examples[i];
            rows.write_record([&example.name, example.class.as_str(), set])?;
        }
    }
    write_atomically(file, &rows.into_inner()?)
}
