//! A network with a head, as training needs it: parameters, logits, gradients, state.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use crate::architecture::Architecture;
use crate::layers::{Learning, Mode, StateDict, get};
use crate::network::{Maps, Network};

/// A network whose weights move.
#[derive(Debug)]
pub struct Learner {
    architecture: Architecture,
    net: Network<Learning>,
    head_weight: Var,
    head_bias: Var,
}

impl Learner {
    /// From a checked state dict, whose 16-bit weights become 32-bit.
    pub fn new(architecture: Architecture, state: &StateDict) -> Result<Self> {
        let head = |part: &str| Var::from_tensor(&get(state, &format!("{}.{part}", architecture.head()))?);
        Ok(Self {
            architecture,
            net: Network::build(architecture, |shape| Learning::new(shape, state))?,
            head_weight: head("weight")?,
            head_bias: head("bias")?,
        })
    }

    /// The pass from images `[n, 3, h, w]` to feature maps.
    pub fn maps(&self, images: &Tensor, mode: Mode) -> Result<Maps> {
        self.net.maps(images, mode)
    }

    /// From feature maps to logits `[n, classes]`; `drop` is handed what a dropout stands before.
    pub fn answer(&self, maps: &Maps, mode: Mode, drop: impl FnMut(Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let features = self.net.features(&maps.last, mode, drop)?;
        features.matmul(&self.head_weight.t()?)?.broadcast_add(&self.head_bias)
    }

    /// Logits `[n, classes]` of images `[n, 3, h, w]`, nothing dropped.
    pub fn logits(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        self.answer(&self.maps(images, mode)?, mode, Ok)
    }

    /// The gradients of a loss by every parameter it depends on.
    pub fn backward(&self, loss: &Tensor) -> Result<GradStore> {
        let mut gradients = loss.backward()?;
        for layer in self.net.layers() {
            for ((_, var), gradient) in layer.parameters().iter().zip(layer.take_gradients()) {
                gradients.insert(var, gradient);
            }
        }
        Ok(gradients)
    }

    /// Every parameter by torchvision's name.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        let head = [("weight", &self.head_weight), ("bias", &self.head_bias)]
            .map(|(part, var)| (format!("{}.{part}", self.architecture.head()), var.clone()));
        self.net.layers().flat_map(Learning::parameters).chain(head).collect()
    }

    /// Weights and running statistics as they are now.
    pub fn state(&self) -> Result<StateDict> {
        let mut state = StateDict::new();
        for layer in self.net.layers() {
            layer.save(&mut state)?;
        }
        for (name, var) in self.parameters().into_iter().rev().take(2) {
            state.insert(name, var.as_tensor().copy()?);
        }
        Ok(state)
    }
}
