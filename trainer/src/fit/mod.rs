//! `cspine-trainer fit`: the paper's recipe, from fresh or given weights to a calibrated model file.

mod calibrate;
mod images;
mod recipe;
mod session;
mod split;

pub use recipe::{FitArgs, Recipe};
pub use session::drop_out;

use std::path::Path;

use anyhow::{Context, Result, bail};
use cspine_domain::{Class, Sha256};
use cspine_imaging::{Limits, Preprocessing};
use cspine_nets::layers::StateDict;
use cspine_nets::{Architecture, Checkpoint, ModelCard, init};

use crate::dataset::Dataset;
use crate::progress::bar;
use crate::snapshot::write_atomically;
use images::Images;
use session::{Session, accuracy, score};
use split::{Member, Split, split};

/// Fits a network and writes `model.safetensors`, `fit.json`, `split.csv` and `checkpoint.safetensors` to `--out`.
pub fn run(args: &FitArgs) -> Result<()> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let start = Start::of(args)?;
    let dataset = Dataset::open(&args.data)?;
    let images = load(&dataset, &start.preprocessing)?;
    let split = deal(&dataset, args)?;
    write_split(&args.out.join("split.csv"), &dataset, &split)?;
    let training_digest = images.digest(&split.training);
    let recipe = args.recipe(&start, training_digest);
    let session = fit(&start.state, &images, &split, &recipe, &args.out)?;

    let (best, loss) = session.best.context("no epoch was validated: --epochs is to be at least 1")?;
    let mut card = ModelCard::uncalibrated(start.architecture, start.preprocessing, &args.data_note);
    card.training.data_digest = Some(training_digest);
    card.training.parent = start.parent;
    calibrate_card(&mut card, &best, &images, &split, args.sensitivity)?;
    if !split.test.is_empty() {
        let scored = score(start.architecture, &best, &images, &split.test)?;
        card.evaluation.insert("test_accuracy".into(), accuracy(&scored));
        println!("test set of {} images: plain accuracy {:.2} %", scored.len(), 100.0 * accuracy(&scored));
    }
    card.evaluation.insert("validation_loss".into(), loss);
    println!("temperature {:.3}, operating point {:.4}", card.temperature, card.operating_point);
    let model = args.out.join("model.safetensors");
    let bytes = Checkpoint { card, state: best }.write()?;
    write_atomically(&model, &bytes)?;
    println!("wrote {} ({:.1} MB), sha256 {}", model.display(), bytes.len() as f64 / 1e6, Sha256::of(&bytes));
    Ok(())
}

/// What a fit begins with.
struct Start {
    architecture: Architecture,
    state: StateDict,
    /// The model the weights come from.
    parent: Option<Sha256>,
    /// How images are to be prepared.
    preprocessing: Preprocessing,
}

impl Start {
    fn of(args: &FitArgs) -> Result<Self> {
        let start = match &args.init {
            None => Self::fresh(args)?,
            Some(file) => Self::given(file, args.size).with_context(|| format!("reading {}", file.display()))?,
        };
        let size = start.preprocessing.size;
        if !start.architecture.takes(size) {
            bail!("{} takes no inputs of {size} pixels", start.architecture.as_str());
        }
        match args.architecture {
            Some(asked) if asked != start.architecture => bail!("--init is not of --architecture {}", asked.as_str()),
            _ => Ok(start),
        }
    }

    fn fresh(args: &FitArgs) -> Result<Self> {
        let architecture = args.architecture.unwrap_or(Architecture::GoogLeNet);
        let size = args.size.unwrap_or(architecture.input_size());
        let preprocessing = Preprocessing { size, ..Preprocessing::default() };
        Ok(Self {
            architecture,
            state: init::network(architecture, args.seed, Class::COUNT)?,
            parent: None,
            preprocessing,
        })
    }

    fn given(file: &Path, size: Option<u32>) -> Result<Self> {
        let bytes = std::fs::read(file)?;
        let Checkpoint { card, state } = Checkpoint::read(&bytes)?;
        let mut preprocessing = card.preprocessing;
        preprocessing.size = size.unwrap_or(preprocessing.size);
        Ok(Self { architecture: card.architecture, state, parent: Some(Sha256::of(&bytes)), preprocessing })
    }
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

fn deal(dataset: &Dataset, args: &FitArgs) -> Result<Split> {
    let members: Vec<Member<'_>> = dataset
        .examples
        .iter()
        .map(|example| Member {
            class: example.class,
            patient: example.patient_key.as_deref().unwrap_or(&example.name),
        })
        .collect();
    split(&members, args.split, args.seed)
}

fn fit(state: &StateDict, images: &Images, split: &Split, recipe: &Recipe, out: &Path) -> Result<Session> {
    let file = out.join("checkpoint.safetensors");
    let mut session = if file.exists() {
        let session = Session::resume(&file, recipe)?;
        println!("going on after epoch {}", session.epoch);
        session
    } else {
        Session::start(state, recipe)?
    };
    while session.epoch < recipe.epochs {
        let template = "epoch {prefix} {bar:30} {pos}/{len} images, {per_sec}, {eta} left; {msg}";
        let bar = bar(split.training.len(), template).with_prefix(format!("{}/{}", session.epoch + 1, recipe.epochs));
        let done = session.learn(images, &split.training, recipe, |progress, count| {
            bar.set_message(format!("loss {:.4}, right {:.1} %", progress.loss(), 100.0 * progress.accuracy()));
            bar.inc(count as u64);
        })?;
        let seconds = bar.elapsed().as_secs_f64();
        bar.finish_and_clear();
        let [loss, right] = session.validate(images, &split.validation)?;
        println!(
            "epoch {}/{}: loss {:.4}, right {:.2} %, {:.1} images/s; validation loss {loss:.4}, right {:.2} %",
            session.epoch,
            recipe.epochs,
            done.loss(),
            100.0 * done.accuracy(),
            split.training.len() as f64 / seconds,
            100.0 * right
        );
        session.save(&file, recipe)?;
    }
    Ok(session)
}

/// Finds temperature and operating point on the validation set with the weights as stored.
fn calibrate_card(
    card: &mut ModelCard,
    state: &StateDict,
    images: &Images,
    split: &Split,
    sensitivity: f64,
) -> Result<()> {
    let scored = score(card.architecture, state, images, &split.validation)?;
    card.temperature = calibrate::temperature(&scored);
    card.evaluation.insert("validation_loss_calibrated".into(), calibrate::nll(&scored, card.temperature));
    card.operating_point = calibrate::operating_point(&scored, card, sensitivity)
        .context("the validation set has no injuries to set the operating point on")?;
    card.calibrated = true;
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
