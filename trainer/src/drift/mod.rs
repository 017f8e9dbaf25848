//! Whether what a model sees, and what it says of it, is still what it was: a window of images against the reference period.
//!
//! Each statistic compares two samples, and its p-value is the share of permutations of the pooled images among which the
//! statistic is at least as large: exact for any size, ties and discrete scores included, if the images of both are
//! independent of each other. Films of one study are not, so one of each is taken. All p-values are corrected together
//! (Holm), so that [`Settings::alpha`] is the chance of any alarm where nothing has drifted. That chance is over references
//! and windows together: a reference period that is itself unlike the usual alarms oftener. The windows of two days share
//! images: alarms come in runs, but on no more days in all.

mod day;
mod features;
mod permutation;
mod report;
mod scores;
mod shares;

#[cfg(test)]
mod tests;

use cspine_domain::{Reason, Verdict};
use serde::{Deserialize, Serialize};

use crate::metrics::holm;

pub use day::{Day, DriftArgs, measure, run};
pub use report::{Drift, Finding, Magnitude, Moved, State, Statistic, What};

/// What is known of an image that a model was asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// p(dislocation) + p(fracture), if it has an answer.
    pub p_injury: Option<f32>,
    /// The answer.
    pub verdict: Verdict,
    /// Why it has none, or what else is to be known of it.
    pub reason: Option<Reason>,
    /// What the model's head saw of it.
    pub features: Option<Vec<f32>>,
    /// DICOM's word for the machine.
    pub modality: Option<String>,
    /// Where it was taken.
    pub site: Option<String>,
}

/// How drift is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The chance of any false alarm in a window.
    pub alpha: f64,
    /// Permutations for each p-value; the smallest possible is one of so many and one.
    pub permutations: usize,
    /// Images of the reference period that a statistic needs.
    pub reference_min: usize,
    /// Images of the window that it needs.
    pub images_min: usize,
    /// Images of each that features are compared of, drawn if there are more.
    pub features_max: usize,
    /// Of permutations and draws.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { alpha: 0.02, permutations: 1999, reference_min: 100, images_min: 30, features_max: 400, seed: 1 }
    }
}

/// Compares a window with the reference period, on rayon's current pool; the number of threads changes nothing.
pub fn drift(reference: &[Observed], window: &[Observed], settings: &Settings) -> Drift {
    let periods = [reference, window];
    let [psi, ks] = scores::compare(periods, settings);
    let findings = [
        (What::ScorePsi, psi),
        (What::ScoreKs, ks),
        (What::Features, features::compare(periods, settings)),
        (What::Modality, shares::compare(periods, |image| known(image.modality.as_deref()), settings)),
        (What::Site, shares::compare(periods, |image| known(image.site.as_deref()), settings)),
        (What::Verdict, shares::compare(periods, Observed::answer, settings)),
    ];
    let mut statistics = findings.map(|(name, finding)| Statistic { name, finding });
    correct(&mut statistics);
    Drift::new(reference.len(), window.len(), statistics.into(), settings)
}

/// Holm's correction of what was measured.
fn correct(statistics: &mut [Statistic]) {
    let mut places: Vec<&mut f64> = Vec::new();
    for statistic in statistics {
        if let Finding::Measured { p_corrected, .. } = &mut statistic.finding {
            places.push(p_corrected);
        }
    }
    let corrected = holm(&places.iter().map(|p| **p).collect::<Vec<f64>>());
    places.iter_mut().zip(corrected).for_each(|(place, p)| **place = p);
}

fn known(word: Option<&str>) -> String {
    word.unwrap_or("unknown").to_owned()
}

impl Observed {
    /// `normal`, `normal (atypical)`, `not_assessable (colour)`.
    fn answer(&self) -> String {
        self.reason.map_or(self.verdict.to_string(), |reason| format!("{} ({reason})", self.verdict))
    }
}
