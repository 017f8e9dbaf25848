//! The scope gate: how far what the network makes of an image lies from what it makes of the images it was made for.
//! A network answers anything with a class, noise and photographs too; beyond the outer threshold it is not to answer.

mod mahalanobis;
mod principal;

use cspine_domain::{Class, Orientation};
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::architecture::Architecture;
use crate::checkpoint::Checkpoint;

pub use mahalanobis::Mahalanobis;

/// What a network makes of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Its outputs, by class index.
    pub logits: [f32; Class::COUNT],
    /// What the head sees: GoogLeNet's 1024 means of the last map's channels, AlexNet's 4096 values.
    pub features: Vec<f32>,
}

/// How strange an image is: larger is stranger.
#[derive(Debug, Clone, PartialEq)]
pub enum Score {
    /// The free energy of the logits, [`energy`].
    Energy,
    /// The distance of the features.
    Mahalanobis(Mahalanobis),
}

impl Score {
    /// An image's.
    pub fn of(&self, observation: &Observation) -> f32 {
        match self {
            Score::Energy => energy(observation.logits),
            Score::Mahalanobis(distance) => distance.score(&observation.features),
        }
    }

    /// Its name.
    pub fn method(&self) -> Method {
        match self {
            Score::Energy => Method::Energy,
            Score::Mahalanobis(_) => Method::Mahalanobis,
        }
    }
}

/// A score's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// [`Score::Energy`].
    Energy,
    /// [`Score::Mahalanobis`].
    Mahalanobis,
}

impl Method {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Energy => "energy",
            Method::Mahalanobis => "mahalanobis",
        }
    }
}

/// What a model card says of its gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateCard {
    /// The score.
    pub method: Method,
    /// Principal components of the Mahalanobis distance, at most [`GateCard::components_of`]; 0 for the energy.
    pub components: usize,
    /// Scores over this are atypical.
    pub inner: f32,
    /// Scores over this are out of distribution; at least the inner threshold.
    pub outer: f32,
    /// In words: the images it was fitted to and its thresholds were found on.
    pub fitted_on: String,
    /// The card's figures that were taken without it, by name: it leaves some of those images without an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures_without: Vec<String>,
}

/// Whether a network was made for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It looks like what the gate was fitted to.
    Typical,
    /// Between the thresholds: to be answered, and marked.
    Atypical,
    /// Beyond the outer threshold: not to be answered.
    OutOfDistribution,
}

impl Standing {
    /// Whether the network's answer counts.
    pub fn is_answered(self) -> bool {
        self != Standing::OutOfDistribution
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Typical => "typical",
            Standing::Atypical => "atypical",
            Standing::OutOfDistribution => "out_of_distribution",
        }
    }
}

impl GateCard {
    /// Most components that a gate has.
    pub const COMPONENTS_MAX: usize = 128;
    /// Most bytes that its tensors take in a file.
    pub const BYTES_MAX: usize = 500_000;

    /// As many components as the file has room for: 128 of GoogLeNet's features, 58 of AlexNet's.
    pub fn components_of(architecture: Architecture) -> usize {
        let features = architecture.features();
        // Components in 16 bits; the mean and their variances in 32.
        let left = Self::BYTES_MAX - 4 * (features + Self::COMPONENTS_MAX + 1);
        Self::COMPONENTS_MAX.min(left / (2 * features))
    }

    /// Where a score stands. One that is no number is out of distribution.
    pub fn standing(&self, score: f32) -> Standing {
        if score <= self.inner {
            Standing::Typical
        } else if score <= self.outer {
            Standing::Atypical
        } else {
            Standing::OutOfDistribution
        }
    }

    /// The name and shape of every tensor that it needs.
    pub(crate) fn tensors(&self, architecture: Architecture) -> Vec<(String, Vec<usize>)> {
        match self.method {
            Method::Energy => Vec::new(),
            Method::Mahalanobis => mahalanobis::tensors(architecture.features(), self.components),
        }
    }

    /// What is wrong with its numbers for a network, if anything.
    pub(crate) fn fault(&self, architecture: Architecture) -> Option<&'static str> {
        if !(self.inner.is_finite() && self.outer.is_finite() && self.inner <= self.outer) {
            return Some("the gate's thresholds are not two numbers, the inner at most the outer");
        }
        let components = match self.method {
            Method::Energy => 0..=0,
            Method::Mahalanobis => 1..=Self::components_of(architecture),
        };
        (!components.contains(&self.components)).then_some("the gate's number of components is not one its method has")
    }
}

/// A score with its thresholds.
#[derive(Debug, Clone)]
pub struct Gate {
    card: GateCard,
    score: Score,
}

impl Gate {
    /// A gate of a score and its inner and outer threshold; `fitted_on` says in words on which images they were found.
    pub fn new(score: Score, [inner, outer]: [f32; 2], fitted_on: &str) -> Self {
        let components = if let Score::Mahalanobis(distance) = &score { distance.components() } else { 0 };
        let (method, fitted_on) = (score.method(), fitted_on.to_owned());
        let card = GateCard { method, components, inner, outer, fitted_on, figures_without: Vec::new() };
        Self { card, score }
    }

    /// A checkpoint's, if it has one.
    pub(crate) fn of(checkpoint: &Checkpoint) -> Result<Option<Self>, ModelError> {
        let Some(card) = &checkpoint.card.gate else { return Ok(None) };
        let score = match card.method {
            Method::Energy => Score::Energy,
            Method::Mahalanobis => Score::Mahalanobis(Mahalanobis::read(&checkpoint.state)?),
        };
        Ok(Some(Self { card: card.clone(), score }))
    }

    /// Puts it into a checkpoint, in the place of one that was there and of that one's figures. The card's other figures
    /// are named as taken without it.
    ///
    /// # Errors
    /// None but Candle's.
    pub fn install(&self, checkpoint: &mut Checkpoint) -> Result<(), ModelError> {
        checkpoint.state.retain(|name, _| !name.starts_with("gate."));
        if let Score::Mahalanobis(distance) = &self.score {
            distance.write(&mut checkpoint.state)?;
        }
        let card = &mut checkpoint.card;
        card.evaluation.retain(|name, _| !name.starts_with("gate_"));
        let operating = card.operating.is_some().then(|| "operating".to_owned());
        let figures_without = operating.into_iter().chain(card.evaluation.keys().cloned()).collect();
        card.gate = Some(GateCard { figures_without, ..self.card.clone() });
        Ok(())
    }

    /// An image's score.
    pub fn score(&self, observation: &Observation) -> f32 {
        self.score.of(observation)
    }

    /// Where a score stands.
    pub fn standing(&self, score: f32) -> Standing {
        self.card.standing(score)
    }

    /// Of the scores of an image in several orientations the one to answer it in, where it is unknown as it lies: the one
    /// with the lowest score, if that is typical. Six more looks are six more chances for what is out of scope to seem
    /// known, so an atypical one does not do.
    pub fn turned(&self, scores: impl IntoIterator<Item = (Orientation, f32)>) -> Option<Orientation> {
        let best = scores.into_iter().min_by(|(_, one), (_, other)| one.total_cmp(other));
        best.filter(|(_, score)| self.standing(*score) == Standing::Typical).map(|(look, _)| look)
    }

    /// What its model's card says of it.
    pub fn card(&self) -> &GateCard {
        &self.card
    }
}

/// Free energy at temperature 1, −ln Σ exp z: high where no logit is (Liu et al. 2020, arXiv 2010.03759).
pub fn energy(logits: [f32; Class::COUNT]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    -(largest + logits.iter().map(|z| (z - largest).exp()).sum::<f32>().ln())
}

#[cfg(test)]
mod tests {
    use super::{Architecture, GateCard, Method};

    #[test]
    fn a_gate_of_more_components_than_the_file_has_room_for_is_a_fault() {
        for (architecture, components, sound) in [
            (Architecture::GoogLeNet, 128, true),
            (Architecture::GoogLeNet, 129, false),
            (Architecture::AlexNet, 58, true),
            (Architecture::AlexNet, 59, false),
        ] {
            let (method, fitted_on) = (Method::Mahalanobis, String::new());
            let card = GateCard { method, components, inner: 1.0, outer: 2.0, fitted_on, figures_without: Vec::new() };
            assert_eq!(card.fault(architecture).is_none(), sound, "{components} of {}", architecture.as_str());
        }
    }
}
