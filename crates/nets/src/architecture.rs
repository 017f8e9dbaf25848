//! The networks there are, by their layers.

use serde::{Deserialize, Serialize};

use crate::layers::LayerShape;
use crate::{alexnet, googlenet};

/// A network of torchvision's, with its names in the state dict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// GoogLeNet without auxiliary heads.
    GoogLeNet,
    /// AlexNet, the one-tower form of Krizhevsky 2014.
    AlexNet,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Architecture; 2] = [Architecture::GoogLeNet, Architecture::AlexNet];

    /// Its word: `googlenet`, `alexnet`.
    pub fn as_str(self) -> &'static str {
        match self {
            Architecture::GoogLeNet => "googlenet",
            Architecture::AlexNet => "alexnet",
        }
    }

    /// Every layer but the head.
    pub fn layers(self) -> Vec<LayerShape> {
        match self {
            Architecture::GoogLeNet => googlenet::layer_shapes(),
            Architecture::AlexNet => alexnet::layer_shapes(),
        }
    }

    /// The last layer's name, from features to logits.
    pub fn head(self) -> &'static str {
        match self {
            Architecture::GoogLeNet => "fc",
            Architecture::AlexNet => "classifier.6",
        }
    }

    /// Length of the feature vector that the head sees.
    pub fn features(self) -> usize {
        match self {
            Architecture::GoogLeNet => googlenet::FEATURES,
            Architecture::AlexNet => alexnet::FEATURES,
        }
    }

    /// Side of the input it was published with, pixels.
    pub fn input_size(self) -> u32 {
        match self {
            Architecture::GoogLeNet => 224,
            Architecture::AlexNet => 227,
        }
    }

    /// Whether it takes a square of this side. GoogLeNet pools over whatever is left; AlexNet needs 6 × 6.
    pub fn takes(self, side: u32) -> bool {
        match self {
            Architecture::GoogLeNet => side >= 32,
            Architecture::AlexNet => (223..=254).contains(&side),
        }
    }

    /// The share of activations that training drops, where its dropouts stand.
    pub fn dropout(self) -> f64 {
        match self {
            Architecture::GoogLeNet => googlenet::DROPOUT,
            Architecture::AlexNet => alexnet::DROPOUT,
        }
    }

    /// The name and shape of every tensor of a network of `classes` classes.
    pub fn tensors(self, classes: usize) -> Vec<(String, Vec<usize>)> {
        let head = [
            (format!("{}.weight", self.head()), vec![classes, self.features()]),
            (format!("{}.bias", self.head()), vec![classes]),
        ];
        head.into_iter().chain(self.layers().iter().flat_map(LayerShape::tensors)).collect()
    }

    /// Whose state dict has these names.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let names: std::collections::BTreeSet<&str> = names.into_iter().collect();
        // A layer that no other has: a file that lacks one of the rest is still known for what it is.
        let mark = |architecture: &Self| match architecture {
            Architecture::GoogLeNet => "conv1.conv.weight",
            Architecture::AlexNet => "features.0.weight",
        };
        Self::ALL.into_iter().find(|architecture| names.contains(mark(architecture)))
    }
}

impl std::str::FromStr for Architecture {
    type Err = crate::ModelError;
    fn from_str(word: &str) -> Result<Self, crate::ModelError> {
        let found = Self::ALL.into_iter().find(|architecture| architecture.as_str() == word);
        found.ok_or(crate::ModelError::UnknownArchitecture)
    }
}
