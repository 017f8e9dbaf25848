//! The gate of a promotion: what a challenger must show beside the champion, on the same images, before it may serve.
//!
//! On the frozen set, which no model was fitted to:
//!
//! - *Sensitivity* to injuries and *specificity*, each model at its own operating point, are not inferior: the lower bound of
//!   the difference (paired bootstrap by patients) is at least −margin.
//! - No class's *recall*, and no *site's* sensitivity or specificity, falls by more than its margin. Of at least as many
//!   patients as are needed for a fall over the margin to be significant ([`Basis::Fall`]) the figures themselves count. A
//!   smaller group ([`Basis::TooFewToTell`]) fails by a fall that McNemar's exact test calls significant; one over the margin
//!   that is not may be chance, and a person must decide. In a group below twenty a single image is over a margin of 5 points.
//! - *Calibration*: mean confidence is not surely further from accuracy, and by more than its margin ([`Calibrated`]).
//! - It has not *collapsed*.
//! - Its *scope gate*, found anew, keeps out frozen films that were spoilt (black, noise, turned, inverted, …), 95 % of them or
//!   no fewer than the champion's.
//!
//! On the newest period's holdout the same, if it has enough injuries, and of normals if it has enough of them too. If not, it
//! can only veto, by a fall that is significant by McNemar's exact test, and a person must decide.
//!
//! Of the new labels themselves, on images that nothing was learnt from (the holdout, and those that chose the epoch):
//!
//! - *Agreement*: a network that learnt from such labels calls others of them as people did, on at least so large a share, or
//!   may do (exact binomial test). Labels of which many are wrong fail it whoever learnt from them, also where learning beside
//!   known images keeps the network good on the frozen set; a change of films does not, for it can be learnt. Where images are
//!   so hard that an honest network agrees less often, it does agree on the half that it is surer of, and a person must decide.
//!   Simulated: with three labels in ten flipped, 99.7 % of the challengers are refused by 130 labels and 84 % by 60, and more
//!   if the images are hard besides; of right labels of images that networks have right three times in four, 32 % are refused
//!   by 130 and 55 % left to a person, by 400 it is 19 and 81 %.
//!
//! A frozen set without injuries or without normals shows nothing and passes nobody; a small one is asked all and leaves the
//! decision to a person. Every bound and test is one-sided, at 95 %. That is the level of each, not of all together: each is
//! there to protect somebody.
//!
//! That has its price. To show non-inferiority by a margin of two points takes images: of truly equal challengers (simulated)
//! that differ from the champion on 0.5, 1, 2 or 4 % of the images, as often for the better as for the worse, 2, 7, 30 and
//! 65 % are rejected by a frozen set of 300 injuries and 300 normals, 0, 0, 7 and 37 % by one of twice the size. A holdout of
//! 150 injuries and 300 normals beside the smaller one makes it 8, 25, 60 and 91 %, of which the sensitivity and specificity
//! of the two sets are nearly all. Truly six points worse, none passed.

mod bootstrap;
mod check;
mod measured;
mod text;
mod trials;
mod verdict;

#[cfg(test)]
mod tests;

use cspine_domain::Class;
use serde::{Deserialize, Serialize};

use crate::metrics::{Answer, Labelled, Proportion};
use bootstrap::Resampling;

pub use check::{Basis, Check, Outcome};
pub use measured::{Agreement, Calibrated, Collapses, Distances, KeptOut, Measured, Share, Shares};
pub use verdict::{Decision, Examination, Verdict};

/// An image, and what both models said of it. No answer is a wrong one.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// What it shows.
    pub label: Class,
    /// Where it was taken.
    pub site: Option<String>,
    /// Whose it is; what is not known to be of one patient counts as of several.
    pub patient: Option<String>,
    /// The champion's answer.
    pub champion: Option<Answer>,
    /// The challenger's.
    pub challenger: Option<Answer>,
}

/// Both models' answers, on images that the challenger did not learn from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// On the frozen set.
    pub frozen: Vec<Examined>,
    /// On the newest period's holdout.
    pub holdout: Vec<Examined>,
    /// On the newly labelled ones that chose epoch and operating point.
    pub validation: Vec<Examined>,
    /// Frozen films spoilt in every way there is, and how many of them champion and challenger leave without an answer;
    /// `None` of a champion without a scope gate.
    pub kept_out: Option<[Proportion; 2]>,
}

/// How much worse a challenger may be, and how sure that must be. Shares go from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Margins {
    /// Of the sensitivity to injuries: the bound of the difference.
    pub sensitivity: f64,
    /// Of the specificity: the bound of the difference.
    pub specificity: f64,
    /// Of a class's recall: the difference.
    pub class_recall: f64,
    /// Of a site's sensitivity and of its specificity: the difference.
    pub site: f64,
    /// Of the distance of mean confidence from accuracy: its rise.
    pub calibration: f64,
    /// Of the challenger's agreement with new labels: the least.
    pub agreement: f64,
    /// Of films that its scope gate is to keep out: the least share.
    pub kept_out: f64,
    /// Injuries, and normals, that a set needs to be sufficient.
    pub sufficient: usize,
    /// Of every bound and test, one-sided.
    pub confidence: f64,
    /// Rounds of a bootstrap.
    pub rounds: usize,
    /// Of the bootstrap's draws.
    pub seed: u64,
}

impl Default for Margins {
    fn default() -> Self {
        Margins {
            sensitivity: 0.02,
            specificity: 0.02,
            class_recall: 0.05,
            site: 0.05,
            calibration: 0.01,
            agreement: 0.85,
            kept_out: 0.95,
            sufficient: 100,
            confidence: 0.95,
            rounds: 2000,
            seed: 1,
        }
    }
}

impl Margins {
    fn resampling(&self) -> Resampling {
        Resampling { confidence: self.confidence, rounds: self.rounds, seed: self.seed }
    }

    /// Of a test's p.
    fn is_significant(&self, p: f64) -> bool {
        p <= 1.0 - self.confidence
    }
}

/// Judges a challenger.
pub fn judge(answers: &Answers, margins: &Margins) -> Verdict {
    let labels: Vec<&Examined> = answers.holdout.iter().chain(&answers.validation).collect();
    let examinations = [
        Examination::of_frozen(&answers.frozen, answers.kept_out, margins),
        Examination::of_holdout(&answers.holdout, margins),
        Examination::of_labels(&labels, margins),
    ];
    Verdict::new(*margins, examinations)
}

impl Examined {
    /// The champion's side, as metrics take it.
    pub fn of_champion(&self) -> Labelled {
        Labelled { label: self.label, answer: self.champion.clone() }
    }

    /// The challenger's side.
    pub fn of_challenger(&self) -> Labelled {
        Labelled { label: self.label, answer: self.challenger.clone() }
    }

    /// Whether each model flags it if it is an injury, and does not if it is none.
    fn flagged_rightly(&self) -> [bool; 2] {
        let injury = self.label.is_injury();
        [&self.champion, &self.challenger].map(|answer| answer.as_ref().is_some_and(|answer| answer.flagged == injury))
    }

    /// Whether each model's verdict is its label.
    fn called_rightly(&self) -> [bool; 2] {
        let label = self.label;
        [&self.champion, &self.challenger].map(|answer| answer.as_ref().is_some_and(|answer| answer.verdict == label))
    }
}
