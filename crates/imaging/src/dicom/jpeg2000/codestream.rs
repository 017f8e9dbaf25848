//! The markers of a JPEG 2000 codestream: size, partition and completeness.

use crate::DecodeError;
use crate::dicom::dataset::malformed;
use crate::dicom::layout::Layout;

const SOC_SIZ: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
const COD: u8 = 0x52;
const COC: u8 = 0x53;
const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
const EOC: u8 = 0xd9;
/// Tiles of an image; each costs the codec memory of its own.
const TILES_MAX: u64 = 4096;
/// Pixels of the smallest code block, as an exponent of two.
const CODE_BLOCK_MIN: u8 = 8;
/// Pixels of the whole image for each precinct of any resolution, and precincts that are allowed anyway.
const PIXELS_PER_PRECINCT: u64 = 64;
const PRECINCTS_FREE: u64 = 4096;
const SHORT: DecodeError = malformed("a JPEG 2000 codestream that ends within its headers");

/// A codestream that agrees with the data set and holds all of its tile parts.
pub(super) struct Codestream<'a> {
    /// From its start marker on, without padding where its end marker is missing.
    pub bytes: &'a [u8],
    /// Bits of a sample.
    pub depth: u8,
    pub signed: bool,
    /// Whether its end marker is there.
    pub ended: bool,
    /// Whether its blocks are coded for high throughput (T.814).
    pub high_throughput: bool,
    /// Whether its transformation loses nothing.
    pub reversible: bool,
}

impl<'a> Codestream<'a> {
    /// Some writers wrap the codestream into a JP2 file; the boxes around it would only contradict the data set.
    pub fn read(stream: &'a [u8], layout: &Layout) -> Result<Self, DecodeError> {
        let start = stream.windows(4).position(|window| window == SOC_SIZ);
        let bytes = &stream[start.ok_or(malformed("no JPEG 2000 codestream"))?..];
        let (format, tiles) = check_size(bytes, layout)?;
        let mut codestream = Self {
            bytes,
            depth: (format & 0x7f) + 1,
            signed: format & 0x80 != 0,
            ended: false,
            high_throughput: false,
            reversible: true,
        };
        codestream.walk(layout, tiles)?;
        Ok(codestream)
    }

    /// Goes through the main header and the tile parts. It refuses partitions so fine that their bookkeeping outweighs
    /// the pixels many times over.
    ///
    /// Decoders fill what is missing with grey, and half a neck looks normal: a stream without its end marker must hold
    /// every tile part that it announces.
    fn walk(&mut self, layout: &Layout, tiles: usize) -> Result<(), DecodeError> {
        const CUT: DecodeError = malformed("a JPEG 2000 codestream that ends within its pixels");
        let mut parts = TileParts { left: vec![None; tiles] };
        let mut at = 2; // after SOC
        let mut part_end = 0;
        while let Some(&[0xff, marker]) = self.bytes.get(at..at + 2) {
            match marker {
                SOD if part_end <= at => {
                    // A tile part of length 0 reaches to the end marker, the last bytes but for one of padding.
                    let padded = self.bytes.strip_suffix(&[0]).unwrap_or(self.bytes);
                    self.ended = padded.ends_with(&[0xff, EOC]);
                    return if self.ended { Ok(()) } else { Err(CUT) };
                }
                SOD => {
                    at = part_end;
                    continue;
                }
                EOC => {
                    self.ended = true;
                    break;
                }
                _ => {}
            }
            let length = self.bytes.get(at + 2..at + 4).ok_or(SHORT)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            let segment = self.bytes.get(at + 4..at + 2 + length).ok_or(SHORT)?;
            match marker {
                SOT => part_end = parts.add(segment, at)?,
                COD => self.check_style(segment.first(), segment.get(5..), layout)?,
                COC => {
                    let index = if u16::from_be_bytes([self.bytes[40], self.bytes[41]]) > 256 { 2 } else { 1 };
                    self.check_style(segment.get(index), segment.get(index + 1..), layout)?;
                }
                _ => {}
            }
            at += 2 + length;
        }
        if !self.ended {
            // What stands behind the last tile part is padding.
            self.bytes = self.bytes.get(..at).ok_or(CUT)?;
        }
        if parts.complete() { Ok(()) } else { Err(CUT) }
    }

    /// A coding style: levels, code block width and height, block style, transformation, precincts where `style` says so.
    fn check_style(
        &mut self,
        style: Option<&u8>,
        parameters: Option<&[u8]>,
        layout: &Layout,
    ) -> Result<(), DecodeError> {
        let (Some(style), Some(&[levels, width, height, block_style, transformation, ref sizes @ ..])) =
            (style, parameters)
        else {
            return Err(malformed("a JPEG 2000 coding style that is too short"));
        };
        self.high_throughput |= block_style & 0x40 != 0;
        self.reversible &= transformation == 1;
        let sizes = if style & 1 == 0 { &[] } else { sizes };
        let too_many = precincts(levels, sizes, layout) > PRECINCTS_FREE + layout.pixels() as u64 / PIXELS_PER_PRECINCT;
        if too_many || width.saturating_add(height).saturating_add(4) < CODE_BLOCK_MIN {
            return Err(DecodeError::Unsupported("a JPEG 2000 codestream of very fine partition"));
        }
        Ok(())
    }
}

/// By tile: how many of its parts are still to come; 0 too where their number is not said.
struct TileParts {
    left: Vec<Option<u8>>,
}

impl TileParts {
    /// Reads an SOT segment; gives where its tile part ends, or 0.
    fn add(&mut self, segment: &[u8], at: usize) -> Result<usize, DecodeError> {
        let &[tile1, tile0, l3, l2, l1, l0, part, count, ..] = segment else { return Err(SHORT) };
        let tile = usize::from(u16::from_be_bytes([tile1, tile0]));
        let left = self.left.get_mut(tile).ok_or(malformed("a JPEG 2000 tile that is outside the image"))?;
        // Each part may name their number, or leave it to another.
        let before = left.unwrap_or(0);
        *left = Some(if count == 0 { before.saturating_sub(1) } else { count.saturating_sub(part).saturating_sub(1) });
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        Ok(if length == 0 { 0 } else { at + length })
    }

    fn complete(&self) -> bool {
        self.left.iter().all(|left| *left == Some(0))
    }
}

/// Holds the SIZ segment against the data set; gives the format of a sample and the number of tiles.
fn check_size(stream: &[u8], layout: &Layout) -> Result<(u8, usize), DecodeError> {
    let number = |at: usize| -> Result<u64, DecodeError> {
        let bytes = stream.get(at..).and_then(<[u8]>::first_chunk).ok_or(SHORT)?;
        Ok(u32::from_be_bytes(*bytes).into())
    };
    let (width, height, left, top) = (number(8)?, number(12)?, number(16)?, number(20)?);
    let (tile_width, tile_height) = (number(24)?, number(28)?);
    let (tile_left, tile_top) = (number(32)?, number(36)?);
    let components = stream.get(40..).and_then(<[u8]>::first_chunk).ok_or(SHORT)?;
    let components = u16::from_be_bytes(*components);
    if width.checked_sub(left) != Some(layout.columns.into())
        || height.checked_sub(top) != Some(layout.rows.into())
        || components != layout.samples
    {
        return Err(malformed("a JPEG 2000 codestream of another size than rows, columns and samples say"));
    }
    if tile_width == 0 || tile_height == 0 || tile_left > left || tile_top > top {
        return Err(malformed("a JPEG 2000 codestream with impossible tiles"));
    }
    let tiles = (width - tile_left).div_ceil(tile_width) * (height - tile_top).div_ceil(tile_height);
    if tiles > TILES_MAX {
        return Err(DecodeError::Unsupported("a JPEG 2000 codestream of very many tiles"));
    }
    let formats = stream.get(42..42 + 3 * usize::from(components)).ok_or(SHORT)?;
    let first = formats[0];
    for &[format, step_x, step_y] in formats.as_chunks().0 {
        if format != first || u16::from(format & 0x7f) + 1 > layout.bits_allocated || (step_x, step_y) != (1, 1) {
            return Err(DecodeError::Unsupported("a JPEG 2000 codestream of uneven components"));
        }
    }
    Ok((first, tiles as usize))
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
