//! AVX-512's sixteen lanes as pairs of AVX2's eight.
//!
//! Lane by lane the operations are the same, and so is the order of every sum: what AVX-512 rounds to is seen on a machine
//! without it. It is slower than AVX2 alone, whose registers do not hold such tiles; it is for tests.

use super::{Avx2, Simd};

/// Sixteen lanes in two registers.
pub struct Paired;

impl Simd for Paired {
    const LANES: usize = 16;
    type V = [<Avx2 as Simd>::V; 2];
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        unsafe { [Avx2::zero(); 2] }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> Self::V {
        unsafe { [Avx2::splat(p); 2] }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { [Avx2::load(p), Avx2::load(p.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, [low, high]: Self::V) {
        unsafe {
            Avx2::store(p, low);
            Avx2::store(p.add(8), high);
        }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { [Avx2::fma(a[0], b[0], c[0]), Avx2::fma(a[1], b[1], c[1])] }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [Avx2::add(a[0], b[0]), Avx2::add(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [Avx2::sub(a[0], b[0]), Avx2::sub(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn relu([low, high]: Self::V) -> Self::V {
        unsafe { [Avx2::relu(low), Avx2::relu(high)] }
    }
    #[inline(always)]
    unsafe fn larger(x: Self::V, x_tag: Self::V, y: Self::V, y_tag: Self::V) -> (Self::V, Self::V) {
        unsafe {
            let (low, low_tag) = Avx2::larger(x[0], x_tag[0], y[0], y_tag[0]);
            let (high, high_tag) = Avx2::larger(x[1], x_tag[1], y[1], y_tag[1]);
            ([low, high], [low_tag, high_tag])
        }
    }
    /// The halves first, as `_mm512_reduce_add_ps` does.
    #[inline(always)]
    unsafe fn sum([low, high]: Self::V) -> f32 {
        unsafe { Avx2::sum(Avx2::add(low, high)) }
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, [low, high]: Self::V) {
        unsafe {
            Avx2::store_bytes(p, low);
            Avx2::store_bytes(p.add(8), high);
        }
    }
    #[inline(always)]
    unsafe fn add_where(sum: Self::V, v: Self::V, bytes: *const u8, byte: u8) -> Self::V {
        unsafe { [Avx2::add_where(sum[0], v[0], bytes, byte), Avx2::add_where(sum[1], v[1], bytes.add(8), byte)] }
    }
}
