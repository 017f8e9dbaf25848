//! `comparison.json`.

use std::collections::BTreeMap;

use cspine_domain::{Class, Sha256};
use serde::Serialize;

use super::{Contrast, Reader, Study};
use crate::evaluate::{PerClass, with_interval};
use crate::metrics::{Area, Confusion, DeLong, McNemar, OneVsRest, delong, holm};

/// Readers of whom each two are tested against each other: of more, that would be over a thousand tests.
pub(super) const PAIRED_MAX: usize = 50;

/// Every reader's figures and every pair's tests. Proportions go from 0 to 1 and are null where there is nothing to count;
/// intervals are at 95 %. Names are those of `evaluation.json` where the figures are the same.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The files, in the order in which they were given.
    pub inputs: Vec<Input>,
    /// How many, the same for all readers.
    pub images: usize,
    /// Of them by label.
    pub labels: BTreeMap<&'static str, usize>,
    /// The classes in the order of the confusion matrices.
    pub classes: &'static [Class],
    /// In the order in which they come first in the files.
    pub readers: Vec<ReaderFigures>,
    /// Each two readers; none of more than 50, for tests and their correction grow with the square.
    pub pairs: Vec<Pair>,
}

/// A file.
#[derive(Debug, Clone, Serialize)]
pub struct Input {
    /// As given.
    pub file: String,
    /// Of its content.
    pub sha256: Sha256,
}

/// A reader's figures.
#[derive(Debug, Clone, Serialize)]
pub struct ReaderFigures {
    /// The name.
    pub reader: String,
    /// Right calls.
    pub right: usize,
    /// Images without a call; they count as errors.
    pub abstained: usize,
    /// The plain accuracy: right calls of all images.
    pub accuracy: Option<f64>,
    /// Wilson's.
    pub accuracy_interval: Option<[f64; 2]>,
    /// Means over the classes, each against the others; `one_vs_rest.accuracy` is the paper's "accuracy".
    pub one_vs_rest: OneVsRest,
    /// [`Confusion::one_vs_rest_accuracy_interval`].
    pub one_vs_rest_accuracy_interval: Option<[f64; 2]>,
    /// By class, with Wilson's intervals.
    pub per_class: BTreeMap<&'static str, PerClass>,
    /// Rows are labels, columns calls.
    pub confusion: [[usize; Class::COUNT]; Class::COUNT],
    /// Of each label, images without a call.
    pub confusion_abstained: [usize; Class::COUNT],
    /// By [`Contrast`], of the images with probabilities; null for a reader who gives none, and where one sort of image is
    /// missing.
    pub auc: Option<BTreeMap<&'static str, Option<Area>>>,
}

/// Two readers on the same images.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// One reader.
    pub first: String,
    /// The other.
    pub second: String,
    /// Of the plain accuracies.
    pub mcnemar: McNemar,
    /// McNemar's p, corrected by Holm for all pairs.
    pub mcnemar_p_holm: f64,
    /// Of the AUCs by [`Contrast`], of the images for which both have probabilities, not corrected for several tests; null
    /// unless both have, and where there are fewer than two images of a sort.
    pub delong: Option<BTreeMap<&'static str, Option<DeLong>>>,
}

impl Comparison {
    /// Computes every figure.
    pub fn new(study: &Study, inputs: Vec<Input>) -> Comparison {
        let of_label = |class: &Class| study.labels.iter().filter(|label| *label == class).count();
        let paired: &[Reader] = if study.readers.len() > PAIRED_MAX { &[] } else { study.readers.as_slice() };
        let mut pairs = vec![];
        for (i, first) in paired.iter().enumerate() {
            pairs.extend(paired[i + 1..].iter().map(|second| Pair::new(&study.labels, first, second)));
        }
        let corrected = holm(&pairs.iter().map(|pair| pair.mcnemar.p).collect::<Vec<_>>());
        for (pair, p) in pairs.iter_mut().zip(corrected) {
            pair.mcnemar_p_holm = p;
        }
        Comparison {
            inputs,
            images: study.labels.len(),
            labels: Class::ALL.iter().map(|class| (class.as_str(), of_label(class))).collect(),
            classes: Class::ALL,
            readers: study.readers.iter().map(|reader| ReaderFigures::new(&study.labels, reader)).collect(),
            pairs,
        }
    }
}

impl ReaderFigures {
    fn new(labels: &[Class], reader: &Reader) -> ReaderFigures {
        let calls = labels.iter().zip(&reader.calls).map(|(label, call)| (*label, call.map(|call| call.class)));
        let confusion = Confusion::count(calls);
        let (accuracy, accuracy_interval) = with_interval(confusion.accuracy());
        ReaderFigures {
            reader: reader.name.clone(),
            right: confusion.accuracy().count,
            abstained: confusion.abstained.iter().sum(),
            accuracy,
            accuracy_interval,
            one_vs_rest: confusion.one_vs_rest(),
            one_vs_rest_accuracy_interval: confusion.one_vs_rest_accuracy_interval(),
            per_class: Class::ALL.iter().map(|c| (c.as_str(), PerClass::new(&confusion.binary(*c)))).collect(),
            confusion: confusion.counts,
            confusion_abstained: confusion.abstained,
            auc: reader.scored().then(|| by_contrast(|contrast| auc(labels, reader, contrast))),
        }
    }
}

impl Pair {
    fn new(labels: &[Class], first: &Reader, second: &Reader) -> Pair {
        let right = |(image, label): (usize, &Class)| [first, second].map(|reader| reader.right(image, *label));
        let mcnemar = McNemar::of(labels.iter().enumerate().map(right));
        let delong = (first.scored() && second.scored())
            .then(|| by_contrast(|contrast| difference(labels, [first, second], contrast)));
        let (first, second) = (first.name.clone(), second.name.clone());
        Pair { first, second, mcnemar, mcnemar_p_holm: mcnemar.p, delong }
    }
}

fn by_contrast<T>(figure: impl Fn(Contrast) -> T) -> BTreeMap<&'static str, T> {
    Contrast::ALL.iter().map(|contrast| (contrast.as_str(), figure(*contrast))).collect()
}

fn auc(labels: &[Class], reader: &Reader, contrast: Contrast) -> Option<Area> {
    let scored = labels
        .iter()
        .enumerate()
        .filter_map(|(image, label)| Some((contrast.score(reader.probabilities(image)?), contrast.is_case(*label))));
    Area::of(&scored.collect::<Vec<_>>())
}

fn difference(labels: &[Class], readers: [&Reader; 2], contrast: Contrast) -> Option<DeLong> {
    let scored = labels.iter().enumerate().filter_map(|(image, label)| {
        let [first, second] = readers.map(|reader| reader.probabilities(image));
        Some(([contrast.score(first?), contrast.score(second?)], contrast.is_case(*label)))
    });
    delong(&scored.collect::<Vec<_>>())
}
