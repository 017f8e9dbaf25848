//! A GoogLeNet with a head, as training needs it: parameters, logits, gradients, state.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use crate::googlenet::{Activations, GoogLeNet};
use crate::layers::{ConvNorm, Mode, StateDict, get};

/// A network whose weights move.
#[derive(Debug)]
pub struct Learner {
    net: GoogLeNet<ConvNorm>,
    fc_weight: Var,
    fc_bias: Var,
}

impl Learner {
    /// From a checked state dict, whose 16-bit weights become 32-bit.
    pub fn new(state: &StateDict) -> Result<Self> {
        Ok(Self {
            net: GoogLeNet::build(|shape| ConvNorm::new(shape, state))?,
            fc_weight: Var::from_tensor(&get(state, "fc.weight")?)?,
            fc_bias: Var::from_tensor(&get(state, "fc.bias")?)?,
        })
    }

    /// The pass from images `[n, 3, h, w]` to feature maps.
    pub fn activations(&self, images: &Tensor, mode: Mode) -> Result<Activations> {
        self.net.activations(images, mode)
    }

    /// The mean of the last feature map over its pixels, `[n, 1024]`.
    pub fn features(activations: &Activations) -> Result<Tensor> {
        activations.map_5b.mean((1, 2))
    }

    /// Features `[n, 1024]`, dropped out or not, to logits `[n, classes]`.
    pub fn head(&self, features: &Tensor) -> Result<Tensor> {
        features.matmul(&self.fc_weight.t()?)?.broadcast_add(&self.fc_bias)
    }

    /// Logits `[n, classes]` of images `[n, 3, h, w]`.
    pub fn logits(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        self.head(&Self::features(&self.activations(images, mode)?)?)
    }

    /// The gradients of a loss by every parameter it depends on.
    pub fn backward(&self, loss: &Tensor) -> Result<GradStore> {
        let mut gradients = loss.backward()?;
        for layer in self.net.layers() {
            for ((_, var), gradient) in layer.parameters().iter().zip(layer.take_gradients().into_iter().flatten()) {
                gradients.insert(var, gradient);
            }
        }
        Ok(gradients)
    }

    /// Every parameter by torchvision's name.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        let head = [("fc.weight".to_owned(), self.fc_weight.clone()), ("fc.bias".to_owned(), self.fc_bias.clone())];
        self.net.layers().flat_map(ConvNorm::parameters).chain(head).collect()
    }

    /// Weights and running statistics as they are now.
    pub fn state(&self) -> Result<StateDict> {
        let mut state = StateDict::new();
        for layer in self.net.layers() {
            layer.save(&mut state)?;
        }
        state.insert("fc.weight".into(), self.fc_weight.as_tensor().copy()?);
        state.insert("fc.bias".into(), self.fc_bias.as_tensor().copy()?);
        Ok(state)
    }
}
