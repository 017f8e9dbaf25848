//! AVX-512: sixteen lanes.

use std::arch::x86_64::*;

use super::Simd;

/// Runs a loop compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
pub fn with_avx512<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Sixteen lanes.
pub struct Avx512;

impl Simd for Avx512 {
    const LANES: usize = 16;
    type V = __m512;
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> Self::V {
        unsafe { _mm512_set1_ps(*p) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn relu(v: Self::V) -> Self::V {
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), v) }
    }
    #[inline(always)]
    unsafe fn larger(x: Self::V, x_tag: Self::V, y: Self::V, y_tag: Self::V) -> (Self::V, Self::V) {
        unsafe {
            let wins = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, y) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
            (_mm512_mask_blend_ps(wins, y, x), _mm512_mask_blend_ps(wins, y_tag, x_tag))
        }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe { _mm512_reduce_add_ps(v) }
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        unsafe { _mm_storeu_si128(p.cast(), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v))) }
    }
    #[inline(always)]
    unsafe fn add_where(sum: Self::V, v: Self::V, bytes: *const u8, byte: u8) -> Self::V {
        unsafe {
            let lanes = _mm_cmpeq_epi8_mask(_mm_loadu_si128(bytes.cast()), _mm_set1_epi8(byte as i8));
            _mm512_mask_add_ps(sum, lanes, sum, v)
        }
    }
}
