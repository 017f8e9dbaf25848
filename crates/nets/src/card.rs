//! The model card: what a network is, how its input is made, what its outputs mean. It travels in the model's own file.

use cspine_domain::{Class, Sha256};
use cspine_imaging::Preprocessing;
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::gate::GateCard;
use crate::golden::Golden;

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
    /// How the operating point was chosen, and what is to be expected of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating: Option<Operating>,
    /// What the network was fitted on, and what it must not be taken for.
    pub training: Training,
    /// What keeps out images that the network was not made for, if the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateCard>,
    /// What the network says of a fixed image, to be asked again by whoever loads it; of these very weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<Golden>,
    /// Free figures of an evaluation, by name; proportions from 0 to 1. Those of the gate begin with `gate_`.
    #[serde(default)]
    pub evaluation: std::collections::BTreeMap<String, f64>,
    /// Why the network counts as collapsed, a sentence; `None` if it does not, or nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapsed: Option<String>,
}

/// What the operating point was chosen by, and its figures on the validation set, all of whose images are answered.
/// Shares go from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operating {
    /// What was asked for.
    pub rule: Rule,
    /// Injuries flagged of all injuries.
    pub sensitivity: Option<Estimate>,
    /// Normals not flagged of all normals.
    pub specificity: Option<Estimate>,
    /// Share of injured images that the two figures below are of.
    pub prevalence: f64,
    /// Images a day that the next figure is of.
    pub images_a_day: f64,
    /// Flags a day to be expected, true and false.
    pub flags_a_day: f64,
    /// Injuries among the flagged, to be expected; none where nothing is flagged.
    pub ppv: Option<Estimate>,
}

impl std::fmt::Display for Operating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |estimate: Option<Estimate>| match estimate {
            Some(Estimate { value, interval: [low, high] }) => {
                format!("{:.1} % ({:.1}–{:.1})", 100.0 * value, 100.0 * low, 100.0 * high)
            }
            None => "–".to_owned(),
        };
        write!(
            f,
            "flags {} of the injuries and spares {} of the normals; of {} images a day with {:.1} % injured {:.2} would be \
             flagged, {} of them injured",
            of(self.sensitivity),
            of(self.specificity),
            self.images_a_day,
            100.0 * self.prevalence,
            self.flags_a_day,
            of(self.ppv)
        )
    }
}

/// What an operating point was asked to achieve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// At least this share of the injuries is flagged.
    Sensitivity(f64),
    /// At most so many flags are to be expected a day.
    AlertsADay(f64),
}

/// A share with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// What was measured.
    pub value: f64,
    /// Low and high end.
    pub interval: [f64; 2],
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
            operating: None,
            training: Training { data: data.to_owned(), data_digest: None, parent: None },
            gate: None,
            golden: None,
            evaluation: std::collections::BTreeMap::new(),
            collapsed: None,
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
        let gate = self.gate.as_ref().and_then(|gate| gate.fault(self.architecture));
        gate.or_else(|| self.golden.as_ref().and_then(Golden::fault))
    }
}
