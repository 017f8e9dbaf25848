//! Pixel padding (PS3.3 C.7.5.1.1.2): what a device filled up the picture with, which is no part of it.

use cspine_domain::{Note, Notes};

use super::dataset::Dataset;
use super::layout::Layout;
use super::tags;
use crate::DecodeError;

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
    pub fn read(dataset: &Dataset<'_>, layout: &Layout, notes: &mut Notes) -> Result<Option<Self>, DecodeError> {
        // Its sign is that of the pixels, whatever was written.
        let meaning = |word: i32| if layout.signed { i32::from(word as i16) } else { i32::from(word as u16) };
        let number = |tag, what| dataset.word(tag, what).map(|word| word.map(meaning));
        let value = number(tags::PIXEL_PADDING_VALUE, "a pixel padding value that is no such number")?;
        let Some(value) = value else { return Ok(None) };
        let limit = number(tags::PIXEL_PADDING_RANGE_LIMIT, "a pixel padding range limit that is no such number")?;
        let limit = limit.unwrap_or(value);
        let (low, high) = (value.min(limit), value.max(limit));
        let (smallest, largest) = layout.range();
        let beyond = low < smallest || high > largest;
        if beyond {
            notes.insert(Note::PaddingOutOfRange);
        }
        Ok(Some(Self { low, high, within: low <= largest && high >= smallest, beyond }))
    }

    /// Whether a sample as it stands in its word is padding.
    pub fn covers(&self, sample: u16, layout: &Layout) -> bool {
        let range = self.low..=self.high;
        (self.within && range.contains(&layout.meaning(layout.index(sample) as u16)))
            || (self.beyond && range.contains(&layout.full(sample)))
    }
}
