//! Max pooling with padding and ceil mode, and the average over all pixels.

use rayon::prelude::*;

use super::conv::Extent;
use super::simd::vectorised;

/// A pooling window; the output's side is rounded up, as torch's `ceil_mode=True` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Side in pixels.
    pub kernel: usize,
    /// Step in pixels.
    pub stride: usize,
    /// Minus infinity on each side; at most half the kernel.
    pub padding: usize,
}

impl MaxPool {
    /// The output's extent. The last window begins inside the image or its left padding.
    pub fn output(&self, x: Extent) -> Extent {
        let side = |n: usize| {
            let whole = (n + 2 * self.padding - self.kernel).div_ceil(self.stride) + 1;
            if (whole - 1) * self.stride >= n + self.padding { whole - 1 } else { whole }
        };
        Extent { height: side(x.height), width: side(x.width), ..x }
    }

    /// The rows or columns of a window that lie inside `0..n`.
    fn inside(&self, index: usize, n: usize) -> std::ops::Range<usize> {
        let start = index * self.stride;
        start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(n)
    }

    /// The largest value of each window and channel.
    pub fn forward(&self, x: &[f32], extent: Extent) -> (Vec<f32>, Extent) {
        let out = self.output(extent);
        let c = extent.channels;
        let mut y = vec![0.0f32; out.len()];
        y.par_chunks_mut((out.width * c).max(1)).enumerate().for_each(|(row, y)| {
            let (image, oy) = (row / out.height, row % out.height);
            for (ox, y) in y.chunks_mut(c).enumerate() {
                y.fill(f32::NEG_INFINITY);
                for iy in self.inside(oy, extent.height) {
                    for ix in self.inside(ox, extent.width) {
                        let from = ((image * extent.height + iy) * extent.width + ix) * c;
                        larger(y, &x[from..from + c]);
                    }
                }
            }
        });
        (y, out)
    }

    /// The gradient by the input: each output's goes to the first of its window's largest values, as torch's does.
    pub fn backward(&self, x: &[f32], extent: Extent, y: &[f32], dy: &[f32]) -> Vec<f32> {
        let out = self.output(extent);
        let c = extent.channels;
        let image_out = out.height * out.width * c;
        let mut dx = vec![0.0f32; extent.len()];
        dx.par_chunks_mut(extent.height * extent.width * c).enumerate().for_each(|(image, dx)| {
            let x = &x[image * dx.len()..][..dx.len()];
            // What of an output's gradient has not yet found its maximum.
            let mut rest = vec![0.0f32; c];
            for oy in 0..out.height {
                for ox in 0..out.width {
                    let at = image * image_out + (oy * out.width + ox) * c;
                    rest.copy_from_slice(&dy[at..at + c]);
                    let y = &y[at..at + c];
                    for iy in self.inside(oy, extent.height) {
                        for ix in self.inside(ox, extent.width) {
                            let from = (iy * extent.width + ix) * c;
                            give(&mut rest, &mut dx[from..from + c], &x[from..from + c], y);
                        }
                    }
                }
            }
        });
        dx
    }
}

/// `y = max(y, x)`. A NaN stays, so that a broken input is noticed.
fn larger(y: &mut [f32], x: &[f32]) {
    vectorised(|| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = if x > *y || x.is_nan() { x } else { *y };
        }
    });
}

/// Where `x` is the window's largest value `y`, it gets what is left of the gradient.
fn give(rest: &mut [f32], dx: &mut [f32], x: &[f32], y: &[f32]) {
    vectorised(|| {
        for (((rest, dx), x), y) in rest.iter_mut().zip(dx).zip(x).zip(y) {
            let given = if x == y { *rest } else { 0.0 };
            *dx += given;
            *rest -= given;
        }
    });
}

/// The mean over an image's pixels, `[images, channels]`.
pub fn mean(x: &[f32], extent: Extent) -> Vec<f32> {
    let (c, pixels) = (extent.channels, extent.height * extent.width);
    let mut y = vec![0.0f32; extent.images * c];
    y.par_chunks_mut(c).zip(x.par_chunks(pixels * c)).for_each(|(y, x)| {
        for pixel in x.chunks(c) {
            for (y, x) in y.iter_mut().zip(pixel) {
                *y += x;
            }
        }
        y.iter_mut().for_each(|y| *y /= pixels as f32);
    });
    y
}

/// The gradient of [`mean`] by its input.
pub fn mean_backward(dy: &[f32], extent: Extent) -> Vec<f32> {
    let (c, pixels) = (extent.channels, extent.height * extent.width);
    let mut dx = vec![0.0f32; extent.len()];
    dx.par_chunks_mut(pixels * c).zip(dy.par_chunks(c)).for_each(|(dx, dy)| {
        for pixel in dx.chunks_mut(c) {
            for (dx, dy) in pixel.iter_mut().zip(dy) {
                *dx = dy / pixels as f32;
            }
        }
    });
    dx
}
