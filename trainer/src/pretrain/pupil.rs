//! What learns: the network, its optimiser, and a head that says where the injury is.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor, Var};
use cspine_domain::Class;
use cspine_nets::average::Average;
use cspine_nets::layers::{Mode, StateDict};
use cspine_nets::optimiser::Sgd;
use cspine_nets::{Architecture, Learner, init};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::PretrainArgs;
use super::batch::{Batch, Diet};
use super::grid;
use crate::fit::drop_out;
use crate::snapshot::Snapshot;

const MOMENTUM: f32 = 0.9;
const WEIGHT_DECAY: f32 = 1e-4;
/// Steps between two looks of the average at the weights, and how much of it a look leaves.
const AVERAGE_EVERY: u64 = 10;
const AVERAGE_DECAY: f32 = 0.98;

/// The network, its optimiser and the head that says where the injury is.
pub struct Pupil {
    architecture: Architecture,
    learner: Learner,
    place_weight: Var,
    place_bias: Var,
    sgd: Sgd,
    average: Average,
    /// Steps done.
    pub step: u64,
}

/// What a step measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Losses {
    /// Mean cross-entropy of the classes, nats; 0 where only the place is learnt.
    pub class: f32,
    /// Loss by place.
    pub place: f32,
    /// Share of right classes.
    pub right: f32,
}

impl Losses {
    /// Adds another step's.
    pub fn add(&mut self, other: Losses) {
        self.class += other.class;
        self.place += other.place;
        self.right += other.right;
    }
}

impl Pupil {
    /// Fresh, or from the checkpoint that lies in `--out`.
    pub fn start(args: &PretrainArgs) -> Result<Self> {
        let file = args.out.join("checkpoint.safetensors");
        if file.exists() {
            return Self::load(args.architecture, &file).with_context(|| format!("going on from {}", file.display()));
        }
        let mut state = init::network(args.architecture, args.seed, Class::COUNT)?;
        let channels = grid::channels(args.architecture);
        state.insert("place.weight".into(), init::normal_matrix(args.seed ^ 0x504C, (channels, 2), 0.01)?);
        state.insert("place.bias".into(), Tensor::full(-3f32, 2, &Device::Cpu)?);
        Self::from_parts(args.architecture, &state, None, None, 0)
    }

    /// The averaged weights.
    pub fn average(&self) -> &StateDict {
        self.average.state()
    }

    fn from_parts(
        architecture: Architecture,
        state: &StateDict,
        average: Option<&StateDict>,
        saved: Option<&StateDict>,
        step: u64,
    ) -> Result<Self> {
        let learner = Learner::new(architecture, state)?;
        let place = |name: &str| {
            Ok::<_, anyhow::Error>(Var::from_tensor(state.get(name).context("the checkpoint has no head by place")?)?)
        };
        let (place_weight, place_bias) = (place("place.weight")?, place("place.bias")?);
        let mut parameters = learner.parameters();
        parameters.push(("place.weight".into(), place_weight.clone()));
        parameters.push(("place.bias".into(), place_bias.clone()));
        let mut sgd = Sgd::new(parameters, MOMENTUM, WEIGHT_DECAY)?;
        if let Some(saved) = saved {
            sgd.restore(saved)?;
        }
        let average = Average::new(average.unwrap_or(&learner.state()?), step / AVERAGE_EVERY, AVERAGE_DECAY)?;
        Ok(Self { architecture, learner, place_weight, place_bias, sgd, average, step })
    }

    fn load(architecture: Architecture, file: &Path) -> Result<Self> {
        let snapshot = Snapshot::read(file)?;
        let [state, average, velocity] = ["state", "average", "velocity"].map(|part| snapshot.part(part));
        let step = snapshot.number("step")? as u64;
        Self::from_parts(architecture, &state, Some(&average), Some(&velocity), step)
    }

    /// Writes a checkpoint.
    pub fn save(&self, out: &Path) -> Result<()> {
        let mut snapshot = Snapshot::default();
        let mut state = self.learner.state()?;
        state.insert("place.weight".into(), self.place_weight.as_tensor().clone());
        state.insert("place.bias".into(), self.place_bias.as_tensor().clone());
        snapshot.put("state", &state);
        snapshot.put("average", self.average.state());
        snapshot.put("velocity", &self.sgd.state());
        snapshot.put_number("step", self.step as f64)?;
        snapshot.write(&out.join("checkpoint.safetensors"))
    }

    /// One step.
    pub fn learn(&mut self, batch: &Batch, diet: &Diet, rate: f32, place_loss: f32) -> Result<Losses> {
        let n = batch.labels.len();
        let images = Tensor::from_slice(&batch.images, (n, 3, diet.side, diet.side), &Device::Cpu)?;
        let mode = Mode::Train { input: false };
        let maps = self.learner.maps(&images, mode)?;
        let map = grid::map(self.architecture, &maps);
        let (_, rows, columns, channels) = map.dims4()?;
        let place =
            map.reshape((n * rows * columns, channels))?.matmul(&self.place_weight)?.broadcast_add(&self.place_bias)?;
        let truth = Tensor::from_slice(&batch.places, (n * rows * columns, 2), &Device::Cpu)?;
        let by_place = place_entropy(&place, &truth)?;
        let mut total = (&by_place * f64::from(place_loss))?;
        let mut losses = Losses { place: by_place.to_scalar()?, ..Losses::default() };
        if diet.classes {
            let labels = Tensor::from_slice(&batch.labels, n, &Device::Cpu)?;
            let mut rng = StdRng::seed_from_u64(self.step ^ 0xD20);
            let dropout = self.architecture.dropout();
            let logits = self.learner.answer(&maps, mode, |x| drop_out(x, dropout, &mut rng))?;
            let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
            total = (total + &loss)?;
            losses.class = loss.to_scalar()?;
            losses.right = logits.argmax(D::Minus1)?.eq(&labels)?.to_dtype(DType::F32)?.mean_all()?.to_scalar()?;
        }
        self.sgd.step(&self.learner.backward(&total)?, rate)?;
        self.step += 1;
        if self.step.is_multiple_of(AVERAGE_EVERY) {
            self.average.follow(&self.learner.state()?)?;
        }
        Ok(losses)
    }
}

/// Binary cross-entropy with logits, positives five times as heavy, summed over a picture's cells and averaged over
/// pictures of 49 cells.
fn place_entropy(logits: &Tensor, truth: &Tensor) -> candle_core::Result<Tensor> {
    // softplus(x) = max(x, 0) + ln(1 + e^−|x|)
    let softplus = |x: &Tensor| x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?;
    let positive = ((truth * 5.0)? * softplus(&logits.neg()?)?)?;
    let negative = ((1.0 - truth)? * softplus(logits)?)?;
    (positive + negative)?.mean_all()? * 10.0
}
