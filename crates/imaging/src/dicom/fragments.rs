//! Pixel data in fragments (PS3.5 annex A.4): which of them make the first frame.

use std::borrow::Cow;

use cspine_domain::{Note, Notes};

use super::dataset::{PixelData, malformed};
use super::element::{Element, Reader, UNDEFINED};
use super::layout::Layout;
use super::tags;
use super::transfer_syntax::{Codec, TransferSyntax};
use crate::{DecodeError, Limit};

/// Fragments of encapsulated pixel data: 16 bytes of memory each.
const FRAGMENTS_MAX: usize = 1 << 16;

/// Reads the pixel data whose header was read.
pub(super) fn read<'a>(reader: &mut Reader<'a>, element: &Element) -> Result<PixelData<'a>, DecodeError> {
    if element.length != UNDEFINED {
        return Ok(PixelData::Native(reader.value(element)?));
    }
    let mut fragments = Vec::new();
    while !ends(reader, fragments.len()) {
        let item = reader.element(reader.bytes.len())?;
        match item.tag {
            tags::ITEM if item.length == UNDEFINED => return Err(malformed("a fragment without a length")),
            tags::ITEM if fragments.len() > FRAGMENTS_MAX => return Err(DecodeError::OverLimit(Limit::Memory)),
            tags::ITEM => fragments.push(reader.value(&item)?.bytes),
            tags::SEQUENCE_END => break,
            _ => return Err(malformed("pixel data that are no fragments")),
        }
    }
    let mut items = fragments.into_iter();
    let offsets = items.next().ok_or(malformed("pixel data without an offset table"))?;
    Ok(PixelData::Encapsulated(offsets, items.collect()))
}

/// Whether the file ends here without the delimiter, at once or after zeros; what is cut within a fragment does not.
fn ends(reader: &mut Reader<'_>, fragments: usize) -> bool {
    let rest = &reader.bytes[reader.at..];
    let ends = fragments > 1 && (rest.first().is_none_or(|&byte| byte == 0)) && rest.iter().all(|&byte| byte == 0);
    if ends {
        reader.notes.insert(Note::MissingDelimiter);
    }
    ends
}

/// The bytes of the first frame.
pub(super) struct FrameBytes<'a> {
    pub bytes: Cow<'a, [u8]>,
    /// The value representation of pixels that lie in no fragments.
    pub vr: Option<[u8; 2]>,
}

/// The first frame, and what follows it where nothing parts them: its compressed stream, or its pixels.
pub(super) fn first_frame<'a>(
    data: &PixelData<'a>,
    layout: &Layout,
    syntax: &TransferSyntax,
    notes: &mut Notes,
) -> Result<FrameBytes<'a>, DecodeError> {
    let (offsets, fragments) = match data {
        PixelData::Native(value) if syntax.codec == Codec::Native => {
            return Ok(FrameBytes { bytes: Cow::Borrowed(value.bytes), vr: value.vr });
        }
        PixelData::Native(_) => return Err(malformed("pixel data not in the form of their transfer syntax")),
        PixelData::Encapsulated(offsets, fragments) => (offsets, fragments),
    };
    let bytes = join(offsets, fragments, layout.frames)?;
    match syntax.codec {
        Codec::Native => {
            // Compressed pixels under the wrong name have another length.
            let frame = layout.pixels() * usize::from(layout.samples) * layout.bytes();
            if bytes.len() != frame && bytes.len() != frame.next_multiple_of(2) {
                return Err(malformed("pixel data not in the form of their transfer syntax"));
            }
            if !syntax.encapsulated {
                notes.insert(Note::EncapsulatedNative);
            }
        }
        // A frame of RLE is one fragment (PS3.5 A.4.2).
        Codec::Rle if bytes.len() > fragments[0].len() => {
            notes.insert(Note::ManyFragments);
        }
        _ => {}
    }
    Ok(FrameBytes { bytes, vr: None })
}

/// The fragments of the first frame.
fn join<'a>(offsets: &[u8], fragments: &[&'a [u8]], frames: u64) -> Result<Cow<'a, [u8]>, DecodeError> {
    let (first, rest) = fragments.split_first().ok_or(malformed("no fragment"))?;
    if rest.is_empty() || fragments.len() as u64 == frames {
        return Ok(Cow::Borrowed(first));
    }
    let next = offsets.as_chunks().0.get(1).map(|&offset| u32::from_le_bytes(offset));
    let end = if frames > 1 { next.unwrap_or(u32::MAX) } else { u32::MAX };
    let mut at = 0_u64; // offsets count the items' headers
    let mut stream = Vec::new();
    for fragment in fragments {
        if at >= u64::from(end) {
            break;
        }
        stream.extend_from_slice(fragment);
        at += fragment.len() as u64 + 8;
    }
    Ok(Cow::Owned(stream))
}
