//! Palettes (PS3.3 C.7.6.3.1.5, C.7.9): the colour of each stored value. That of a screenshot is often a ramp of grey.

use cspine_domain::{Note, Notes};

use super::dataset::Dataset;
use super::layout::Layout;
use super::lut::Lut;
use super::tags::{self, Tag};
use crate::DecodeError;

/// For each pattern of stored bits its red, green and blue, 0 to 65535. It has `layout.max() + 1` entries.
pub(super) fn table(dataset: &Dataset<'_>, layout: &Layout, notes: &mut Notes) -> Result<Vec<[u16; 3]>, DecodeError> {
    let (smallest, largest) = layout.range();
    let mut read = |descriptor: Tag, data: Tag| {
        let (descriptor, data) = (dataset.value(descriptor), dataset.value(data));
        // Tables in segments stand in other attributes.
        let (descriptor, data) =
            descriptor.zip(data).ok_or(DecodeError::Unsupported("a palette without plain tables"))?;
        Lut::of(dataset, (descriptor, data), (smallest.into(), largest.into()), notes)
    };
    let mut tables = [
        read(tags::RED_PALETTE_DESCRIPTOR, tags::RED_PALETTE)?,
        read(tags::GREEN_PALETTE_DESCRIPTOR, tags::GREEN_PALETTE)?,
        read(tags::BLUE_PALETTE_DESCRIPTOR, tags::BLUE_PALETTE)?,
    ];
    let max = depth(&tables, notes);
    tables.iter_mut().for_each(|table| table.max = max);
    let colour = |index: u16| {
        let value = f64::from(layout.meaning(index));
        tables.each_ref().map(|table| (table.share(value) * 65535.0).round() as u16)
    };
    Ok((0..=layout.max()).map(colour).collect())
}

/// The largest value of the bit depth that the three tables share. Some writers say 16 bits of entries of 8, which would
/// all be black.
fn depth(tables: &[Lut; 3], notes: &mut Notes) -> f64 {
    let max = tables.iter().map(|table| table.max).fold(0.0, f64::max);
    let largest = tables.iter().map(Lut::largest).max().unwrap_or(0);
    if max == 65535.0 && (1..=255).contains(&largest) {
        notes.insert(Note::LutDescriptor);
        return 255.0;
    }
    max
}
