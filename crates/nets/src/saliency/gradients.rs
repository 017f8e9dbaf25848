//! Maps of gradients by the input.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{Grid, Map};
use crate::ModelError;
use crate::init::normal;

/// Noisy copies that SmoothGrad averages over.
pub(super) const SMOOTH_COPIES: usize = 16;
/// Their noise, as a share of the input's range.
const SMOOTH_NOISE: f32 = 0.1;
/// Points of the way that integrated gradients average over, each the middle of its part.
pub(super) const INTEGRATED_STEPS: usize = 32;
/// Inputs whose gradients are computed together: enough to fill the kernels, few enough for a worker's memory.
const TOGETHER: usize = 4;

/// The map of a gradient `[3, size, size]`.
pub(crate) fn gradient(gradient: &[f32]) -> Result<Map, ModelError> {
    Map::of(largest_channel(gradient), Grid::PIXELS)
}

/// Gradients of a class's logit by several inputs.
type Gradients<'a> = &'a dyn Fn(&[Vec<f32>]) -> Result<Vec<Vec<f32>>, ModelError>;

/// The mean gradient map over noisy inputs; the noise has a fixed seed.
pub(crate) fn smooth_grad(input: &[f32], gradients: Gradients<'_>) -> Result<Map, ModelError> {
    let (low, high) = input.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let deviation = SMOOTH_NOISE * (high - low);
    let mut rng = StdRng::seed_from_u64(16);
    let noisy = |_| input.iter().map(|v| v + deviation * normal(&mut rng)).collect();
    Map::of(mean_gradient((0..SMOOTH_COPIES).map(noisy), gradients, largest_channel)?, Grid::PIXELS)
}

/// For each value of the input its share of the logit's rise over that of `baseline`: `(x − x₀) · mean of ∂y/∂x` on the
/// straight way between them. The shares sum to the rise, as nearly as the mean is the integral.
pub(crate) fn integrated_gradients(
    input: &[f32],
    baseline: &[f32],
    gradients: Gradients<'_>,
) -> Result<Vec<f32>, ModelError> {
    let on_the_way = |step: usize| {
        let share = (step as f32 + 0.5) / INTEGRATED_STEPS as f32;
        input.iter().zip(baseline).map(|(x, x0)| x0 + share * (x - x0)).collect()
    };
    let mean = mean_gradient((0..INTEGRATED_STEPS).map(on_the_way), gradients, <[f32]>::to_vec)?;
    Ok(mean.iter().zip(input).zip(baseline).map(|((mean, x), x0)| mean * (x - x0)).collect())
}

/// The map of [`integrated_gradients`]: the size of each pixel's sum over channels.
pub(crate) fn integrated(shares: &[f32]) -> Result<Map, ModelError> {
    let pixels = shares.len() / 3;
    let size = |i: usize| (0..3).map(|c| shares[c * pixels + i]).sum::<f32>().abs();
    Map::of((0..pixels).map(size).collect(), Grid::PIXELS)
}

/// The mean of what `read` makes of each input's gradient.
fn mean_gradient(
    inputs: impl ExactSizeIterator<Item = Vec<f32>>,
    gradients: Gradients<'_>,
    read: impl Fn(&[f32]) -> Vec<f32>,
) -> Result<Vec<f32>, ModelError> {
    let count = inputs.len() as f32;
    let mut mean = Vec::new();
    let mut inputs = inputs.peekable();
    while inputs.peek().is_some() {
        let together: Vec<Vec<f32>> = inputs.by_ref().take(TOGETHER).collect();
        for gradient in gradients(&together)? {
            let values = read(&gradient);
            mean.resize(values.len(), 0.0);
            mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += value / count);
        }
    }
    Ok(mean)
}

fn largest_channel(gradient: &[f32]) -> Vec<f32> {
    let pixels = gradient.len() / 3;
    (0..pixels).map(|i| (0..3).map(|c| gradient[c * pixels + i].abs()).fold(0.0, nan_max)).collect()
}

fn nan_max(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}
