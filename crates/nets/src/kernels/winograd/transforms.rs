//! Between pixels and points: the matrices of Lavin and Gray, a vector of channels at a time.

use super::super::simd::{Kernel, Simd};
use super::{COARSE, FINE, KERNEL, PIXELS_MAX, POINTS_MAX};

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
pub(super) struct Kernels<const IN: usize> {
    /// `[3][3 × ins][width]`.
    pub(super) from: *const f32,
    /// Of the first point, `[ins][width]`.
    pub(super) to: *mut f32,
    pub(super) ins: usize,
    pub(super) width: usize,
    pub(super) point_step: usize,
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
pub(super) struct Inputs<const IN: usize> {
    pub(super) pixels: [*const f32; POINTS_MAX],
    pub(super) channels: usize,
    /// Of the first point.
    pub(super) to: *mut f32,
    pub(super) point_step: usize,
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
pub(super) struct Outputs<const OUT: usize, const IN: usize> {
    /// Of the first point.
    pub(super) from: *const f32,
    pub(super) point_step: usize,
    pub(super) width: usize,
    pub(super) bias: *const f32,
    pub(super) relu: bool,
    pub(super) pixels: [*mut f32; PIXELS_MAX],
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
pub(super) struct Gradients {
    pub(super) pixels: [*const f32; PIXELS_MAX],
    pub(super) channels: usize,
    /// Of the first point.
    pub(super) to: *mut f32,
    pub(super) point_step: usize,
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
pub(super) struct WeightGradients {
    pub(super) from: *const f32,
    pub(super) to: *mut f32,
    pub(super) outs: usize,
    /// Between points of the sums, and between taps of the weights.
    pub(super) step: usize,
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
