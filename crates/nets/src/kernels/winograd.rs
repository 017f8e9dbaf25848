//! Convolution by 3 × 3 windows of stride 1 with fewer multiplications: F(2 × 2, 3 × 3) and F(4 × 4, 3 × 3) of Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
//!
//! An image is cut into tiles of `OUT` × `OUT` output pixels, each of which hangs on `IN` × `IN` input pixels. Transformed, a
//! tile has `IN` × `IN` points that do not mix: at each, tiles × inputs times inputs × outputs is one matrix product
//! (`tile::Product`). The weights' gradient goes the same way back (`tile::Outer`).
//!
//! A forward pass goes by tiles of 2, which round as little as the direct sums and need 1/2.25 of their multiplications; the
//! gradients by tiles of 4, with a quarter of the multiplications and some 5e-6 of the largest sum as error.

use std::cell::RefCell;

use rayon::prelude::*;

use super::SharedMut;
use super::conv::{Columns, Extent, Packed, Window, groups, torch_order};
use super::simd::{Isa, Kernel, Simd, vector_kernel};
use super::tile::{Outer, Product};

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

/// Whether a convolution is done by such tiles. It hangs on shapes only, so that results do not hang on the machine's threads.
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
    assert!(weights.k == 3 * extent.channels && x.len() == extent.len(), "weights fit the window");
    let transformed = weights.transformed.get_or_init(|| Transformed::new::<IN>(weights));
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

/// Transforms a square of `$from` × `$from` vectors on both sides to one of `$to` × `$to`. A macro, since what a closure does
/// with vectors is not always compiled for the instructions of its caller.
macro_rules! both_sides {
    ($side:ident, $from:ident to $to:ident, |$in:ident| $load:expr, |$out:ident, $value:ident| $store:expr) => {{
        let mut half = [[S::zero(); $from]; $to];
        for x in 0..$from {
            let mut column = [S::zero(); $from];
            for y in 0..$from {
                let $in = $from * y + x;
                column[y] = $load;
            }
            let column = $side::<S, $from, $to>(column);
            for y in 0..$to {
                half[y][x] = column[y];
            }
        }
        for y in 0..$to {
            let row = $side::<S, $from, $to>(half[y]);
            for x in 0..$to {
                let ($out, $value) = ($to * y + x, row[x]);
                $store;
            }
        }
    }};
}

/// Weights: `G g Gᵀ`, a vector of outputs at a time.
struct Kernels<const IN: usize> {
    /// `[3][3 × ins][width]`.
    from: *const f32,
    /// Of the first point, `[ins][width]`.
    to: *mut f32,
    ins: usize,
    width: usize,
    point_step: usize,
}

impl<const IN: usize> Kernel for Kernels<IN> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for input in 0..self.ins {
            for column in (0..self.width).step_by(S::LANES) {
                let at = input * self.width + column;
                // SAFETY: whoever builds it promises that its addresses hold what its fields say; so below.
                unsafe {
                    both_sides!(
                        kernel,
                        KERNEL to IN,
                        |tap| S::load(self.from.add(tap * self.ins * self.width + at)),
                        |point, value| S::store(self.to.add(point * self.point_step + at), value)
                    );
                }
            }
        }
    }
}

/// A tile of input: `Bᵀ d B`.
struct Inputs<const IN: usize> {
    pixels: [*const f32; POINTS_MAX],
    channels: usize,
    /// Of the first point.
    to: *mut f32,
    point_step: usize,
}

impl<const IN: usize> Kernel for Inputs<IN> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for channel in (0..self.channels).step_by(S::LANES) {
            // SAFETY: as above.
            unsafe {
                both_sides!(
                    input,
                    IN to IN,
                    |pixel| S::load(self.pixels[pixel].add(channel)),
                    |point, value| S::store(self.to.add(point * self.point_step + channel), value)
                );
            }
        }
    }
}

/// A tile of products to output: `Aᵀ m A`, with bias, clipped when `relu`; null pixels are left out.
struct Outputs<const OUT: usize, const IN: usize> {
    /// Of the first point.
    from: *const f32,
    point_step: usize,
    width: usize,
    bias: *const f32,
    relu: bool,
    pixels: [*mut f32; PIXELS_MAX],
}

impl<const OUT: usize, const IN: usize> Kernel for Outputs<OUT, IN> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for column in (0..self.width).step_by(S::LANES) {
            // SAFETY: as above.
            unsafe {
                let bias = S::load(self.bias.add(column));
                both_sides!(
                    output,
                    IN to OUT,
                    |point| S::load(self.from.add(point * self.point_step + column)),
                    |pixel, value| {
                        if !self.pixels[pixel].is_null() {
                            let value = S::add(value, bias);
                            let value = if self.relu { S::relu(value) } else { value };
                            S::store(self.pixels[pixel].add(column), value);
                        }
                    }
                );
            }
        }
    }
}

/// A tile of the output's gradient: `A dy Aᵀ`.
struct Gradients {
    pixels: [*const f32; PIXELS_MAX],
    channels: usize,
    /// Of the first point.
    to: *mut f32,
    point_step: usize,
}

impl Kernel for Gradients {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for channel in (0..self.channels).step_by(S::LANES) {
            // SAFETY: as above.
            unsafe {
                const OUT: usize = COARSE[0];
                const IN: usize = COARSE[1];
                both_sides!(
                    gradient,
                    OUT to IN,
                    |pixel| S::load(self.pixels[pixel].add(channel)),
                    |point, value| S::store(self.to.add(point * self.point_step + channel), value)
                );
            }
        }
    }
}

/// An input's sums to its weights' gradient: `Gᵀ u G`.
struct WeightGradients {
    from: *const f32,
    to: *mut f32,
    outs: usize,
    /// Between points of the sums, and between taps of the weights.
    step: usize,
}

impl Kernel for WeightGradients {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for column in (0..self.outs).step_by(S::LANES) {
            // SAFETY: as above.
            unsafe {
                const IN: usize = COARSE[1];
                both_sides!(
                    weight,
                    IN to KERNEL,
                    |point| S::load(self.from.add(point * self.step + column)),
                    |tap, value| S::store(self.to.add(tap * self.step + column), value)
                );
            }
        }
    }
}

/// `c · v`.
#[inline(always)]
unsafe fn times<S: Simd>(c: f32, v: S::V) -> S::V {
    // SAFETY: the caller's promise; so below.
    unsafe { S::fma(S::splat(&c), v, S::zero()) }
}

/// `c · v + w`.
#[inline(always)]
unsafe fn plus<S: Simd>(c: f32, v: S::V, w: S::V) -> S::V {
    // SAFETY: as above.
    unsafe { S::fma(S::splat(&c), v, w) }
}

/// `G`.
#[inline(always)]
unsafe fn kernel<S: Simd, const FROM: usize, const TO: usize>(g: [S::V; FROM]) -> [S::V; TO] {
    let mut t = [g[0]; TO];
    // SAFETY: as above.
    unsafe {
        if TO == FINE[1] {
            let outer = times::<S>(0.5, S::add(g[0], g[2]));
            t[1] = plus::<S>(0.5, g[1], outer);
            t[2] = plus::<S>(-0.5, g[1], outer);
        } else {
            let outer = times::<S>(-1.0 / 6.0, S::add(g[0], g[2]));
            let far = plus::<S>(1.0 / 24.0, g[0], times::<S>(1.0 / 6.0, g[2]));
            t[0] = times::<S>(0.25, g[0]);
            t[1] = plus::<S>(-1.0 / 6.0, g[1], outer);
            t[2] = plus::<S>(1.0 / 6.0, g[1], outer);
            t[3] = plus::<S>(1.0 / 12.0, g[1], far);
            t[4] = plus::<S>(-1.0 / 12.0, g[1], far);
        }
    }
    t[TO - 1] = g[2];
    t
}

/// `Bᵀ`.
#[inline(always)]
unsafe fn input<S: Simd, const FROM: usize, const TO: usize>(d: [S::V; FROM]) -> [S::V; TO] {
    let mut t = [d[0]; TO];
    // SAFETY: as above.
    unsafe {
        if TO == FINE[1] {
            t[0] = S::sub(d[0], d[2]);
            t[1] = S::add(d[1], d[2]);
            t[2] = S::sub(d[2], d[1]);
            t[3] = S::sub(d[3], d[1]);
        } else {
            let (even, odd) = (plus::<S>(-4.0, d[2], d[4]), plus::<S>(-4.0, d[1], d[3]));
            let (even_far, odd_far) = (S::sub(d[4], d[2]), S::sub(d[3], d[1]));
            t[0] = plus::<S>(4.0, d[0], plus::<S>(-5.0, d[2], d[4]));
            t[1] = S::add(even, odd);
            t[2] = S::sub(even, odd);
            t[3] = plus::<S>(2.0, odd_far, even_far);
            t[4] = plus::<S>(-2.0, odd_far, even_far);
            t[5] = plus::<S>(4.0, d[1], plus::<S>(-5.0, d[3], d[5]));
        }
    }
    t
}

/// `Aᵀ`.
#[inline(always)]
unsafe fn output<S: Simd, const FROM: usize, const TO: usize>(m: [S::V; FROM]) -> [S::V; TO] {
    let mut t = [m[0]; TO];
    // SAFETY: as above.
    unsafe {
        let (even, odd) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        if TO == FINE[0] {
            t[0] = S::add(m[0], even);
            t[1] = S::add(odd, m[3]);
        } else {
            let (even_far, odd_far) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            t[0] = S::add(m[0], S::add(even, even_far));
            t[1] = plus::<S>(2.0, odd_far, odd);
            t[2] = plus::<S>(4.0, even_far, even);
            t[3] = plus::<S>(8.0, odd_far, S::add(odd, m[5]));
        }
    }
    t
}

/// `A`.
#[inline(always)]
unsafe fn gradient<S: Simd, const FROM: usize, const TO: usize>(y: [S::V; FROM]) -> [S::V; TO] {
    let mut t = [y[0]; TO];
    // SAFETY: as above.
    unsafe {
        let (even, odd) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
        let (even_far, odd_far) = (plus::<S>(4.0, y[2], y[0]), times::<S>(2.0, plus::<S>(4.0, y[3], y[1])));
        t[1] = S::add(even, odd);
        t[2] = S::sub(even, odd);
        t[3] = S::add(even_far, odd_far);
        t[4] = S::sub(even_far, odd_far);
    }
    t[5] = y[3];
    t
}

/// `Gᵀ`.
#[inline(always)]
unsafe fn weight<S: Simd, const FROM: usize, const TO: usize>(u: [S::V; FROM]) -> [S::V; TO] {
    let mut t = [u[0]; TO];
    // SAFETY: as above.
    unsafe {
        let (near, far) = (times::<S>(-1.0 / 6.0, S::add(u[1], u[2])), S::add(u[3], u[4]));
        t[0] = plus::<S>(0.25, u[0], plus::<S>(1.0 / 24.0, far, near));
        t[1] = plus::<S>(1.0 / 6.0, S::sub(u[2], u[1]), times::<S>(1.0 / 12.0, S::sub(u[3], u[4])));
        t[2] = plus::<S>(1.0 / 6.0, far, S::add(near, u[5]));
    }
    t
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::super::conv::{Extent, Packed, Sums, Window, forward, input_gradient, weight_gradient};
    use super::{COARSE, serves};

    /// A convolution and its gradients by their definition, in f64.
    struct Defined {
        y: Vec<f64>,
        dx: Vec<f64>,
        dw: Vec<f64>,
    }

    fn defined(x: (&[f32], Extent), w: &[f32], dy: (&[f32], Extent), padding: usize) -> Defined {
        let ((x, extent), (dy, out)) = (x, dy);
        let mut all = Defined { y: vec![0.0; dy.len()], dx: vec![0.0; x.len()], dw: vec![0.0; w.len()] };
        for image in 0..out.images {
            for (row, column) in (0..out.height).flat_map(|row| (0..out.width).map(move |column| (row, column))) {
                let to = out.pixel(image, row, column).unwrap();
                for tap in 0..9 {
                    let place = [row + tap / 3, column + tap % 3].map(|at| at.wrapping_sub(padding));
                    let Some(at) = extent.pixel(image, place[0], place[1]) else { continue };
                    for (o, i) in (0..out.channels).flat_map(|o| (0..extent.channels).map(move |i| (o, i))) {
                        let (weight, dy) = ((o * extent.channels + i) * 9 + tap, f64::from(dy[to + o]));
                        all.y[to + o] += f64::from(x[at + i]) * f64::from(w[weight]);
                        all.dx[at + i] += dy * f64::from(w[weight]);
                        all.dw[weight] += f64::from(x[at + i]) * dy;
                    }
                }
            }
        }
        all
    }

    fn near(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let most = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let apart = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(apart < 2e-5 * most, "{apart} of {most}");
    }

    #[test]
    fn it_is_the_convolution_and_its_gradients_with_tiles_that_reach_over_every_edge() {
        let mut rng = StdRng::seed_from_u64(5);
        let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
        for (height, width, ins, outs, padding, images) in
            [(18, 17, 16, 32, 1, 3), (13, 13, 32, 16, 0, 5), (9, 30, 16, 48, 2, 3), (28, 27, 48, 16, 1, 1)]
        {
            let extent = Extent { images, height, width, channels: ins };
            let window = Window { kernel: 3, stride: 1, padding };
            let out = window.output(extent, outs);
            assert!(serves(COARSE, extent, window, outs));
            let (x, w, dy) = (draw(extent.len()), draw(outs * ins * 9), draw(out.len()));
            let expected = defined((&x, extent), &w, (&dy, out), padding);
            let dims = [outs, ins, 3];
            near(&forward(&x, extent, &Packed::forward(&w, dims), window, false, Sums::Tiled).0, &expected.y);
            let turned = Packed::input_gradient(&w, dims, window);
            near(&input_gradient(&dy, None, extent, &turned, window, outs), &expected.dx);
            near(&weight_gradient(&x, extent, &dy, window, outs), &expected.dw);
        }
    }

    #[test]
    fn bias_is_added_before_what_is_negative_is_clipped_and_a_mask_takes_gradients_out() {
        let extent = Extent { images: 1, height: 28, width: 28, channels: 16 };
        let window = Window { kernel: 3, stride: 1, padding: 1 };
        assert!(serves(COARSE, extent, window, 16));
        let weights = Packed::forward(&vec![0.0; 16 * 16 * 9], [16, 16, 3]);
        let bias: Vec<f32> = (0..16).map(|o| if o % 2 == 0 { -1.5 } else { o as f32 }).collect();
        let (y, _) = forward(&vec![1.0; extent.len()], extent, &weights.with_bias(&bias), window, true, Sums::Tiled);
        assert!(y.chunks(16).all(|pixel| pixel.iter().enumerate().all(|(o, y)| *y == bias[o].max(0.0))));
        let turned = Packed::input_gradient(&vec![1.0; 16 * 16 * 9], [16, 16, 3], window);
        let masked =
            input_gradient(&vec![1.0; extent.len()], Some(&vec![0.0; extent.len()]), extent, &turned, window, 16);
        assert!(masked.iter().all(|dx| *dx == 0.0));
    }
}
