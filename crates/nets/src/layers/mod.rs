//! The blocks networks are made of.
//!
//! Candle's autograd adds every gradient to a fresh tensor of zeros, three passes over memory for each op. So a chain of
//! layers is one Candle op ([`Chain`]), and inside it gradients are handed from layer to layer.

mod affine;
mod chain;
mod channels_last;
mod conv_norm;
mod frozen;
mod inception;
mod learning;

pub use chain::{Chain, Mode, Stage};
pub use channels_last::channels_last;
pub use conv_norm::NORM_EPS;
pub use frozen::Frozen;
pub use inception::Inception;
pub use learning::Learning;

use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor};

use crate::activation::Activation;
use crate::kernels::conv::{Sums, Window};

/// Weights and running statistics by torchvision's names.
pub type StateDict = BTreeMap<String, Tensor>;

/// Why a layer's locks are never poisoned.
const UNPOISONED: &str = "no holder of this lock panics";

/// What a layer does before its ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A convolution, then batch norm: `NAME.conv.weight` and `NAME.bn.*`.
    Normed,
    /// A convolution with bias: `NAME.weight` and `NAME.bias`.
    Biased,
    /// A matrix over all of an image's values, channels outermost, with bias: `NAME.weight` and `NAME.bias`.
    Dense,
}

/// One layer of a network: its name in torchvision's state dict, and its shape.
#[derive(Debug, Clone)]
pub struct LayerShape {
    /// `conv1`, `inception3a.branch2.0`, `features.0`, …
    pub name: String,
    /// Input channels; a dense layer's input values.
    pub ins: usize,
    /// Output channels.
    pub outs: usize,
    /// The window; of no meaning for a dense layer.
    pub window: Window,
    /// What it does.
    pub kind: Kind,
}

impl LayerShape {
    /// Of a convolution's weights: output channels, input channels, side of the window.
    fn dims(&self) -> [usize; 3] {
        [self.outs, self.ins, self.window.kernel]
    }

    /// The name and shape of each of its tensors.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (kernel, named) = (self.window.kernel, |part: &str| format!("{}.{part}", self.name));
        let filters = vec![self.outs, self.ins, kernel, kernel];
        match self.kind {
            Kind::Normed => {
                let norm = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"];
                let norm = norm.into_iter().map(|part| (named(part), vec![self.outs]));
                std::iter::once((named("conv.weight"), filters)).chain(norm).collect()
            }
            Kind::Biased => vec![(named("weight"), filters), (named("bias"), vec![self.outs])],
            Kind::Dense => vec![(named("weight"), vec![self.outs, self.ins]), (named("bias"), vec![self.outs])],
        }
    }

    /// `NAME.part` of a state dict, as 32-bit.
    pub(crate) fn get(&self, state: &StateDict, part: &str) -> Result<Tensor> {
        get(state, &format!("{}.{part}", self.name))
    }
}

/// A tensor of a state dict, as 32-bit.
pub(crate) fn get(state: &StateDict, name: &str) -> Result<Tensor> {
    let tensor = state.get(name).ok_or_else(|| candle_core::Error::Msg(format!("{name} is missing")))?;
    tensor.to_dtype(DType::F32)
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The weights stay, and only the result counts: norms by their running statistics.
    Answer,
    /// The weights stay, and a gradient by the input is wanted: the same, its sums by their definition.
    Constant,
    /// The weights are to move, the norms not: running statistics, which stay as they are.
    Tune,
    /// Weights and norms are to move: the batch's own moments, which the running statistics follow.
    Fit,
}

impl Phase {
    /// Whether gradients by the weights are wanted.
    pub fn learns(self) -> bool {
        matches!(self, Phase::Tune | Phase::Fit)
    }

    /// How convolutions are summed.
    fn sums(self) -> Sums {
        if self == Phase::Constant { Sums::Direct } else { Sums::Tiled }
    }
}

/// A layer that learns ([`Learning`]), or one with constant weights ([`Frozen`]).
pub trait Layer: Send + Sync + 'static {
    /// What the backward pass needs beside input and output.
    type Saved: Send + Sync;

    /// The layer's output.
    fn forward(&self, x: &Activation, phase: Phase) -> Result<(Activation, Self::Saved)>;

    /// The gradient by the input, unless it is not wanted; gradients by weights stay with the layer.
    fn backward(&self, pass: Pass<'_, Self::Saved>, dy: Vec<f32>, wanted: bool) -> Result<Option<Vec<f32>>>;
}

/// What a layer was given and gave.
pub struct Pass<'a, S> {
    /// Its input.
    pub x: &'a Activation,
    /// Its output.
    pub y: &'a Activation,
    /// What it saved.
    pub saved: &'a S,
}
