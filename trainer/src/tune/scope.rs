//! The scope gate of a fine-tuned network: its features are others than the champion's, so its gate is fitted anew.

use anyhow::Result;
use cspine_nets::Classifier;
use cspine_nets::gate::{Gate, GateCard, Mahalanobis, Observation, Score};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use crate::fit::Images;
use crate::gate::{INNER_SHARE, OUTER_SHARE, as_is_and_augmented, films_to_spoil, quantile, scores_of_spoilt};

/// Fitted to some images, its thresholds found on others, each as it is and augmented once.
pub fn gate(model: &Classifier, images: &Images, fit: &[usize], thresholds: &[usize], seed: u64) -> Result<Gate> {
    let features: Vec<Vec<f32>> =
        observe(model, images, fit, seed)?.into_iter().map(|observation| observation.features).collect();
    // A component wants several images to be known by.
    let components = GateCard::components_of(model.card().architecture).min(features.len() / 8);
    let score = Score::Mahalanobis(Mahalanobis::fit(&features, components)?);
    let held_out = observe(model, images, thresholds, seed ^ 0x5C0)?;
    let spoilt = scores_of_spoilt(model, &score, &films_to_spoil(images, thresholds), seed)?;
    let outer = outer(&score, &held_out, &spoilt);
    let inner = quantile(&score, &held_out, INNER_SHARE);
    Ok(Gate::new(score, [inner, outer], &format!("{} images of the fine-tuning, each also augmented", fit.len())))
}

/// The images of a fine-tuning are few, and a threshold that is too low by their chance leaves films without an answer, an
/// injury among them without its flag. So it is half the way from where the share of them is beyond to the nearest spoilt
/// film: as far from the one as from the other. The highest of the images is no better place to begin, for it may be of the
/// set by mistake.
fn outer(score: &Score, held_out: &[Observation], spoilt: &[f32]) -> f32 {
    let usual = quantile(score, held_out, OUTER_SHARE);
    let nearest = spoilt.iter().copied().fold(f32::INFINITY, f32::min);
    usual.midpoint(nearest).max(usual)
}

fn observe(model: &Classifier, images: &Images, chosen: &[usize], seed: u64) -> Result<Vec<Observation>> {
    let observed = chosen
        .par_iter()
        .with_max_len(1)
        .map(|&i| as_is_and_augmented(model, &images.grey(i), &mut StdRng::seed_from_u64(seed << 24 ^ i as u64)));
    Ok(observed.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use cspine_nets::gate::{Observation, Score};

    use super::outer;

    /// A film whose energy is that.
    fn film(energy: f32) -> Observation {
        Observation { logits: [-energy, -1000.0, -1000.0], features: Vec::new() }
    }

    fn films(scores: impl IntoIterator<Item = f32>) -> Vec<Observation> {
        scores.into_iter().map(film).collect()
    }

    #[test]
    fn the_threshold_is_as_far_from_films_in_scope_as_from_the_nearest_spoilt_one() {
        let few = films((0..400).map(|i| i as f32 / 100.0));
        assert!(
            (outer(&Score::Energy, &few, &[9.0, 8.025, 12.0]) - 6.0).abs() < 1e-3,
            "from 3.975, which two are over"
        );
    }

    #[test]
    fn a_film_that_is_in_the_set_by_mistake_does_not_open_the_gate_to_spoilt_ones() {
        let with_a_hand = films((0..400).map(|i| i as f32 / 100.0).chain([20.0]));
        let threshold = outer(&Score::Energy, &with_a_hand, &[9.0, 6.0, 12.0]);
        assert!((threshold - (3.985 + 6.0) / 2.0).abs() < 0.01, "half the way: {threshold}");
    }

    #[test]
    fn a_network_that_scores_spoilt_films_like_those_in_scope_still_answers_what_it_was_made_for() {
        let few = films((0..400).map(|i| i as f32 / 100.0));
        assert!((outer(&Score::Energy, &few, &[1.0]) - 3.975).abs() < 1e-4, "two of four hundred are beyond");
    }
}
