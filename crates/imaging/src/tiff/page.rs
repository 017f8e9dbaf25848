//! What a directory says of its page, checked.

use super::damaged;
use super::directory::{Directory, File, HEIGHT, WIDTH};
use crate::{DecodeError, Limit, Limits};

const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES_PER_PIXEL: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTE_COUNTS: u16 = 279;
const PLANAR_CONFIGURATION: u16 = 284;
const PREDICTOR: u16 = 317;
const COLOUR_MAP: u16 = 320;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
const JPEG_TABLES: u16 = 347;
/// Pixels of a tile's side. TIFF 6.0 asks for 16; many tiny tiles would cost more time than their pixels.
const TILE_SIDE_MIN: u32 = 8;
/// Bytes of JPEG tables, which every strip or tile reads anew: four and eight tables have at most 2.8 kB.
const JPEG_TABLES_MAX: usize = 4096;
/// Samples of a pixel; colour, alpha and a few that nobody reads.
const SAMPLES_MAX: u64 = 8;

/// A page: how its samples lie in the file and what they mean.
pub(super) struct Page<'a> {
    pub width: u32,
    pub height: u32,
    /// Of a pixel, extra ones included.
    pub samples: usize,
    /// Bits of a sample, 1 to 16.
    pub bits: u32,
    pub signed: bool,
    pub meaning: Meaning,
    /// Which of the samples is transparency.
    pub alpha: Option<usize>,
    pub compression: Compression,
    /// Whether a sample was coded as its difference to that on the left.
    pub predicted: bool,
    /// Whether the bits of a byte begin with the lowest.
    pub lowest_first: bool,
    /// Whether each chunk carries one sample of its pixels.
    pub planar: bool,
    /// Pixels of a strip or tile.
    pub chunk: (usize, usize),
    /// Whether chunks are tiles: those at the border are whole.
    pub tiled: bool,
    /// Where each chunk begins, and its bytes, or 0 if that is not said.
    pub chunks: Vec<(u64, u64)>,
    /// Red, green and blue of each value, one after the other.
    pub palette: Vec<u16>,
    pub jpeg_tables: &'a [u8],
}

/// What the samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Grey {
        inverted: bool,
    },
    Rgb,
    Palette,
    /// Luminance and two colour differences.
    Ybr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Lzw,
    Deflate,
    PackBits,
    Zstd,
    Jpeg,
}

impl<'a> Page<'a> {
    pub fn read(file: &File<'a>, directory: &Directory, limits: &Limits) -> Result<Self, DecodeError> {
        let number = |tag, default| file.first(directory, tag).unwrap_or(default);
        let side = |tag| u32::try_from(number(tag, 0)).map_err(|_| DecodeError::OverLimit(Limit::Width));
        let (width, height) = (side(WIDTH)?, side(HEIGHT)?);
        let samples = number(SAMPLES_PER_PIXEL, 1);
        if !(1..=SAMPLES_MAX).contains(&samples) {
            return Err(DecodeError::Unsupported("a TIFF page of that many samples"));
        }
        let planar = number(PLANAR_CONFIGURATION, 1) == 2;
        let planes = if planar { samples } else { 1 };
        // The samples, the luminance, what is transparent and where the chunks are, and beside them the largest chunk.
        limits.check_pixels(width, height, 1, 2 * samples + 3 + planes.div_ceil(4))?;
        let (tiled, chunk) = chunk_size(file, directory, (width, height))?;
        limits.check_pixels(chunk.0, chunk.1, 1, 8 * samples)?;
        let meaning = meaning(number(PHOTOMETRIC, u64::MAX), samples)?;
        let (across, down) = (u64::from(width.div_ceil(chunk.0)), u64::from(height.div_ceil(chunk.1)));
        if tiled && across * down * u64::from(chunk.0) * u64::from(chunk.1) > limits.max_pixels {
            return Err(DecodeError::OverLimit(Limit::Pixels)); // tiles that reach far beyond the page
        }
        let bits = bits(file, directory)?;
        let page = Self {
            width,
            height,
            samples: samples as usize,
            bits,
            signed: is_signed(file, directory)?,
            meaning,
            alpha: alpha(file, directory, samples, meaning),
            compression: compression(number(COMPRESSION, 1))?,
            predicted: match number(PREDICTOR, 1) {
                1 => false,
                2 => true,
                _ => return Err(DecodeError::Unsupported("a TIFF predictor")),
            },
            lowest_first: number(FILL_ORDER, 1) == 2,
            planar,
            chunk: (chunk.0 as usize, chunk.1 as usize),
            tiled,
            chunks: chunks(file, directory, tiled).take((across * down * planes) as usize).collect(),
            palette: file.numbers(directory, COLOUR_MAP).take(3 << bits).map(|value| value as u16).collect(),
            jpeg_tables: file.raw(directory, JPEG_TABLES).unwrap_or_default(),
        };
        page.check()?;
        Ok(page)
    }

    fn check(&self) -> Result<(), DecodeError> {
        let (across, down) = self.grid();
        if self.chunks.len() < across * down * if self.planar { self.samples } else { 1 } {
            return Err(damaged("a TIFF page without all of its strips or tiles"));
        }
        if self.meaning == Meaning::Palette && self.palette.len() < 3 << self.bits {
            return Err(damaged("a TIFF palette that is too short"));
        }
        if self.meaning == Meaning::Ybr && self.compression != Compression::Jpeg {
            return Err(DecodeError::Unsupported("a TIFF page that shares its colour between pixels"));
        }
        // Readers differ: some add up what is not a difference.
        let predicts = matches!(self.compression, Compression::Lzw | Compression::Deflate | Compression::Zstd);
        if self.predicted && !predicts {
            return Err(DecodeError::Unsupported("a TIFF predictor without a compression that predicts"));
        }
        if self.jpeg_tables.len() > JPEG_TABLES_MAX {
            return Err(DecodeError::Unsupported("a TIFF page of larger JPEG tables than there are"));
        }
        Ok(())
    }

    /// Chunks across and down.
    pub fn grid(&self) -> (usize, usize) {
        ((self.width as usize).div_ceil(self.chunk.0), (self.height as usize).div_ceil(self.chunk.1))
    }
}

/// Whether the page is tiled, and the size of a chunk.
fn chunk_size(file: &File<'_>, directory: &Directory, size: (u32, u32)) -> Result<(bool, (u32, u32)), DecodeError> {
    let side = |tag| file.first(directory, tag).and_then(|side| u32::try_from(side).ok());
    let (tiled, chunk) = match (side(TILE_WIDTH), side(TILE_HEIGHT)) {
        (Some(width), Some(height)) => (true, (width, height)),
        _ => (false, (size.0, side(ROWS_PER_STRIP).unwrap_or(size.1).min(size.1))),
    };
    if chunk.0 == 0 || chunk.1 == 0 {
        return Err(damaged("strips or tiles without pixels"));
    }
    if tiled && (chunk.0 < TILE_SIDE_MIN || chunk.1 < TILE_SIDE_MIN) {
        return Err(DecodeError::Unsupported("TIFF tiles of under 8 pixels a side"));
    }
    Ok((tiled, chunk))
}

fn chunks<'a>(file: &File<'a>, directory: &Directory, tiled: bool) -> impl Iterator<Item = (u64, u64)> + use<'a> {
    let (offsets, counts) = if tiled { (TILE_OFFSETS, TILE_BYTE_COUNTS) } else { (STRIP_OFFSETS, STRIP_BYTE_COUNTS) };
    let counts = file.numbers(directory, counts).chain(std::iter::repeat(0));
    file.numbers(directory, offsets).zip(counts)
}

fn meaning(photometric: u64, samples: u64) -> Result<Meaning, DecodeError> {
    match (photometric, samples) {
        (0, _) => Ok(Meaning::Grey { inverted: true }),
        (1, _) => Ok(Meaning::Grey { inverted: false }),
        (2, 3..) => Ok(Meaning::Rgb),
        (3, _) => Ok(Meaning::Palette),
        (6, 3..) => Ok(Meaning::Ybr),
        _ => Err(DecodeError::Unsupported("a TIFF photometric interpretation")),
    }
}

fn compression(number: u64) -> Result<Compression, DecodeError> {
    match number {
        1 => Ok(Compression::None),
        5 => Ok(Compression::Lzw),
        7 => Ok(Compression::Jpeg),
        8 | 32946 => Ok(Compression::Deflate),
        32773 => Ok(Compression::PackBits),
        50000 => Ok(Compression::Zstd),
        _ => Err(DecodeError::Unsupported("a TIFF compression")),
    }
}

fn bits(file: &File<'_>, directory: &Directory) -> Result<u32, DecodeError> {
    let first = file.first(directory, BITS_PER_SAMPLE).unwrap_or(1);
    if !(1..=16).contains(&first) || file.numbers(directory, BITS_PER_SAMPLE).any(|bits| bits != first) {
        return Err(DecodeError::Unsupported("TIFF samples of other than 1 to 16 bits, all alike"));
    }
    Ok(first as u32)
}

fn is_signed(file: &File<'_>, directory: &Directory) -> Result<bool, DecodeError> {
    let first = file.first(directory, SAMPLE_FORMAT).unwrap_or(1);
    if file.numbers(directory, SAMPLE_FORMAT).any(|format| format != first) {
        return Err(DecodeError::Unsupported("TIFF samples that are not all alike"));
    }
    match first {
        1 | 4 => Ok(false), // unsigned, or not said
        2 => Ok(true),
        _ => Err(DecodeError::Unsupported("floating-point pixels")),
    }
}

/// The place of the first extra sample that is transparency.
fn alpha(file: &File<'_>, directory: &Directory, samples: u64, meaning: Meaning) -> Option<usize> {
    let colours = if matches!(meaning, Meaning::Rgb | Meaning::Ybr) { 3 } else { 1 };
    let extra = file.numbers(directory, EXTRA_SAMPLES).position(|kind| kind == 1 || kind == 2)?;
    Some(colours + extra).filter(|&place| place < samples as usize)
}
