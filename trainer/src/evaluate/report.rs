//! `evaluation.json`.

use std::collections::BTreeMap;

use cspine_domain::{Class, Sha256};
use cspine_nets::{Classifier, Standing};
use serde::Serialize;

use super::Prediction;
use crate::dataset::digest;
use crate::metrics::{
    Binary, Calibration, Collapse, Confusion, Labelled, OneVsRest, Proportion, auc, calibration, collapse,
    operating_point,
};

/// What was measured, and on what. Proportions go from 0 to 1 and are null where there is nothing to count; intervals are
/// Wilson's at 95 %.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The model file.
    pub model_sha256: Sha256,
    /// What the model's card says of its training data: what it must not be taken for.
    pub training_data: String,
    /// Whether temperature and operating point were found on data.
    pub calibrated: bool,
    /// What logits were divided by.
    pub temperature: f32,
    /// Flagged is p(dislocation) + p(fracture) at or over this.
    pub threshold: f32,
    /// SHA-256 over the sorted digests of the images.
    pub data_digest: Sha256,
    /// The classes in the order of the confusion matrices.
    pub classes: &'static [Class],
    /// On all images.
    #[serde(flatten)]
    pub all: Block,
    /// On those that the data set does not call ambiguous.
    pub without_ambiguous: Block,
    /// Of the probabilities as answered, at the model's temperature.
    pub calibration: Option<Calibration>,
    /// Of what they would be without a temperature.
    pub uncalibrated: Option<Calibration>,
    /// What the model's gate says; `None` if it has none.
    pub gate: Option<GateCounts>,
    /// Why images have no answer.
    pub failures: Vec<String>,
}

/// What a scope gate says of the images of each class, by class index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GateCounts {
    /// Answered and marked.
    pub atypical: [usize; Class::COUNT],
    /// Not answered; they are among those without an answer, and count as errors.
    pub out_of_distribution: [usize; Class::COUNT],
}

impl GateCounts {
    fn of(predictions: &[Prediction]) -> Self {
        let count = |standing| {
            let mut counts = [0; Class::COUNT];
            for prediction in predictions.iter().filter(|prediction| prediction.standing == Some(standing)) {
                counts[prediction.image.label.index()] += 1;
            }
            counts
        };
        Self { atypical: count(Standing::Atypical), out_of_distribution: count(Standing::OutOfDistribution) }
    }
}

/// Figures on some images.
#[derive(Debug, Clone, Serialize)]
pub struct Block {
    /// How many.
    pub images: usize,
    /// Of them without an answer; they count as errors.
    pub abstained: usize,
    /// Right verdicts of all images.
    pub accuracy: Option<f64>,
    /// Its interval.
    pub accuracy_interval: Option<[f64; 2]>,
    /// Means over the classes, each against the others.
    pub one_vs_rest: OneVsRest,
    /// By class.
    pub per_class: BTreeMap<&'static str, PerClass>,
    /// Rows are labels, columns verdicts.
    pub confusion: [[usize; Class::COUNT]; Class::COUNT],
    /// Of each label, images without an answer.
    pub confusion_abstained: [usize; Class::COUNT],
    /// The flag against injuries.
    pub operating_point: Flag,
    /// Area under the ROC curve, injuries against normals, of the images with an answer.
    pub auc: Option<f64>,
    /// Why the network counts as collapsed on these images, if it does.
    pub collapsed: Option<Collapse>,
}

/// A class against the others.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "as in OneVsRest, with intervals")]
pub struct PerClass {
    pub images: usize,
    pub accuracy: Option<f64>,
    pub accuracy_interval: Option<[f64; 2]>,
    pub sensitivity: Option<f64>,
    pub sensitivity_interval: Option<[f64; 2]>,
    pub specificity: Option<f64>,
    pub specificity_interval: Option<[f64; 2]>,
    pub precision: Option<f64>,
    pub precision_interval: Option<[f64; 2]>,
    pub f1: Option<f64>,
}

/// The flag at the model's operating point.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Flag {
    /// Flagged of the injuries.
    pub sensitivity: Option<f64>,
    /// Its interval.
    pub sensitivity_interval: Option<[f64; 2]>,
    /// Not flagged of the normals.
    pub specificity: Option<f64>,
    /// Its interval.
    pub specificity_interval: Option<[f64; 2]>,
}

impl Report {
    /// Computes every figure.
    pub fn new(model: &Classifier, predictions: &[Prediction]) -> Report {
        let card = model.card();
        let images = |ambiguous_too: bool| -> Vec<Labelled> {
            predictions.iter().filter(|p| ambiguous_too || !p.ambiguous).map(|p| p.image.clone()).collect()
        };
        Report {
            model_sha256: model.sha256(),
            training_data: card.training.data.clone(),
            calibrated: card.calibrated,
            temperature: card.temperature,
            threshold: card.operating_point,
            data_digest: digest(predictions.iter().filter_map(|p| p.sha256)),
            classes: Class::ALL,
            all: Block::new(&images(true)),
            without_ambiguous: Block::new(&images(false)),
            calibration: calibration(&images(true), 1.0),
            uncalibrated: calibration(&images(true), f64::from(card.temperature)),
            gate: card.gate.as_ref().map(|_| GateCounts::of(predictions)),
            failures: predictions.iter().filter_map(|p| p.failure.clone()).collect(),
        }
    }
}

impl Block {
    /// Figures on some images.
    pub fn new(images: &[Labelled]) -> Block {
        let confusion = Confusion::of(images);
        let (accuracy, accuracy_interval) = with_interval(confusion.accuracy());
        let point = operating_point(images);
        let (sensitivity, sensitivity_interval) = with_interval(point.sensitivity);
        let (specificity, specificity_interval) = with_interval(point.specificity);
        Block {
            images: images.len(),
            abstained: confusion.abstained.iter().sum(),
            accuracy,
            accuracy_interval,
            one_vs_rest: confusion.one_vs_rest(),
            per_class: Class::ALL.iter().map(|c| (c.as_str(), PerClass::new(&confusion.binary(*c)))).collect(),
            confusion: confusion.counts,
            confusion_abstained: confusion.abstained,
            operating_point: Flag { sensitivity, sensitivity_interval, specificity, specificity_interval },
            auc: auc(images),
            collapsed: collapse(&confusion),
        }
    }
}

impl PerClass {
    /// A class's figures.
    pub fn new(binary: &Binary) -> PerClass {
        let (accuracy, accuracy_interval) = with_interval(binary.accuracy());
        let (sensitivity, sensitivity_interval) = with_interval(binary.sensitivity());
        let (specificity, specificity_interval) = with_interval(binary.specificity());
        let (precision, precision_interval) = with_interval(binary.precision());
        PerClass {
            images: binary.positives,
            accuracy,
            accuracy_interval,
            sensitivity,
            sensitivity_interval,
            specificity,
            specificity_interval,
            precision,
            precision_interval,
            f1: binary.f1(),
        }
    }
}

/// A proportion's value and interval.
pub(crate) fn with_interval(proportion: Proportion) -> (Option<f64>, Option<[f64; 2]>) {
    (proportion.value(), proportion.interval())
}
