//! Batch normalisation over pixels, followed by ReLU (Ioffe and Szegedy 2015, arXiv 1502.03167).

use rayon::prelude::*;

use super::simd::vectorised;

/// Rows that one partial sum covers; fixed, so that sums do not depend on the number of threads.
const ROWS: usize = 512;

/// A batch's mean and biased variance for each channel.
#[derive(Debug, Clone)]
pub struct Moments {
    /// The mean.
    pub mean: Vec<f32>,
    /// The mean squared distance from it.
    pub variance: Vec<f32>,
}

/// For each channel two sums over all rows, of what `each` adds for a row.
fn two_sums(x: &[f32], channels: usize, each: impl Fn(usize, &[f32], &mut [f32], &mut [f32]) + Sync) -> [Vec<f64>; 2] {
    let partial: Vec<[Vec<f32>; 2]> = x
        .par_chunks(ROWS * channels)
        .enumerate()
        .map(|(chunk, rows)| {
            let mut sums = [vec![0.0f32; channels], vec![0.0f32; channels]];
            let [a, b] = &mut sums;
            for (row, values) in rows.chunks(channels).enumerate() {
                vectorised(|| each(chunk * ROWS + row, values, a, b));
            }
            sums
        })
        .collect();
    let mut total = [vec![0.0f64; channels], vec![0.0f64; channels]];
    for sums in partial {
        for (total, sums) in total.iter_mut().zip(sums) {
            total.iter_mut().zip(sums).for_each(|(t, s)| *t += f64::from(s));
        }
    }
    total
}

/// The moments of `x`, `[rows, channels]`.
pub fn moments(x: &[f32], channels: usize) -> Moments {
    let rows = (x.len() / channels) as f64;
    // Distances from the first row keep the squares small where a channel's mean is large.
    let origin = &x[..channels];
    let [first, second] = two_sums(x, channels, |_, row, a, b| {
        for (((x, o), a), b) in row.iter().zip(origin).zip(a).zip(b) {
            let d = x - o;
            *a += d;
            *b += d * d;
        }
    });
    let mean = first.iter().zip(origin).map(|(s, o)| (s / rows + f64::from(*o)) as f32).collect();
    let variance = first.iter().zip(&second).map(|(s, q)| (q / rows - (s / rows).powi(2)).max(0.0) as f32).collect();
    Moments { mean, variance }
}

/// `relu(gamma · (x − mean) / √(variance + eps) + beta)`.
pub fn forward(x: &[f32], moments: &Moments, gamma: &[f32], beta: &[f32], eps: f32) -> Vec<f32> {
    let channels = gamma.len();
    let scale: Vec<f32> = gamma.iter().zip(&moments.variance).map(|(g, v)| g / (v + eps).sqrt()).collect();
    let shift: Vec<f32> = beta.iter().zip(&moments.mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    let mut y = vec![0.0f32; x.len()];
    y.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels)).for_each(|(y, x)| {
        for (y, x) in y.chunks_mut(channels).zip(x.chunks(channels)) {
            vectorised(|| {
                for (((y, x), scale), shift) in y.iter_mut().zip(x).zip(&scale).zip(&shift) {
                    let z = x * scale + shift;
                    // A NaN stays, so that a broken input is noticed.
                    *y = if z > 0.0 || z.is_nan() { z } else { 0.0 };
                }
            });
        }
    });
    y
}

/// Gradients by the input, gamma and beta.
pub struct Gradients {
    /// By the input, `[rows, channels]`.
    pub x: Vec<f32>,
    /// By gamma.
    pub gamma: Vec<f32>,
    /// By beta.
    pub beta: Vec<f32>,
}

/// What [`forward`] was given and gave.
pub struct Pass<'a> {
    /// The input.
    pub x: &'a [f32],
    /// The output.
    pub y: &'a [f32],
    /// The moments used.
    pub moments: &'a Moments,
    /// The scale.
    pub gamma: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
    /// Whether the moments are those of `x` itself; if not, they are constants.
    pub of_batch: bool,
}

/// The gradients of [`forward`] where its output's is `dy`.
pub fn backward(pass: Pass<'_>, mut dy: Vec<f32>) -> Gradients {
    let channels = pass.gamma.len();
    let rows = (pass.x.len() / channels) as f32;
    let inverse: Vec<f32> = pass.moments.variance.iter().map(|v| 1.0 / (v + pass.eps).sqrt()).collect();
    let mean = &pass.moments.mean;
    let open = |y: f32, dy: f32| if y > 0.0 { dy } else { 0.0 };
    // Σ dy and Σ dy · x̂.
    let [beta, gamma] = two_sums(&dy, channels, |row, dy, a, b| {
        let at = row * channels;
        let (x, y) = (&pass.x[at..at + channels], &pass.y[at..at + channels]);
        for ((((((a, b), x), y), dy), mean), inverse) in
            a.iter_mut().zip(b).zip(x).zip(y).zip(dy).zip(mean).zip(&inverse)
        {
            let g = open(*y, *dy);
            *a += g;
            *b += g * (x - mean) * inverse;
        }
    });
    let beta: Vec<f32> = beta.iter().map(|&v| v as f32).collect();
    let gamma: Vec<f32> = gamma.iter().map(|&v| v as f32).collect();
    // dx = scale · (dy − Σdy/n − x̂ · Σ(dy·x̂)/n), as a·dy + b·x + c for each channel.
    let of_batch = if pass.of_batch { 1.0 / rows } else { 0.0 };
    let a: Vec<f32> = pass.gamma.iter().zip(&inverse).map(|(g, i)| g * i).collect();
    let b: Vec<f32> = (0..channels).map(|c| -a[c] * inverse[c] * gamma[c] * of_batch).collect();
    let c: Vec<f32> = (0..channels).map(|c| -a[c] * beta[c] * of_batch - b[c] * mean[c]).collect();
    dy.par_chunks_mut(ROWS * channels).enumerate().for_each(|(chunk, dy)| {
        let from = chunk * ROWS * channels;
        for (row, dy) in dy.chunks_mut(channels).enumerate() {
            let at = from + row * channels;
            let (x, y) = (&pass.x[at..at + channels], &pass.y[at..at + channels]);
            vectorised(|| {
                for (((((dy, x), y), a), b), c) in dy.iter_mut().zip(x).zip(y).zip(&a).zip(&b).zip(&c) {
                    *dy = a * open(*y, *dy) + b * x + c;
                }
            });
        }
    });
    Gradients { x: dy, gamma, beta }
}
