//! Vectors of f32 on AVX-512, AVX2 with FMA, or plain arrays, chosen once for the machine.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod paired;
mod portable;

pub(super) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use {avx2::Avx2, avx512::Avx512, paired::Paired};

/// The instruction sets there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// 16 lanes, 32 registers.
    Avx512,
    /// AVX-512's sums on AVX2's registers: to test them on a machine without AVX-512. Never chosen unasked.
    Paired,
    /// 8 lanes, 16 registers, fused multiply-add.
    Avx2,
    /// 8 lanes of plain Rust, for every other machine.
    Portable,
}

impl Isa {
    /// All of them, the widest first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Paired, Self::Avx2, Self::Portable];

    /// The one in use: the one that `CSPINE_ISA` names if the machine has it, else the widest.
    pub fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(|| Self::choose(&std::env::var("CSPINE_ISA").unwrap_or_default()))
    }

    fn choose(asked: &str) -> Self {
        let available = || Self::ALL.into_iter().filter(|isa| isa.is_available());
        let widest = || available().find(|isa| *isa != Self::Paired);
        available().find(|isa| isa.as_str() == asked).or_else(widest).unwrap_or(Self::Portable)
    }

    /// As `CSPINE_ISA` names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Paired => "paired",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether this machine has its instructions.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        let avx2 = || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        match self {
            Self::Avx512 => {
                avx2()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
            }
            Self::Paired | Self::Avx2 => avx2(),
            Self::Portable => true,
        }
    }

    /// Whether this machine has its instructions.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        self == Self::Portable
    }

    /// Values in a vector.
    pub(super) fn lanes(self) -> usize {
        match self {
            Self::Avx512 | Self::Paired => 16,
            Self::Avx2 | Self::Portable => 8,
        }
    }

    /// Rows and vectors of columns of a tile: as many accumulators as the registers hold beside a row's value and the
    /// columns' weights. With no register to spare (4 × 3 of 16) the compiler keeps accumulators in memory.
    pub(super) fn tile(self) -> [usize; 2] {
        match self {
            Self::Avx512 | Self::Paired => [8, 3],
            Self::Avx2 => [6, 2],
            Self::Portable => [4, 3],
        }
    }
}

/// Runs a loop compiled for the machine's vectors. It must be small enough to be inlined whole.
#[inline]
pub(super) fn vectorised<R>(body: impl FnOnce() -> R) -> R {
    match Isa::detect() {
        // SAFETY: `detect` found the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::with_avx512(body) },
        // SAFETY: as above. What is left to the compiler rounds the same on vectors of any width: it reorders no sum.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Paired => unsafe { avx2::with_avx2(body) },
        _ => body(),
    }
}

/// A loop written over [`Simd`].
pub(super) trait Kernel {
    /// Does the work. To be `#[inline(always)]`, so that it is compiled for the instructions it is called with.
    ///
    /// # Safety
    /// The machine has `S`'s instructions.
    unsafe fn run<S: Simd>(self);
}

/// Runs a kernel on the machine's widest vectors.
pub(super) fn vector_kernel(kernel: impl Kernel) {
    match Isa::detect() {
        // SAFETY: `detect` found the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::with_avx512(|| kernel.run::<Avx512>()) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Paired => unsafe { avx2::with_avx2(|| kernel.run::<Paired>()) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::with_avx2(|| kernel.run::<Avx2>()) },
        // SAFETY: every machine has these.
        _ => unsafe { kernel.run::<Portable>() },
    }
}

/// The few operations the kernels need. All are `unsafe`: the caller has checked that the machine has the instructions.
pub(super) trait Simd {
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

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn the_instruction_set_that_is_asked_for_is_used_if_the_machine_has_it_and_pairs_only_if_asked_for() {
        let widest = Isa::choose("");
        assert!(widest.is_available() && widest != Isa::Paired);
        assert_eq!(Isa::choose("sse9"), widest);
        for isa in Isa::ALL {
            assert_eq!(Isa::choose(isa.as_str()), if isa.is_available() { isa } else { widest });
        }
    }
}
