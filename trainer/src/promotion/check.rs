//! One thing that is measured of both models, and whether the challenger holds in it.

use serde::{Deserialize, Serialize};

use super::trials::{Cluster, chance_of_the_fall, clusters, telling_from};
use super::{Examined, Margins, bootstrap};
use crate::metrics::{Answer, Collapse, Confusion, Labelled, Proportion, calibration, collapse};

/// What bounds are allowed for that arithmetic adds.
const ROUNDING: f64 = 1e-9;

/// A check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// `sensitivity`, `specificity`, `recall of fracture`, `sensitivity at ed-1`, `sensitivity without a site`,
    /// `calibration`, `collapse`, `agreement with the labels`.
    pub name: String,
    /// How it was judged.
    pub basis: Basis,
    /// By what.
    pub measured: Measured,
    /// Whether the challenger holds.
    pub held: bool,
}

/// How a check is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The difference's lower bound is at least −margin.
    NonInferior,
    /// The difference's upper bound is not below 0: the set is too small for more.
    NotSignificantlyWorse,
    /// The challenger's figure is not lower (an error: not higher) by more than the margin.
    Fall,
    /// The group is so small that a fall over the margin could be chance; only a significant fall fails.
    TooFewToTell,
    /// It is not collapsed.
    Sound,
    /// It is not: the set is too small.
    Shown,
    /// The challenger agrees with its labels as often as is asked, or may do: the interval reaches it.
    Agreement,
}

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
    /// The lower and the upper bound of the difference, each one-sided.
    pub bounds: Option<[f64; 2]>,
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

/// Expected calibration errors, of the images with an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// The champion's, from 0 to 1. `None` without an answer.
    pub champion: Option<f64>,
    /// The challenger's.
    pub challenger: Option<f64>,
    /// Images that each has answered.
    pub answered: [usize; 2],
    /// The challenger's less the champion's.
    pub rise: Option<f64>,
    /// How much it may rise.
    pub margin: f64,
}

/// How the models have collapsed, if they have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collapses {
    /// The champion.
    pub champion: Option<Collapse>,
    /// The challenger.
    pub challenger: Option<Collapse>,
}

/// Answers that are what the label says, of those that each model gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The champion's.
    pub champion: Share,
    /// The challenger's.
    pub challenger: Share,
    /// What the interval of the challenger's share must reach.
    pub least: f64,
}

impl From<Proportion> for Share {
    fn from(proportion: Proportion) -> Self {
        let Proportion { count, of } = proportion;
        Share { count, of, value: proportion.value(), interval: proportion.interval() }
    }
}

impl Shares {
    /// Of images by whether each model has it right.
    fn new(images: &[(&Examined, [bool; 2])], margin: f64, margins: &Margins) -> Shares {
        let clusters = clusters(images.iter().map(|(image, right)| (image.patient.as_deref(), *right)));
        let right = |model: usize| {
            let count = images.iter().filter(|(_, right)| right[model]).count();
            Share::from(Proportion { count, of: images.len() })
        };
        let sum = |of: fn(&Cluster) -> usize| clusters.iter().map(of).sum::<usize>();
        let (champion, challenger) = (right(0), right(1));
        Shares {
            champion,
            challenger,
            lost: sum(|cluster| cluster.lost),
            gained: sum(|cluster| cluster.gained),
            patients: clusters.len(),
            difference: challenger.value.zip(champion.value).map(|(challenger, champion)| challenger - champion),
            bounds: bootstrap::bounds(&clusters, margins.resampling()),
            p: chance_of_the_fall(&clusters),
            margin,
        }
    }

    /// Nothing is not worse than nothing.
    fn not_significantly_worse(&self) -> bool {
        self.bounds.is_none_or(|[_, high]| high >= -ROUNDING)
    }
}

impl Check {
    /// Sensitivity or specificity of the flag.
    pub(super) fn of_flag(name: &str, images: &[&Examined], margin: f64, strict: bool, margins: &Margins) -> Check {
        let images: Vec<_> = images.iter().map(|image| (*image, image.flagged_rightly())).collect();
        let shares = Shares::new(&images, margin, margins);
        let (basis, held) = if strict {
            (Basis::NonInferior, shares.bounds.is_some_and(|[low, _]| low >= -margin - ROUNDING))
        } else {
            (Basis::NotSignificantlyWorse, shares.not_significantly_worse())
        };
        Check { name: name.to_owned(), basis, measured: Measured::Shares(shares), held }
    }

    /// A class's recall, or a site's sensitivity: images by whether each model has it right.
    pub(super) fn of_group(
        name: String,
        images: &[(&Examined, [bool; 2])],
        margin: f64,
        strict: bool,
        margins: &Margins,
    ) -> Check {
        let shares = Shares::new(images, margin, margins);
        let (basis, held) = if shares.patients < telling_from(margin, margins.confidence) {
            (Basis::TooFewToTell, shares.p > 1.0 - margins.confidence)
        } else if strict {
            (Basis::Fall, shares.difference.is_some_and(|difference| difference >= -margin - ROUNDING))
        } else {
            (Basis::NotSignificantlyWorse, shares.not_significantly_worse())
        };
        Check { name, basis, measured: Measured::Shares(shares), held }
    }

    /// How far the probabilities can be trusted.
    pub(super) fn of_calibration(models: &[Vec<Labelled>; 2], strict: bool, margin: f64) -> Check {
        let [champion, challenger] = models.each_ref().map(|images| calibration(images, 1.0));
        let answered = [&champion, &challenger].map(|figures| figures.as_ref().map_or(0, |figures| figures.images));
        let [champion, challenger] = [champion, challenger].map(|figures| figures.map(|figures| figures.ece));
        let rise = challenger.zip(champion).map(|(challenger, champion)| challenger - champion);
        // A champion without any answer has no error to compare with, and is beaten by anything.
        let held = challenger.is_some() && rise.is_none_or(|rise| rise <= margin + ROUNDING);
        let measured = Measured::Calibration(Calibrated { champion, challenger, answered, rise, margin });
        let (basis, held) = if strict { (Basis::Fall, held) } else { (Basis::Shown, true) };
        Check { name: "calibration".to_owned(), basis, measured, held }
    }

    /// Whether the new labels can be learnt: a network that learnt from such labels calls others of them as people do, unless
    /// people did not look at the image. An image without an answer says nothing of its label.
    pub(super) fn of_agreement(images: &[&Examined], least: f64) -> Check {
        let share = |answer: fn(&Examined) -> &Option<Answer>| {
            let answered = images.iter().filter_map(|image| Some((image.label, answer(image).as_ref()?.verdict)));
            let (count, of) =
                answered.fold((0, 0), |(n, of), (label, verdict)| (n + usize::from(label == verdict), of + 1));
            Share::from(Proportion { count, of })
        };
        let (champion, challenger) = (share(|image| &image.champion), share(|image| &image.challenger));
        let held = challenger.interval.is_none_or(|[_, high]| high >= least);
        let measured = Measured::Agreement(Agreement { champion, challenger, least });
        Check { name: "agreement with the labels".to_owned(), basis: Basis::Agreement, measured, held }
    }

    /// Whether it has learnt more than how often which label is.
    pub(super) fn of_collapse(models: &[Vec<Labelled>; 2], strict: bool) -> Check {
        let [champion, challenger] = models.each_ref().map(|images| collapse(&Confusion::of(images)));
        let sound = challenger.is_none();
        let measured = Measured::Collapse(Collapses { champion, challenger });
        let (basis, held) = if strict { (Basis::Sound, sound) } else { (Basis::Shown, true) };
        Check { name: "collapse".to_owned(), basis, measured, held }
    }
}
