//! A fully connected layer for few rows and a large matrix: forward, gradient by the input, gradient by the weights.
//!
//! With ten images each of AlexNet's 38 million weights is used ten times: its way from memory is what costs. So every
//! kernel goes through the matrix once, in order and without packing it, while the activations stay in the caches.

#![expect(clippy::needless_range_loop, reason = "an index over rows and one over outputs, as in the formulas")]

use rayon::prelude::*;

use super::SharedMut;
use super::simd::{Kernel, Simd, vector_kernel};

/// Rows `n` of `k` values, to rows of `outs` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dims {
    /// Rows: images.
    pub n: usize,
    /// Values of an input row.
    pub k: usize,
    /// Values of an output row.
    pub outs: usize,
}

/// Outputs that a task takes.
const OUTS: usize = 32;
/// Columns of the matrix that a task of the input gradient takes: a page of memory.
const COLUMNS: usize = 1024;
/// Rows, and outputs, that are computed together.
const TILE: usize = 4;

/// `y[i][o] = bias[o] + Σ_k x[i][k] · weights[o][k]`, clipped at zero when `relu`; a NaN stays.
pub fn forward(x: &[f32], weights: &[f32], bias: &[f32], dims: Dims, relu: bool) -> Vec<f32> {
    assert_eq!((x.len(), weights.len(), bias.len()), (dims.n * dims.k, dims.outs * dims.k, dims.outs));
    let mut y = vec![0.0f32; dims.n * dims.outs];
    let base = SharedMut(y.as_mut_ptr());
    weights.par_chunks((OUTS * dims.k).max(1)).enumerate().for_each(|(task, weights)| {
        for (tile, weights) in weights.chunks(TILE * dims.k).enumerate() {
            let first = task * OUTS + tile * TILE;
            for (rows, x) in x.chunks(TILE * dims.k).enumerate() {
                let mut sums = [[0.0; TILE]; TILE];
                vector_kernel(Dots { x, weights, k: dims.k, sums: &mut sums });
                for (i, sums) in sums.iter().enumerate().take(x.len() / dims.k) {
                    for (o, sum) in sums.iter().enumerate().take(weights.len() / dims.k) {
                        let value = bias[first + o] + sum;
                        let value = if relu && value <= 0.0 { 0.0 } else { value };
                        // SAFETY: outputs `first..` of every row belong to this task alone.
                        unsafe { *base.at((rows * TILE + i) * dims.outs + first + o) = value };
                    }
                }
            }
        }
    });
    y
}

/// The gradient by the input, `[n, k]`.
pub fn input_gradient(dy: &[f32], weights: &[f32], dims: Dims) -> Vec<f32> {
    assert_eq!((dy.len(), weights.len()), (dims.n * dims.outs, dims.outs * dims.k));
    let mut dx = vec![0.0f32; dims.n * dims.k];
    let base = SharedMut(dx.as_mut_ptr());
    (0..dims.k.div_ceil(COLUMNS)).into_par_iter().for_each(|task| {
        let from = task * COLUMNS;
        let width = COLUMNS.min(dims.k - from);
        let mut rows = vec![0.0f32; dims.n * width];
        for first in (0..dims.outs).step_by(TILE) {
            let weights: [&[f32]; TILE] = std::array::from_fn(|o| {
                // Past the last output the factors are zero.
                let o = (first + o).min(dims.outs - 1);
                &weights[o * dims.k + from..][..width]
            });
            for (i, row) in rows.chunks_mut(width.max(1)).enumerate() {
                let dy = &dy[i * dims.outs..][..dims.outs];
                let factors = std::array::from_fn(|o| dy.get(first + o).copied().unwrap_or(0.0));
                vector_kernel(AddScaled { row, weights, factors });
            }
        }
        for (i, row) in rows.chunks(width.max(1)).enumerate() {
            // SAFETY: columns `from..from + width` of every row belong to this task alone.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), base.at(i * dims.k + from), width) };
        }
    });
    dx
}

/// The gradient by the weights, `[outs, k]`.
pub fn weight_gradient(x: &[f32], dy: &[f32], dims: Dims) -> Vec<f32> {
    assert_eq!((x.len(), dy.len()), (dims.n * dims.k, dims.n * dims.outs));
    let mut gradient = vec![0.0f32; dims.outs * dims.k];
    gradient.par_chunks_mut((TILE * dims.k).max(1)).enumerate().for_each(|(tile, gradient)| {
        let outs = gradient.len() / dims.k;
        // The tile's factors, image by image.
        let factor = |i: usize, o: usize| if o < outs { dy[i * dims.outs + tile * TILE + o] } else { 0.0 };
        let factors: Vec<[f32; TILE]> = (0..dims.n).map(|i| std::array::from_fn(|o| factor(i, o))).collect();
        vector_kernel(Outers { x, factors: &factors, k: dims.k, gradient });
    });
    gradient
}

/// The products of up to four rows of `x` with up to four of `weights`.
struct Dots<'a> {
    x: &'a [f32],
    weights: &'a [f32],
    k: usize,
    sums: &'a mut [[f32; TILE]; TILE],
}

impl Kernel for Dots<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let row = |of: &[f32], i: usize| {
            let i = i.min(of.len() / self.k - 1);
            &raw const of[i * self.k..][..self.k] as *const f32
        };
        let x: [*const f32; TILE] = std::array::from_fn(|i| row(self.x, i));
        let w: [*const f32; TILE] = std::array::from_fn(|o| row(self.weights, o));
        let whole = self.k - self.k % S::LANES;
        // SAFETY: the caller has the instructions; every row has `k` values.
        unsafe {
            let mut acc = [[S::zero(); TILE]; TILE];
            for k in (0..whole).step_by(S::LANES) {
                let w: [S::V; TILE] = std::array::from_fn(|o| S::load(w[o].add(k)));
                for i in 0..TILE {
                    let x = S::load(x[i].add(k));
                    for o in 0..TILE {
                        acc[i][o] = S::fma(x, w[o], acc[i][o]);
                    }
                }
            }
            for i in 0..TILE {
                for o in 0..TILE {
                    let rest: f32 = (whole..self.k).map(|k| *x[i].add(k) * *w[o].add(k)).sum();
                    self.sums[i][o] = S::sum(acc[i][o]) + rest;
                }
            }
        }
    }
}

/// `row += Σ factors[o] · weights[o]`.
struct AddScaled<'a> {
    row: &'a mut [f32],
    weights: [&'a [f32]; TILE],
    factors: [f32; TILE],
}

impl Kernel for AddScaled<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.row.len();
        assert!(self.weights.iter().all(|weights| weights.len() == width));
        let whole = width - width % S::LANES;
        // SAFETY: the caller has the instructions; every slice has `width` values.
        unsafe {
            let factors: [S::V; TILE] = std::array::from_fn(|o| S::splat(&self.factors[o]));
            for k in (0..whole).step_by(S::LANES) {
                let mut sum = S::load(self.row.as_ptr().add(k));
                for o in 0..TILE {
                    sum = S::fma(S::load(self.weights[o].as_ptr().add(k)), factors[o], sum);
                }
                S::store(self.row.as_mut_ptr().add(k), sum);
            }
        }
        for k in whole..width {
            for o in 0..TILE {
                self.row[k] += self.weights[o][k] * self.factors[o];
            }
        }
    }
}

/// `gradient[o] = Σ_i factors[i][o] · x[i]` for up to four outputs.
struct Outers<'a> {
    x: &'a [f32],
    factors: &'a [[f32; TILE]],
    k: usize,
    gradient: &'a mut [f32],
}

impl Kernel for Outers<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (k, outs) = (self.k, self.gradient.len() / self.k);
        assert!(self.x.len() == self.factors.len() * k && outs <= TILE);
        let whole = k - k % S::LANES;
        for at in (0..whole).step_by(S::LANES) {
            // SAFETY: the caller has the instructions; every row of x and of the gradient has `k` values.
            unsafe {
                let mut acc = [S::zero(); TILE];
                for (i, factors) in self.factors.iter().enumerate() {
                    let x = S::load(self.x.as_ptr().add(i * k + at));
                    for o in 0..TILE {
                        acc[o] = S::fma(x, S::splat(&factors[o]), acc[o]);
                    }
                }
                for o in 0..outs {
                    S::store(self.gradient.as_mut_ptr().add(o * k + at), acc[o]);
                }
            }
        }
        for at in whole..k {
            for o in 0..outs {
                self.gradient[o * k + at] =
                    self.factors.iter().enumerate().map(|(i, factors)| factors[o] * self.x[i * k + at]).sum();
            }
        }
    }
}
