//! The strips or tiles of a page, put together.

use cspine_domain::{Note, Notes};

use super::page::{Compression, Page};
use super::{File, damaged, packing, samples};
use crate::DecodeError;
use crate::jpeg::{self, Header};

/// `width * height * samples` samples, pixel by pixel.
pub(super) fn read(file: &File<'_>, page: &Page<'_>, notes: &mut Notes) -> Result<Vec<u16>, DecodeError> {
    let (width, height) = (page.width as usize, page.height as usize);
    let (across, down) = page.grid();
    let carried = if page.planar { 1 } else { page.samples };
    let mut picture = vec![0; width * height * page.samples];
    let mut budget = budget(file, page);
    for (number, &chunk) in page.chunks.iter().enumerate() {
        let (plane, place) = (number / (across * down), number % (across * down));
        let (left, top) = (place % across * page.chunk.0, place / across * page.chunk.1);
        // A strip ends with the page; a tile does not.
        let rows = if page.tiled { page.chunk.1 } else { page.chunk.1.min(height - top) };
        let packed = packed(file, page, chunk, rows * row_bytes(page, carried))?;
        budget = budget.checked_sub(packed.len()).ok_or(OVERLAP)?;
        let values = if page.compression == Compression::Jpeg {
            jpeg_samples(page, packed, rows, carried, notes)?
        } else {
            chunk_samples(file, page, packed, rows, carried)?
        };
        let columns = page.chunk.0.min(width - left);
        let lines = values.chunks_exact(page.chunk.0 * carried).take(height - top);
        for (y, line) in lines.enumerate() {
            let start = ((top + y) * width + left) * page.samples + plane;
            if page.planar {
                let target = picture[start..].iter_mut().step_by(page.samples);
                target.zip(&line[..columns]).for_each(|(sample, &value)| *sample = value);
            } else {
                picture[start..][..columns * carried].copy_from_slice(&line[..columns * carried]);
            }
        }
    }
    Ok(picture)
}

const OVERLAP: DecodeError = DecodeError::Unsupported("a TIFF page whose strips or tiles share their bytes");

/// Packed bytes that all chunks of a page may have together. Without it thousands of chunks could each be the whole file.
fn budget(file: &File<'_>, page: &Page<'_>) -> usize {
    let carried = if page.planar { 1 } else { page.samples };
    let raw = page.chunks.len().saturating_mul(row_bytes(page, carried) * page.chunk.1);
    file.bytes.len().saturating_add(raw).saturating_mul(16).saturating_add(1 << 20)
}

/// Bytes of a chunk's row before it is packed.
fn row_bytes(page: &Page<'_>, carried: usize) -> usize {
    (page.chunk.0 * carried * page.bits as usize).div_ceil(8)
}

/// The packed bytes of a chunk that has `raw` bytes.
fn packed<'a>(
    file: &File<'a>,
    page: &Page<'_>,
    (offset, count): (u64, u64),
    raw: usize,
) -> Result<&'a [u8], DecodeError> {
    const OUTSIDE: DecodeError = damaged("a strip or tile that lies outside the file");
    let rest = usize::try_from(offset).ok().and_then(|offset| file.bytes.get(offset..)).ok_or(OUTSIDE)?;
    // The length of what is not packed is known; some writers say another, or none.
    let length = if page.compression == Compression::None { raw } else { usize::try_from(count).unwrap_or(0) };
    let packed = rest.get(..if length == 0 { rest.len() } else { length }).ok_or(OUTSIDE)?;
    // No packing makes bytes that much longer; what lies beyond is not looked at.
    let headers = if page.compression == Compression::Jpeg { 1 << 16 } else { 1 << 10 };
    Ok(&packed[..packed.len().min(8 * raw + headers)])
}

/// The samples of one chunk, `carried` a pixel.
fn chunk_samples(
    file: &File<'_>,
    page: &Page<'_>,
    packed: &[u8],
    rows: usize,
    carried: usize,
) -> Result<Vec<u16>, DecodeError> {
    let reversed: Vec<u8>;
    let packed = if page.lowest_first {
        reversed = packed.iter().map(|byte| byte.reverse_bits()).collect();
        &reversed
    } else {
        packed
    };
    let row_bytes = row_bytes(page, carried);
    let bytes = packing::unpack(page.compression, packed, row_bytes * rows)?;
    let mut values = samples::read(&bytes, row_bytes, page.chunk.0 * carried, page.bits, file.big_endian);
    if page.predicted {
        samples::undo_prediction(&mut values, page.chunk.0 * carried, carried, page.bits);
    }
    Ok(values)
}

/// A chunk that is a JPEG stream; its tables may lie in the directory.
fn jpeg_samples(
    page: &Page<'_>,
    chunk: &[u8],
    rows: usize,
    carried: usize,
    notes: &mut Notes,
) -> Result<Vec<u16>, DecodeError> {
    let joined: Vec<u8>;
    let stream = match (page.jpeg_tables, chunk) {
        ([0xff, 0xd8, tables @ .., 0xff, 0xd9], [0xff, 0xd8, rest @ ..]) => {
            joined = [&[0xff, 0xd8], tables, rest].concat();
            &joined
        }
        _ => chunk,
    };
    let header = Header::read(stream)?;
    // Some writers fill up the last strip.
    let fits = usize::from(header.width) == page.chunk.0 && (rows..=page.chunk.1).contains(&usize::from(header.height));
    if !fits || header.components.len() != carried || u32::from(header.precision) != page.bits {
        return Err(damaged("a JPEG strip or tile of another size than its page says"));
    }
    let jpeg::Picture { samples, ended } = jpeg::decode(stream, &header)?;
    if !ended {
        notes.insert(Note::MissingEndMarker);
    }
    if samples.iter().any(|&sample| u32::from(sample) >> page.bits != 0) {
        return Err(damaged("a JPEG strip or tile of larger samples than its page says"));
    }
    Ok(samples)
}
