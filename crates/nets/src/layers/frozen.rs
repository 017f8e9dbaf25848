//! Layers with constant weights: what is folded and packed once serves every pass.

use candle_core::{Result, Tensor};

use super::affine::Affine;
use super::{Kind, Layer, LayerShape, NORM_EPS, Pass, Phase, StateDict};
use crate::activation::{Activation, with_values};
use crate::kernels::conv::{self, Packed, Window};

/// A layer with constant weights.
#[derive(Debug)]
pub enum Frozen {
    /// A convolution, its batch norm folded in.
    Conv(FrozenConv),
    /// A fully connected layer, whose kernels need no packing.
    Dense(Affine),
}

impl Frozen {
    /// Takes its weights out of a state dict that has been checked.
    pub fn new(shape: &LayerShape, state: &StateDict) -> Result<Self> {
        Ok(match shape.kind {
            Kind::Dense => Frozen::Dense(Affine::new(shape, state)?),
            Kind::Normed => Frozen::Conv(FrozenConv::folded(shape, state)?),
            Kind::Biased => {
                let [weight, bias] = ["weight", "bias"].map(|part| shape.get(state, part));
                Frozen::Conv(FrozenConv::pack(&weight?, &bias?.to_vec1()?, shape)?)
            }
        })
    }
}

impl Layer for Frozen {
    type Saved = ();

    fn forward(&self, x: &Activation, phase: Phase) -> Result<(Activation, ())> {
        match self {
            Frozen::Conv(conv) => Ok((conv.forward(x, phase), ())),
            Frozen::Dense(dense) => Ok((dense.forward(x, phase)?.0, ())),
        }
    }

    fn backward(&self, pass: Pass<'_, ()>, dy: Vec<f32>, wanted: bool) -> Result<Option<Vec<f32>>> {
        match self {
            Frozen::Conv(conv) => Ok(wanted.then(|| conv.input_gradient(&pass, &dy))),
            Frozen::Dense(dense) => dense.backward(Pass { x: pass.x, y: pass.y, saved: &false }, dy, wanted),
        }
    }
}

/// Convolution, bias and ReLU with constant weights.
#[derive(Debug)]
pub struct FrozenConv {
    window: Window,
    outs: usize,
    forward: Packed,
    backward: Packed,
}

impl FrozenConv {
    /// Folds `w·γ/√(σ²+ε)` and `β − μ·γ/√(σ²+ε)`.
    fn folded(shape: &LayerShape, state: &StateDict) -> Result<Self> {
        let get = |part: &str| shape.get(state, part);
        let scale = (get("bn.weight")? / (get("bn.running_var")? + f64::from(NORM_EPS))?.sqrt()?)?;
        let bias = (get("bn.bias")? - (get("bn.running_mean")? * &scale)?)?;
        let weight = get("conv.weight")?.broadcast_mul(&scale.reshape((shape.outs, 1, 1, 1))?)?;
        Self::pack(&weight, &bias.to_vec1()?, shape)
    }

    fn pack(weight: &Tensor, bias: &[f32], shape: &LayerShape) -> Result<Self> {
        let dims = shape.dims();
        with_values(weight, |w| Self {
            window: shape.window,
            outs: shape.outs,
            forward: Packed::forward(w, dims).with_bias(bias),
            backward: Packed::input_gradient(w, dims, shape.window),
        })
    }

    fn forward(&self, x: &Activation, phase: Phase) -> Activation {
        let (values, extent) = conv::forward(&x.values, x.extent, &self.forward, self.window, true, phase.sums());
        Activation { values, extent }
    }

    fn input_gradient(&self, pass: &Pass<'_, ()>, dy: &[f32]) -> Vec<f32> {
        let mask = Some(pass.y.values.as_slice());
        conv::input_gradient(dy, mask, pass.x.extent, &self.backward, self.window, self.outs)
    }
}
