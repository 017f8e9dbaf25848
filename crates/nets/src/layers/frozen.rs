//! A convolution with batch norm folded in, packed once for both directions.

use candle_core::{Result, Tensor};

use super::{Layer, LayerShape, NORM_EPS, Pass, StateDict};
use crate::activation::{Activation, with_values};
use crate::kernels::conv::{self, Packed, Window};

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
    pub fn new(shape: &LayerShape, state: &StateDict) -> Result<Self> {
        let get = |part: &str| shape.get(state, part);
        let scale = (get("bn.weight")? / (get("bn.running_var")? + f64::from(NORM_EPS))?.sqrt()?)?;
        let bias = (get("bn.bias")? - (get("bn.running_mean")? * &scale)?)?;
        let weight = get("conv.weight")?.broadcast_mul(&scale.reshape((shape.outs, 1, 1, 1))?)?;
        Self::pack(&weight, &bias.to_vec1()?, shape)
    }

    fn pack(weight: &Tensor, bias: &[f32], shape: &LayerShape) -> Result<Self> {
        let dims = [shape.outs, shape.ins, shape.window.kernel];
        with_values(weight, |w| Self {
            window: shape.window,
            outs: shape.outs,
            forward: Packed::forward(w, dims).with_bias(bias),
            backward: Packed::input_gradient(w, dims, shape.window),
        })
    }
}

impl Layer for FrozenConv {
    type Saved = ();

    fn forward(&self, x: &Activation, _train: bool) -> Result<(Activation, ())> {
        let (values, extent) = conv::forward(&x.values, x.extent, &self.forward, self.window, true);
        Ok((Activation { values, extent }, ()))
    }

    fn backward(&self, pass: Pass<'_, ()>, dy: Vec<f32>, wanted: bool) -> Result<Option<Vec<f32>>> {
        let mask = Some(pass.y.values.as_slice());
        Ok(wanted.then(|| conv::input_gradient(&dy, mask, pass.x.extent, &self.backward, self.window, self.outs)))
    }
}
