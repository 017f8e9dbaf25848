//! JPEG 2000 (ITU-T T.800): its main header is held against the data set before the codec sees the stream.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::dataset::malformed;
use super::layout::Layout;
use crate::DecodeError;

const SOC_SIZ: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
const COD: u8 = 0x52;
const COC: u8 = 0x53;
const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
/// Tiles of an image; each costs the codec memory of its own.
const TILES_MAX: u64 = 4096;
/// Pixels of the smallest code block, as an exponent of two.
const CODE_BLOCK_MIN: u8 = 8;
/// Pixels of the whole image for each precinct of any resolution, and precincts that are allowed anyway.
const PIXELS_PER_PRECINCT: u64 = 64;
const PRECINCTS_FREE: u64 = 4096;

/// Decodes one frame to words, pixel by pixel.
pub(super) fn decode(stream: &[u8], layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    // Some writers wrap the codestream into a JP2 file; the boxes around it would only contradict the data set.
    let start = stream.windows(4).position(|window| window == SOC_SIZ);
    let stream = &stream[start.ok_or(malformed("no JPEG 2000 codestream"))?..];
    let signed = check_size(stream, layout)?;
    check_partition(stream, layout)?;

    let corrupt = |_| malformed("a corrupt JPEG 2000 codestream");
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    let image = Image::new(stream, &settings).map_err(corrupt)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(corrupt)?;
    let components = decoded.components();
    if components.len() != usize::from(layout.samples)
        || components.iter().any(|component| component.samples().len() != layout.pixels())
    {
        return Err(malformed("a JPEG 2000 codestream of another size than it says"));
    }
    let mut words = vec![0; layout.pixels() * components.len()];
    for (at, component) in components.iter().enumerate() {
        // The codec lifts every sample by half the range, which it must not where samples are signed.
        let half = 1 << (component.bit_depth() - 1);
        let lift = if signed { half } else { 0 };
        for (word, &sample) in words.iter_mut().skip(at).step_by(components.len()).zip(component.samples()) {
            *word = ((sample.round() as i32).clamp(0, 2 * half - 1) - lift) as u16;
        }
    }
    Ok(words)
}

/// Holds the SIZ segment against the data set; gives whether samples are signed.
fn check_size(stream: &[u8], layout: &Layout) -> Result<bool, DecodeError> {
    const SHORT: DecodeError = malformed("a JPEG 2000 codestream that ends within its headers");
    let number = |at: usize| -> Result<u64, DecodeError> {
        let bytes = stream.get(at..).and_then(<[u8]>::first_chunk).ok_or(SHORT)?;
        Ok(u32::from_be_bytes(*bytes).into())
    };
    let (width, height, left, top) = (number(8)?, number(12)?, number(16)?, number(20)?);
    let (tile_width, tile_height) = (number(24)?, number(28)?);
    let components = stream.get(40..).and_then(<[u8]>::first_chunk).ok_or(SHORT)?;
    let components = u16::from_be_bytes(*components);
    if width.checked_sub(left) != Some(layout.columns.into())
        || height.checked_sub(top) != Some(layout.rows.into())
        || components != layout.samples
    {
        return Err(malformed("a JPEG 2000 codestream of another size than rows, columns and samples say"));
    }
    if tile_width == 0 || tile_height == 0 {
        return Err(malformed("a JPEG 2000 codestream with tiles of no size"));
    }
    if width.div_ceil(tile_width) * height.div_ceil(tile_height) > TILES_MAX {
        return Err(DecodeError::Unsupported("a JPEG 2000 codestream of very many tiles"));
    }
    let formats = stream.get(42..42 + 3 * usize::from(components)).ok_or(SHORT)?;
    let first = formats[0];
    for &[format, step_x, step_y] in formats.as_chunks().0 {
        if format != first || u16::from(format & 0x7f) + 1 > layout.bits_allocated || (step_x, step_y) != (1, 1) {
            return Err(DecodeError::Unsupported("a JPEG 2000 codestream of uneven components"));
        }
    }
    Ok(first & 0x80 != 0)
}

/// Refuses partitions so fine that their bookkeeping outweighs the pixels many times over, in the main header and in
/// those of the tile parts.
fn check_partition(stream: &[u8], layout: &Layout) -> Result<(), DecodeError> {
    const SHORT: DecodeError = malformed("a JPEG 2000 codestream that ends within its headers");
    let wide = u16::from_be_bytes([stream[40], stream[41]]) > 256;
    let mut at = 2; // after SOC
    let mut tile_part = 0..0;
    while let Some(&[0xff, marker]) = stream.get(at..at + 2) {
        if marker == SOD {
            // A tile part of length 0 reaches to the end.
            if tile_part.end <= at {
                return Ok(());
            }
            at = tile_part.end;
            continue;
        }
        if marker == 0xd9 {
            return Ok(());
        }
        let length = stream.get(at + 2..at + 4).ok_or(SHORT)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
        let segment = stream.get(at + 4..at + 2 + length).ok_or(SHORT)?;
        match marker {
            SOT => {
                let part = segment.get(2..6).and_then(<[u8]>::first_chunk).ok_or(SHORT)?;
                tile_part = at..at + u32::from_be_bytes(*part) as usize;
            }
            COD => check_style(segment.first(), segment.get(5..), layout)?,
            COC if wide => check_style(segment.get(2), segment.get(3..), layout)?,
            COC => check_style(segment.get(1), segment.get(2..), layout)?,
            _ => {}
        }
        at += 2 + length;
    }
    Ok(())
}

/// A coding style: levels, code block width and height, block style, transformation, precincts where `style` says so.
fn check_style(style: Option<&u8>, parameters: Option<&[u8]>, layout: &Layout) -> Result<(), DecodeError> {
    let (Some(style), Some(&[levels, width, height, _, _, ref sizes @ ..])) = (style, parameters) else {
        return Err(malformed("a JPEG 2000 coding style that is too short"));
    };
    let sizes = if style & 1 == 0 { &[] } else { sizes };
    let too_many = precincts(levels, sizes, layout) > PRECINCTS_FREE + layout.pixels() as u64 / PIXELS_PER_PRECINCT;
    if too_many || width.saturating_add(height).saturating_add(4) < CODE_BLOCK_MIN {
        return Err(DecodeError::Unsupported("a JPEG 2000 codestream of very fine partition"));
    }
    Ok(())
}

/// How many precincts the resolutions have, from the smallest on, each of half the next one's sides.
fn precincts(levels: u8, sizes: &[u8], layout: &Layout) -> u64 {
    let side = |pixels: u16, halvings: usize, exponent: u8| {
        let pixels = u64::from(pixels).div_ceil(1 << halvings.min(32));
        pixels.div_ceil(1 << exponent)
    };
    let of_resolution = |(resolution, size): (usize, &u8)| {
        let halvings = usize::from(levels).saturating_sub(resolution);
        side(layout.columns, halvings, size & 0xf) * side(layout.rows, halvings, size >> 4)
    };
    sizes.iter().enumerate().map(of_resolution).sum()
}
