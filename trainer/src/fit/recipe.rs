//! How to fit: the paper's values, each a flag.

use std::path::PathBuf;

use cspine_domain::Sha256;
use cspine_nets::Architecture;

use super::operating::OperatingArgs;
use super::split::Shares;
use super::start::Start;
use crate::augment::Augmentation;

/// Fit a network to labelled images by the paper's recipe
#[derive(Debug, Clone, clap::Args)]
pub struct FitArgs {
    /// Labelled images: a folder for each class, or a manifest.csv
    #[arg(long)]
    pub data: PathBuf,
    /// Model file to begin with; without it fresh weights
    #[arg(long)]
    pub init: Option<PathBuf>,
    /// googlenet or alexnet [default: that of --init, or googlenet]
    #[arg(long)]
    pub architecture: Option<Architecture>,
    /// Folder for the model, its split and its checkpoint; a fit that finds its own checkpoint there goes on from it
    #[arg(long)]
    pub out: PathBuf,
    /// Side of the network's input, pixels [default: the model's own, or 224; AlexNet 227]
    #[arg(long, value_parser = clap::value_parser!(u32).range(64..=1024))]
    pub size: Option<u32>,
    /// How to learn.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Where a flag begins.
    #[command(flatten)]
    pub operating: OperatingArgs,
    /// What the model card says of the data
    #[arg(long, default_value = "unknown: not said at the fit")]
    pub data_note: String,
}

/// The paper's recipe.
#[derive(Debug, Clone, clap::Args)]
pub struct RecipeArgs {
    /// Passes over the training set
    #[arg(long, default_value_t = 30)]
    pub epochs: usize,
    /// Images a step
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..))]
    pub batch: u16,
    /// Learning rate of the first epochs
    #[arg(long, default_value_t = 0.001)]
    pub rate: f32,
    /// What the rate is multiplied by every --rate-epochs epochs (the paper does not say)
    #[arg(long, default_value_t = 0.5)]
    pub rate_factor: f32,
    /// Epochs between two lowerings of the rate
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub rate_epochs: u16,
    /// Momentum of the gradient descent
    #[arg(long, default_value_t = 0.95)]
    pub momentum: f32,
    /// Weight decay, on convolutions and the head
    #[arg(long, default_value_t = 0.0)]
    pub weight_decay: f32,
    /// Share of features dropped at each step [default: the network's own, 0.2 of GoogLeNet, 0.5 of AlexNet]
    #[arg(long)]
    pub dropout: Option<f64>,
    /// Training, validation and test shares, percent, by patient and stratified by class
    #[arg(long, default_value = "70/15/15")]
    pub split: Shares,
    /// Seed of split, order, augmentation and fresh weights
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Show every image as it is, without changes of place, exposure and sharpness
    #[arg(long)]
    pub no_augmentation: bool,
}

/// What an epoch depends on beside the images.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub(crate) architecture: Architecture,
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    pub(crate) rate: f32,
    pub(crate) rate_factor: f32,
    pub(crate) rate_epochs: usize,
    pub(crate) momentum: f32,
    pub(crate) weight_decay: f32,
    pub(crate) dropout: f64,
    pub(crate) seed: u64,
    pub(crate) augmentation: Option<Augmentation>,
    /// Whether batch norms stay as they are: their statistics and what they learnt.
    pub(crate) norms_frozen: bool,
    identity: Sha256,
}

impl RecipeArgs {
    /// The recipe, bound to its images and first weights.
    pub(super) fn bind(&self, start: &Start, data: Sha256) -> Recipe {
        let Start { architecture, preprocessing, parent, .. } = start;
        let recipe = Recipe {
            epochs: self.epochs,
            batch: usize::from(self.batch),
            rate: self.rate,
            rate_factor: self.rate_factor,
            rate_epochs: usize::from(self.rate_epochs),
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            dropout: self.dropout.unwrap_or(architecture.dropout()),
            seed: self.seed,
            augmentation: (!self.no_augmentation).then_some(Augmentation::DEFAULT),
            ..Recipe::unbound(*architecture)
        };
        recipe.bound(&format!("{preprocessing:?} {data} {parent:?}"))
    }
}

impl Recipe {
    /// Of no images yet, with the paper's values.
    pub(crate) fn unbound(architecture: Architecture) -> Self {
        Recipe {
            architecture,
            epochs: 30,
            batch: 10,
            rate: 0.001,
            rate_factor: 0.5,
            rate_epochs: 4,
            momentum: 0.95,
            weight_decay: 0.0,
            dropout: architecture.dropout(),
            seed: 1,
            augmentation: Some(Augmentation::DEFAULT),
            norms_frozen: false,
            identity: Sha256([0; 32]),
        }
    }

    /// Bound to what `to` names: images, first weights, and all else that an epoch depends on. More epochs of the same
    /// recipe go on from a checkpoint; anything else begins anew.
    pub(crate) fn bound(mut self, to: &str) -> Self {
        let named = format!("{to} {:?}", Recipe { epochs: 0, identity: Sha256([0; 32]), ..self.clone() });
        self.identity = Sha256::of(named.as_bytes());
        self
    }

    /// The learning rate of an epoch, counted from 0.
    pub fn rate_of(&self, epoch: usize) -> f32 {
        self.rate * self.rate_factor.powi((epoch / self.rate_epochs) as i32)
    }

    /// A number that only the same recipe on the same images and first weights has; exact in an f64.
    pub(crate) fn fingerprint(&self) -> f64 {
        let mut head = [0; 8];
        head[2..].copy_from_slice(&self.identity.0[..6]);
        u64::from_be_bytes(head) as f64
    }
}
