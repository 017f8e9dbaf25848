//! The samples of the first frame.

use cspine_domain::Notes;

use super::dataset::{Value, malformed};
use super::layout::{Layout, Photometric};
use super::transfer_syntax::Codec;
use super::{jpeg, jpeg2000, rle};
use crate::DecodeError;

/// A frame as its codec gives it.
pub(super) struct Frame {
    /// `pixels * samples` words as stored, pixel by pixel.
    pub samples: Vec<u16>,
    /// What they mean, which a stream may know better than the header.
    pub photometric: Photometric,
    /// What of the stream was odd.
    pub notes: Notes,
}

/// Decompresses the stream of a frame, or reads its pixels.
pub(super) fn decode(stream: Value<'_>, layout: &Layout, codec: Codec, big_endian: bool) -> Result<Frame, DecodeError> {
    let raw = |samples| Frame { samples, photometric: layout.photometric, notes: Notes::new() };
    let frame = match codec {
        Codec::Native => raw(native(stream, layout, big_endian)?),
        Codec::Rle => raw(rle::decode(stream.bytes, layout)?),
        Codec::Jpeg => jpeg::decode(stream.bytes, layout)?,
        Codec::Jpeg2000 => jpeg2000::decode(stream.bytes, layout)?,
    };
    if frame.samples.len() == layout.pixels() * usize::from(layout.samples) {
        Ok(frame)
    } else {
        Err(malformed("a frame of another size than rows and columns say"))
    }
}

fn native(data: Value<'_>, layout: &Layout, big_endian: bool) -> Result<Vec<u16>, DecodeError> {
    if layout.photometric == (Photometric::Ybr { shared: true }) {
        return Err(DecodeError::Unsupported("uncompressed pixels that share their colour"));
    }
    let count = layout.pixels() * usize::from(layout.samples);
    let needed = count * layout.bytes();
    // Frames of three samples, or of pixels that share their colour, are at least twice as long as grey ones.
    if layout.said_colour && (data.bytes.len() as u64) / 2 >= layout.frames.saturating_mul(needed as u64) {
        return Err(malformed("pixels in colour of which one sample a pixel is said"));
    }
    let bytes = data.bytes.get(..needed).ok_or(malformed("pixel data shorter than a frame"))?;
    let samples: Vec<u16> = match (layout.bytes(), big_endian) {
        // The two bytes of each word have changed places, and an odd frame ends in the first byte of a word.
        (1, true) if data.vr == Some(*b"OW") => {
            let swapped = |i: usize| data.bytes.get(i ^ 1).copied().map(u16::from);
            (0..count).map(swapped).collect::<Option<_>>().ok_or(malformed("pixel data shorter than a frame"))?
        }
        (1, _) => bytes.iter().map(|&byte| byte.into()).collect(),
        (_, true) => bytes.as_chunks().0.iter().map(|&word| u16::from_be_bytes(word)).collect(),
        (_, false) => bytes.as_chunks().0.iter().map(|&word| u16::from_le_bytes(word)).collect(),
    };
    Ok(if layout.planar && layout.samples == 3 { interleave(&samples) } else { samples })
}

/// Three planes to pixels of three.
fn interleave(planes: &[u16]) -> Vec<u16> {
    let pixels = planes.len() / 3;
    (0..planes.len()).map(|i| planes[i % 3 * pixels + i / 3]).collect()
}
