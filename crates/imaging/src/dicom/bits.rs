//! The bits of a word over its sample: overlays, signs and rubbish may lie there, or the rest of a value that says less.

use cspine_domain::{Note, Notes};

use super::dataset::{Dataset, malformed};
use super::layout::Layout;
use super::tags::{self, Tag};
use crate::DecodeError;

/// Holds the bits over the samples against what may lie there, where any sample uses them.
///
/// # Errors
/// They may be a part of the values: then Bits Stored is wrong, and leaving them out, as pydicom, dcmtk and GDCM do, would
/// show another picture.
pub(super) fn check(
    samples: impl Iterator<Item = u16> + Clone,
    dataset: &Dataset<'_>,
    layout: &Layout,
    notes: &mut Notes,
) -> Result<(), DecodeError> {
    let above = samples.clone().map(|sample| layout.above(sample));
    let (any, every) = above.clone().fold((0, u32::MAX), |(any, every), bits| (any | bits, every & bits));
    if any == 0 || (layout.signed && samples.clone().all(|sample| layout.above(sample) == layout.sign_above(sample))) {
        return Ok(());
    }
    // An overlay lies where the header says, or leaves a gap to the values; what is the same in all samples is no value.
    let overlays = layout.above(overlay_bits(dataset));
    if any & !overlays == 0 || any & 1 == 0 || any == every {
        notes.insert(Note::UnusedBits);
        return Ok(());
    }
    Err(malformed("samples of more bits than are stored"))
}

/// The bits in which the header says that overlays lie (60xx,0102).
fn overlay_bits(dataset: &Dataset<'_>) -> u16 {
    let position = |group: Tag| dataset.u16(tags::OVERLAY_BIT_POSITION + (group << 17), "").ok().flatten();
    (0..16).filter_map(position).filter(|&position| position < 16).fold(0, |bits, position| bits | 1 << position)
}
