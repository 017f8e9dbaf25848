//! `cspine-trainer fit`: the paper's recipe, from fresh or given weights to a calibrated model file.

pub(crate) mod calibrate;
pub(crate) mod epochs;
mod history;
mod images;
pub(crate) mod operating;
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

use anyhow::{Context, Result, bail, ensure};
use cspine_domain::{Class, Sha256};
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
    /// Which examples of the data set were for what, without those that cannot be used of training and validation;
    /// `split.csv` has those too.
    pub split: Split,
    /// Every epoch; also in `fit.json`.
    pub history: Vec<Epoch>,
}

/// Fits a network and writes `model.safetensors`, `fit.json`, `split.csv` and `checkpoint.safetensors` to `--out`.
///
/// # Errors
/// As [`fit`], or a data set that cannot be opened.
pub fn run(args: &FitArgs) -> Result<()> {
    let (dataset, survey) = Dataset::open_together(&args.data)?;
    println!("{survey}");
    fit(args, &dataset).map(drop)
}

/// Fits a network to an opened data set, whose near duplicates were found. Images that cannot be decoded or assessed
/// are dealt out like the others; nothing is learnt from them, and in the test set they count as errors.
///
/// # Errors
/// First weights that cannot be used, a file that cannot be read, a class or set without images, a checkpoint of
/// another fit or of more epochs, a loss that is not finite, an `--out` that cannot be written.
pub fn fit(args: &FitArgs, dataset: &Dataset) -> Result<Fitted> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let start = Start::of(args)?;
    let images = load(dataset, &start.preprocessing)?;
    let mut split = deal(dataset, &args.recipe)?;
    write_split(&args.out.join("split.csv"), dataset, &split)?;
    leave_out(&mut split, &images)?;
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
    for class in Class::ALL {
        let usable = (0..dataset.examples.len()).any(|i| images.class(i) == *class && images.usable(i));
        ensure!(
            usable,
            "no {class} can be decoded and assessed: a network of three classes cannot be fitted to the others"
        );
    }
    Ok(images)
}

fn deal(dataset: &Dataset, recipe: &RecipeArgs) -> Result<Split> {
    let members = dataset.examples.iter().map(|example| Member { class: example.class, patient: example.side() });
    let members: Vec<Member<'_>> = members.collect();
    split(&members, recipe.split, recipe.seed)
}

/// Leaves nothing to learn and to validate with but what can be used.
fn leave_out(split: &mut Split, images: &Images) -> Result<()> {
    for (what, set) in [("training", &mut split.training), ("validation", &mut split.validation)] {
        set.retain(|&i| images.usable(i));
        ensure!(!set.is_empty(), "no image for {what} can be decoded and assessed");
    }
    Ok(())
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
    operating.apply(card, &scored, None)?;
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

/// Measures on the whole test set, in which an image that cannot be used is an error.
fn test(card: &mut ModelCard, state: &StateDict, images: &Images, split: &Split) -> Result<()> {
    let (usable, unusable): (Vec<usize>, Vec<usize>) = split.test.iter().partition(|&&i| images.usable(i));
    let mut confusion = confusion(&score(card.architecture, state, images, &usable)?);
    for &i in &unusable {
        confusion.abstained[images.class(i).index()] += 1;
    }
    if let Some(accuracy) = confusion.accuracy().value() {
        card.evaluation.insert("test_accuracy".into(), accuracy);
        println!("test set of {} images: plain accuracy {:.2} %", split.test.len(), 100.0 * accuracy);
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

#[cfg(test)]
mod tests {
    use cspine_nets::{Architecture, init};
    use image::{GrayImage, Luma};

    use super::*;

    #[test]
    fn what_cannot_be_used_is_not_learnt_from_and_is_an_error_in_the_test_set() {
        let folder = tempfile::tempdir().unwrap();
        let normal = folder.path().join("normal");
        std::fs::create_dir(&normal).unwrap();
        for name in ["0.png", "1.png", "2.png", "3.png"] {
            GrayImage::from_fn(90, 80, |x, y| Luma([(x * 2 + y) as u8])).save(normal.join(name)).unwrap();
        }
        for name in ["4.png", "5.png", "6.png"] {
            std::fs::write(normal.join(name), b"no picture").unwrap();
        }
        let preprocessing = Preprocessing { size: 64, ..Preprocessing::default() };
        let dataset = Dataset::open(folder.path()).unwrap();
        let images = Images::load(&dataset, &preprocessing, &Limits::default(), || ()).unwrap();
        let mut split = Split { training: vec![0, 4], validation: vec![1, 5], test: vec![2, 3, 6] };
        leave_out(&mut split, &images).unwrap();
        assert_eq!(split, Split { training: vec![0], validation: vec![1], test: vec![2, 3, 6] });

        // A network that calls everything normal is right on the two that it sees.
        let mut card = ModelCard::uncalibrated(Architecture::GoogLeNet, preprocessing, "test");
        let mut state = init::network(Architecture::GoogLeNet, 1, Class::COUNT).unwrap();
        let bias = candle_core::Tensor::new(&[0.0_f32, 0.0, 1e6], &candle_core::Device::Cpu).unwrap();
        state.insert("fc.bias".into(), bias);
        test(&mut card, &state, &images, &split).unwrap();
        assert!((card.evaluation["test_accuracy"] - 2.0 / 3.0).abs() < 1e-12, "{:?}", card.evaluation);

        let mut none = Split { training: vec![0], validation: vec![5], test: vec![] };
        assert!(leave_out(&mut none, &images).unwrap_err().to_string().contains("no image for validation"));
    }
}
