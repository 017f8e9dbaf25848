//! Convolution by 3 × 3 windows of stride 1 with fewer multiplications: F(2 × 2, 3 × 3) and F(4 × 4, 3 × 3) of Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
//!
//! An image is cut into tiles of `OUT` × `OUT` output pixels, each of which hangs on `IN` × `IN` input pixels. Transformed, a
//! tile has `IN` × `IN` points that do not mix: at each, tiles × inputs times inputs × outputs is one matrix product
//! (`tile::Product`). The weights' gradient goes the same way back (`tile::Outer`).
//!
//! A forward pass goes by tiles of 2, which round as little as the direct sums and need 1/2.25 of their multiplications; the
//! gradients by tiles of 4, with a quarter of the multiplications and some 5e-6 of the largest sum as error.

mod transforms;

#[cfg(test)]
mod tests;

use std::cell::RefCell;

use rayon::prelude::*;

use super::SharedMut;
use super::conv::{Columns, Extent, Packed, Window, groups, torch_order};
use super::simd::{Isa, vector_kernel};
use super::tile::{Outer, Product};
use transforms::{Gradients, Inputs, Kernels, Outputs, WeightGradients};

/// Pixels of a tile's side, of output and of input, of a forward pass.
pub const FINE: [usize; 2] = [2, 4];
/// The same of the gradients.
pub const COARSE: [usize; 2] = [4, 6];
/// Pixels of the window's side.
const KERNEL: usize = 3;
/// Pixels of output and points of the larger tile.
const PIXELS_MAX: usize = COARSE[0] * COARSE[0];
const POINTS_MAX: usize = COARSE[1] * COARSE[1];
/// Tiles that it takes to be worth the transformation of the weights.
const TILES_MIN: usize = 40;
/// Points of all tiles of a task: what they are transformed to stays in the second-level cache.
const BLOCK_POINTS: usize = 24 * POINTS_MAX;
/// Tiles whose outer products are summed at once.
const GRADIENT_BLOCK: usize = 192;
/// Columns whose products are kept at once.
const CHUNK: usize = 64;
/// Values between the ends of points: with a distance of a power of two all would share a line of the first-level cache.
const APART: usize = 16;

/// How an output is cut into tiles.
#[derive(Debug, Clone, Copy)]
struct Tiles<const OUT: usize, const IN: usize> {
    /// What the window slides over.
    x: Extent,
    y: Extent,
    padding: usize,
    /// Tiles of a column and of a row.
    rows: usize,
    columns: usize,
}

/// Packed weights transformed: for each point a matrix `[inputs, outputs]`.
#[derive(Debug)]
pub struct Transformed {
    /// `[point][group][input][width of the group]`.
    panels: Vec<f32>,
}

/// Whether a convolution is done by such tiles. It hangs on shapes, the batch's images among them, and on the machine's
/// lanes, so that results do not hang on its threads.
pub fn serves([side, _]: [usize; 2], x: Extent, window: Window, outs: usize) -> bool {
    let lanes = Isa::detect().lanes();
    let whole = x.channels.is_multiple_of(lanes) && outs.is_multiple_of(lanes);
    let three = window.kernel == KERNEL && window.stride == 1 && window.padding < KERNEL;
    let y = window.output(x, outs);
    three && whole && y.images * y.height.div_ceil(side) * y.width.div_ceil(side) >= TILES_MIN
}

impl<const OUT: usize, const IN: usize> Tiles<OUT, IN> {
    const POINTS: usize = IN * IN;

    fn new(x: Extent, window: Window, outs: usize) -> Self {
        let y = window.output(x, outs);
        Self { x, y, padding: window.padding, rows: y.height.div_ceil(OUT), columns: y.width.div_ceil(OUT) }
    }

    fn count(&self) -> usize {
        self.y.images * self.rows * self.columns
    }

    /// A tile's image and its first output pixel's row and column.
    fn place(&self, tile: usize) -> [usize; 3] {
        let (image, rest) = (tile / (self.rows * self.columns), tile % (self.rows * self.columns));
        [image, rest / self.columns * OUT, rest % self.columns * OUT]
    }

    /// Where the input pixels of a tile are; `zeros` where there is none.
    fn inputs(&self, x: &[f32], zeros: &[f32], tile: usize) -> [*const f32; POINTS_MAX] {
        let [image, top, left] = self.place(tile);
        let mut pixels = [zeros.as_ptr(); POINTS_MAX];
        for (i, pixel) in pixels[..Self::POINTS].iter_mut().enumerate() {
            let [row, column] = [top + i / IN, left + i % IN].map(|at| at.wrapping_sub(self.padding));
            if let Some(at) = self.x.pixel(image, row, column) {
                *pixel = x[at..at + self.x.channels].as_ptr();
            }
        }
        pixels
    }

    /// Where the values of a tile's output pixels begin; none of pixels beyond the edge.
    fn outputs(&self, tile: usize) -> [Option<usize>; PIXELS_MAX] {
        let [image, top, left] = self.place(tile);
        std::array::from_fn(|i| if i < OUT * OUT { self.y.pixel(image, top + i / OUT, left + i % OUT) } else { None })
    }

    /// Tiles of a task: enough tasks for every thread.
    fn block(&self, isa: Isa) -> usize {
        let ([rows, _], threads, most) = (isa.tile(), rayon::current_num_threads(), BLOCK_POINTS / Self::POINTS);
        if threads == 1 { most } else { self.count().div_ceil(4 * threads).next_multiple_of(rows).clamp(rows, most) }
    }
}

impl Transformed {
    /// Those of some weights, made at their first use. Not within the lock: a thread that waits for a part of the work may
    /// be handed another image's convolution by the same weights, and would wait for itself.
    fn of<const IN: usize>(weights: &Packed) -> &Self {
        weights.transformed.get().unwrap_or_else(|| {
            let transformed = Self::new::<IN>(weights);
            weights.transformed.get_or_init(|| transformed)
        })
    }

    /// Of weights packed for a 3 × 3 window.
    fn new<const IN: usize>(weights: &Packed) -> Self {
        let (points, ins, lanes) = (IN * IN, weights.k / 3, weights.isa.lanes());
        let point_step = ins * weights.columns.next_multiple_of(lanes);
        let mut panels: Vec<f32> = Vec::with_capacity(points * point_step);
        let base = SharedMut(panels.as_mut_ptr());
        weights.groups.par_iter().for_each(|group| {
            let width = group.vectors * lanes;
            let from = weights.panels[3 * weights.k * group.start..][..3 * weights.k * width].as_ptr();
            // SAFETY: `from` has the group's weights; its part of each point's panel is this task's alone.
            let to = unsafe { base.at(ins * group.start) };
            vector_kernel(Kernels::<IN> { from, to, ins, width, point_step });
        });
        // SAFETY: every group of every point was written.
        unsafe { panels.set_len(points * point_step) };
        Self { panels }
    }
}

thread_local! {
    /// What a task keeps of its tiles.
    static SCRATCH: RefCell<[Vec<f32>; 2]> = const { RefCell::new([const { Vec::new() }; 2]) };
}

/// Slides packed weights over `x`, with their bias, clipped at zero when `relu`.
pub fn forward(x: &[f32], extent: Extent, window: Window, weights: &Packed, relu: bool) -> Vec<f32> {
    slide::<{ FINE[0] }, { FINE[1] }>(x, extent, window, weights, relu)
}

/// The gradient by the input: slides turned weights over the output's gradient `dy`.
pub fn input_gradient(dy: &[f32], extent: Extent, turned: Window, weights: &Packed) -> Vec<f32> {
    slide::<{ COARSE[0] }, { COARSE[1] }>(dy, extent, turned, weights, false)
}

fn slide<const OUT: usize, const IN: usize>(
    x: &[f32],
    extent: Extent,
    window: Window,
    weights: &Packed,
    relu: bool,
) -> Vec<f32> {
    let tiles = Tiles::<OUT, IN>::new(extent, window, weights.columns);
    let points = Tiles::<OUT, IN>::POINTS;
    let whole = |channels: usize| channels.is_multiple_of(weights.isa.lanes());
    assert!(whole(extent.channels) && whole(weights.columns) && x.len() == extent.len(), "tiles serve the extent");
    weights.assert_fit(KERNEL, KERNEL * extent.channels, weights.columns);
    let transformed = Transformed::of::<IN>(weights);
    assert_eq!(transformed.panels.len(), points * extent.channels * weights.columns, "weights serve one size of tiles");
    let zeros = vec![0.0; extent.channels];
    let mut result: Vec<f32> = Vec::with_capacity(tiles.y.len());
    let base = SharedMut(result.as_mut_ptr());
    let block = tiles.block(weights.isa);
    (0..tiles.count().div_ceil(block)).into_par_iter().for_each(|task| {
        let first = task * block;
        let count = block.min(tiles.count() - first);
        SCRATCH.with_borrow_mut(|[inputs, products]| {
            let input_step = block * extent.channels + APART;
            let product_step = block * CHUNK + APART;
            inputs.resize(inputs.len().max(points * input_step), 0.0);
            products.resize(products.len().max(points * product_step), 0.0);
            for t in 0..count {
                let pixels = tiles.inputs(x, &zeros, first + t);
                let to = inputs[t * extent.channels..].as_mut_ptr();
                vector_kernel(Inputs::<IN> { pixels, channels: extent.channels, to, point_step: input_step });
            }
            for chunk in chunks(weights) {
                multiply(
                    weights,
                    (&transformed.panels, points),
                    chunk,
                    count,
                    (inputs, input_step),
                    (products, product_step),
                );
                let (start, width) = extent_of(chunk, weights.isa);
                for t in 0..count {
                    let pixels = tiles.outputs(first + t);
                    // SAFETY: the pixels' columns of this chunk belong to this task alone.
                    let pixels = pixels.map(|at| at.map_or(std::ptr::null_mut(), |at| unsafe { base.at(at + start) }));
                    let (from, bias) = (products[t * width..].as_ptr(), weights.bias[start..][..width].as_ptr());
                    vector_kernel(Outputs::<OUT, IN> { from, point_step: product_step, width, bias, relu, pixels });
                }
            }
        });
    });
    // SAFETY: every pixel of every tile was written, in all its channels.
    unsafe { result.set_len(tiles.y.len()) };
    result
}

/// Groups of columns whose products are kept at once.
fn chunks(weights: &Packed) -> impl Iterator<Item = &[Columns]> {
    let lanes = weights.isa.lanes();
    let most = (CHUNK / (weights.isa.tile()[1] * lanes)).max(1);
    weights.groups.chunks(most)
}

/// The first column of some groups, and how many they have.
fn extent_of(groups: &[Columns], isa: Isa) -> (usize, usize) {
    (groups[0].start, groups.iter().map(|group| group.vectors * isa.lanes()).sum())
}

/// At every point: tiles × inputs times inputs × columns.
fn multiply(
    weights: &Packed,
    (panels, points): (&[f32], usize),
    chunk: &[Columns],
    tiles: usize,
    (inputs, input_step): (&[f32], usize),
    (products, product_step): (&mut [f32], usize),
) {
    let (isa, lanes, [rows, _], ins) = (weights.isa, weights.isa.lanes(), weights.isa.tile(), weights.k / 3);
    let (start, width) = extent_of(chunk, isa);
    let panel_step = ins * weights.columns.next_multiple_of(lanes);
    let products = products.as_mut_ptr();
    for point in 0..points {
        for group in chunk {
            for tile in (0..tiles).step_by(rows) {
                let count = rows.min(tiles - tile);
                let row = |i: usize| tile + i.min(count - 1);
                // SAFETY: both scratch buffers hold `tiles` rows a point, the panels every group of every point.
                unsafe {
                    let product = Product {
                        rows: std::array::from_fn(|i| inputs.as_ptr().add(point * input_step + row(i) * ins)),
                        taps: &[0],
                        k: ins,
                        panel: panels.as_ptr().add(point * panel_step + ins * group.start),
                        bias: std::ptr::null(),
                        relu: false,
                        out: std::array::from_fn(|i| {
                            products.add(point * product_step + row(i) * width + group.start - start)
                        }),
                        columns: group.vectors * lanes,
                    };
                    product.run(isa, count, group.vectors);
                }
            }
        }
    }
}

/// The gradient by the weights, `[out, in, 3, 3]`.
pub fn weight_gradient(x: &[f32], extent: Extent, dy: &[f32], window: Window, outs: usize) -> Vec<f32> {
    let tiles = Tiles::<{ COARSE[0] }, { COARSE[1] }>::new(extent, window, outs);
    let (isa, ins) = (Isa::detect(), extent.channels);
    assert!(x.len() == extent.len() && dy.len() == tiles.y.len());
    let (groups, zeros) = (groups(outs, isa), vec![0.0; ins.max(outs)]);
    let most = GRADIENT_BLOCK.min(tiles.count());
    let steps = [most * ins + APART, most * outs + APART];
    let mut inputs = vec![0.0f32; POINTS_MAX * steps[0]];
    let mut gradients = vec![0.0f32; POINTS_MAX * steps[1]];
    let mut sums = vec![0.0f32; POINTS_MAX * ins * outs];
    for first in (0..tiles.count()).step_by(most) {
        let count = most.min(tiles.count() - first);
        let bases = [SharedMut(inputs.as_mut_ptr()), SharedMut(gradients.as_mut_ptr())];
        (0..count).into_par_iter().with_min_len(8).for_each(|t| {
            // SAFETY: a tile's rows of both are its task's alone.
            let [inputs, gradients] = unsafe { [bases[0].at(t * ins), bases[1].at(t * outs)] };
            let pixels = tiles.inputs(x, &zeros, first + t);
            vector_kernel(Inputs::<{ COARSE[1] }> { pixels, channels: ins, to: inputs, point_step: steps[0] });
            let pixels = tiles.outputs(first + t).map(|at| at.map_or(zeros.as_ptr(), |at| dy[at..at + outs].as_ptr()));
            vector_kernel(Gradients { pixels, channels: outs, to: gradients, point_step: steps[1] });
        });
        sums.par_chunks_mut(ins * outs).enumerate().for_each(|(point, sums)| {
            let rows = isa.tile()[0];
            for group in &groups {
                for row in (0..ins).step_by(rows) {
                    // SAFETY: both buffers hold `count` tiles of this point, whose sums are this task's alone.
                    unsafe {
                        let outer = Outer {
                            a: inputs.as_ptr().add(point * steps[0] + row),
                            a_steps: [ins, 0, 0],
                            b: gradients.as_ptr().add(point * steps[1] + group.start),
                            b_steps: [outs, 0, 0],
                            counts: [count, 1, 1],
                            out: sums.as_mut_ptr().add(row * outs + group.start),
                            out_step: outs,
                        };
                        outer.run(isa, rows.min(ins - row), group.vectors);
                    }
                }
            }
        });
    }
    let mut weights = vec![0.0f32; 9 * ins * outs];
    let base = SharedMut(weights.as_mut_ptr());
    (0..ins).into_par_iter().for_each(|input| {
        let from = sums[input * outs..].as_ptr();
        // SAFETY: an input's weights are its task's alone.
        let to = unsafe { base.at(input * outs) };
        vector_kernel(WeightGradients { from, to, outs, step: ins * outs });
    });
    torch_order(&weights, [outs, ins, 3], outs)
}
