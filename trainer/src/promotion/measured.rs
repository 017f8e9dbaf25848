//! What is measured of both models, on the same images.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Resampling, lower_bound};
use super::trials::{by_patient, chance_of_the_fall};
use super::{Examined, Margins};
use crate::metrics::{Answer, Collapse, Confusion, Labelled, Proportion, at_least, calibration, collapse};

/// What a check measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Measured {
    /// How many images each model has right.
    Shares(Shares),
    /// How far confidence and accuracy lie apart.
    Calibration(Calibrated),
    /// Whether answers follow the labels at all.
    Collapse(Collapses),
    /// How often answers are what the labels say.
    Agreement(Agreement),
    /// How many spoilt films get no answer.
    KeptOut(KeptOut),
}

/// Images that the models have right, of the same images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// The champion's.
    pub champion: Share,
    /// The challenger's.
    pub challenger: Share,
    /// Images that only the champion has right.
    pub lost: usize,
    /// Images that only the challenger has right.
    pub gained: usize,
    /// Whose images they are; an image of unknown patient counts as one.
    pub patients: usize,
    /// The challenger's value less the champion's. `None` without images.
    pub difference: Option<f64>,
    /// The lower bound of the difference, one-sided, where it is judged by that.
    pub bound: Option<f64>,
    /// McNemar's exact p of a fall, one-sided, by patients.
    pub p: f64,
    /// How much it may fall.
    pub margin: f64,
}

/// A proportion with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// From 0 to 1; `None` of nothing.
    pub value: Option<f64>,
    /// Wilson's at 95 %.
    pub interval: Option<[f64; 2]>,
}

/// How far confidence and accuracy lie apart, on the images that both models have answered.
///
/// A network's overconfidence is its mean confidence (the probability of the answered class) less its accuracy, negative for
/// one that is more often right than it says: the mean calibration of van Calster et al. (BMC Medicine 2019, 17, 230), of the
/// likeliest class as in Guo et al. 2017. That is what the temperature governs, the one thing of a challenger's probabilities
/// that is fitted by itself. It is a mean over images, so that it can be compared in pairs and resampled without the bias that
/// bins give to an expected calibration error.
///
/// A proper score such as Brier's would hardly notice: miscalibration enters it squared, under the noise of which images are
/// right. Of networks that are right on 95 % of 300 injuries and 300 normals, and whose scores correlate by 0.9 (simulated), a
/// temperature wrong by a factor of 1.5 or 2 towards too sure is found in 8 and 14 % by a sure rise of the Brier score of
/// p(injury), of any size, in 23 and 58 % by one of the overconfidence; on twice as many images in 10 and 20 against 54 and
/// 88 %. Towards too modest it is 72 and 99 %, of equal networks 0.3 (the Brier score: 6). At these sizes the margin of 0.01
/// changes none of that; it keeps a very large set from failing a trifle. What a score would see besides, discrimination, the
/// other checks see. Nor is p(injury) itself held against the share of injuries: that share is what somebody chose for the set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// Images that both have answered.
    pub images: usize,
    /// What they show; `None` without one.
    pub distances: Option<Distances>,
    /// How much the distance from 0 may surely rise.
    pub margin: f64,
}

/// How far confidence and accuracy lie apart; pairs are the champion's, then the challenger's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// From −1 to 1.
    pub overconfidence: [f64; 2],
    /// Expected calibration errors, from 0 to 1: to be read, not judged.
    pub ece: [f64; 2],
    /// How much further from 0 the challenger's overconfidence is than the champion's.
    pub rise: f64,
    /// The lower bound of the rise, one-sided.
    pub bound: f64,
}

/// How the models have collapsed, if they have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collapses {
    /// The champion.
    pub champion: Option<Collapse>,
    /// The challenger.
    pub challenger: Option<Collapse>,
}

/// Answers that are what the label says, of those that each model gave: an image without an answer says nothing of its label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The champion's.
    pub champion: Share,
    /// The challenger's.
    pub challenger: Share,
    /// The challenger's, of the half of its answers that it is surer of.
    pub surer: Share,
    /// How likely the challenger was to agree with so few or fewer, were the truth the least that is asked; exact binomial.
    pub p: f64,
    /// The share that is asked.
    pub least: f64,
}

/// Frozen films, each spoilt in every way, that get no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptOut {
    /// By the champion.
    pub champion: Share,
    /// By the challenger.
    pub challenger: Share,
    /// What the challenger's share must reach, unless the champion's count is no larger.
    pub least: f64,
}

impl From<Proportion> for Share {
    fn from(proportion: Proportion) -> Self {
        let Proportion { count, of } = proportion;
        Share { count, of, value: proportion.value(), interval: proportion.interval() }
    }
}

impl Shares {
    /// Of images by whether each model has it right; the difference's bound if it is to be resampled.
    pub(super) fn new(images: &[(&Examined, [bool; 2])], margin: f64, resampling: Option<Resampling>) -> Shares {
        let gain = |[champion, challenger]: [bool; 2]| f64::from(i8::from(challenger) - i8::from(champion));
        let values = images.iter().map(|(image, right)| (image.patient.as_deref(), [1.0, gain(*right)]));
        let patients = by_patient(values);
        let count = |of: fn([bool; 2]) -> bool| images.iter().filter(|(_, right)| of(*right)).count();
        let share = |count| Share::from(Proportion { count, of: images.len() });
        let champion = share(count(|[champion, _]| champion));
        let challenger = share(count(|[_, challenger]| challenger));
        Shares {
            champion,
            challenger,
            lost: count(|[champion, challenger]| champion && !challenger),
            gained: count(|[champion, challenger]| challenger && !champion),
            patients: patients.len(),
            difference: challenger.value.zip(champion.value).map(|(challenger, champion)| challenger - champion),
            bound: resampling.and_then(|how| lower_bound(&patients, |[images, gain]| gain / images, how)),
            p: chance_of_the_fall(patients.iter().map(|[_, gain]| *gain)),
            margin,
        }
    }
}

impl Calibrated {
    pub(super) fn new(images: &[Examined], margins: &Margins) -> Calibrated {
        let both: Vec<(&Examined, [&Answer; 2])> = images
            .iter()
            .filter_map(|image| Some((image, [image.champion.as_ref()?, image.challenger.as_ref()?])))
            .collect();
        Calibrated { images: both.len(), distances: Distances::of(&both, margins), margin: margins.calibration }
    }
}

impl Distances {
    fn of(images: &[(&Examined, [&Answer; 2])], margins: &Margins) -> Option<Distances> {
        let values = images.iter().map(|(image, answers)| {
            let [champion, challenger] =
                answers.map(|answer| confidence(answer) - f64::from(u8::from(answer.verdict == image.label)));
            (image.patient.as_deref(), [1.0, champion, challenger])
        });
        let patients = by_patient(values);
        let rise = |[images, champion, challenger]: [f64; 3]| (challenger.abs() - champion.abs()) / images;
        let bound = lower_bound(&patients, rise, margins.resampling())?;
        let sums = patients.iter().fold([0.0; 3], |sums, of| std::array::from_fn(|i| sums[i] + of[i]));
        let ece = |model: usize| {
            let labelled = |(image, answers): &(&Examined, [&Answer; 2])| Labelled {
                label: image.label,
                answer: Some(answers[model].clone()),
            };
            Some(calibration(&images.iter().map(labelled).collect::<Vec<_>>(), 1.0)?.ece)
        };
        Some(Distances {
            overconfidence: [sums[1], sums[2]].map(|sum| sum / sums[0]),
            ece: [ece(0)?, ece(1)?],
            rise: rise(sums),
            bound,
        })
    }
}

impl Collapses {
    /// Of all images.
    pub(super) fn new(images: &[Examined]) -> Collapses {
        let of =
            |side: fn(&Examined) -> Labelled| collapse(&Confusion::of(&images.iter().map(side).collect::<Vec<_>>()));
        Collapses { champion: of(Examined::of_champion), challenger: of(Examined::of_challenger) }
    }
}

impl Agreement {
    /// Of images by their new labels.
    pub(super) fn new(images: &[&Examined], least: f64) -> Agreement {
        let champion = calls(images, |image| &image.champion);
        let challenger = calls(images, |image| &image.challenger);
        let as_labelled = |calls: &[bool]| calls.iter().filter(|call| **call).count();
        let share = |calls: &[bool]| Share::from(Proportion { count: as_labelled(calls), of: calls.len() });
        let otherwise = challenger.len() - as_labelled(&challenger);
        Agreement {
            champion: share(&champion),
            challenger: share(&challenger),
            surer: share(&challenger[..challenger.len().div_ceil(2)]),
            p: at_least(otherwise, challenger.len(), 1.0 - least),
            least,
        }
    }
}

/// Whether each answer is what the label says, the surest first.
fn calls(images: &[&Examined], answer: fn(&Examined) -> &Option<Answer>) -> Vec<bool> {
    let call = |image: &&Examined| {
        let answer = answer(image).as_ref()?;
        Some((confidence(answer), answer.verdict == image.label))
    };
    let mut calls: Vec<(f64, bool)> = images.iter().filter_map(call).collect();
    calls.sort_by(|a, b| b.0.total_cmp(&a.0));
    calls.into_iter().map(|(_, as_labelled)| as_labelled).collect()
}

/// The probability that the model gives to its own answer.
fn confidence(answer: &Answer) -> f64 {
    answer.probabilities[answer.verdict.index()].into()
}
