//! Stage 1 of a model: a network from scratch on fresh phantoms of a documented range of seeds.
//!
//! There are no ImageNet weights here. What a fine fracture looks like is learnt on windows of the film around it, beside
//! the same window without it, and where it is on a coarse grid; then on whole films. AlexNet, whose matrices take one
//! size only, learns nothing but the place on windows. The weights are averaged.

mod batch;
mod grid;
mod holdout;
mod pupil;

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cspine_imaging::Preprocessing;
use cspine_nets::{Architecture, Checkpoint, ModelCard};

use crate::snapshot::write_atomically;

use batch::{Batch, Diet, Seeds, batch};
use pupil::{Losses, Pupil};

/// Pre-train on phantoms: stage 1 of a model
#[derive(Debug, clap::Args)]
pub struct PretrainArgs {
    /// Folder for checkpoints and the log; a run that finds a checkpoint there goes on from it
    #[arg(long)]
    out: PathBuf,
    /// googlenet or alexnet
    #[arg(long, default_value = "googlenet")]
    architecture: Architecture,
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
    /// Largest learning rate [default: 0.03; AlexNet, which has no norms, 0.01]
    #[arg(long)]
    rate: Option<f32>,
    /// Weight of the loss by place
    #[arg(long, default_value_t = 1.0)]
    place_weight: f32,
}

const BATCH: usize = 32;
/// Side of a window, pixels: half a film.
const WINDOW: usize = 112;
const SAVE_EVERY: u64 = 250;
const LOOK_EVERY: u64 = 1000;

/// Windows of half the film first, then whole films.
fn diet(args: &PretrainArgs, step: u64) -> Diet {
    let windows = steps(args.windows);
    let clear = if step < windows / 2 { 1.0 } else { 0.3 };
    let architecture = args.architecture;
    let film = architecture.input_size() as usize;
    if step < windows {
        let classes = architecture.takes(WINDOW as u32);
        Diet { architecture, classes, batch: BATCH, render: 336, side: WINDOW, film, clear }
    } else {
        Diet { architecture, classes: true, batch: BATCH, render: 448, side: film, film, clear: 0.3 }
    }
}

fn steps(thousands: u64) -> u64 {
    thousands * 1000 / BATCH as u64
}

/// One cycle for each of the two phases: up over a tenth, then down as a cosine.
fn rate(args: &PretrainArgs, step: u64) -> f32 {
    let windows = steps(args.windows);
    let largest = args.rate.unwrap_or(match args.architecture {
        Architecture::GoogLeNet => 0.03,
        Architecture::AlexNet => 0.01,
    });
    let (at, of, top) =
        if step < windows { (step, windows, largest) } else { (step - windows, steps(args.films), largest * 0.6) };
    let progress = at as f32 / of.max(1) as f32;
    let warm = (progress / 0.1).min(1.0);
    top * warm.max(0.05) * (0.5 + 0.5 * (std::f32::consts::PI * progress).cos()).max(0.01)
}

/// Runs the stage, or goes on with it.
pub fn run(args: &PretrainArgs) -> Result<()> {
    if args.seeds == 0 || args.windows + args.films == 0 {
        bail!("there is nothing to learn: --seeds, --windows and --films are all to be positive");
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let preprocessing = Preprocessing { size: args.architecture.input_size(), ..Preprocessing::default() };
    let mut pupil = Pupil::start(args)?;
    let films = holdout::films(&preprocessing);
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
    let (mut sums, mut since) = (Losses::default(), Instant::now());
    while pupil.step < total {
        let step = pupil.step;
        let batch = receive.recv().context("the painter of phantoms stopped")?;
        let diet = diet(args, step);
        let losses = pupil.learn(&batch, &diet, rate(args, step), args.place_weight)?;
        if !(losses.class.is_finite() && losses.place.is_finite()) {
            bail!("the loss at step {step} is not finite; a smaller --rate may help");
        }
        sums.add(losses);
        if pupil.step.is_multiple_of(50) {
            let seconds = since.elapsed().as_secs_f32();
            let left = (total - pupil.step) as f32 * seconds / 50.0 / 60.0;
            println!(
                "step {} of {total}: loss {:.3}, place {:.3}, right {:.1} %, {:.1} images/s, {left:.0} min left",
                pupil.step,
                sums.class / 50.0,
                sums.place / 50.0,
                sums.right * 2.0,
                50.0 * BATCH as f32 / seconds
            );
            (sums, since) = (Losses::default(), Instant::now());
        }
        if pupil.step.is_multiple_of(SAVE_EVERY) || pupil.step == total {
            pupil.save(&args.out)?;
        }
        if diet.classes && pupil.step.is_multiple_of(LOOK_EVERY) || pupil.step == total {
            let side = preprocessing.size as usize;
            println!("  films: average {}", holdout::look(args.architecture, pupil.average(), &films, side)?);
            since = Instant::now();
        }
    }
    painter.join().map_err(|_| anyhow::anyhow!("the painter of phantoms panicked"))?;
    let state = pupil.average().clone();
    let card = ModelCard::uncalibrated(args.architecture, preprocessing, "phantoms only; stage 1 of two");
    write_atomically(&args.out.join("model.safetensors"), &Checkpoint { card, state }.write()?)
}
