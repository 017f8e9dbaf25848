//! Eight lanes of plain Rust, for every machine.

use super::Simd;

/// Eight lanes of plain Rust.
pub struct Portable;

impl Simd for Portable {
    const LANES: usize = 8;
    type V = [f32; 8];
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> Self::V {
        // SAFETY: the caller's promise.
        [unsafe { *p }; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; 8]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn relu(v: Self::V) -> Self::V {
        v.map(|x| if x <= 0.0 { 0.0 } else { x })
    }
    #[inline(always)]
    unsafe fn larger(x: Self::V, x_tag: Self::V, y: Self::V, y_tag: Self::V) -> (Self::V, Self::V) {
        let wins: [bool; 8] = std::array::from_fn(|i| x[i] > y[i] || x[i].is_nan());
        let choose = |a: Self::V, b: Self::V| std::array::from_fn(|i| if wins[i] { a[i] } else { b[i] });
        (choose(x, y), choose(x_tag, y_tag))
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        v.iter().sum()
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[u8; 8]>().write_unaligned(v.map(|x| x as u8)) }
    }
    #[inline(always)]
    unsafe fn add_where(sum: Self::V, v: Self::V, bytes: *const u8, byte: u8) -> Self::V {
        // SAFETY: the caller's promise.
        let bytes = unsafe { bytes.cast::<[u8; 8]>().read_unaligned() };
        std::array::from_fn(|i| sum[i] + if bytes[i] == byte { v[i] } else { 0.0 })
    }
}
