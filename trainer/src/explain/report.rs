//! What was measured, and what follows from it.

use std::fmt::Write as _;

use cspine_domain::Sha256;
use cspine_nets::{Architecture, SaliencyMethod};
use serde::Serialize;

use super::faithfulness::Faithfulness;
use super::pointing::Pointing;
use super::randomisation::Randomisation;
use super::rotation::Rotation;

/// The report. What was not measured is null.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The model file.
    pub model_sha256: Sha256,
    /// Its network.
    pub architecture: Architecture,
    /// Side of its input, pixels.
    pub input_size: u32,
    /// Over the sorted digests of the images.
    pub data_digest: Sha256,
    /// Images that maps were made of.
    pub images: usize,
    /// Of them those that the model answers as their mirror image only, and that are measured so.
    pub mirrored: usize,
    /// The same of those that it answers turned only, mirrored or not.
    pub turned: usize,
    /// The pointing game and the energy inside masks; null without masks.
    pub pointing: Option<Pointing>,
    /// Deletion and insertion.
    pub faithfulness: Option<Faithfulness>,
    /// Cascading randomisation.
    pub randomisation: Option<Randomisation>,
    /// Turned films.
    pub rotation: Option<Rotation>,
    /// The best method in the pointing game that beats every baseline; null if none does.
    pub best: Option<String>,
    /// The same among those of one pass, which alone keep a worker's pace.
    pub best_of_one_pass: Option<String>,
}

/// Whether a method takes one pass.
pub fn takes_one_pass(name: &str) -> bool {
    name.parse::<SaliencyMethod>().is_ok_and(|method| method.passes() == 1)
}

impl Report {
    /// Fills in what follows from the pointing game.
    pub fn concluded(mut self) -> Self {
        let best = |among: &dyn Fn(&str) -> bool| Some(self.pointing.as_ref()?.best(among)?.name.clone());
        (self.best, self.best_of_one_pass) = (best(&|_| true), best(&takes_one_pass));
        self
    }

    /// What the pointing game says, in a sentence or two.
    pub fn verdict(&self) -> String {
        let Some(pointing) = &self.pointing else {
            return "No image has a mask: the pointing game and the energy inside masks are left out.".to_owned();
        };
        let bar = pointing.best_baseline().map(|row| format!("{}, {:.1} %", row.name, 100.0 * row.hits));
        let mut verdict = format!("The best baseline: {}. ", bar.unwrap_or_default());
        match pointing.best(|_| true) {
            None => verdict.push_str("No method beats the baselines in hits."),
            Some(best) => {
                let _ = write!(
                    verdict,
                    "The best method: {}, {:.1} % of {}.",
                    best.name,
                    100.0 * best.hits,
                    pointing.images
                );
                if let Some(name) = self.best_of_one_pass.as_ref().filter(|name| **name != best.name) {
                    let _ = write!(verdict, " Of one pass, as a worker can afford it: {name}.");
                }
            }
        }
        for row in pointing.rows.iter().filter(|row| !row.fails_in().is_empty()) {
            let _ = write!(verdict, " {} does not beat the baselines in {}.", row.name, row.fails_in().join(" and "));
        }
        verdict
    }

    /// The tables for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "{} at {} pixels, {} images, {} of them mirrored, {} turned",
            self.architecture.as_str(),
            self.input_size,
            self.images,
            self.mirrored,
            self.turned
        )?;
        if let Some(pointing) = &self.pointing {
            writeln!(
                text,
                "\nPointing game, {} injuries; a hit lies at most {:.1} px beside the mask; a flat map: {:.1} %, energy {:.1} %",
                pointing.images,
                pointing.tolerance_px,
                100.0 * pointing.area_grown,
                100.0 * pointing.area
            )?;
            for row in &pointing.rows {
                let [low, high] = row.interval.map(|share| 100.0 * share);
                writeln!(
                    text,
                    "  {:16} {:5.1} % ({low:.1}–{high:.1}), exact {:5.1} %, energy {:5.1} %{}",
                    row.name,
                    100.0 * row.hits,
                    100.0 * row.hits_exact,
                    100.0 * row.energy,
                    if row.baseline { "  baseline" } else { "" }
                )?;
            }
            writeln!(text, "Against the best baseline, image by image")?;
            for row in &pointing.rows {
                if let (Some(hits), Some(energy)) = (&row.hits_against, &row.energy_against) {
                    writeln!(text, "  {:16} hits: {hits}; energy: {energy}", row.name)?;
                }
            }
        }
        if let Some(faithfulness) = &self.faithfulness {
            writeln!(
                text,
                "\nDeletion (less is better) and insertion (more is better), {} images",
                faithfulness.images
            )?;
            for row in &faithfulness.rows {
                writeln!(text, "  {:16} {:.3}  {:.3}", row.name, row.deletion, row.insertion)?;
            }
        }
        if let Some(cascade) = &self.randomisation {
            writeln!(
                text,
                "\nRank correlation after randomising {}, {} images",
                cascade.stages.join(", "),
                cascade.images
            )?;
            for row in &cascade.rows {
                writeln!(text, "  {:16} {}", row.name, figures(&row.rho))?;
            }
        }
        if let Some(rotation) = &self.rotation {
            let angles: Vec<String> = rotation.angles.iter().map(|angle| format!("{angle}°")).collect();
            writeln!(text, "\nRank correlation after turning by {}, {} images", angles.join(", "), rotation.images)?;
            for row in &rotation.rows {
                writeln!(text, "  {:16} {}", row.name, figures(&row.rho))?;
            }
            writeln!(text, "  {:16} {}", "p changes by", figures(&rotation.probability_change))?;
            writeln!(text, "  {:16} {}", "gate refuses", figures(&rotation.refused))?;
        }
        writeln!(text, "\n{}", self.verdict())
    }
}

fn figures(values: &[f64]) -> String {
    values.iter().map(|value| format!("{value:6.2}")).collect::<Vec<_>>().join(" ")
}
