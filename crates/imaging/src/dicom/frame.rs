//! The samples of the first frame.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::{DynamicImage, ImageDecoder};
use jpeg_decoder::PixelFormat;

use super::dataset::{Dataset, PixelData, Value, malformed};
use super::layout::{Layout, Photometric};
use super::transfer_syntax::Codec;
use super::{jpeg2000, rle};
use crate::{DecodeError, jpeg};

/// `pixels * samples` words as stored, pixel by pixel.
pub(super) struct Frame {
    pub samples: Vec<u16>,
    /// Whether the codec has already made RGB of YBR.
    pub converted: bool,
}

/// Reads or decompresses the first frame.
pub(super) fn first(dataset: &Dataset<'_>, layout: &Layout, codec: Codec) -> Result<Frame, DecodeError> {
    let raw = |samples| Frame { samples, converted: false };
    let frame = match (dataset.pixel_data.as_ref().ok_or(malformed("no pixel data"))?, codec) {
        (PixelData::Native(value), Codec::Native) => raw(native(*value, layout, dataset.big_endian)?),
        (PixelData::Encapsulated(_, fragments), Codec::Rle) => {
            // A frame of RLE is one fragment (PS3.5 A.4.2).
            raw(rle::decode(fragments.first().ok_or(malformed("no fragment"))?, layout)?)
        }
        (PixelData::Encapsulated(offsets, fragments), Codec::Jpeg) => {
            decode_jpeg(&stream(offsets, fragments, layout.frames)?, layout)?
        }
        (PixelData::Encapsulated(offsets, fragments), Codec::Jpeg2000) => {
            raw(jpeg2000::decode(&stream(offsets, fragments, layout.frames)?, layout)?)
        }
        _ => return Err(malformed("pixel data not in the form of their transfer syntax")),
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

/// The compressed stream of the first frame, which may lie in several fragments.
fn stream<'a>(offsets: &[u8], fragments: &[&'a [u8]], frames: u64) -> Result<Cow<'a, [u8]>, DecodeError> {
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

fn decode_jpeg(stream: &[u8], layout: &Layout) -> Result<Frame, DecodeError> {
    let header = jpeg::scan(stream).map_err(malformed)?;
    if (header.width, header.height) != (layout.columns, layout.rows) || u16::from(header.components) != layout.samples
    {
        return Err(malformed("a JPEG stream of another size than rows, columns and samples say"));
    }
    if !header.supported || (!header.lossless && header.precision != 8) {
        return Err(DecodeError::Unsupported("a JPEG process other than 8-bit Huffman and lossless"));
    }
    if u16::from(header.precision) > layout.bits_allocated {
        return Err(malformed("a JPEG stream of more bits than are allocated"));
    }
    if header.lossless { lossless(stream) } else { lossy(stream) }
}

fn lossy(stream: &[u8]) -> Result<Frame, DecodeError> {
    let corrupt = |_| malformed("a corrupt JPEG stream");
    let mut decoder = JpegDecoder::new(Cursor::new(stream)).map_err(corrupt)?;
    decoder.set_limits(image::Limits::no_limits()).map_err(corrupt)?; // its size is ours
    let samples = match DynamicImage::from_decoder(decoder).map_err(corrupt)? {
        DynamicImage::ImageLuma8(pixels) => pixels.into_raw(),
        DynamicImage::ImageRgb8(pixels) => pixels.into_raw(),
        _ => return Err(malformed("a JPEG stream of unknown channels")),
    };
    Ok(Frame { samples: samples.into_iter().map(u16::from).collect(), converted: true })
}

fn lossless(stream: &[u8]) -> Result<Frame, DecodeError> {
    let corrupt = |_| malformed("a corrupt lossless JPEG stream");
    let mut decoder = jpeg_decoder::Decoder::new(stream);
    let bytes = decoder.decode().map_err(corrupt)?;
    let samples = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::L8 | PixelFormat::RGB24) => bytes.into_iter().map(u16::from).collect(),
        Some(PixelFormat::L16) => bytes.as_chunks().0.iter().map(|&word| u16::from_ne_bytes(word)).collect(),
        _ => return Err(DecodeError::Unsupported("a lossless JPEG stream of these channels")),
    };
    Ok(Frame { samples, converted: false })
}
