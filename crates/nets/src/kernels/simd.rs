//! Vectors of f32 on AVX-512, AVX2 with FMA, or plain arrays, chosen once for the machine.

use std::sync::OnceLock;

/// The instruction sets there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// 16 lanes, 32 registers.
    Avx512,
    /// 8 lanes, 16 registers, fused multiply-add.
    Avx2,
    /// 8 lanes of plain Rust, for every other machine.
    Portable,
}

impl Isa {
    /// The widest this machine has. `CSPINE_ISA=avx2|portable` asks for less, to test the narrower kernels.
    pub fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let at_most = std::env::var("CSPINE_ISA").unwrap_or_default();
            if at_most == "portable" {
                return Isa::Portable;
            }
            #[cfg(target_arch = "x86_64")]
            {
                let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                if avx2
                    && at_most != "avx2"
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                {
                    return Isa::Avx512;
                }
                if avx2 {
                    return Isa::Avx2;
                }
            }
            Isa::Portable
        })
    }

    /// Values in a vector.
    pub fn lanes(self) -> usize {
        if self == Isa::Avx512 { 16 } else { 8 }
    }

    /// Rows and vectors of columns of a tile: as many accumulators as the registers hold beside a row's value and the
    /// columns' weights. With no register to spare (4 × 3 of 16) the compiler keeps accumulators in memory.
    pub fn tile(self) -> [usize; 2] {
        match self {
            Isa::Avx512 => [8, 3],
            Isa::Avx2 => [6, 2],
            Isa::Portable => [4, 3],
        }
    }
}

/// Runs a loop compiled for the machine's vectors. It must be small enough to be inlined whole.
#[inline]
pub fn vectorised<R>(body: impl FnOnce() -> R) -> R {
    match Isa::detect() {
        // SAFETY: `detect` found the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { x86::with_avx512(body) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { x86::with_avx2(body) },
        _ => body(),
    }
}

/// A loop written over [`Simd`].
pub trait Kernel {
    /// Does the work. To be `#[inline(always)]`, so that it is compiled for the instructions it is called with.
    ///
    /// # Safety
    /// The machine has `S`'s instructions.
    unsafe fn run<S: Simd>(self);
}

/// Runs a kernel on the machine's widest vectors.
pub fn vector_kernel(kernel: impl Kernel) {
    match Isa::detect() {
        // SAFETY: `detect` found the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { x86::with_avx512(|| kernel.run::<Avx512>()) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { x86::with_avx2(|| kernel.run::<Avx2>()) },
        // SAFETY: every machine has these.
        _ => unsafe { kernel.run::<Portable>() },
    }
}

/// The few operations the kernels need. All are `unsafe`: the caller has checked that the machine has the instructions.
pub trait Simd {
    /// Values in a vector.
    const LANES: usize;
    /// A vector.
    type V: Copy;
    /// All zero.
    unsafe fn zero() -> Self::V;
    /// One value in every lane.
    unsafe fn splat(p: *const f32) -> Self::V;
    /// `LANES` values, unaligned.
    unsafe fn load(p: *const f32) -> Self::V;
    /// `LANES` values, unaligned.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each lane and zero; a NaN stays, so that a broken input is noticed.
    unsafe fn relu(v: Self::V) -> Self::V;
    /// Lane by lane `(x, x_tag)` where x is larger than y or a NaN, else `(y, y_tag)`.
    unsafe fn larger(x: Self::V, x_tag: Self::V, y: Self::V, y_tag: Self::V) -> (Self::V, Self::V);
    /// The sum of its lanes.
    unsafe fn sum(v: Self::V) -> f32;
    /// `LANES` whole numbers below 256, as bytes.
    unsafe fn store_bytes(p: *mut u8, v: Self::V);
    /// `sum`, plus `v` in the lanes whose byte is `byte`.
    unsafe fn add_where(sum: Self::V, v: Self::V, bytes: *const u8, byte: u8) -> Self::V;
}

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

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Simd;

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    pub fn with_avx512<R>(body: impl FnOnce() -> R) -> R {
        body()
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn with_avx2<R>(body: impl FnOnce() -> R) -> R {
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
}
