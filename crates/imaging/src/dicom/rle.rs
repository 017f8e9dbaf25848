//! RLE Lossless (PS3.5 annex G): a byte plane a segment, each packed by PackBits.

use super::dataset::malformed;
use super::layout::Layout;
use crate::DecodeError;

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
        unpack(packed, &mut plane).ok_or(malformed("an RLE segment that ends too soon"))?;
        // The most significant byte of a sample comes first: what is there moves up.
        let sample = segment / layout.bytes();
        for (word, &byte) in words.iter_mut().skip(sample).step_by(samples).zip(&plane) {
            *word = *word << 8 | u16::from(byte);
        }
    }
    Ok(words)
}

/// Fills the plane; `None` if the segment ends before it is full. What follows is padding.
fn unpack(mut packed: &[u8], plane: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while at < plane.len() {
        let (&control, rest) = packed.split_first()?;
        packed = rest;
        let room = plane.len() - at;
        let control = control.cast_signed();
        if control >= 0 {
            let length = control as usize + 1;
            let literal = packed.get(..length)?;
            packed = &packed[length..];
            let kept = length.min(room);
            plane[at..at + kept].copy_from_slice(&literal[..kept]);
            at += kept;
        } else if control != i8::MIN {
            let (&byte, rest) = packed.split_first()?;
            packed = rest;
            let kept = (1 - isize::from(control)).unsigned_abs().min(room);
            plane[at..at + kept].fill(byte);
            at += kept;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::unpack;

    #[test]
    fn packbits_unpacks_literals_and_runs_and_ignores_padding() {
        let mut plane = [0; 8];
        assert_eq!(unpack(&[2, 1, 2, 3, 0x80, 0xfc, 9, 0, 7], &mut plane), Some(()));
        assert_eq!(plane, [1, 2, 3, 9, 9, 9, 9, 9]);
        assert_eq!(unpack(&[2, 1, 2], &mut plane), None);
        assert_eq!(unpack(&[], &mut plane), None);
        assert_eq!(unpack(&[0x80], &mut plane), None);
    }
}
