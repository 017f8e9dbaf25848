//! TIFF 6.0 and BigTIFF, as far as radiographs are kept in them.
//!
//! The crate `tiff` reads no packed 12 bits, no palettes, no grey with alpha, and zstd only by a library in C. Directories,
//! strips, tiles and samples are therefore read here; what packs them (deflate, LZW, zstd) is left to crates.
//!
//! ```text
//! file --directory--> all pages --page--> the largest one, checked --chunks--> samples --shown--> grey
//! ```

mod chunks;
mod directory;
mod packing;
mod page;
mod samples;
mod shown;

pub(crate) use directory::{File, ORIENTATION};

use crate::raster::Picture;
use crate::{DecodeError, Fault, Limits, MediaType};
use cspine_domain::{Note, Notes};
use page::Page;

const fn damaged(what: &'static str) -> DecodeError {
    DecodeError::Malformed(MediaType::Tiff, what)
}

/// Decodes the largest page: of a file with a thumbnail that is the radiograph. Of pages of one size it is the first.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, DecodeError> {
    let file = File::open(bytes).ok_or(damaged("no directory"))?;
    let directories = file.directories()?;
    let mut largest: Option<(usize, u64)> = None;
    for (at, directory) in directories.iter().enumerate() {
        let pixels = directory.pixels(&file);
        if pixels > largest.map_or(0, |(_, pixels)| pixels) {
            largest = Some((at, pixels));
        }
    }
    let (at, _) = largest.ok_or(DecodeError::Unsupported("an image without pixels"))?;
    let page = Page::read(&file, &directories[at], limits)?;
    let mut notes = Notes::new();
    let samples = chunks::read(&file, &page, &mut notes)?;
    let (grey, padding) = shown::grey(&page, samples)?;
    if at > 0 {
        notes.insert(Note::LargestPage);
    }
    if padding > 0 {
        notes.insert(Note::TransparentPixels);
    }
    let orientation = file.first(&directories[at], ORIENTATION).map(|number| number.try_into().unwrap_or(u16::MAX));
    Ok(Picture { width: page.width, height: page.height, grey, padding, orientation, notes })
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        fault.of(MediaType::Tiff)
    }
}
