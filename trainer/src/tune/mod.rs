//! Fine-tuning: a champion goes on learning from new labels beside images that it knows, its batch norms as they are.
//!
//! A function of its images: it knows no database. The same images and arguments give the same weights, also when it was
//! stopped in the middle and goes on from its checkpoint.

mod interpolation;
mod lessons;
mod operating;
mod replay;
mod scope;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use cspine_domain::Sha256;
use cspine_nets::{Checkpoint, Classifier, ModelCard};
use serde::{Deserialize, Serialize};

use crate::fit::calibrate::{Scored, nll, temperature};
use crate::fit::epochs::{Course, Listener, run};
use crate::fit::session::{confusion, score};
use crate::fit::{Epoch, Recipe};
use crate::metrics::collapse;
use interpolation::Between;
use operating::Known;

pub use lessons::{LeftOut, Lesson, Lessons, Role};
pub use replay::stratified;

/// How a champion is fine-tuned
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
pub struct TuneArgs {
    /// Passes over the new images, each with as many known ones, at most
    #[arg(long = "tune-epochs", env = "CSPINE_TUNE_EPOCHS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub epochs: u16,
    /// Epochs without a lower validation loss after which it ends
    #[arg(long = "tune-patience", env = "CSPINE_TUNE_PATIENCE", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub patience: u16,
    /// Images a step
    #[arg(long = "tune-batch", env = "CSPINE_TUNE_BATCH", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..))]
    pub batch: u16,
    /// Learning rate of the first epochs
    #[arg(long = "tune-rate", env = "CSPINE_TUNE_RATE", default_value_t = 0.0005)]
    pub rate: f32,
    /// Epochs after which the rate is halved, again and again
    #[arg(long = "tune-rate-epochs", env = "CSPINE_TUNE_RATE_EPOCHS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub rate_epochs: u16,
    /// Seed of order, replay and augmentation
    #[arg(long = "tune-seed", env = "CSPINE_TUNE_SEED", default_value_t = 1)]
    pub seed: u64,
}

/// Known validation images beside the new ones, at least: with fewer an operating point says little.
const KNOWN_VALIDATION_MIN: usize = 200;

/// The network that serves.
#[derive(Debug)]
pub struct Champion {
    /// Its weights and card.
    pub checkpoint: Checkpoint,
    /// Its file's name.
    pub sha256: Sha256,
}

/// What came of a fine-tuning.
#[derive(Debug)]
pub struct Tuned {
    /// The model file.
    pub bytes: Vec<u8>,
    /// Its name.
    pub sha256: Sha256,
    /// Its card.
    pub card: ModelCard,
    /// Every epoch.
    pub history: Vec<Epoch>,
    /// How far from the champion's weights to those of the best epoch its own lie.
    pub share: f64,
}

/// No image is there to be learnt from that the champion does not know: nobody's fault, and nothing comes of it.
#[derive(Debug, thiserror::Error)]
#[error("there is nothing new to learn from")]
pub struct NothingNew;

/// Fine-tunes on rayon's current pool; a checkpoint of each epoch lies in `out`, from which it goes on.
///
/// # Errors
/// [`NothingNew`]; no images to validate with, a loss that is not finite, a disk that is full, a listener that has had
/// enough.
pub(crate) fn tune(
    champion: &Champion,
    lessons: &Lessons,
    args: &TuneArgs,
    out: &Path,
    tell: Listener<'_>,
) -> Result<Tuned> {
    let (new, known) = (lessons.of(Role::New), lessons.of(Role::Replay));
    ensure!(!new.is_empty(), NothingNew);
    let mut validation = lessons.of(Role::NewValidation);
    let beside = validation.len().max(KNOWN_VALIDATION_MIN);
    let known_validation = lessons.of(Role::ReplayValidation);
    validation.extend(stratified(&known_validation, |i| lessons.stratum(i), beside, args.seed));
    ensure!(!validation.is_empty(), "there are no images to validate with");
    validation.sort_unstable();

    let training = |epoch: usize| {
        let beside = stratified(&known, |i| lessons.stratum(i), new.len(), args.seed ^ (epoch as u64 + 1) << 32);
        let mut training = [new.as_slice(), &beside].concat();
        training.sort_unstable();
        training
    };
    let shown: Vec<usize> = [new.as_slice(), &known].concat();
    let data_digest = lessons.images.digest(&shown);
    let recipe = recipe(champion, args, data_digest, lessons.images.digest(&validation));
    let course = Course { training: &training, validation: &validation, patience: Some(args.patience.into()) };
    let (session, history) = run(&champion.checkpoint.state, &lessons.images, &course, &recipe, out, tell)?;

    let (tuned, _) = session.best.context("no epoch was validated")?;
    let Between { state, scored, loss, share } = Between::best(&champion.checkpoint.state, &tuned, |state| {
        score(recipe.architecture, state, &lessons.images, &validation)
    })?;
    let mut card = card(champion, lessons, data_digest, share);
    card.evaluation.insert("validation_loss".into(), loss);
    let scored_by_both = known_to(champion, lessons, &validation, &scored)?;
    calibrate(&mut card, &champion.checkpoint.card, &scored, &scored_by_both)?;
    let mut checkpoint = Checkpoint { card, state };
    if champion.checkpoint.card.gate.is_some() {
        let model = Classifier::new(&checkpoint.as_stored()?, Sha256([0; 32]))?;
        let thresholds = [lessons.of(Role::NewValidation), known_validation].concat();
        scope::gate(&model, &lessons.images, &shown, &thresholds, args.seed)?.install(&mut checkpoint)?;
    }
    let checkpoint = checkpoint.with_golden()?;
    let bytes = checkpoint.write()?;
    Ok(Tuned { sha256: Sha256::of(&bytes), bytes, card: checkpoint.card, history, share })
}

fn recipe(champion: &Champion, args: &TuneArgs, data: Sha256, validation: Sha256) -> Recipe {
    let architecture = champion.checkpoint.card.architecture;
    let mut recipe = Recipe::unbound(architecture);
    (recipe.epochs, recipe.batch, recipe.seed) = (args.epochs.into(), args.batch.into(), args.seed);
    (recipe.rate, recipe.rate_epochs, recipe.norms_frozen) = (args.rate, args.rate_epochs.into(), true);
    recipe.bound(&format!("{} {data} {validation} {}", champion.sha256, args.patience))
}

/// A card of the champion's kind for weights that nothing was found of yet.
fn card(champion: &Champion, lessons: &Lessons, data_digest: Sha256, share: f64) -> ModelCard {
    let old = &champion.checkpoint.card;
    let count = |role| lessons.of(role).len();
    let data = format!(
        "fine-tuned on {} newly labelled images beside {} known ones, {:.0} % of the way from the champion's weights; before \
         that: {}",
        count(Role::New),
        count(Role::Replay),
        100.0 * share,
        origin(&old.training.data)
    );
    let mut card = ModelCard::uncalibrated(old.architecture, old.preprocessing.clone(), &data);
    card.training.data_digest = Some(data_digest);
    card.training.parent = Some(champion.sha256);
    card
}

/// Where a network comes from, without its fine-tunings: each is told of by its own parent.
fn origin(data: &str) -> &str {
    data.rsplit("before that: ").next().unwrap_or(data)
}

/// Of the images that were scored those that the champion knows, scored by it too.
fn known_to(champion: &Champion, lessons: &Lessons, images: &[usize], scored: &[Scored]) -> Result<Vec<Known>> {
    let all = images.iter().copied().zip(scored.iter().copied());
    let (known, by_challenger): (Vec<usize>, Vec<Scored>) =
        all.filter(|(i, _)| lessons.lessons[*i].role == Role::ReplayValidation).unzip();
    let Checkpoint { card, state } = &champion.checkpoint;
    let by_champion = score(card.architecture, state, &lessons.images, &known)?;
    let pairs = by_champion.into_iter().zip(by_challenger);
    Ok(pairs.map(|(by_champion, by_challenger)| Known { by_champion, by_challenger }).collect())
}

/// Temperature and operating point anew.
fn calibrate(card: &mut ModelCard, champion: &ModelCard, scored: &[Scored], known: &[Known]) -> Result<()> {
    card.temperature = temperature(scored);
    card.evaluation.insert("validation_loss_calibrated".into(), nll(scored, card.temperature));
    operating::set(card, champion, scored, known)?;
    card.calibrated = true;
    card.collapsed = collapse(&confusion(scored)).map(|collapse| collapse.to_string());
    Ok(())
}
