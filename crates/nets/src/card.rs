//! The model card: what a network is, how its input is made, what its outputs mean. It travels in the model's own file.

use cspine_domain::{Class, Sha256};
use cspine_imaging::Preprocessing;
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;

/// What a model file says of itself, as JSON under `card` in its safetensors metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The network.
    pub architecture: Architecture,
    /// The classes of the outputs, in order: the paper's.
    pub classes: Vec<Class>,
    /// From a radiograph to the input.
    pub preprocessing: Preprocessing,
    /// What logits are divided by before the softmax; found on validation data, 1 if uncalibrated.
    pub temperature: f32,
    /// Flag at p(dislocation) + p(fracture) at or over this.
    pub operating_point: f32,
    /// Whether temperature and operating point were found on data.
    pub calibrated: bool,
    /// What the network was fitted on, and what it must not be taken for.
    pub training: Training,
    /// Free figures of an evaluation, by name; proportions from 0 to 1.
    #[serde(default)]
    pub evaluation: std::collections::BTreeMap<String, f64>,
}

/// Where a network comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// In words: `phantoms only`, `imported, uncalibrated`, …
    pub data: String,
    /// SHA-256 over the sorted digests of the training files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<Sha256>,
    /// The model it was fine-tuned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Sha256>,
}

impl ModelCard {
    /// Of a network that nothing was calibrated for: temperature 1, operating point 0.5.
    pub fn uncalibrated(architecture: Architecture, preprocessing: Preprocessing, data: &str) -> Self {
        Self {
            architecture,
            classes: Class::ALL.to_vec(),
            preprocessing,
            temperature: 1.0,
            operating_point: 0.5,
            calibrated: false,
            training: Training { data: data.to_owned(), data_digest: None, parent: None },
            evaluation: std::collections::BTreeMap::new(),
        }
    }

    /// Probabilities of logits: a softmax at the card's temperature.
    pub fn probabilities(&self, logits: [f32; Class::COUNT]) -> [f32; Class::COUNT] {
        let scaled = logits.map(|z| z / self.temperature);
        let largest = scaled.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials = scaled.map(|z| (z - largest).exp());
        let sum: f32 = exponentials.iter().sum();
        exponentials.map(|e| e / sum)
    }

    /// What is wrong with the numbers of a card, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.classes != Class::ALL {
            return Some("the classes are not dislocation, fracture, normal");
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Some("the temperature is not a positive number");
        }
        if !(0.0..=1.0).contains(&self.operating_point) {
            return Some("the operating point is not between 0 and 1");
        }
        if !self.architecture.takes(self.preprocessing.size) {
            return Some("the network does not take inputs of this size");
        }
        None
    }
}
