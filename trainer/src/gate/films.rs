//! Films in scope: phantoms of a seed, made when they are looked at, or the files of a data set.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use cspine_domain::{Class, Sha256};
use cspine_imaging::{Limits, Radiograph};
use cspine_phantom::{Case, Preset};

use crate::dataset::{Dataset, Example, radiograph, read};
use crate::resolution::{film, first};

/// Films in scope.
#[derive(Debug, Clone)]
pub enum Films {
    /// Phantoms, a third of each class.
    Phantoms {
        /// As of `cspine-trainer phantoms`: no two seeds share a patient.
        seed: u64,
        /// How many.
        count: usize,
        /// Pixels a side.
        size: u32,
        /// How they are taken.
        preset: Preset,
    },
    /// Files.
    Files(Vec<Example>),
}

impl Films {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Films::Phantoms { count, .. } => *count,
            Films::Files(examples) => examples.len(),
        }
    }

    /// One of them.
    ///
    /// # Errors
    /// A file that cannot be read, decoded or assessed, by its name.
    pub fn film(&self, i: usize) -> Result<Radiograph> {
        match self {
            Films::Phantoms { seed, size, preset, .. } => {
                let case = Case::sample(first(*seed) + i as u64, Class::ALL[i % Class::COUNT]);
                Ok(film(&case, *size, *preset))
            }
            Films::Files(examples) => {
                let (example, limits) = (&examples[i], Limits::default());
                Ok(radiograph(example, &read(example, &limits)?, &limits)?)
            }
        }
    }
}

/// Fewest films of a part of a data set: of fewer there is nothing to fit, no threshold to find and no share to report.
const PART_MIN: usize = 4;

/// Deals a data set into the part to fit to, the part to find thresholds on, and the part to report on (60, 20 and 20 %),
/// a patient never into two: by the digest of who it is.
///
/// # Errors
/// If a part has too few films.
pub fn deal(dataset: Dataset) -> Result<[Films; 3]> {
    let patients = dataset.examples.iter().map(Example::side).collect::<BTreeSet<&str>>().len();
    let mut parts = [vec![], vec![], vec![]];
    for example in dataset.examples {
        let part = match Sha256::of(example.side().as_bytes()).0[0] % 10 {
            0..6 => 0,
            6 | 7 => 1,
            _ => 2,
        };
        parts[part].push(example);
    }
    let [fit, thresholds, reported] = parts.each_ref().map(Vec::len);
    ensure!(
        fit.min(thresholds).min(reported) >= PART_MIN,
        "a gate needs at least {PART_MIN} images each to be fitted to, to find its thresholds on and to be reported \
         on; dealt by patient, of whom there are {patients}, these are {fit}, {thresholds} and {reported}: there \
         should be images of 40 patients or more"
    );
    Ok(parts.map(Films::Files))
}
