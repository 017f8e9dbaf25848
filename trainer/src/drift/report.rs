//! What came of a comparison.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Settings;

/// A window of images against the reference period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Images of the reference period.
    pub reference: usize,
    /// Images of the window.
    pub images: usize,
    /// What it comes to.
    pub state: State,
    /// Each statistic.
    pub statistics: Vec<Statistic>,
    /// Those by which the window has drifted.
    pub drifted: Vec<What>,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There are too few images to say anything.
    TooFew,
    /// Nothing is different that chance would not explain.
    Steady,
    /// Something is.
    Drifted,
}

/// A statistic of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistic {
    /// Its name.
    pub name: What,
    /// What it says.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What is compared, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// p(dislocation) + p(fracture), by the population stability index.
    ScorePsi,
    /// The same, by the largest distance of the two distributions (Kolmogorov and Smirnov).
    ScoreKs,
    /// What the model's head saw, by the maximum mean discrepancy.
    Features,
    /// Shares of the machines, by chi-square.
    Modality,
    /// Shares of the sites, by chi-square.
    Site,
    /// Shares of the answers, each with its reason, by chi-square.
    Verdict,
}

/// What a statistic says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Finding {
    /// It was measured.
    Measured {
        /// The statistic.
        value: f64,
        /// How likely one as large is without drift.
        p: f64,
        /// The same, corrected for all statistics of the window.
        p_corrected: f64,
        /// In words, where there are words for it.
        magnitude: Option<Magnitude>,
        /// Shares that moved most; none for what has no categories.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        moved: Vec<Moved>,
    },
    /// All images of both periods are alike in it: nothing can have changed, and no p-value is to be corrected for it.
    Alike,
    /// Too few images have what it is of.
    TooFew {
        /// Images of the reference period that have.
        reference: usize,
        /// Images of the window that have.
        images: usize,
        /// How many are needed of each.
        needed: [usize; 2],
    },
}

/// A population stability index in the words of its users: below 0.1, below 0.25, and from there on. Of some hundred
/// images it is above 0.1 by chance now and then; the alarm goes by the p-value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are all there is to it")]
pub enum Magnitude {
    Small,
    Moderate,
    Large,
}

/// A category's share in both periods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// Its word.
    pub category: String,
    /// In the reference period, from 0 to 1.
    pub reference: f64,
    /// In the window.
    pub window: f64,
}

impl Drift {
    pub(super) fn new(reference: usize, images: usize, statistics: Vec<Statistic>, settings: &Settings) -> Drift {
        let drifted = |statistic: &&Statistic| statistic.finding.p_corrected().is_some_and(|p| p <= settings.alpha);
        let drifted: Vec<What> = statistics.iter().filter(drifted).map(|statistic| statistic.name).collect();
        let too_few = statistics.iter().all(|statistic| matches!(statistic.finding, Finding::TooFew { .. }));
        let state = match drifted[..] {
            _ if too_few => State::TooFew,
            [] => State::Steady,
            _ => State::Drifted,
        };
        Drift { reference, images, state, statistics, drifted }
    }
}

impl Finding {
    /// That there are too few images, if there are.
    pub(super) fn too_few([reference, images]: [usize; 2], settings: &Settings) -> Option<Finding> {
        // Of nothing there are always too few.
        let needed = [settings.reference_min.max(1), settings.images_min.max(1)];
        (reference < needed[0] || images < needed[1]).then_some(Finding::TooFew { reference, images, needed })
    }

    /// A value with its p-value, which is yet to be corrected.
    pub(super) fn measured((value, p): (f64, f64)) -> Finding {
        Finding::Measured { value, p, p_corrected: p, magnitude: None, moved: Vec::new() }
    }

    pub(super) fn of_magnitude(mut self, of: Magnitude) -> Finding {
        if let Finding::Measured { magnitude, .. } = &mut self {
            *magnitude = Some(of);
        }
        self
    }

    pub(super) fn with_moved(mut self, categories: Vec<Moved>) -> Finding {
        if let Finding::Measured { moved, .. } = &mut self {
            *moved = categories;
        }
        self
    }

    /// The p-value after correction, if it was measured.
    pub fn p_corrected(&self) -> Option<f64> {
        match self {
            Finding::Measured { p_corrected, .. } => Some(*p_corrected),
            Finding::Alike | Finding::TooFew { .. } => None,
        }
    }
}

impl Moved {
    pub(super) fn apart(&self) -> f64 {
        (self.window - self.reference).abs()
    }
}

impl Magnitude {
    /// Of a population stability index.
    pub fn of(psi: f64) -> Magnitude {
        match psi {
            ..0.1 => Magnitude::Small,
            ..0.25 => Magnitude::Moderate,
            _ => Magnitude::Large,
        }
    }
}

impl What {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            What::ScorePsi => "score_psi",
            What::ScoreKs => "score_ks",
            What::Features => "features",
            What::Modality => "modality",
            What::Site => "site",
            What::Verdict => "verdict",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
