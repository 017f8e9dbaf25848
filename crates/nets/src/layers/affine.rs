//! A convolution, or a fully connected layer, with bias and ReLU.

use std::sync::Mutex;

use candle_core::{Device, Result, Tensor, Var};

use super::{Kind, Layer, LayerShape, Pass, Phase, StateDict, UNPOISONED};
use crate::activation::{Activation, tensor, with_values};
use crate::kernels::conv::{self, Extent, Packed};
use crate::kernels::dense;
use crate::kernels::map::transpose;

/// A layer whose weights can learn.
#[derive(Debug)]
pub struct Affine {
    shape: LayerShape,
    weight: Var,
    bias: Var,
    /// Gradients by weight and bias of the last backward pass.
    gradients: Mutex<Option<[Tensor; 2]>>,
}

impl Affine {
    /// Takes its weights out of a state dict that has been checked.
    pub fn new(shape: &LayerShape, state: &StateDict) -> Result<Self> {
        let [weight, bias] = ["weight", "bias"].map(|part| shape.get(state, part));
        let (weight, bias) = (Var::from_tensor(&weight?)?, Var::from_tensor(&bias?)?);
        Ok(Self { shape: shape.clone(), weight, bias, gradients: Mutex::default() })
    }

    /// The parameters an optimiser moves, by name.
    pub fn parameters(&self) -> [(String, Var); 2] {
        let name = |part: &str| format!("{}.{part}", self.shape.name);
        [(name("weight"), self.weight.clone()), (name("bias"), self.bias.clone())]
    }

    /// The gradients of the last backward pass, in the order of [`parameters`](Self::parameters).
    pub fn take_gradients(&self) -> Option<[Tensor; 2]> {
        self.gradients.lock().expect(UNPOISONED).take()
    }

    /// Writes weights under their names.
    pub fn save(&self, state: &mut StateDict) -> Result<()> {
        for (name, var) in self.parameters() {
            state.insert(name, var.as_tensor().copy()?);
        }
        Ok(())
    }

    fn apply(&self, x: &Activation, phase: Phase, weight: &[f32], bias: &[f32]) -> Result<Activation> {
        if self.shape.kind == Kind::Dense {
            let dims = self.dense(x.extent)?;
            let values = dense::forward(&flattened(x), weight, bias, dims, true);
            let extent = Extent { images: dims.n, height: 1, width: 1, channels: dims.outs };
            return Ok(Activation { values, extent });
        }
        let packed = Packed::forward(weight, self.shape.dims()).with_bias(bias);
        let (values, extent) = conv::forward(&x.values, x.extent, &packed, self.shape.window, true, phase.sums());
        Ok(Activation { values, extent })
    }

    /// A fully connected layer's dimensions for a batch.
    fn dense(&self, x: Extent) -> Result<dense::Dims> {
        let k = x.len() / x.images.max(1);
        if k != self.shape.ins {
            candle_core::bail!("{} takes {} values, not {k}", self.shape.name, self.shape.ins);
        }
        Ok(dense::Dims { n: x.images, k, outs: self.shape.outs })
    }
}

/// An activation's rows in torch's order: channels outermost.
fn flattened(x: &Activation) -> Vec<f32> {
    transpose(&x.values, x.extent.height * x.extent.width, x.extent.channels)
}

impl Layer for Affine {
    /// Whether gradients by the weights are wanted.
    type Saved = bool;

    fn forward(&self, x: &Activation, phase: Phase) -> Result<(Activation, bool)> {
        let y = with_values(&self.weight, |w| with_values(&self.bias, |bias| self.apply(x, phase, w, bias)))???;
        Ok((y, phase.learns()))
    }

    fn backward(&self, pass: Pass<'_, bool>, mut dy: Vec<f32>, wanted: bool) -> Result<Option<Vec<f32>>> {
        let (x, y, window, outs) = (pass.x, pass.y, self.shape.window, self.shape.outs);
        for (dy, y) in dy.iter_mut().zip(&y.values) {
            *dy = if *y > 0.0 { *dy } else { 0.0 };
        }
        let dense = self.shape.kind == Kind::Dense;
        if *pass.saved {
            let weight = if dense {
                dense::weight_gradient(&flattened(x), &dy, self.dense(x.extent)?)
            } else {
                conv::weight_gradient(&x.values, x.extent, &dy, window, outs)
            };
            let gradients = [tensor(weight, self.weight.shape())?, bias_gradient(&dy, outs)?];
            *self.gradients.lock().expect(UNPOISONED) = Some(gradients);
        }
        if !wanted {
            return Ok(None);
        }
        let dx = with_values(&self.weight, |w| {
            if dense {
                let flat = dense::input_gradient(&dy, w, self.dense(x.extent)?);
                Ok::<_, candle_core::Error>(transpose(&flat, x.extent.channels, x.extent.height * x.extent.width))
            } else {
                let packed = Packed::input_gradient(w, self.shape.dims(), window);
                Ok(conv::input_gradient(&dy, None, x.extent, &packed, window, outs))
            }
        })??;
        Ok(Some(dx))
    }
}

/// The sum over pixels for each channel.
fn bias_gradient(dy: &[f32], outs: usize) -> Result<Tensor> {
    let mut sums = vec![0.0f64; outs];
    for row in dy.chunks(outs) {
        sums.iter_mut().zip(row).for_each(|(sum, dy)| *sum += f64::from(*dy));
    }
    Tensor::from_vec(sums.into_iter().map(|sum| sum as f32).collect::<Vec<f32>>(), outs, &Device::Cpu)
}
