//! Convolution by implicit matrix product: forward, gradient by the input, gradient by the weights.
//!
//! The input is copied once into a frame of zeros; then each kernel row of a window is a contiguous run, and the product
//! needs no im2col buffer. A strided convolution's input gradient goes over columns that are scattered back.

use std::borrow::Cow;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::SharedMut;
use super::simd::Isa;
use super::tile::{Outer, Product};
use super::winograd::{self, Transformed};

/// Extents of a batch of activations, NHWC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Images in the batch.
    pub images: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl Extent {
    /// Values in all.
    pub fn len(&self) -> usize {
        self.images * self.height * self.width * self.channels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a pixel's values begin; none beyond the edges.
    pub fn pixel(&self, image: usize, row: usize, column: usize) -> Option<usize> {
        let inside = row < self.height && column < self.width;
        inside.then_some(((image * self.height + row) * self.width + column) * self.channels)
    }

    /// Pixels of all images.
    pub fn pixels(&self) -> usize {
        self.images * self.height * self.width
    }
}

/// A square window that slides over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Side in pixels.
    pub kernel: usize,
    /// Step in pixels.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
}

impl Window {
    /// What a convolution by this window makes of an extent.
    ///
    /// # Panics
    /// If the window is larger than what it slides over.
    pub fn output(&self, x: Extent, channels: usize) -> Extent {
        let room = |n: usize| (n + 2 * self.padding).checked_sub(self.kernel).expect("the window fits the image");
        let side = |n: usize| room(n) / self.stride + 1;
        Extent { images: x.images, height: side(x.height), width: side(x.width), channels }
    }

    fn taps(&self, row: usize) -> Vec<usize> {
        (0..self.kernel).map(|y| y * row).collect()
    }
}

/// Neighbouring columns that are computed together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    pub(super) start: usize,
    pub(super) vectors: usize,
}

/// Covers `count` columns with groups of as many vectors as a tile has, avoiding single ones.
pub(super) fn groups(count: usize, isa: Isa) -> Vec<Columns> {
    let (lanes, [_, most]) = (isa.lanes(), isa.tile());
    let mut left = count.div_ceil(lanes);
    let mut start = 0;
    let mut out = Vec::new();
    while left > 0 {
        let vectors = if left == most + 1 { 2 } else { left.min(most) };
        out.push(Columns { start, vectors });
        start += vectors * lanes;
        left -= vectors;
    }
    out
}

/// A matrix `[taps × k, columns]` laid out for `tile::Product`, with a bias for each column.
#[derive(Debug)]
pub struct Packed {
    pub(super) isa: Isa,
    pub(super) k: usize,
    pub(super) columns: usize,
    pub(super) groups: Vec<Columns>,
    pub(super) panels: Vec<f32>,
    pub(super) bias: Vec<f32>,
    /// Once a convolution by them was done by Winograd's tiles, of one size only.
    pub(super) transformed: OnceLock<Transformed>,
}

impl Packed {
    /// Packs `weights[row(tap, k) + column(j)]`.
    fn new(
        weights: &[f32],
        [taps, k, columns]: [usize; 3],
        row: impl Fn(usize, usize) -> usize + Sync,
        column: impl Fn(usize) -> usize,
    ) -> Self {
        let isa = Isa::detect();
        let lanes = isa.lanes();
        let groups = groups(columns, isa);
        let depth = taps * k;
        let mut panels = vec![0.0; depth * columns.next_multiple_of(lanes)];
        let offsets: Vec<usize> = (0..columns).map(column).collect();
        let mut rest = panels.as_mut_slice();
        let panels_of: Vec<(&Columns, &mut [f32])> = groups
            .iter()
            .map(|group| (group, rest.split_off_mut(..depth * group.vectors * lanes).expect("a panel each")))
            .collect();
        panels_of.into_par_iter().for_each(|(group, panel)| {
            let width = group.vectors * lanes;
            let offsets = &offsets[group.start..columns.min(group.start + width)];
            for (i, line) in panel.chunks_exact_mut(width).enumerate() {
                let weights = &weights[row(i / k, i % k)..];
                for (value, offset) in line.iter_mut().zip(offsets) {
                    *value = weights[*offset];
                }
            }
        });
        let bias = vec![0.0; columns.next_multiple_of(lanes)];
        Self { isa, k, columns, groups, panels, bias, transformed: OnceLock::new() }
    }

    /// Weights `[out, in, kernel, kernel]` for the forward pass.
    pub fn forward(weights: &[f32], [outs, ins, kernel]: [usize; 3]) -> Self {
        assert_eq!(weights.len(), outs * ins * kernel * kernel);
        let row = |y, i| (i % ins * kernel + y) * kernel + i / ins;
        Self::new(weights, [kernel, kernel * ins, outs], row, |o| o * ins * kernel * kernel)
    }

    /// The same weights for [`input_gradient`].
    pub fn input_gradient(weights: &[f32], dims: [usize; 3], window: Window) -> Self {
        if window.stride == 1 { Self::turned(weights, dims) } else { Self::columns(weights, dims) }
    }

    /// Turned and transposed: a stride-1 convolution by them is the input gradient.
    fn turned(weights: &[f32], [outs, ins, kernel]: [usize; 3]) -> Self {
        assert_eq!(weights.len(), outs * ins * kernel * kernel);
        let row = |y, i| (i % outs * ins * kernel + kernel - 1 - y) * kernel + kernel - 1 - i / outs;
        Self::new(weights, [kernel, kernel * outs, ins], row, |c| c * kernel * kernel)
    }

    /// As a matrix `[out, kernel × kernel × in]`: the product is the gradient of im2col's columns.
    fn columns(weights: &[f32], [outs, ins, kernel]: [usize; 3]) -> Self {
        assert_eq!(weights.len(), outs * ins * kernel * kernel);
        let column = |j| j % ins * kernel * kernel + j / ins;
        Self::new(weights, [1, outs, kernel * kernel * ins], |_, o| o * ins * kernel * kernel, column)
    }

    /// Panics unless they were packed for windows of `taps` rows of `k` values, to `columns`: nothing checks their
    /// addresses again.
    pub(super) fn assert_fit(&self, taps: usize, k: usize, columns: usize) {
        let values = taps * k * columns.next_multiple_of(self.isa.lanes());
        assert_eq!((self.k, self.columns, self.panels.len()), (k, columns, values), "weights fit the window");
    }

    /// Sets the biases, one a column.
    pub fn with_bias(mut self, bias: &[f32]) -> Self {
        assert_eq!(bias.len(), self.columns);
        self.bias[..bias.len()].copy_from_slice(bias);
        self
    }
}

/// Copies `x` into a frame of `border` zeros; values where `mask` is not positive become zero.
fn framed<'a>(x: &'a [f32], mask: Option<&[f32]>, extent: Extent, border: usize) -> (Cow<'a, [f32]>, Extent) {
    assert_eq!(x.len(), extent.len());
    let out = Extent { height: extent.height + 2 * border, width: extent.width + 2 * border, ..extent };
    if border == 0 && mask.is_none() {
        return (Cow::Borrowed(x), out);
    }
    let row_in = extent.width * extent.channels;
    let row_out = out.width * out.channels;
    let mut framed = vec![0.0f32; out.len()];
    framed.par_chunks_mut(row_out).enumerate().for_each(|(row, target)| {
        let (image, y) = (row / out.height, row % out.height);
        if y < border || y >= border + extent.height {
            return;
        }
        let from = (image * extent.height + y - border) * row_in;
        let target = &mut target[border * extent.channels..][..row_in];
        match mask {
            None => target.copy_from_slice(&x[from..from + row_in]),
            Some(mask) => {
                for ((t, &v), &m) in target.iter_mut().zip(&x[from..from + row_in]).zip(&mask[from..from + row_in]) {
                    *t = if m > 0.0 { v } else { 0.0 };
                }
            }
        }
    });
    (Cow::Owned(framed), out)
}

/// How many output pixels a task takes: enough tasks for every thread, few enough that panels are reused.
fn block(pixels: usize, rows: usize) -> usize {
    let tasks = 4 * rayon::current_num_threads();
    if rayon::current_num_threads() == 1 { 128 } else { pixels.div_ceil(tasks).next_multiple_of(rows).clamp(rows, 128) }
}

/// Slides `weights` over a framed input.
fn slide(x: &[f32], framed: Extent, out: Extent, window: Window, weights: &Packed, relu: bool) -> Vec<f32> {
    let (isa, lanes, [rows, _]) = (weights.isa, weights.isa.lanes(), weights.isa.tile());
    let depth = window.kernel * weights.k;
    weights.assert_fit(window.kernel, window.kernel * framed.channels, out.channels);
    let pixels = out.pixels();
    let taps = window.taps(framed.width * framed.channels);
    let start = |p: usize| {
        let (image, y, x) = (p / (out.height * out.width), p / out.width % out.height, p % out.width);
        ((image * framed.height + y * window.stride) * framed.width + x * window.stride) * framed.channels
    };
    let last = if pixels == 0 { 0 } else { start(pixels - 1) + taps[window.kernel - 1] + weights.k };
    assert!(last <= x.len(), "the last window ends inside the frame");
    let mut result: Vec<f32> = Vec::with_capacity(out.len());
    let base = SharedMut(result.as_mut_ptr());
    let block = block(pixels, rows);
    (0..pixels.div_ceil(block)).into_par_iter().for_each(|task| {
        let first = task * block;
        let end = (first + block).min(pixels);
        let starts: Vec<usize> = (first..end).map(start).collect();
        for group in &weights.groups {
            let columns = (group.vectors * lanes).min(out.channels - group.start);
            for tile in (first..end).step_by(rows) {
                let count = rows.min(end - tile);
                let row = |i: usize| tile + i.min(count - 1);
                // SAFETY: `last` was checked above, and each pixel's columns belong to this task alone.
                unsafe {
                    let tile = Product {
                        rows: std::array::from_fn(|i| x.as_ptr().add(starts[row(i) - first])),
                        taps: &taps,
                        k: weights.k,
                        panel: weights.panels.as_ptr().add(depth * group.start),
                        bias: weights.bias.as_ptr().add(group.start),
                        relu,
                        out: std::array::from_fn(|i| base.at(row(i) * out.channels + group.start)),
                        columns,
                    };
                    tile.run(isa, count, group.vectors);
                }
            }
        }
    });
    // SAFETY: every pixel's every channel was written.
    unsafe { result.set_len(out.len()) };
    result
}

/// How the sums of a forward pass are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sums {
    /// By their definition.
    Direct,
    /// By Winograd's tiles where that is faster. They round otherwise, and what is about zero, or nearly as large as its
    /// neighbour, may come out on the other side of a ReLU or a pool: a gradient by the input then jumps.
    Tiled,
}

/// The convolution of `x` by packed weights, with their bias, clipped at zero when `relu`.
pub fn forward(
    x: &[f32],
    extent: Extent,
    weights: &Packed,
    window: Window,
    relu: bool,
    sums: Sums,
) -> (Vec<f32>, Extent) {
    let out = window.output(extent, weights.columns);
    if sums == Sums::Tiled && winograd::serves(winograd::FINE, extent, window, weights.columns) {
        return (winograd::forward(x, extent, window, weights, relu), out);
    }
    let (frame, framed_extent) = framed(x, None, extent, window.padding);
    (slide(&frame, framed_extent, out, window, weights, relu), out)
}

/// The gradient by the input of a convolution with `ins` input channels of extent `x`.
///
/// `dy` is the output's gradient; where `mask` (the output of a ReLU) is not positive it counts as zero. The weights are
/// packed by [`Packed::input_gradient`].
pub fn input_gradient(
    dy: &[f32],
    mask: Option<&[f32]>,
    x: Extent,
    weights: &Packed,
    window: Window,
    outs: usize,
) -> Vec<f32> {
    let y = window.output(x, outs);
    if window.stride == 1 {
        let padding = (window.kernel - 1).checked_sub(window.padding).expect("every window covers a pixel");
        let turned = Window { padding, ..window };
        if winograd::serves(winograd::COARSE, y, turned, x.channels) {
            assert_eq!(weights.columns, x.channels, "weights fit the window");
            return winograd::input_gradient(&framed(dy, mask, y, 0).0, y, turned, weights);
        }
        let (frame, framed_extent) = framed(dy, mask, y, turned.padding);
        return slide(&frame, framed_extent, x, turned, weights, false);
    }
    let (frame, flat) = framed(dy, mask, y, 0);
    let point = Window { kernel: 1, stride: 1, padding: 0 };
    let wide = Extent { channels: window.kernel * window.kernel * x.channels, ..y };
    let columns = slide(&frame, flat, wide, point, weights, false);
    scatter(&columns, x, y, window)
}

/// Adds im2col's columns back to where they came from.
fn scatter(columns: &[f32], x: Extent, y: Extent, window: Window) -> Vec<f32> {
    let run = window.kernel * x.channels;
    let width = (x.width + 2 * window.padding) * x.channels;
    let mut result = vec![0.0; x.len()];
    let image_len = x.height * x.width * x.channels;
    result.par_chunks_mut(image_len).enumerate().for_each(|(image, dx)| {
        let mut frame = vec![0.0f32; (x.height + 2 * window.padding) * width];
        for oy in 0..y.height {
            for ox in 0..y.width {
                let column = &columns[((image * y.height + oy) * y.width + ox) * window.kernel * run..];
                for ky in 0..window.kernel {
                    let to = (oy * window.stride + ky) * width + ox * window.stride * x.channels;
                    for (t, v) in frame[to..to + run].iter_mut().zip(&column[ky * run..]) {
                        *t += v;
                    }
                }
            }
        }
        for (row, target) in dx.chunks_mut(x.width * x.channels).enumerate() {
            let from = (row + window.padding) * width + window.padding * x.channels;
            target.copy_from_slice(&frame[from..from + target.len()]);
        }
    });
    result
}

/// The gradient by the weights, `[out, in, kernel, kernel]`.
pub fn weight_gradient(x: &[f32], extent: Extent, dy: &[f32], window: Window, outs: usize) -> Vec<f32> {
    if winograd::serves(winograd::COARSE, extent, window, outs) {
        return winograd::weight_gradient(x, extent, dy, window, outs);
    }
    let isa = Isa::detect();
    let (lanes, [rows, _]) = (isa.lanes(), isa.tile());
    let y = window.output(extent, outs);
    assert_eq!(dy.len(), y.len());
    let (frame, framed_extent) = framed(x, None, extent, window.padding);
    let dy = whole_vectors(dy, outs, lanes);
    let width = outs.next_multiple_of(lanes);
    let run = window.kernel * extent.channels;
    let mut sums = vec![0.0f32; window.kernel * run * width];
    let base = SharedMut(sums.as_mut_ptr());
    let groups = groups(outs, isa);
    let chunks = pixel_chunks(framed_extent, y, window, width);
    let tiles: Vec<(usize, usize)> =
        (0..window.kernel).flat_map(|ky| (0..run).step_by(rows).map(move |i| (ky, i))).collect();
    tiles.par_chunks(tiles.len().div_ceil(16)).for_each(|tiles| {
        for chunk in &chunks {
            for group in &groups {
                for &(ky, i) in tiles {
                    let from = ((chunk.image * framed_extent.height + chunk.row * window.stride + ky)
                        * framed_extent.width)
                        * extent.channels;
                    // SAFETY: the chunk lies within both activations, and a tile's sums belong to this task alone.
                    unsafe {
                        let tile = Outer {
                            a: frame.as_ptr().add(from + i),
                            a_steps: [
                                window.stride * extent.channels,
                                window.stride * framed_extent.width * extent.channels,
                                framed_extent.height * framed_extent.width * extent.channels,
                            ],
                            b: dy.as_ptr().add((chunk.image * y.height + chunk.row) * y.width * width + group.start),
                            b_steps: [width, y.width * width, y.height * y.width * width],
                            counts: [y.width, chunk.rows, chunk.images],
                            out: base.at((ky * run + i) * width + group.start),
                            out_step: width,
                        };
                        tile.run(isa, rows.min(run - i), group.vectors);
                    }
                }
            }
        }
    });
    torch_order(&sums, [outs, extent.channels, window.kernel], width)
}

/// Some rows of one image, or some whole images, that fit the second-level cache together.
struct PixelChunk {
    image: usize,
    images: usize,
    row: usize,
    rows: usize,
}

fn pixel_chunks(framed: Extent, y: Extent, window: Window, width: usize) -> Vec<PixelChunk> {
    const CACHE_VALUES: usize = 384 * 1024 / 4;
    let row = framed.width * framed.channels * window.stride + y.width * width;
    let rows = (CACHE_VALUES / row).clamp(1, y.height);
    let images = (CACHE_VALUES / (row * y.height)).clamp(1, y.images.max(1));
    (0..y.images)
        .step_by(images)
        .flat_map(|image| (0..y.height).step_by(rows).map(move |row| (image, row)))
        .map(|(image, row)| PixelChunk {
            image,
            images: images.min(y.images - image),
            row,
            rows: rows.min(y.height - row),
        })
        .collect()
}

/// Pads the channels with zeros up to whole vectors.
fn whole_vectors(dy: &[f32], channels: usize, lanes: usize) -> Cow<'_, [f32]> {
    if channels.is_multiple_of(lanes) {
        return Cow::Borrowed(dy);
    }
    let width = channels.next_multiple_of(lanes);
    let mut wide = vec![0.0; dy.len() / channels * width];
    wide.par_chunks_mut(width * 64).zip(dy.par_chunks(channels * 64)).for_each(|(to, from)| {
        for (to, from) in to.chunks_mut(width).zip(from.chunks(channels)) {
            to[..channels].copy_from_slice(from);
        }
    });
    Cow::Owned(wide)
}

/// `[kernel row, kernel column, in, out]` to torch's `[out, in, kernel, kernel]`.
pub(super) fn torch_order(sums: &[f32], [outs, ins, kernel]: [usize; 3], width: usize) -> Vec<f32> {
    let mut result = vec![0.0; outs * ins * kernel * kernel];
    result.par_chunks_mut(ins * kernel * kernel).enumerate().for_each(|(o, target)| {
        for c in 0..ins {
            for tap in 0..kernel * kernel {
                target[c * kernel * kernel + tap] = sums[(tap * ins + c) * width + o];
            }
        }
    });
    result
}
