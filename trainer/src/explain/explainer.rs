//! What is measured: the network's methods, and baselines that know nothing of it.

use std::fmt;

use anyhow::{Context, Result};
use cspine_domain::Class;
use cspine_imaging::blur;
use cspine_nets::{Classifier, SaliencyMethod};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::sample::Sample;

/// What makes a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explainer {
    /// A method of the network's.
    Method(SaliencyMethod),
    /// A map that does not ask the network.
    Baseline(Baseline),
}

/// Maps that do not ask the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// Uniform noise, a value a pixel.
    Noise,
    /// The same, blurred to blobs.
    Blobs,
    /// A Gaussian at the picture's centre.
    Centre,
    /// The mean mask of the other images: where injuries are wont to be.
    Prior,
    /// The film's edges: Sobel's gradient, blurred a little.
    Edges,
}

impl Baseline {
    /// All of them.
    pub const ALL: [Baseline; 5] = [Self::Noise, Self::Blobs, Self::Centre, Self::Prior, Self::Edges];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Baseline::Noise => "random",
            Baseline::Blobs => "random, smooth",
            Baseline::Centre => "centre",
            Baseline::Prior => "usual place",
            Baseline::Edges => "edges",
        }
    }
}

impl fmt::Display for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Explainer::Method(method) => f.write_str(method.as_str()),
            Explainer::Baseline(baseline) => f.write_str(baseline.as_str()),
        }
    }
}

impl Explainer {
    /// Whether it does not ask the network.
    pub fn is_baseline(self) -> bool {
        matches!(self, Explainer::Baseline(_))
    }
}

/// The network and the images, and what baselines need of them.
pub struct Scene<'a> {
    /// The network.
    pub model: &'a Classifier,
    /// The images.
    pub samples: &'a [Sample],
    /// Of the random maps.
    seed: u64,
    /// The sum of all masks.
    masks: Vec<f32>,
}

impl<'a> Scene<'a> {
    /// With random maps of a seed.
    pub fn new(model: &'a Classifier, samples: &'a [Sample], seed: u64) -> Self {
        let mut masks = vec![0.0; (model.card().preprocessing.size as usize).pow(2)];
        for mask in samples.iter().filter_map(|sample| sample.mask.as_ref()) {
            masks.iter_mut().zip(&mask.inside).for_each(|(sum, &inside)| *sum += f32::from(u8::from(inside)));
        }
        Self { model, samples, seed, masks }
    }

    /// Pixels a side.
    pub fn side(&self) -> usize {
        self.model.card().preprocessing.size as usize
    }

    /// The map of a sample for a class, `side * side` values, 0 and more.
    pub fn map(&self, explainer: Explainer, sample: usize, class: Class) -> Result<Vec<f32>> {
        let image = &self.samples[sample];
        match explainer {
            Explainer::Method(method) => {
                let map = self.model.explain(&image.input, class, method);
                map.with_context(|| format!("explaining {} by {method}", image.name))
            }
            Explainer::Baseline(baseline) => Ok(self.baseline(baseline, sample)),
        }
    }

    fn baseline(&self, baseline: Baseline, sample: usize) -> Vec<f32> {
        let (side, image) = (self.side(), &self.samples[sample]);
        match baseline {
            Baseline::Noise => self.noise(sample, side),
            Baseline::Blobs => self.blobs(sample),
            Baseline::Centre => centre(side),
            Baseline::Prior => match &image.mask {
                Some(mask) => {
                    let others = self.masks.iter().zip(&mask.inside);
                    others.map(|(sum, &inside)| sum - f32::from(u8::from(inside))).collect()
                }
                None => self.masks.clone(),
            },
            Baseline::Edges => blur(&edges(&image.grey, side), side, side, side as f32 / 112.0),
        }
    }

    fn noise(&self, sample: usize, side: usize) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ ((sample as u64 + 1) << 20));
        (0..side * side).map(|_| rng.random()).collect()
    }

    /// The middle of a larger plane: at its edges a blur repeats values, and extremes would be at home there.
    fn blobs(&self, sample: usize) -> Vec<f32> {
        let (side, sigma) = (self.side(), self.side() as f32 / 14.0);
        let margin = (3.0 * sigma).ceil() as usize;
        let wide = side + 2 * margin;
        let plane = blur(&self.noise(sample, wide), wide, wide, sigma);
        (0..side).flat_map(|y| plane[(y + margin) * wide + margin..][..side].to_vec()).collect()
    }
}

/// A Gaussian at the centre, its deviation an eighth of the side.
fn centre(side: usize) -> Vec<f32> {
    let (middle, sigma) = ((side as f32 - 1.0) / 2.0, side as f32 / 8.0);
    let square = |i: usize| ((i as f32 - middle) / sigma).powi(2);
    (0..side * side).map(|i| (-0.5 * (square(i % side) + square(i / side))).exp()).collect()
}

/// The length of Sobel's gradient; the edge's value beyond the edge.
fn edges(plane: &[f32], side: usize) -> Vec<f32> {
    let at = |x: usize, y: usize, dx: usize, dy: usize| {
        let clamp = |v: usize| v.saturating_sub(1).min(side - 1);
        plane[clamp(y + dy) * side + clamp(x + dx)]
    };
    let slope = |x: usize, y: usize| {
        let across = |dy: usize| at(x, y, 2, dy) - at(x, y, 0, dy);
        let down = |dx: usize| at(x, y, dx, 2) - at(x, y, dx, 0);
        (across(0) + 2.0 * across(1) + across(2)).hypot(down(0) + 2.0 * down(1) + down(2))
    };
    (0..side * side).map(|i| slope(i % side, i / side)).collect()
}

#[cfg(test)]
mod tests {
    use super::{centre, edges};

    #[test]
    fn sobels_gradient_of_a_slope_is_eight_times_its_steepness() {
        let side = 6;
        let slope: Vec<f32> = (0..side * side).map(|i| 0.5 * (i % side) as f32).collect();
        let edges = edges(&slope, side);
        // Between two neighbours of a pixel lie two steps.
        assert!((edges[2 * side + 2] - 8.0 * 0.5).abs() < 1e-6, "{}", edges[2 * side + 2]);
        assert!((edges[2 * side] - 4.0 * 0.5).abs() < 1e-6, "at the edge there is one step: {}", edges[2 * side]);
    }

    #[test]
    fn the_centres_prior_is_largest_at_the_centre() {
        let map = centre(9);
        assert_eq!(map.iter().copied().fold(0.0, f32::max), map[40]);
    }
}
