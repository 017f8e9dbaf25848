//! One training: the network, its optimiser, what came of it so far, and its checkpoint.

use std::path::Path;

use anyhow::{Result, bail};
use candle_core::{D, DType, Device, Tensor};
use cspine_domain::{Class, Sha256};
use cspine_nets::layers::{Mode, StateDict};
use cspine_nets::optimiser::Sgd;
use cspine_nets::{Architecture, Checkpoint, Classifier, Learner, ModelCard};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use super::Recipe;
use super::calibrate::{Scored, nll};
use super::images::Images;
use crate::metrics::Confusion;
use crate::snapshot::Snapshot;

/// A training in progress.
pub struct Session {
    architecture: Architecture,
    learner: Learner,
    sgd: Sgd,
    /// Epochs done.
    pub epoch: usize,
    /// The weights of the lowest validation loss, and that loss.
    pub best: Option<(StateDict, f64)>,
}

/// The mean loss and share of right answers over an epoch's batches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    loss: f64,
    right: f64,
    images: usize,
}

impl Progress {
    /// Mean cross-entropy, nats.
    pub fn loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }

    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.right / self.images.max(1) as f64
    }
}

/// What came of a validation.
pub struct Validated {
    /// Mean cross-entropy, nats.
    pub loss: f64,
    /// Labels against answers.
    pub confusion: Confusion,
}

impl Session {
    /// Starts from some weights.
    pub fn start(state: &StateDict, recipe: &Recipe) -> Result<Self> {
        let learner = Learner::new(recipe.architecture, state)?;
        let mut parameters = learner.parameters();
        parameters.retain(|(name, _)| !(recipe.norms_frozen && name.contains(".bn.")));
        let sgd = Sgd::new(parameters, recipe.momentum, recipe.weight_decay)?;
        Ok(Self { architecture: recipe.architecture, learner, sgd, epoch: 0, best: None })
    }

    /// Goes on from a checkpoint.
    pub fn resume(file: &Path, recipe: &Recipe) -> Result<Self> {
        let snapshot = Snapshot::read(file)?;
        if snapshot.number("recipe")? != recipe.fingerprint() {
            bail!("{} is of another recipe or other data; use another --out, or remove it", file.display());
        }
        let mut session = Self::start(&snapshot.part("state"), recipe)?;
        session.sgd.restore(&snapshot.part("velocity"))?;
        session.epoch = snapshot.number("epoch")? as usize;
        let best = snapshot.part("best");
        session.best = if best.is_empty() { None } else { Some((best, snapshot.number("best_loss")?)) };
        Ok(session)
    }

    /// Writes a checkpoint.
    pub fn save(&self, file: &Path, recipe: &Recipe) -> Result<()> {
        let mut snapshot = Snapshot::default();
        snapshot.put("state", &self.learner.state()?);
        snapshot.put("velocity", &self.sgd.state());
        if let Some((best, loss)) = &self.best {
            snapshot.put("best", best);
            snapshot.put_number("best_loss", *loss)?;
        }
        snapshot.put_number("epoch", self.epoch as f64)?;
        snapshot.put_number("recipe", recipe.fingerprint())?;
        snapshot.write(file)
    }

    /// One epoch over the images `order` names; `tell` hears of each batch, and may end it by an error. What an epoch does depends on its number and
    /// the seed alone.
    pub fn learn(
        &mut self,
        images: &Images,
        training: &[usize],
        recipe: &Recipe,
        mut tell: impl FnMut(&Progress, usize) -> Result<()>,
    ) -> Result<Progress> {
        let mut order = training.to_vec();
        let seed = recipe.seed ^ ((self.epoch as u64 + 1) << 20);
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let rate = recipe.rate_of(self.epoch);
        let mut progress = Progress::default();
        for (step, chosen) in order.chunks(recipe.batch).enumerate() {
            if chosen.len() == 1 && order.len() > 1 {
                // One image has no batch statistics to speak of.
                continue;
            }
            let mut rng = StdRng::seed_from_u64(seed ^ (step as u64 + 1) << 40);
            let [loss, right] = self.step(images, chosen, recipe, rate, &mut rng)?;
            if !loss.is_finite() {
                bail!("the loss of epoch {} is not finite: a lower --rate may help", self.epoch + 1);
            }
            progress.loss += loss * chosen.len() as f64;
            progress.right += right;
            progress.images += chosen.len();
            tell(&progress, chosen.len())?;
        }
        self.epoch += 1;
        Ok(progress)
    }

    fn step(
        &mut self,
        images: &Images,
        chosen: &[usize],
        recipe: &Recipe,
        rate: f32,
        rng: &mut StdRng,
    ) -> Result<[f64; 2]> {
        let seeds: Vec<u64> = chosen.iter().map(|_| rng.random()).collect();
        let planes: Vec<Vec<f32>> = chosen
            .par_iter()
            .zip(&seeds)
            .map(|(&i, &seed)| {
                let grey = images.grey(i);
                let grey = match &recipe.augmentation {
                    Some(augmentation) => augmentation.apply(&grey, images.side(), &mut StdRng::seed_from_u64(seed)),
                    None => grey,
                };
                images.preprocessing().normalise(&grey)
            })
            .collect();
        let (n, side) = (chosen.len(), images.side());
        let pixels = Tensor::from_vec(planes.concat(), (n, 3, side, side), &Device::Cpu)?;
        let labels: Vec<u32> = chosen.iter().map(|&i| images.class(i).index() as u32).collect();
        let labels = Tensor::from_vec(labels, n, &Device::Cpu)?;
        let mode = if recipe.norms_frozen { Mode::Tune { input: false } } else { Mode::Train { input: false } };
        let maps = self.learner.maps(&pixels, mode)?;
        let logits = self.learner.answer(&maps, mode, |x| drop_out(x, recipe.dropout, rng))?;
        let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
        self.sgd.step(&self.learner.backward(&loss)?, rate)?;
        let right = logits.argmax(D::Minus1)?.eq(&labels)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
        Ok([f64::from(loss.to_scalar::<f32>()?), f64::from(right)])
    }

    /// Holds the weights as they are against the validation set, and keeps them if they are the best so far.
    pub fn validate(&mut self, images: &Images, validation: &[usize]) -> Result<Validated> {
        let state = self.learner.state()?;
        let scored = score(self.architecture, &state, images, validation)?;
        let loss = nll(&scored, 1.0);
        if self.best.as_ref().is_none_or(|(_, best)| loss < *best) {
            self.best = Some((state, loss));
        }
        Ok(Validated { loss, confusion: confusion(&scored) })
    }
}

/// Labels against the classes of the highest logits.
pub fn confusion(scored: &[Scored]) -> Confusion {
    let verdict =
        |s: &Scored| Class::ALL.iter().copied().max_by(|a, b| s.logits[a.index()].total_cmp(&s.logits[b.index()]));
    Confusion::count(scored.iter().map(|s| (s.class, verdict(s))))
}

/// The logits of weights, as a file would store them, on some images.
pub fn score(architecture: Architecture, state: &StateDict, images: &Images, chosen: &[usize]) -> Result<Vec<Scored>> {
    let card = ModelCard::uncalibrated(architecture, images.preprocessing().clone(), "in training");
    let stored = Checkpoint { card, state: state.clone() }.as_stored()?;
    let classifier = Classifier::new(&stored, Sha256([0; 32]))?;
    chosen
        .par_chunks(4)
        .map(|chunk| {
            let inputs: Vec<Vec<f32>> =
                chunk.iter().map(|&i| images.preprocessing().normalise(&images.grey(i))).collect();
            let logits = classifier.logits(&inputs)?;
            Ok(logits.into_iter().zip(chunk).map(|(logits, &i)| Scored { logits, class: images.class(i) }).collect())
        })
        .collect::<Result<Vec<Vec<Scored>>>>()
        .map(|scored| scored.concat())
}

/// Drops a share of the values, and scales the rest so that their mean stays.
pub fn drop_out(x: Tensor, share: f64, rng: &mut StdRng) -> candle_core::Result<Tensor> {
    let scale = (1.0 / (1.0 - share)) as f32;
    let kept: Vec<f32> = (0..x.elem_count()).map(|_| if rng.random_bool(share) { 0.0 } else { scale }).collect();
    let kept = Tensor::from_vec(kept, x.shape(), &Device::Cpu)?;
    x * kept
}
