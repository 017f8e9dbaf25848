//! RLE Lossless (PS3.5 annex G): a byte plane a segment, each packed by PackBits.

use super::dataset::malformed;
use super::layout::Layout;
use crate::{DecodeError, packbits};

/// Fifteen segments at most, and their number before them.
const HEADER: usize = 64;

/// Decodes one frame to words, pixel by pixel.
pub(super) fn decode(fragment: &[u8], layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    let header = fragment.get(..HEADER).ok_or(malformed("an RLE header that is too short"))?;
    let header: Vec<usize> = header.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word) as usize).collect();
    let samples = usize::from(layout.samples);
    let count = samples * layout.bytes();
    if header[0] != count {
        return Err(malformed("another number of RLE segments than samples and bits say"));
    }
    let mut words = vec![0_u16; layout.pixels() * samples];
    let mut plane = vec![0_u8; layout.pixels()];
    for segment in 0..count {
        let end = if segment + 1 < count { header[segment + 2] } else { fragment.len() };
        let packed = fragment.get(header[segment + 1]..end).ok_or(malformed("an RLE segment that lies outside"))?;
        packbits::unpack(packed, &mut plane).ok_or(malformed("an RLE segment that ends too soon"))?;
        // The most significant byte of a sample comes first: what is there moves up.
        let sample = segment / layout.bytes();
        for (word, &byte) in words.iter_mut().skip(sample).step_by(samples).zip(&plane) {
            *word = *word << 8 | u16::from(byte);
        }
    }
    Ok(words)
}
