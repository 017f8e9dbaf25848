//! The scope gate of a fine-tuned network: its features are others than the champion's, so its gate is fitted anew.

use anyhow::Result;
use cspine_nets::Classifier;
use cspine_nets::gate::{Gate, GateCard, Mahalanobis, Observation, Score};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use crate::fit::Images;
use crate::gate::{INNER_SHARE, OUTER_SHARE, as_is_and_augmented, quantile};

/// Fitted to some images, its thresholds found on others, each as it is and augmented once.
pub fn gate(model: &Classifier, images: &Images, fit: &[usize], thresholds: &[usize], seed: u64) -> Result<Gate> {
    let features: Vec<Vec<f32>> =
        observe(model, images, fit, seed)?.into_iter().map(|observation| observation.features).collect();
    // A component wants several images to be known by.
    let components = GateCard::components_of(model.card().architecture).min(features.len() / 8);
    let score = Score::Mahalanobis(Mahalanobis::fit(&features, components)?);
    let held_out = observe(model, images, thresholds, seed ^ 0x5C0)?;
    let thresholds = [INNER_SHARE, OUTER_SHARE].map(|share| quantile(&score, &held_out, share));
    Ok(Gate::new(score, thresholds, &format!("{} images of the fine-tuning, each also augmented", fit.len())))
}

fn observe(model: &Classifier, images: &Images, chosen: &[usize], seed: u64) -> Result<Vec<Observation>> {
    let observed = chosen
        .par_iter()
        .with_max_len(1)
        .map(|&i| as_is_and_augmented(model, &images.grey(i), &mut StdRng::seed_from_u64(seed << 24 ^ i as u64)));
    Ok(observed.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}
