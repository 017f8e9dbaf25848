//! The blocks networks are made of.
//!
//! Candle's autograd adds every gradient to a fresh tensor of zeros, three passes over memory for each op. So a chain of
//! layers is one Candle op ([`Chain`]), and inside it gradients are handed from layer to layer.

mod chain;
mod channels_last;
mod conv_norm;
mod frozen;
mod inception;

pub use chain::{Chain, Mode, Stage};
pub use channels_last::channels_last;
pub use conv_norm::{ConvNorm, NORM_EPS};
pub use frozen::FrozenConv;
pub use inception::Inception;

use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor};

use crate::activation::Activation;
use crate::kernels::conv::Window;

/// Weights and running statistics by torchvision's names.
pub type StateDict = BTreeMap<String, Tensor>;

/// One convolution block of a network: its name in torchvision's state dict, and its shape.
#[derive(Debug, Clone)]
pub struct LayerShape {
    /// `conv1`, `inception3a.branch2.0`, …; the weights are `NAME.conv.weight` and `NAME.bn.*`.
    pub name: String,
    /// Input channels.
    pub ins: usize,
    /// Output channels.
    pub outs: usize,
    /// The window.
    pub window: Window,
}

impl LayerShape {
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

/// A convolution block: one that learns ([`ConvNorm`]) or one whose batch norm is folded in ([`FrozenConv`]).
pub trait Layer: Send + Sync + 'static {
    /// What the backward pass needs beside input and output.
    type Saved: Send + Sync;

    /// The block's output; `train` normalises by the batch's own moments and follows them.
    fn forward(&self, x: &Activation, train: bool) -> Result<(Activation, Self::Saved)>;

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
