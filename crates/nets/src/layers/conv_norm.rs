//! Convolution, batch norm and ReLU with weights that learn.

use std::sync::Mutex;

use candle_core::{Device, Result, Tensor, Var};

use super::{Layer, LayerShape, Pass, Phase, StateDict, UNPOISONED};
use crate::activation::{Activation, tensor, with_values};
use crate::kernels::conv::{self, Packed};
use crate::kernels::norm::{self, Moments};

/// Added to the variance, as torchvision's GoogLeNet does.
pub const NORM_EPS: f32 = 1e-3;
/// How fast the running statistics follow a batch's.
const NORM_MOMENTUM: f32 = 0.1;

/// A block that learns.
#[derive(Debug)]
pub struct ConvNorm {
    shape: LayerShape,
    weight: Var,
    gamma: Var,
    beta: Var,
    running: Mutex<Moments>,
    /// Gradients by weight, gamma and beta of the last backward pass.
    gradients: Mutex<Option<[Tensor; 3]>>,
}

impl ConvNorm {
    /// Takes its weights out of a state dict that has been checked.
    pub fn new(shape: &LayerShape, state: &StateDict) -> Result<Self> {
        let get = |part: &str| shape.get(state, part);
        Ok(Self {
            shape: shape.clone(),
            weight: Var::from_tensor(&get("conv.weight")?)?,
            gamma: Var::from_tensor(&get("bn.weight")?)?,
            beta: Var::from_tensor(&get("bn.bias")?)?,
            running: Mutex::new(Moments {
                mean: get("bn.running_mean")?.to_vec1()?,
                variance: get("bn.running_var")?.to_vec1()?,
            }),
            gradients: Mutex::default(),
        })
    }

    /// The parameters an optimiser moves, by name.
    pub fn parameters(&self) -> [(String, Var); 3] {
        let name = |part: &str| format!("{}.{part}", self.shape.name);
        [
            (name("conv.weight"), self.weight.clone()),
            (name("bn.weight"), self.gamma.clone()),
            (name("bn.bias"), self.beta.clone()),
        ]
    }

    /// The gradients of the last backward pass, in the order of [`parameters`](Self::parameters).
    pub fn take_gradients(&self) -> Option<[Tensor; 3]> {
        self.gradients.lock().expect(UNPOISONED).take()
    }

    /// Writes weights and running statistics under their names.
    pub fn save(&self, state: &mut StateDict) -> Result<()> {
        for (name, var) in self.parameters() {
            state.insert(name, var.as_tensor().copy()?);
        }
        let running = self.running.lock().expect(UNPOISONED);
        for (part, values) in [("bn.running_mean", &running.mean), ("bn.running_var", &running.variance)] {
            state.insert(format!("{}.{part}", self.shape.name), Tensor::new(values.as_slice(), &Device::Cpu)?);
        }
        Ok(())
    }

    fn follow(&self, batch: &Moments, rows: usize) {
        // The running variance is the unbiased one, as in PyTorch.
        let unbiased = rows as f32 / (rows as f32 - 1.0).max(1.0);
        let mut running = self.running.lock().expect(UNPOISONED);
        for (r, b) in running.mean.iter_mut().zip(&batch.mean) {
            *r += NORM_MOMENTUM * (b - *r);
        }
        for (r, b) in running.variance.iter_mut().zip(&batch.variance) {
            *r += NORM_MOMENTUM * (b * unbiased - *r);
        }
    }
}

/// The convolution's result and the moments it was normalised by.
pub struct Saved {
    z: Vec<f32>,
    moments: Moments,
    of_batch: bool,
}

impl Layer for ConvNorm {
    type Saved = Saved;

    fn forward(&self, x: &Activation, phase: Phase) -> Result<(Activation, Saved)> {
        let packed = with_values(&self.weight, |w| Packed::forward(w, self.shape.dims()))?;
        let (z, extent) = conv::forward(&x.values, x.extent, &packed, self.shape.window, false, phase.sums());
        let of_batch = phase == Phase::Fit;
        let moments = if of_batch {
            let moments = norm::moments(&z, extent.channels);
            self.follow(&moments, extent.pixels());
            moments
        } else {
            self.running.lock().expect(UNPOISONED).clone()
        };
        let values = with_values(&self.gamma, |gamma| {
            with_values(&self.beta, |beta| norm::forward(&z, &moments, gamma, beta, NORM_EPS))
        })??;
        Ok((Activation { values, extent }, Saved { z, moments, of_batch }))
    }

    fn backward(&self, pass: Pass<'_, Saved>, dy: Vec<f32>, wanted: bool) -> Result<Option<Vec<f32>>> {
        let Saved { z, moments, of_batch } = pass.saved;
        let dims = self.shape.dims();
        let window = self.shape.window;
        let norm = with_values(&self.gamma, |gamma| {
            let y = &pass.y.values;
            norm::backward(norm::Pass { x: z, y, moments, gamma, eps: NORM_EPS, of_batch: *of_batch }, dy)
        })?;
        let weight = conv::weight_gradient(&pass.x.values, pass.x.extent, &norm.x, window, dims[0]);
        let weight = tensor(weight, self.weight.shape())?;
        let outs = self.shape.outs;
        *self.gradients.lock().expect(UNPOISONED) = Some([weight, tensor(norm.gamma, outs)?, tensor(norm.beta, outs)?]);
        if !wanted {
            return Ok(None);
        }
        let packed = with_values(&self.weight, |w| Packed::input_gradient(w, dims, window))?;
        Ok(Some(conv::input_gradient(&norm.x, None, pass.x.extent, &packed, window, dims[0])))
    }
}
