//! One thing that is measured of both models, and whether the challenger holds in it.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::measured::{Agreement, Calibrated, Collapses, KeptOut, Measured, Shares};
use super::trials::telling_from;
use super::{Examined, Margins};
use crate::metrics::Proportion;

/// What bounds are allowed for that arithmetic adds.
const ROUNDING: f64 = 1e-9;

/// A check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// `sensitivity`, `specificity`, `recall of fracture`, `sensitivity at ed-1`, `specificity without a site`,
    /// `calibration`, `collapse`, `scope gate`, `agreement with the labels`.
    pub name: String,
    /// How it was judged.
    pub basis: Basis,
    /// By what.
    pub measured: Measured,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The challenger holds.
    Held,
    /// The figures cannot tell: a person must.
    Doubtful,
    /// It does not hold.
    Failed,
}

/// How a check is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The difference's lower bound is at least −margin.
    NonInferior,
    /// No fall is significant by McNemar's exact test: the set is too small for more.
    NotSignificantlyWorse,
    /// The challenger's share is not lower by more than the margin.
    Fall,
    /// The group is so small that a fall over the margin could be chance. A significant fall fails; one over the margin that
    /// is not leaves a doubt.
    TooFewToTell,
    /// The rise is not both over the margin and surely a rise, its lower bound above 0. Without images, a doubt.
    NoSureRise,
    /// It is not collapsed.
    Sound,
    /// It is not: the set is too small.
    Shown,
    /// The share is as asked, or no fewer are kept out than by the champion.
    KeptOut,
    /// The challenger agrees with its labels as often as is asked, or may do (exact binomial test). If it cannot, but does
    /// where it is surer, it is a doubt.
    Agreement,
}

impl Outcome {
    fn of(holds: bool) -> Outcome {
        if holds { Outcome::Held } else { Outcome::Failed }
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Held => "held",
            Outcome::Doubtful => "DOUBTFUL",
            Outcome::Failed => "FAILED",
        })
    }
}

impl Check {
    /// Sensitivity or specificity of the flag.
    pub(super) fn of_flag(name: &str, images: &[&Examined], margin: f64, strict: bool, margins: &Margins) -> Check {
        let images: Vec<_> = images.iter().map(|image| (*image, image.flagged_rightly())).collect();
        let shares = Shares::new(&images, margin, strict.then(|| margins.resampling()));
        let (basis, holds) = if strict {
            (Basis::NonInferior, shares.bound.is_some_and(|bound| bound >= -margin - ROUNDING))
        } else {
            (Basis::NotSignificantlyWorse, !margins.is_significant(shares.p))
        };
        Check { name: name.to_owned(), basis, measured: Measured::Shares(shares), outcome: Outcome::of(holds) }
    }

    /// A class's recall, or the flag at a site: images by whether each model has it right.
    pub(super) fn of_group(
        name: String,
        images: &[(&Examined, [bool; 2])],
        margin: f64,
        strict: bool,
        margins: &Margins,
    ) -> Check {
        let shares = Shares::new(images, margin, None);
        let significant = margins.is_significant(shares.p);
        let over_the_margin = shares.difference.is_some_and(|difference| difference < -margin - ROUNDING);
        let (basis, outcome) = if shares.patients < telling_from(margin, margins.confidence) {
            let doubtful = over_the_margin && !significant;
            (Basis::TooFewToTell, if doubtful { Outcome::Doubtful } else { Outcome::of(!significant) })
        } else if strict {
            (Basis::Fall, Outcome::of(!over_the_margin))
        } else {
            (Basis::NotSignificantlyWorse, Outcome::of(!significant))
        };
        Check { name, basis, measured: Measured::Shares(shares), outcome }
    }

    /// How far the probabilities can be trusted.
    pub(super) fn of_calibration(images: &[Examined], strict: bool, margins: &Margins) -> Check {
        let calibrated = Calibrated::new(images, margins);
        let outcome = match calibrated.distances {
            _ if !strict => Outcome::Held,
            None => Outcome::Doubtful,
            Some(distances) => {
                let over_the_margin = distances.rise > margins.calibration + ROUNDING;
                Outcome::of(!(over_the_margin && distances.bound > ROUNDING))
            }
        };
        let basis = if strict { Basis::NoSureRise } else { Basis::Shown };
        Check { name: "calibration".to_owned(), basis, measured: Measured::Calibration(calibrated), outcome }
    }

    /// Whether it has learnt more than how often which label is.
    pub(super) fn of_collapse(images: &[Examined], strict: bool) -> Check {
        let collapses = Collapses::new(images);
        let (basis, holds) = if strict { (Basis::Sound, collapses.challenger.is_none()) } else { (Basis::Shown, true) };
        let measured = Measured::Collapse(collapses);
        Check { name: "collapse".to_owned(), basis, measured, outcome: Outcome::of(holds) }
    }

    /// Whether it still refuses what it has no business with.
    pub(super) fn of_scope([champion, challenger]: [Proportion; 2], margins: &Margins) -> Check {
        let enough = challenger.value().is_some_and(|share| share >= margins.kept_out);
        let outcome = Outcome::of(enough || challenger.count >= champion.count);
        let kept_out = KeptOut { champion: champion.into(), challenger: challenger.into(), least: margins.kept_out };
        Check { name: "scope gate".to_owned(), basis: Basis::KeptOut, measured: Measured::KeptOut(kept_out), outcome }
    }

    /// Whether the new labels can be learnt: a network that learnt from such labels calls others of them as people do, unless
    /// people did not look at the image, or the images are hard.
    ///
    /// Which of the two, confidence tells (Northcutt et al., Confident Learning, JAIR 2021, 70, 1373): what is honestly hard
    /// is disagreed about where the network is unsure, but labels that are wrong whatever the image shows are disagreed with
    /// alike everywhere. That the challenger agrees better than the champion tells nothing: of flipped labels it does so too
    /// where the films have changed. Nor does the champion's or its own share on the frozen set, whose films may be easier.
    pub(super) fn of_agreement(images: &[&Examined], margins: &Margins) -> Check {
        let agreement = Agreement::new(images, margins.agreement);
        let outcome = if !margins.is_significant(agreement.p) {
            Outcome::Held
        } else if agreement.surer.value.is_some_and(|share| share >= agreement.least) {
            Outcome::Doubtful
        } else {
            Outcome::Failed
        };
        let measured = Measured::Agreement(agreement);
        Check { name: "agreement with the labels".to_owned(), basis: Basis::Agreement, measured, outcome }
    }
}
