//! JPEG 2000 (ITU-T T.800, and T.814 for high throughput): its main header is held against the data set before a codec sees
//! the stream.

mod codestream;

use std::borrow::Cow;

use cspine_domain::{Note, Notes};
use dicom_toolkit_jpeg2000::{DecodeSettings, Image};

use super::dataset::malformed;
use super::frame::Frame;
use super::layout::Layout;
use crate::DecodeError;
use codestream::Codestream;

const END: [u8; 2] = [0xff, 0xd9];
/// Where the format of the first component stands in a codestream; three bytes each.
const FORMATS: usize = 42;

/// Decodes one frame.
pub(super) fn decode(stream: &[u8], layout: &Layout) -> Result<Frame, DecodeError> {
    let codestream = Codestream::read(stream, layout)?;
    let mut notes = Notes::new();
    let bytes = if codestream.ended {
        Cow::Borrowed(codestream.bytes)
    } else {
        notes.insert(Note::MissingEndMarker);
        Cow::Owned([codestream.bytes, &END].concat())
    };
    let mut samples = decode_samples(&bytes, &codestream, layout)?;
    conform(&mut samples, (codestream.depth, codestream.signed), layout, &mut notes);
    Ok(Frame { samples, photometric: layout.photometric, notes })
}

/// The samples as numbers of the codestream's own depth and sign.
fn decode_samples(bytes: &[u8], codestream: &Codestream<'_>, layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    // The codec makes values of such that are up to 2 % of the range off.
    if codestream.high_throughput && !codestream.reversible {
        return Err(DecodeError::Unsupported("a high-throughput JPEG 2000 codestream that is not lossless"));
    }
    let corrupt = |_| malformed("a corrupt JPEG 2000 codestream");
    // The codec cuts off negative samples: it is told that they are lifted by half the range, as unsigned ones are.
    let mut unsigned = bytes.to_vec();
    for component in 0..usize::from(layout.samples) {
        unsigned[FORMATS + 3 * component] &= 0x7f;
    }
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    let decoded = Image::new(&unsigned, &settings).map_err(corrupt)?.decode_native().map_err(corrupt)?;
    let lift = if codestream.signed { 1 << (codestream.depth - 1) } else { 0 };
    let samples: Vec<u16> = match decoded.bytes_per_sample {
        1 => decoded.data.iter().map(|&byte| u16::from(byte).wrapping_sub(lift)).collect(),
        _ => decoded.data.as_chunks().0.iter().map(|&word| u16::from_le_bytes(word).wrapping_sub(lift)).collect(),
    };
    if samples.len() == layout.pixels() * usize::from(layout.samples) {
        Ok(samples)
    } else {
        Err(malformed("a JPEG 2000 codestream of another size than it says"))
    }
}

/// Takes the bits of a stream's samples, of its depth and sign, for those of the header's sign, as pydicom does where the
/// two disagree.
pub(super) fn conform(samples: &mut [u16], (depth, signed): (u8, bool), layout: &Layout, notes: &mut Notes) {
    if signed != layout.signed || (signed && u16::from(depth) < layout.bits_stored) {
        notes.insert(Note::StreamDepth);
    }
    let shift = 16 - u32::from(depth);
    for sample in samples {
        let raised = *sample << shift;
        *sample = if layout.signed { (raised.cast_signed() >> shift).cast_unsigned() } else { raised >> shift };
    }
}
