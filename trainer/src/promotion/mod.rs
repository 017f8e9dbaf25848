//! The gate of a promotion: what a challenger must show beside the champion, on the same images, before it may serve.
//!
//! On the frozen set, which no model was fitted to:
//!
//! - *Sensitivity* to injuries and *specificity*, each model at its own operating point, are not inferior: the lower bound of
//!   the difference (paired bootstrap by patients, one-sided) is at least −margin.
//! - No class's *recall* and no *site's sensitivity* falls by more than its margin. Of at least as many patients as are needed
//!   for a fall over the margin to be significant ([`Basis::Fall`]) the figures themselves count; of fewer, only a fall that
//!   McNemar's exact test calls significant, and the verdict says that the group is too small to tell
//!   ([`Basis::TooFewToTell`]): such a group may be worse and pass.
//! - *Calibration*: the expected calibration error does not rise by more than its margin.
//! - It has not *collapsed*.
//!
//! On the newest period's holdout the same, if it has enough injuries and enough normals. If not, it is insufficient: it can
//! only veto, by a significant fall (the upper bound below 0; in groups too small to tell, by McNemar's test), and a person
//! must decide.
//!
//! Of the new labels themselves, on images that nothing was learnt from (the holdout, and those that chose the epoch):
//!
//! - *Agreement*: a network that learnt from such labels calls others of them as people did, on at least so large a share
//!   (Wilson's interval at 95 % reaches it). Labels of which many are wrong fail it whoever learnt from them, also where learning
//!   beside known images keeps the network good on the frozen set; a change of films does not, for it can be learnt.
//!
//! A frozen set without injuries or without normals shows nothing and passes nobody; a small one is asked all and leaves the
//! decision to a person. The level of a test is that of one test, not of all together: each is there to protect somebody.
//!
//! That has its price. To show non-inferiority by a margin of two points takes images: of truly equal challengers (simulated)
//! that differ from the champion on 0.5, 1, 2 or 4 % of the images, as often for the better as for the worse, 1, 7, 26 and
//! 62 % are rejected by a frozen set of 300 injuries and 300 normals, 0, 1, 6 and 28 % by one of twice the size. A holdout of
//! 150 injuries and 300 normals beside the smaller one makes it 8, 26, 61 and 85 %. Truly six points worse, none passed.

mod bootstrap;
mod check;
mod text;
mod trials;
mod verdict;

#[cfg(test)]
mod tests;

use cspine_domain::Class;
use serde::{Deserialize, Serialize};

use crate::metrics::{Answer, Labelled};
use bootstrap::Resampling;

pub use check::{Agreement, Basis, Calibrated, Check, Collapses, Measured, Share, Shares};
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
    /// Of a site's sensitivity: the difference.
    pub site_sensitivity: f64,
    /// Of the expected calibration error: its rise.
    pub calibration: f64,
    /// Of the challenger's agreement with new labels: the least.
    pub agreement: f64,
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
            site_sensitivity: 0.05,
            calibration: 0.02,
            agreement: 0.85,
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
}

/// Judges a challenger.
pub fn judge(answers: &Answers, margins: &Margins) -> Verdict {
    let frozen = Examination::of_frozen(&answers.frozen, margins);
    let holdout = Examination::of_holdout(&answers.holdout, margins);
    let labels = Examination::of_labels(answers.holdout.iter().chain(&answers.validation), margins);
    let examinations = [&frozen, &holdout, &labels];
    let decision = if examinations.iter().any(|set| set.failed().next().is_some()) {
        Decision::Rejected
    } else if examinations.iter().all(|set| set.sufficient) {
        Decision::Passed
    } else {
        Decision::PassedButInsufficient
    };
    Verdict { decision, margins: *margins, frozen, holdout, labels }
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
