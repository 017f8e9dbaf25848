//! What a file may ask for.

use crate::{DecodeError, Limit};

/// Bounds on one image, held against its headers before anything is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Bytes of the file, and of a deflated data set once inflated.
    pub max_bytes: u64,
    /// Pixels in a row.
    pub max_width: u32,
    /// Rows.
    pub max_height: u32,
    /// Pixels of all frames together.
    pub max_pixels: u64,
    /// Bytes that decoding may hold at once, the file itself not counted.
    pub max_memory: u64,
}

impl Default for Limits {
    /// Four times the largest digital radiograph on the market in each respect: 128 MiB, 16,384², 64 Mpixel, 768 MiB.
    fn default() -> Self {
        Self {
            max_bytes: 128 << 20,
            max_width: 16_384,
            max_height: 16_384,
            max_pixels: 64 << 20,
            max_memory: 768 << 20,
        }
    }
}

impl Limits {
    /// Whether a file of this many bytes may be read.
    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), DecodeError> {
        within(bytes as u64, self.max_bytes, Limit::Bytes)
    }

    /// Whether `frames` images of this size may be decoded at `bytes_per_pixel`, the decoder's scratch included.
    pub(crate) fn check_pixels(
        &self,
        width: u32,
        height: u32,
        frames: u64,
        bytes_per_pixel: u64,
    ) -> Result<(), DecodeError> {
        let pixels = u64::from(width) * u64::from(height);
        within(width.into(), self.max_width.into(), Limit::Width)?;
        within(height.into(), self.max_height.into(), Limit::Height)?;
        within(pixels.saturating_mul(frames), self.max_pixels, Limit::Pixels)?;
        within(pixels.saturating_mul(bytes_per_pixel), self.max_memory, Limit::Memory)
    }
}

fn within(value: u64, max: u64, limit: Limit) -> Result<(), DecodeError> {
    if value <= max { Ok(()) } else { Err(DecodeError::OverLimit(limit)) }
}
