//! High-throughput JPEG 2000 (ITU-T T.814) by `dicom-toolkit-jpeg2000`, a fork of `hayro-jpeg2000` that knows its blocks.
//!
//! Lossless codestreams only: of the others it makes values that are up to 2 % of the range off.

use dicom_toolkit_jpeg2000::{DecodeSettings, Image};

use super::codestream::Codestream;
use crate::DecodeError;
use crate::dicom::dataset::malformed;
use crate::dicom::layout::Layout;

/// Where the format of the first component stands; three bytes each.
const FORMATS: usize = 42;

/// The samples as numbers of the codestream's own depth and sign.
pub(super) fn decode(bytes: &[u8], codestream: &Codestream<'_>, layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    if !codestream.reversible {
        return Err(DecodeError::Unsupported("a high-throughput JPEG 2000 codestream that is not lossless"));
    }
    let corrupt = |_| malformed("a corrupt high-throughput JPEG 2000 codestream");
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
