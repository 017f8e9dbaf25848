//! Pixel padding (PS3.3 C.7.5.1.1.2): what a device filled up the picture with, which is no part of it.

use cspine_domain::{Note, Notes};

use super::dataset::Dataset;
use super::layout::{Layout, Photometric};
use super::tags;

/// The values that are padding.
pub(super) struct Padding {
    low: i32,
    high: i32,
    /// Whether a stored value may be padding.
    within: bool,
    /// Whether padding may lie outside the range of stored values, so that it takes a word's unused bits.
    beyond: bool,
}

impl Padding {
    /// Pixel Padding Value, up or down to Pixel Padding Range Limit if there is one; `None` without.
    pub fn read(dataset: &Dataset<'_>, layout: &Layout, notes: &mut Notes) -> Option<Self> {
        if !matches!(layout.photometric, Photometric::Monochrome { .. }) {
            return None;
        }
        // Its value representation is that of the pixels, whatever was written.
        let number = |tag| {
            let bits = dataset.u16(tag)?;
            Some(if layout.signed { bits.cast_signed().into() } else { i32::from(bits) })
        };
        let value = number(tags::PIXEL_PADDING_VALUE)?;
        let limit = number(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
        let (low, high) = (value.min(limit), value.max(limit));
        let (smallest, largest) = layout.range();
        let beyond = low < smallest || high > largest;
        if beyond {
            notes.insert(Note::PaddingOutOfRange);
        }
        Some(Self { low, high, within: low <= largest && high >= smallest, beyond })
    }

    /// Whether a sample as it stands in its word is padding.
    pub fn covers(&self, sample: u16, layout: &Layout) -> bool {
        let range = self.low..=self.high;
        (self.within && range.contains(&layout.meaning(layout.index(sample) as u16)))
            || (self.beyond && range.contains(&layout.full(sample)))
    }
}
