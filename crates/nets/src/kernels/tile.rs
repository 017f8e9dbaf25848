//! The two innermost loops: a tile of outputs held in registers.
//!
//! [`Product`] makes convolutions and their input gradients, [`Outer`] their weight gradients. A tile has up to eight
//! rows (output pixels; for `Outer` input channels) and up to three vectors of columns (output channels).

#![expect(clippy::needless_range_loop, reason = "an index over rows and one over vectors, as in the formulas")]

use super::simd::{Isa, Portable, Simd};

/// At most this many rows in a tile.
pub const ROWS_MAX: usize = 8;
/// At most this many vectors of columns in a tile.
pub const VECTORS_MAX: usize = 3;

/// `out[i][j] = bias[j] + Σ_tap Σ_k rows[i][taps[tap] + k] · panel[tap][k][j]`, optionally clipped at zero.
pub struct Product<'a> {
    /// Where each row's window begins.
    pub rows: [*const f32; ROWS_MAX],
    /// What to add for each kernel row, in values.
    pub taps: &'a [usize],
    /// Length of a kernel row: kernel width × input channels.
    pub k: usize,
    /// Packed weights `[taps][k][vectors × lanes]`.
    pub panel: *const f32,
    /// `vectors × lanes` values, or null for zero.
    pub bias: *const f32,
    /// Whether negative results become zero.
    pub relu: bool,
    /// Where each row's result goes.
    pub out: [*mut f32; ROWS_MAX],
    /// Columns that exist; the rest of the last vector is padding and is not written.
    pub columns: usize,
}

/// `out[i][j] += Σ_image Σ_row Σ_x a[…][i] · b[…][j]`: a sum of outer products over pixels.
pub struct Outer {
    /// First input value.
    pub a: *const f32,
    /// Distances in values between a's pixels, rows and images.
    pub a_steps: [usize; 3],
    /// First output-gradient value; every vector may be read whole.
    pub b: *const f32,
    /// Distances in values between b's pixels, rows and images.
    pub b_steps: [usize; 3],
    /// Pixels in a row, rows in an image, images.
    pub counts: [usize; 3],
    /// Where the result goes, `vectors × lanes` columns a row.
    pub out: *mut f32,
    /// Distance between the result's rows.
    pub out_step: usize,
}

#[inline(always)]
unsafe fn product<S: Simd, const R: usize, const V: usize>(t: &Product<'_>) {
    // SAFETY: whoever builds a `Product` promises that its addresses hold what its fields say.
    unsafe {
        let mut acc = [[S::zero(); V]; R];
        if !t.bias.is_null() {
            for v in 0..V {
                let bias = S::load(t.bias.add(v * S::LANES));
                for row in &mut acc {
                    row[v] = bias;
                }
            }
        }
        let mut panel = t.panel;
        for &tap in t.taps {
            let a: [*const f32; R] = std::array::from_fn(|i| t.rows[i].add(tap));
            for k in 0..t.k {
                let b: [S::V; V] = std::array::from_fn(|v| S::load(panel.add(v * S::LANES)));
                for i in 0..R {
                    let x = S::splat(a[i].add(k));
                    for v in 0..V {
                        acc[i][v] = S::fma(x, b[v], acc[i][v]);
                    }
                }
                panel = panel.add(V * S::LANES);
            }
        }
        for i in 0..R {
            if t.relu {
                acc[i] = acc[i].map(|v| S::relu(v));
            }
            if t.columns == V * S::LANES {
                for v in 0..V {
                    S::store(t.out[i].add(v * S::LANES), acc[i][v]);
                }
            } else {
                let mut whole = [0.0f32; VECTORS_MAX * 16];
                for v in 0..V {
                    S::store(whole.as_mut_ptr().add(v * S::LANES), acc[i][v]);
                }
                std::ptr::copy_nonoverlapping(whole.as_ptr(), t.out[i], t.columns);
            }
        }
    }
}

#[inline(always)]
unsafe fn outer<S: Simd, const R: usize, const V: usize>(t: &Outer) {
    // SAFETY: whoever builds an `Outer` promises that its addresses hold what its fields say.
    unsafe {
        let mut acc: [[S::V; V]; R] =
            std::array::from_fn(|i| std::array::from_fn(|v| S::load(t.out.add(i * t.out_step + v * S::LANES))));
        for image in 0..t.counts[2] {
            for row in 0..t.counts[1] {
                let mut a = t.a.add(image * t.a_steps[2] + row * t.a_steps[1]);
                let mut b = t.b.add(image * t.b_steps[2] + row * t.b_steps[1]);
                for _ in 0..t.counts[0] {
                    let y: [S::V; V] = std::array::from_fn(|v| S::load(b.add(v * S::LANES)));
                    for i in 0..R {
                        let x = S::splat(a.add(i));
                        for v in 0..V {
                            acc[i][v] = S::fma(x, y[v], acc[i][v]);
                        }
                    }
                    a = a.add(t.a_steps[0]);
                    b = b.add(t.b_steps[0]);
                }
            }
        }
        for i in 0..R {
            for v in 0..V {
                S::store(t.out.add(i * t.out_step + v * S::LANES), acc[i][v]);
            }
        }
    }
}

/// The kernels of one instruction set, for every number of rows and vectors.
macro_rules! instruction_set {
    ($module:ident, $simd:ty $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn product_of<const R: usize, const V: usize>(t: &Product<'_>) {
                // SAFETY: the caller's promise.
                unsafe { product::<$simd, R, V>(t) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn outer_of<const R: usize, const V: usize>(t: &Outer) {
                // SAFETY: the caller's promise.
                unsafe { outer::<$simd, R, V>(t) }
            }
            pub type ProductFn = unsafe fn(&Product<'_>);
            pub type OuterFn = unsafe fn(&Outer);
            pub static PRODUCT: [[ProductFn; VECTORS_MAX]; ROWS_MAX] = [
                [product_of::<1, 1>, product_of::<1, 2>, product_of::<1, 3>],
                [product_of::<2, 1>, product_of::<2, 2>, product_of::<2, 3>],
                [product_of::<3, 1>, product_of::<3, 2>, product_of::<3, 3>],
                [product_of::<4, 1>, product_of::<4, 2>, product_of::<4, 3>],
                [product_of::<5, 1>, product_of::<5, 2>, product_of::<5, 3>],
                [product_of::<6, 1>, product_of::<6, 2>, product_of::<6, 3>],
                [product_of::<7, 1>, product_of::<7, 2>, product_of::<7, 3>],
                [product_of::<8, 1>, product_of::<8, 2>, product_of::<8, 3>],
            ];
            pub static OUTER: [[OuterFn; VECTORS_MAX]; ROWS_MAX] = [
                [outer_of::<1, 1>, outer_of::<1, 2>, outer_of::<1, 3>],
                [outer_of::<2, 1>, outer_of::<2, 2>, outer_of::<2, 3>],
                [outer_of::<3, 1>, outer_of::<3, 2>, outer_of::<3, 3>],
                [outer_of::<4, 1>, outer_of::<4, 2>, outer_of::<4, 3>],
                [outer_of::<5, 1>, outer_of::<5, 2>, outer_of::<5, 3>],
                [outer_of::<6, 1>, outer_of::<6, 2>, outer_of::<6, 3>],
                [outer_of::<7, 1>, outer_of::<7, 2>, outer_of::<7, 3>],
                [outer_of::<8, 1>, outer_of::<8, 2>, outer_of::<8, 3>],
            ];
        }
    };
}

instruction_set!(portable, Portable);
#[cfg(target_arch = "x86_64")]
instruction_set!(avx2, super::super::simd::Avx2, "avx2,fma");
#[cfg(target_arch = "x86_64")]
instruction_set!(paired, super::super::simd::Paired, "avx2,fma");
#[cfg(target_arch = "x86_64")]
instruction_set!(avx512, super::super::simd::Avx512, "avx512f");

impl Product<'_> {
    /// Computes the tile.
    ///
    /// # Safety
    /// The fields describe memory that may be read and written, and `isa` is one this machine has.
    pub unsafe fn run(&self, isa: Isa, rows: usize, vectors: usize) {
        let table = match isa {
            Isa::Portable => &portable::PRODUCT,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &avx2::PRODUCT,
            #[cfg(target_arch = "x86_64")]
            Isa::Paired => &paired::PRODUCT,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &avx512::PRODUCT,
            #[cfg(not(target_arch = "x86_64"))]
            _ => &portable::PRODUCT,
        };
        // SAFETY: the caller's promise.
        unsafe { table[rows - 1][vectors - 1](self) }
    }
}

impl Outer {
    /// Adds the tile.
    ///
    /// # Safety
    /// The fields describe memory that may be read and written, and `isa` is one this machine has.
    pub unsafe fn run(&self, isa: Isa, rows: usize, vectors: usize) {
        let table = match isa {
            Isa::Portable => &portable::OUTER,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &avx2::OUTER,
            #[cfg(target_arch = "x86_64")]
            Isa::Paired => &paired::OUTER,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &avx512::OUTER,
            #[cfg(not(target_arch = "x86_64"))]
            _ => &portable::OUTER,
        };
        // SAFETY: the caller's promise.
        unsafe { table[rows - 1][vectors - 1](self) }
    }
}
