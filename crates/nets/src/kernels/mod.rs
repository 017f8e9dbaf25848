//! The arithmetic, on plain slices: no Candle, no allocation policy, no files.
//!
//! Activations are NHWC (`[images, height, width, channels]`, row-major), so that a kernel row of a window is one
//! contiguous run of `kernel_width × channels` values and channels fill the vector registers. Every result is the same
//! whatever the number of threads: work is split by shape, and partial sums are added in a fixed order.

pub mod conv;
pub mod dense;
pub mod map;
pub mod norm;
pub mod pool;
pub mod simd;
mod tile;
mod winograd;

/// A base address that tasks share; each writes only what is its own.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut(pub *mut f32);

// SAFETY: every use hands disjoint ranges to the tasks.
unsafe impl Send for SharedMut {}
// SAFETY: as above.
unsafe impl Sync for SharedMut {}

impl SharedMut {
    /// The address `offset` values on; a method, so that closures capture the whole struct.
    ///
    /// # Safety
    /// `offset` lies within the slice this came from.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset) }
    }
}
