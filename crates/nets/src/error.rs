//! What can be wrong with a model.

use cspine_domain::Class;

/// Why a model file cannot be used, or a model gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The bytes are no safetensors file.
    #[error("not a safetensors file")]
    NotSafetensors,
    /// The file has no model card; a plain file of weights is to be imported first.
    #[error("the file has no model card; `cspine-trainer import` makes a model of a plain file of weights")]
    NoCard,
    /// The card cannot be read.
    #[error("the model card cannot be read: {0}")]
    BadCard(#[source] serde_json::Error),
    /// The card's numbers are not usable.
    #[error("the model card cannot be used: {0}")]
    CardFault(&'static str),
    /// A tensor is missing.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// A tensor the network does not have.
    #[error("tensor {0} does not belong to this network")]
    Unexpected(String),
    /// A tensor of another shape.
    #[error("tensor {name} has shape {found:?}, the network needs {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// What the network needs.
        expected: Vec<usize>,
    },
    /// A weight that is no number.
    #[error("tensor {0} has values that are not finite")]
    NotFiniteWeights(String),
    /// A variance of the scope gate that is none.
    #[error("tensor {0} has values that are not positive")]
    NotPositive(&'static str),
    /// Too few images, or too much alike, to fit a scope gate to.
    #[error("a scope gate of {components} components needs over {components} images that differ, not {images}")]
    TooFewImages {
        /// Components asked for.
        components: usize,
        /// Images given.
        images: usize,
    },
    /// An input of the wrong length.
    #[error("the input has {found} values, the network takes {expected}")]
    Input {
        /// Its length.
        found: usize,
        /// 3 × size × size.
        expected: usize,
    },
    /// Logits or a gradient that are no numbers.
    #[error("the network's output is not finite")]
    NotFinite,
    /// A card without a golden inference.
    #[error("the model card has no golden inference: nobody can tell whether the network still says what it said")]
    NoGolden,
    /// The network does not say what it said when its file was made: other weights, or kernels that are wrong here.
    #[error("the golden inference differs: {found:?} instead of {expected:?}, over the tolerance of {tolerance}")]
    GoldenDiffers {
        /// Its logits now.
        found: [f32; Class::COUNT],
        /// Those of its card.
        expected: [f32; Class::COUNT],
        /// How far they may lie apart.
        tolerance: f32,
    },
    /// A word for a network that there is not.
    #[error("networks are googlenet and alexnet")]
    UnknownArchitecture,
    /// A word for a saliency method that there is not.
    #[error("saliency methods are hirescam, gradient, smoothgrad, gradcam and integrated")]
    UnknownSaliency,
    /// Candle refused.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
