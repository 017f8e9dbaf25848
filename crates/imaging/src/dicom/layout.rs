//! The Image Pixel module (PS3.3 C.7.6.3), checked.

use super::dataset::{Dataset, malformed};
use super::tags;
use crate::DecodeError;

/// How the samples of a frame lie and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub rows: u16,
    pub columns: u16,
    pub frames: u64,
    /// 1 or 3.
    pub samples: u16,
    pub photometric: Photometric,
    /// Three samples lie plane by plane.
    pub planar: bool,
    /// 8 or 16.
    pub bits_allocated: u16,
    /// 1 to `bits_allocated`.
    pub bits_stored: u16,
    /// How far a sample lies above its word's lowest bit.
    shift: u16,
    pub signed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    /// The lowest value is white when inverted (MONOCHROME1), else black.
    Monochrome {
        inverted: bool,
    },
    Palette,
    Rgb,
    /// Luminance and two colour differences over the full range.
    Ybr {
        /// Where it is not compressed, two pixels share their differences.
        shared: bool,
    },
}

impl Layout {
    pub fn read(dataset: &Dataset<'_>) -> Result<Self, DecodeError> {
        let needed = |tag, what| dataset.u16(tag).ok_or(malformed(what));
        let rows = needed(tags::ROWS, "no rows")?;
        let columns = needed(tags::COLUMNS, "no columns")?;
        if rows == 0 || columns == 0 {
            return Err(malformed("an image without pixels"));
        }
        let samples = dataset.u16(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        let bits_allocated = needed(tags::BITS_ALLOCATED, "no bits allocated")?;
        let bits_stored = dataset.u16(tags::BITS_STORED).unwrap_or(bits_allocated);
        let high_bit = dataset.u16(tags::HIGH_BIT).unwrap_or(bits_stored.wrapping_sub(1));
        if bits_allocated != 8 && bits_allocated != 16 {
            return Err(DecodeError::Unsupported("bits allocated other than 8 and 16"));
        }
        if bits_stored == 0 || bits_stored > bits_allocated || high_bit >= bits_allocated || high_bit + 1 < bits_stored
        {
            return Err(malformed("bits stored, bits allocated and high bit contradict each other"));
        }
        Ok(Self {
            rows,
            columns,
            frames: frames(dataset)?,
            samples,
            photometric: Photometric::read(dataset, samples)?,
            planar: dataset.u16(tags::PLANAR_CONFIGURATION) == Some(1),
            bits_allocated,
            bits_stored,
            shift: high_bit + 1 - bits_stored,
            signed: dataset.u16(tags::PIXEL_REPRESENTATION) == Some(1),
        })
    }

    /// Pixels of a frame.
    pub fn pixels(&self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }

    /// Bytes of a sample.
    pub fn bytes(&self) -> usize {
        usize::from(self.bits_allocated / 8)
    }

    /// The largest unsigned sample.
    pub fn max(&self) -> u16 {
        u16::MAX >> (16 - self.bits_stored)
    }

    /// The stored bits of a sample as a number from 0 to `max`; overlays in the other bits fall away.
    pub fn index(&self, sample: u16) -> usize {
        usize::from(sample >> self.shift & self.max())
    }

    /// What those bits mean.
    pub fn meaning(&self, index: u16) -> i32 {
        let half = 1 << (self.bits_stored - 1);
        let index = i32::from(index);
        if self.signed && index >= half { index - 2 * half } else { index }
    }
}

impl Photometric {
    fn read(dataset: &Dataset<'_>, samples: u16) -> Result<Self, DecodeError> {
        let word = dataset.code(tags::PHOTOMETRIC_INTERPRETATION).ok_or(malformed("no photometric interpretation"))?;
        match (word, samples) {
            ("MONOCHROME1", 1) => Ok(Photometric::Monochrome { inverted: true }),
            ("MONOCHROME2", 1) => Ok(Photometric::Monochrome { inverted: false }),
            ("PALETTE COLOR", 1) => Ok(Photometric::Palette),
            // The codec of JPEG 2000 undoes its own transformations, ICT and RCT.
            ("RGB" | "YBR_ICT" | "YBR_RCT", 3) => Ok(Photometric::Rgb),
            ("YBR_FULL", 3) => Ok(Photometric::Ybr { shared: false }),
            ("YBR_FULL_422", 3) => Ok(Photometric::Ybr { shared: true }),
            (_, 1 | 3) => Err(DecodeError::Unsupported("a photometric interpretation")),
            _ => Err(malformed("samples per pixel other than 1 and 3")),
        }
    }
}

fn frames(dataset: &Dataset<'_>) -> Result<u64, DecodeError> {
    let Some(value) = dataset.value(tags::NUMBER_OF_FRAMES) else { return Ok(1) };
    let frames = value.parts().next().and_then(|text| text.parse().ok()).filter(|&frames: &u64| frames > 0);
    frames.ok_or(malformed("a number of frames that is none"))
}
