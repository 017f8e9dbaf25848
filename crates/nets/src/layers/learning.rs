//! Layers whose weights move.

use candle_core::{Result, Tensor, Var};

use super::affine::Affine;
use super::conv_norm::{self, ConvNorm};
use super::{Kind, Layer, LayerShape, Pass, Phase, StateDict};
use crate::activation::Activation;

/// A layer that learns.
#[derive(Debug)]
pub enum Learning {
    /// Convolution and batch norm.
    Norm(ConvNorm),
    /// Convolution or matrix, with bias.
    Affine(Affine),
}

/// What its backward pass needs.
pub enum Saved {
    /// Of convolution and batch norm.
    Norm(conv_norm::Saved),
    /// Whether gradients by the weights are wanted.
    Affine(bool),
}

impl Learning {
    /// Takes its weights out of a state dict that has been checked.
    pub fn new(shape: &LayerShape, state: &StateDict) -> Result<Self> {
        Ok(match shape.kind {
            Kind::Normed => Learning::Norm(ConvNorm::new(shape, state)?),
            Kind::Biased | Kind::Dense => Learning::Affine(Affine::new(shape, state)?),
        })
    }

    /// The parameters an optimiser moves, by name.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        match self {
            Learning::Norm(layer) => layer.parameters().into(),
            Learning::Affine(layer) => layer.parameters().into(),
        }
    }

    /// The gradients of the last backward pass, in the order of [`parameters`](Self::parameters); none before it.
    pub fn take_gradients(&self) -> Vec<Tensor> {
        match self {
            Learning::Norm(layer) => layer.take_gradients().into_iter().flatten().collect(),
            Learning::Affine(layer) => layer.take_gradients().into_iter().flatten().collect(),
        }
    }

    /// Writes weights and running statistics under their names.
    pub fn save(&self, state: &mut StateDict) -> Result<()> {
        match self {
            Learning::Norm(layer) => layer.save(state),
            Learning::Affine(layer) => layer.save(state),
        }
    }
}

impl Layer for Learning {
    type Saved = Saved;

    fn forward(&self, x: &Activation, phase: Phase) -> Result<(Activation, Saved)> {
        Ok(match self {
            Learning::Norm(layer) => {
                let (y, saved) = layer.forward(x, phase)?;
                (y, Saved::Norm(saved))
            }
            Learning::Affine(layer) => {
                let (y, saved) = layer.forward(x, phase)?;
                (y, Saved::Affine(saved))
            }
        })
    }

    fn backward(&self, pass: Pass<'_, Saved>, dy: Vec<f32>, wanted: bool) -> Result<Option<Vec<f32>>> {
        let Pass { x, y, saved } = pass;
        match (self, saved) {
            (Learning::Norm(layer), Saved::Norm(saved)) => layer.backward(Pass { x, y, saved }, dy, wanted),
            (Learning::Affine(layer), Saved::Affine(saved)) => layer.backward(Pass { x, y, saved }, dy, wanted),
            _ => unreachable!("a layer is handed what it saved"),
        }
    }
}
