//! Max pooling with padding and ceil mode, and the average over all pixels.

use std::ops::Range;

use rayon::prelude::*;

use super::conv::Extent;
use super::simd::{Kernel, Simd, vector_kernel};

/// A pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Side in pixels.
    pub kernel: usize,
    /// Step in pixels.
    pub stride: usize,
    /// Minus infinity on each side; at most half the kernel.
    pub padding: usize,
    /// Whether a last window may hang over the edge, as with torch's `ceil_mode=True`.
    pub ceil: bool,
}

impl MaxPool {
    /// The output's extent. The last window begins inside the image or its left padding.
    pub fn output(&self, x: Extent) -> Extent {
        let side = |n: usize| {
            let room = n + 2 * self.padding - self.kernel;
            let whole = if self.ceil { room.div_ceil(self.stride) } else { room / self.stride } + 1;
            if (whole - 1) * self.stride >= n + self.padding { whole - 1 } else { whole }
        };
        Extent { height: side(x.height), width: side(x.width), ..x }
    }

    /// The rows or columns of a window that lie inside `0..n`.
    fn inside(&self, index: usize, n: usize) -> Range<usize> {
        let start = index * self.stride;
        start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(n)
    }

    /// The windows, of `count`, that cover row or column `index`.
    fn covering(&self, index: usize, count: usize) -> Range<usize> {
        let at = index + self.padding;
        (at + 1).saturating_sub(self.kernel).div_ceil(self.stride)..(at / self.stride + 1).min(count)
    }

    /// Where in window (`oy`, `ox`) the pixel (`iy`, `ix`) lies, in row-major order.
    fn place(&self, (oy, ox): (usize, usize), (iy, ix): (usize, usize)) -> u8 {
        let [y, x] = [(iy, oy), (ix, ox)].map(|(i, o)| i + self.padding - o * self.stride);
        (y * self.kernel + x) as u8
    }

    /// The largest value of each window and channel, and where it is.
    pub fn forward(&self, x: &[f32], extent: Extent) -> Pooled {
        assert!(self.kernel <= 16 && x.len() == extent.len(), "a place fits eight bits");
        let out = self.output(extent);
        let (c, row_len) = (extent.channels, (out.width * extent.channels).max(1));
        let mut values = vec![0.0f32; out.len()];
        let mut places = vec![0u8; out.len()];
        values.par_chunks_mut(row_len).zip(places.par_chunks_mut(row_len)).enumerate().for_each(
            |(row, (y, places))| {
                let (image, oy) = (row / out.height, row % out.height);
                let mut window = Vec::new();
                for (ox, (y, places)) in y.chunks_mut(c).zip(places.chunks_mut(c)).enumerate() {
                    window.clear();
                    for iy in self.inside(oy, extent.height) {
                        for ix in self.inside(ox, extent.width) {
                            let at = ((image * extent.height + iy) * extent.width + ix) * c;
                            window.push((at, self.place((oy, ox), (iy, ix))));
                        }
                    }
                    vector_kernel(Largest { x, window: &window, values: y, places });
                }
            },
        );
        Pooled { values, places, extent: out }
    }

    /// The gradient by the input: each output's goes to the first of its window's largest values, as torch's does.
    pub fn gradient(&self, extent: Extent, places: &[u8], dy: &[f32]) -> Vec<f32> {
        let mut dx = vec![0.0f32; extent.len()];
        self.give::<false>(&mut dx, extent, places, dy);
        dx
    }

    /// Adds the gradient by the input to `dx`.
    pub fn add_gradient(&self, dx: &mut [f32], extent: Extent, places: &[u8], dy: &[f32]) {
        self.give::<true>(dx, extent, places, dy);
    }

    /// `ONTO` what is in `dx`, or in its stead. Reading memory that was never written maps the kernel's page of zeros, and
    /// the write after it costs every core a flush.
    fn give<const ONTO: bool>(&self, dx: &mut [f32], extent: Extent, places: &[u8], dy: &[f32]) {
        let out = self.output(extent);
        let c = extent.channels;
        assert!((dx.len(), places.len(), dy.len()) == (extent.len(), out.len(), out.len()));
        dx.par_chunks_mut((extent.width * c).max(1)).enumerate().for_each(|(row, dx)| {
            let (image, iy) = (row / extent.height, row % extent.height);
            let mut windows = Vec::new();
            for (ix, dx) in dx.chunks_mut(c).enumerate() {
                windows.clear();
                for oy in self.covering(iy, out.height) {
                    for ox in self.covering(ix, out.width) {
                        let at = ((image * out.height + oy) * out.width + ox) * c;
                        windows.push((at, self.place((oy, ox), (iy, ix))));
                    }
                }
                vector_kernel(Won::<ONTO> { dx, dy, places, windows: &windows });
            }
        });
    }
}

/// What a pool makes of an activation.
pub struct Pooled {
    /// The largest values, row-major.
    pub values: Vec<f32>,
    /// Where in its window each was found first.
    pub places: Vec<u8>,
    /// Their extents.
    pub extent: Extent,
}

/// For each channel the largest value of a window and its place.
struct Largest<'a> {
    x: &'a [f32],
    /// Where in `x` the window's pixels begin, and their places.
    window: &'a [(usize, u8)],
    values: &'a mut [f32],
    places: &'a mut [u8],
}

impl Kernel for Largest<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let channels = self.values.len();
        let whole = channels - channels % S::LANES;
        assert!(self.places.len() == channels && self.window.iter().all(|(at, _)| at + channels <= self.x.len()));
        for from in (0..whole).step_by(S::LANES) {
            // SAFETY: the caller has the instructions, and every access ends before `whole`.
            unsafe {
                let (mut best, mut best_place) = (S::splat(&f32::NEG_INFINITY), S::splat(&f32::from(self.window[0].1)));
                for &(at, place) in self.window {
                    let x = S::load(self.x.as_ptr().add(at + from));
                    (best, best_place) = S::larger(x, S::splat(&f32::from(place)), best, best_place);
                }
                S::store(self.values.as_mut_ptr().add(from), best);
                S::store_bytes(self.places.as_mut_ptr().add(from), best_place);
            }
        }
        for c in whole..channels {
            let (mut best, mut best_place) = (f32::NEG_INFINITY, self.window[0].1);
            for &(at, place) in self.window {
                let x = self.x[at + c];
                if x > best || x.is_nan() {
                    (best, best_place) = (x, place);
                }
            }
            (self.values[c], self.places[c]) = (best, best_place);
        }
    }
}

/// What the windows that a pixel lies in give it: those whose largest value it was.
struct Won<'a, const ONTO: bool> {
    dx: &'a mut [f32],
    dy: &'a [f32],
    places: &'a [u8],
    /// Where in `dy` and `places` the windows begin, and the pixel's place in each.
    windows: &'a [(usize, u8)],
}

impl<const ONTO: bool> Kernel for Won<'_, ONTO> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let channels = self.dx.len();
        let whole = channels - channels % S::LANES;
        let end = self.dy.len().min(self.places.len());
        assert!(self.windows.iter().all(|(at, _)| at + channels <= end));
        for from in (0..whole).step_by(S::LANES) {
            // SAFETY: the caller has the instructions, and every access ends before `whole`.
            unsafe {
                let dx = self.dx.as_mut_ptr().add(from);
                let mut sum = if ONTO { S::load(dx) } else { S::zero() };
                for &(at, place) in self.windows {
                    let won = self.places.as_ptr().add(at + from);
                    sum = S::add_where(sum, S::load(self.dy.as_ptr().add(at + from)), won, place);
                }
                S::store(dx, sum);
            }
        }
        for c in whole..channels {
            let given = self.windows.iter().filter(|(at, place)| self.places[at + c] == *place);
            let given: f32 = given.map(|(at, _)| self.dy[at + c]).sum();
            self.dx[c] = if ONTO { self.dx[c] + given } else { given };
        }
    }
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
