//! What can be wrong with a foreign file of weights.

use super::pickle::PickleError;
use crate::ModelError;

/// Why a file of weights cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Neither of the formats.
    #[error("neither a .pth file of PyTorch (a state dict, written by torch.save) nor a safetensors file")]
    UnknownFormat,
    /// It has a model card.
    #[error("it has a model card, so it is a model already: use it as it is")]
    AlreadyAModel,
    /// Its pickle is not that of a state dict.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// Its parts do not fit together.
    #[error("damaged or unusual: {0}")]
    Damaged(&'static str),
    /// A tensor that points outside its storage, or whose type holds no weights.
    #[error("tensor {name:?}: {fault}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A head that is none.
    #[error(
        "{head}.weight and .bias are no head of this network: shapes {weight:?} and {bias:?}, not [n, {features}] and [n]"
    )]
    Head {
        /// Its name in the network.
        head: &'static str,
        /// The features it should see.
        features: usize,
        /// Shape of its weights.
        weight: Vec<usize>,
        /// Shape of its biases.
        bias: Vec<usize>,
    },
    /// A head of other classes cannot be kept.
    #[error("its head has {0} classes and cannot be kept: dislocation, fracture and normal are three")]
    CannotKeep(usize),
    /// The weights are not those of the network.
    #[error(transparent)]
    Model(#[from] ModelError),
}
