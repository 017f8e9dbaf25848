//! `cspine-trainer import`: a model of a foreign file of weights.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use cspine_domain::Sha256;
use cspine_imaging::{Geometry, Intensity, Preprocessing};
use cspine_nets::import::{Head, Imported, Options, import};

use crate::snapshot::write_atomically;

/// Largest file that is read; torchvision's AlexNet has 244 MB.
const BYTES_MAX: u64 = 1 << 30;

/// Makes a model of torchvision's GoogLeNet or AlexNet weights: .pth (a state dict, old or new) or .safetensors.
///
/// The model is marked uncalibrated: temperature 1, operating point 0.5.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// File of weights.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Model file to write.
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    /// keep: the file's three outputs are dislocation, fracture and normal, in this order; fresh: three new ones. By
    /// default three outputs are kept and any other number is replaced.
    #[arg(long, value_enum)]
    pub classes_head: Option<HeadArg>,
    /// Seed of a fresh head.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How the network saw an image that is not square.
    #[arg(long, value_enum, default_value = "stretch")]
    pub geometry: GeometryArg,
    /// Which luminance was black and which white: full_range by the stored bit depth, percentile 0.5 and 99.5.
    #[arg(long, value_enum, default_value = "full_range")]
    pub intensity: IntensityArg,
    /// Side of the network's input, pixels [default: 224, AlexNet 227]
    #[arg(long, value_parser = clap::value_parser!(u32).range(32..=1024))]
    pub size: Option<u32>,
    /// Whether the network was fitted behind torchvision's transform_input, which is then folded into mean and deviation.
    /// By default if it has 1000 classes, as torchvision's ImageNet weights.
    #[arg(long, value_name = "BOOL")]
    pub transform_input: Option<bool>,
}

/// `keep` or `fresh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "said at the flag")]
pub enum HeadArg {
    Keep,
    Fresh,
}

/// `stretch` or `pad`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GeometryArg {
    /// Width and height each by its own factor, as the paper did
    Stretch,
    /// To a square with the edge's value
    Pad,
}

/// `full_range` or `percentile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(missing_docs, reason = "said at the flag")]
pub enum IntensityArg {
    FullRange,
    Percentile,
}

impl ImportArgs {
    fn options(&self) -> Options {
        let geometry = match self.geometry {
            GeometryArg::Stretch => Geometry::Stretch,
            GeometryArg::Pad => Geometry::Pad,
        };
        let intensity = match self.intensity {
            IntensityArg::FullRange => Intensity::FullRange,
            IntensityArg::Percentile => Intensity::Percentile,
        };
        Options {
            head: self.classes_head.map(|head| match head {
                HeadArg::Keep => Head::Keep,
                HeadArg::Fresh => Head::Fresh,
            }),
            seed: self.seed,
            transform_input: self.transform_input,
            // Mean and deviation are ImageNet's, which torchvision's networks expect.
            size: self.size,
            preprocessing: Preprocessing { geometry, intensity, ..Preprocessing::default() },
        }
    }
}

/// Writes the model and prints what became of the file's parts.
///
/// # Errors
/// If the file cannot be read, is neither network, or the model cannot be written.
pub fn run(args: &ImportArgs) -> Result<()> {
    let file = args.file.display();
    let size = fs::metadata(&args.file).with_context(|| format!("cannot read {file}"))?.len();
    if size > BYTES_MAX {
        bail!("{file} has {size} bytes, over the limit of {BYTES_MAX}");
    }
    let bytes = fs::read(&args.file).with_context(|| format!("cannot read {file}"))?;
    let mut imported = import(&bytes, &args.options()).with_context(|| format!("cannot import {file}"))?;
    imported.checkpoint = imported.checkpoint.with_golden()?;
    let model = imported.checkpoint.write()?;
    write_atomically(&args.out, &model)?;
    print!("{}", summary(args, &imported, &model));
    Ok(())
}

fn summary(args: &ImportArgs, imported: &Imported, model: &[u8]) -> String {
    let head = match imported.head {
        Head::Keep => "kept: its outputs are taken for dislocation, fracture and normal, in this order".to_owned(),
        Head::Fresh => {
            format!("replaced: {} classes by three fresh ones, seed {}; fit it next", imported.classes, args.seed)
        }
    };
    let ending = |ending: &str| imported.dropped.iter().filter(|name| name.ends_with(ending)).count();
    let counters = ending(".num_batches_tracked");
    let transform_input = if imported.transform_input { "folded into mean and deviation" } else { "taken for unused" };
    let preprocessing = &imported.checkpoint.card.preprocessing;
    format!(
        "Kept       {} tensors, convolutions and head rounded to 16 bits\n\
         Dropped    {} tensors of auxiliary heads, {counters} counters of batches\n\
         Head       {head}\n\
         Transform  torchvision's transform_input is {transform_input}: mean {:?}, deviation {:?}\n\
         Card       uncalibrated: temperature 1, operating point 0.5\n\
         Model      {}, {} bytes, SHA-256 {}\n",
        imported.checkpoint.state.len() - if imported.head == Head::Fresh { 2 } else { 0 },
        imported.dropped.len() - counters,
        preprocessing.mean,
        preprocessing.std,
        args.out.display(),
        model.len(),
        Sha256::of(model),
    )
}
