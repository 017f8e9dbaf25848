//! Moving values between layouts and activations.

use rayon::prelude::*;

/// Each image of `x` from `[rows, columns]` to `[columns, rows]`.
pub fn transpose(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    /// Columns a task takes: its reads and writes stay in the first cache.
    const RUN: usize = 1024;
    let mut out = vec![0.0f32; x.len()];
    let image = (rows * columns).max(1);
    for (out, x) in out.chunks_mut(image).zip(x.chunks(image)) {
        out.par_chunks_mut(rows * RUN).enumerate().for_each(|(task, out)| {
            for (i, target) in out.chunks_mut(rows).enumerate() {
                for (row, value) in target.iter_mut().enumerate() {
                    *value = x[row * columns + task * RUN + i];
                }
            }
        });
    }
    out
}

/// Joins activations of the same pixels along their channels.
pub fn join(parts: &[(&[f32], usize)]) -> Vec<f32> {
    let channels: usize = parts.iter().map(|(_, c)| c).sum();
    let rows = parts.first().map_or(0, |(x, c)| x.len() / c);
    let mut joined = vec![0.0f32; rows * channels];
    joined.par_chunks_mut(channels * 256).enumerate().for_each(|(chunk, target)| {
        for (row, target) in target.chunks_mut(channels).enumerate() {
            let mut at = 0;
            for (x, c) in parts {
                target[at..at + c].copy_from_slice(&x[(chunk * 256 + row) * c..][..*c]);
                at += c;
            }
        }
    });
    joined
}

/// The channels `start..start + count` of an activation with `channels`.
pub fn part(x: &[f32], channels: usize, start: usize, count: usize) -> Vec<f32> {
    let mut out = vec![0.0f32; x.len() / channels * count];
    out.par_chunks_mut(count * 256).zip(x.par_chunks(channels * 256)).for_each(|(to, from)| {
        for (to, from) in to.chunks_mut(count).zip(from.chunks(channels)) {
            to.copy_from_slice(&from[start..start + count]);
        }
    });
    out
}

/// `a += b`.
pub fn add(a: &mut [f32], b: &[f32]) {
    a.par_chunks_mut(1 << 14).zip(b.par_chunks(1 << 14)).for_each(|(a, b)| {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    });
}
