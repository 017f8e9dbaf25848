//! AVX2 with FMA: eight lanes.

use std::arch::x86_64::*;

use super::Simd;

/// Runs a loop compiled for AVX2.
#[target_feature(enable = "avx2,fma")]
pub fn with_avx2<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Eight lanes with fused multiply-add.
pub struct Avx2;

impl Simd for Avx2 {
    const LANES: usize = 8;
    type V = __m256;
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> Self::V {
        unsafe { _mm256_set1_ps(*p) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn relu(v: Self::V) -> Self::V {
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), v) }
    }
    #[inline(always)]
    unsafe fn larger(x: Self::V, x_tag: Self::V, y: Self::V, y_tag: Self::V) -> (Self::V, Self::V) {
        unsafe {
            let wins = _mm256_or_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, y), _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x));
            (_mm256_blendv_ps(y, x, wins), _mm256_blendv_ps(y_tag, x_tag, wins))
        }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        unsafe {
            let wide = _mm256_cvttps_epi32(v);
            let words = _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256::<1>(wide));
            _mm_storel_epi64(p.cast(), _mm_packus_epi16(words, words));
        }
    }
    #[inline(always)]
    unsafe fn add_where(sum: Self::V, v: Self::V, bytes: *const u8, byte: u8) -> Self::V {
        unsafe {
            let lanes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes.cast()));
            let equal = _mm256_cmpeq_epi32(lanes, _mm256_set1_epi32(i32::from(byte)));
            _mm256_add_ps(sum, _mm256_and_ps(_mm256_castsi256_ps(equal), v))
        }
    }
}
