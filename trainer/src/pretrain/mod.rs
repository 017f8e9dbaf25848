//! Stage 1 of the starter model: GoogLeNet from scratch on fresh phantoms of a documented range of seeds.
//!
//! There are no ImageNet weights here. What a fine fracture looks like is learnt on windows of the film around it, beside
//! the same window without it, and where it is on a coarse grid; then on whole films. The weights are averaged.

mod batch;

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::{D, Device, Tensor, Var};
use cspine_domain::Class;
use cspine_imaging::{Preprocessing, Radiograph};
use cspine_nets::average::Average;
use cspine_nets::googlenet::MAP_4E;
use cspine_nets::init;
use cspine_nets::layers::{Mode, StateDict};
use cspine_nets::optimiser::Sgd;
use cspine_nets::{Architecture, Checkpoint, Learner, ModelCard};
use cspine_phantom::{Case, Preset};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use crate::fit::drop_out;
use crate::snapshot::{Snapshot, write_atomically};

use batch::{Batch, Diet, Seeds, batch};

/// Pre-train on phantoms: stage 1 of the starter model.
#[derive(Debug, clap::Args)]
pub struct PretrainArgs {
    /// Folder for checkpoints and the log; a run that finds a checkpoint there goes on from it
    #[arg(long)]
    out: PathBuf,
    /// Passes over windows of the film, in thousands of pictures
    #[arg(long, default_value_t = 100)]
    windows: u64,
    /// Passes over whole films, in thousands of pictures
    #[arg(long, default_value_t = 40)]
    films: u64,
    /// First seed of the phantoms
    #[arg(long, default_value_t = 1_000_000_000)]
    first_seed: u64,
    /// Number of seeds
    #[arg(long, default_value_t = 400_000_000)]
    seeds: u64,
    /// Seed of the first weights
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Largest learning rate
    #[arg(long, default_value_t = 0.03)]
    rate: f32,
    /// Weight of the loss by place
    #[arg(long, default_value_t = 1.0)]
    place_weight: f32,
}

const BATCH: usize = 32;
const MOMENTUM: f32 = 0.9;
const WEIGHT_DECAY: f32 = 1e-4;
const AVERAGE_DECAY: f32 = 0.998;
const DROPOUT: f64 = 0.2;
const SAVE_EVERY: u64 = 250;
const LOOK_EVERY: u64 = 1000;

/// Windows of half the film first, then whole films.
fn diet(args: &PretrainArgs, step: u64) -> Diet {
    let windows = steps(args.windows);
    let clear = if step < windows / 2 { 1.0 } else { 0.3 };
    if step < windows {
        Diet { batch: BATCH, render: 336, side: 112, film: 224, clear }
    } else {
        Diet { batch: BATCH, render: 448, side: 224, film: 224, clear: 0.3 }
    }
}

fn steps(thousands: u64) -> u64 {
    thousands * 1000 / BATCH as u64
}

/// One cycle for each of the two phases: up over a tenth, then down as a cosine.
fn rate(args: &PretrainArgs, step: u64) -> f32 {
    let windows = steps(args.windows);
    let (at, of, top) =
        if step < windows { (step, windows, args.rate) } else { (step - windows, steps(args.films), args.rate * 0.6) };
    let progress = at as f32 / of.max(1) as f32;
    let warm = (progress / 0.1).min(1.0);
    top * warm.max(0.05) * (0.5 + 0.5 * (std::f32::consts::PI * progress).cos()).max(0.01)
}

/// The network, its optimiser and the head that says where the injury is.
struct Pupil {
    learner: Learner,
    place_weight: Var,
    place_bias: Var,
    sgd: Sgd,
    average: Average,
    step: u64,
}

impl Pupil {
    fn start(args: &PretrainArgs) -> Result<Self> {
        let file = args.out.join("checkpoint.safetensors");
        if file.exists() {
            return Self::load(&file);
        }
        let mut state = init::network(Architecture::GoogLeNet, args.seed, Class::COUNT)?;
        state.insert("place.weight".into(), init::normal_matrix(args.seed ^ 0x504C, (MAP_4E, 2), 0.01)?);
        state.insert("place.bias".into(), Tensor::full(-3f32, 2, &Device::Cpu)?);
        Self::from_parts(&state, None, None, 0)
    }

    fn from_parts(
        state: &StateDict,
        average: Option<&StateDict>,
        saved: Option<&StateDict>,
        step: u64,
    ) -> Result<Self> {
        let learner = Learner::new(Architecture::GoogLeNet, state)?;
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
        let average = Average::new(average.unwrap_or(&learner.state()?), step, AVERAGE_DECAY)?;
        Ok(Self { learner, place_weight, place_bias, sgd, average, step })
    }

    fn load(file: &Path) -> Result<Self> {
        let snapshot = Snapshot::read(file)?;
        let [state, average, velocity] = ["state", "average", "velocity"].map(|part| snapshot.part(part));
        Self::from_parts(&state, Some(&average), Some(&velocity), snapshot.number("step")? as u64)
    }

    fn save(&self, out: &Path) -> Result<()> {
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

    /// One step; the loss by class, by place, and the share of right answers.
    fn learn(&mut self, batch: &Batch, diet: &Diet, rate: f32, place_loss: f32) -> Result<[f32; 3]> {
        let n = batch.labels.len();
        let images = Tensor::from_slice(&batch.images, (n, 3, diet.side, diet.side), &Device::Cpu)?;
        let labels = Tensor::from_slice(&batch.labels, n, &Device::Cpu)?;
        let mode = Mode::Train { input: false };
        let maps = self.learner.maps(&images, mode)?;
        let mut rng = StdRng::seed_from_u64(self.step ^ 0xD20);
        let logits = self.learner.answer(&maps, mode, |x| drop_out(x, DROPOUT, &mut rng))?;
        let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
        let map = maps.middle;
        let (_, rows, columns, channels) = map.dims4()?;
        let place =
            map.reshape((n * rows * columns, channels))?.matmul(&self.place_weight)?.broadcast_add(&self.place_bias)?;
        let truth = Tensor::from_slice(&batch.places, (n * rows * columns, 2), &Device::Cpu)?;
        let by_place = place_entropy(&place, &truth)?;
        let total = (&loss + (&by_place * f64::from(place_loss))?)?;
        let gradients = self.learner.backward(&total)?;
        self.sgd.step(&gradients, rate)?;
        self.step += 1;
        self.average.follow(&self.learner.state()?)?;
        let right = logits.argmax(D::Minus1)?.eq(&labels)?.to_dtype(candle_core::DType::F32)?.mean_all()?;
        Ok([loss.to_scalar()?, by_place.to_scalar()?, right.to_scalar()?])
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

/// Films that are not among the training seeds, to see how it goes.
fn holdout(preprocessing: &Preprocessing) -> Vec<(Vec<f32>, Class, bool)> {
    (0..300u64)
        .into_par_iter()
        .map(|i| {
            let class = Class::ALL[i as usize % 3];
            let case = Case::sample(900_000_000 + i, class);
            let film = case.render(448, Preset::Reference);
            let radiograph = Radiograph {
                width: film.width,
                height: film.height,
                luminance: film.pixels,
                colour: false,
                header: None,
            };
            (preprocessing.apply(&radiograph), class, case.ambiguous)
        })
        .collect()
}

/// Accuracy on all cases and on the clear ones, and how often each class was answered right.
fn look(state: &StateDict, films: &[(Vec<f32>, Class, bool)], side: usize) -> Result<String> {
    let learner = Learner::new(Architecture::GoogLeNet, state)?;
    let (mut right, mut clear, mut clear_right, mut by_class) = (0, 0, 0, [0; 3]);
    for chunk in films.chunks(20) {
        let values: Vec<f32> = chunk.iter().flat_map(|(x, _, _)| x).copied().collect();
        let images = Tensor::from_vec(values, (chunk.len(), 3, side, side), &Device::Cpu)?;
        let answers = learner.logits(&images, Mode::Infer)?.argmax(D::Minus1)?.to_vec1::<u32>()?;
        for (answer, (_, class, ambiguous)) in answers.iter().zip(chunk) {
            let hit = usize::from(*answer as usize == class.index());
            right += hit;
            by_class[class.index()] += hit;
            clear += usize::from(!ambiguous);
            clear_right += if *ambiguous { 0 } else { hit };
        }
    }
    let share = |a: usize, b: usize| 100.0 * a as f32 / b.max(1) as f32;
    let of = films.len() / 3;
    Ok(format!(
        "all {:.1} %, clear {:.1} %; dislocation {:.0} %, fracture {:.0} %, normal {:.0} %",
        share(right, films.len()),
        share(clear_right, clear),
        share(by_class[0], of),
        share(by_class[1], of),
        share(by_class[2], of)
    ))
}

/// Runs the stage, or goes on with it.
pub fn run(args: &PretrainArgs) -> Result<()> {
    if args.seeds == 0 || args.windows + args.films == 0 {
        bail!("there is nothing to learn: --seeds, --windows and --films are all to be positive");
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let preprocessing = Preprocessing::default();
    let mut pupil = Pupil::start(args)?;
    let films = holdout(&preprocessing);
    let total = steps(args.windows) + steps(args.films);
    let seeds = Seeds { first: args.first_seed, count: args.seeds };
    let (first, diets) = (pupil.step, (pupil.step..total).map(|step| diet(args, step)).collect::<Vec<_>>());
    let (send, receive) = sync_channel::<Batch>(3);
    let painter_preprocessing = preprocessing.clone();
    let painter = std::thread::spawn(move || {
        for (i, diet) in diets.iter().enumerate() {
            if send.send(batch(&seeds, first + i as u64, diet, &painter_preprocessing)).is_err() {
                return;
            }
        }
    });
    let (mut sums, mut since) = ([0.0f32; 3], Instant::now());
    while pupil.step < total {
        let step = pupil.step;
        let batch = receive.recv().context("the painter of phantoms stopped")?;
        let losses = pupil.learn(&batch, &diet(args, step), rate(args, step), args.place_weight)?;
        if !losses[0].is_finite() {
            bail!("the loss at step {step} is not finite; a smaller --rate may help");
        }
        for (sum, loss) in sums.iter_mut().zip(losses) {
            *sum += loss;
        }
        if pupil.step.is_multiple_of(50) {
            let seconds = since.elapsed().as_secs_f32();
            let left = (total - pupil.step) as f32 * seconds / 50.0 / 60.0;
            println!(
                "step {} of {total}: loss {:.3}, place {:.3}, right {:.1} %, {:.1} images/s, {left:.0} min left",
                pupil.step,
                sums[0] / 50.0,
                sums[1] / 50.0,
                sums[2] * 2.0,
                50.0 * BATCH as f32 / seconds
            );
            (sums, since) = ([0.0; 3], Instant::now());
        }
        if pupil.step.is_multiple_of(SAVE_EVERY) || pupil.step == total {
            pupil.save(&args.out)?;
        }
        if pupil.step.is_multiple_of(LOOK_EVERY) || pupil.step == total {
            let side = preprocessing.size as usize;
            println!("  films: average {}", look(pupil.average.state(), &films, side)?);
            since = Instant::now();
        }
    }
    painter.join().map_err(|_| anyhow::anyhow!("the painter of phantoms panicked"))?;
    let state = pupil.average.state().clone();
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, preprocessing, "phantoms only; stage 1 of two");
    write_atomically(&args.out.join("model.safetensors"), &Checkpoint { card, state }.write()?)
}
