//! The directories of a TIFF file, of 32 or, in a BigTIFF file, 64 bits. EXIF blocks are such files too.
//!
//! It takes nothing on trust: a field whose values lie outside the file is as good as absent.

use std::ops::Range;

use crate::Fault;

pub(super) const NEW_SUBFILE_TYPE: u16 = 254;
pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
/// Tag 0x0112 of TIFF 6.0 and EXIF 2.32.
pub(crate) const ORIENTATION: u16 = 274;
const SUB_IFDS: u16 = 330;
/// Directories of a file. The largest page may be in any, so that a file of more is refused.
const DIRECTORIES_MAX: usize = 64;
/// Fields of a directory; more are none.
const FIELDS_MAX: usize = 4096;

/// A file and how its numbers are written.
#[derive(Clone, Copy)]
pub(crate) struct File<'a> {
    pub bytes: &'a [u8],
    pub big_endian: bool,
    wide: bool,
}

/// The fields of a directory.
pub(crate) struct Directory {
    fields: Vec<Field>,
}

/// A field: numbers of one size somewhere in the file.
struct Field {
    tag: u16,
    /// Bytes of a number.
    size: usize,
    values: Range<usize>,
}

impl<'a> File<'a> {
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        let (big_endian, wide) = match bytes.first_chunk()? {
            b"II\x2a\0" => (false, false),
            b"MM\0\x2a" => (true, false),
            b"II\x2b\0" => (false, true),
            b"MM\0\x2b" => (true, true),
            _ => return None,
        };
        Some(Self { bytes, big_endian, wide })
    }

    /// The directories in the order of their chain, each followed by its inner ones.
    ///
    /// # Errors
    /// A chain that leads outside the file or in a circle is damaged; one of over 64 directories is unsupported.
    pub fn directories(&self) -> Result<Vec<Directory>, Fault> {
        const OUTSIDE: Fault = Fault::Damaged("a directory that lies outside the file, or comes twice");
        let mut directories = Vec::new();
        let mut seen = Vec::new();
        let mut at = self.first_place().ok_or(OUTSIDE)?;
        while at != 0 {
            if seen.contains(&at) {
                return Err(OUTSIDE);
            }
            seen.push(at);
            let (directory, next) = self.directory(at).ok_or(OUTSIDE)?;
            let inner: Vec<u64> = self.numbers(&directory, SUB_IFDS).take(DIRECTORIES_MAX).collect();
            if directories.len() + 1 + inner.len() > DIRECTORIES_MAX {
                return Err(Fault::Unsupported("a TIFF file of over 64 directories"));
            }
            directories.push(directory);
            for place in inner {
                // One that is not there may be the radiograph, and what is there its thumbnail.
                let place = usize::try_from(place).map_err(|_| OUTSIDE)?;
                directories.push(self.directory(place).ok_or(OUTSIDE)?.0);
            }
            at = next;
        }
        Ok(directories)
    }

    /// The directory of this number in the chain, from 0.
    pub fn page(&self, number: usize) -> Option<Directory> {
        let mut at = self.first_place()?;
        for _ in 0..number {
            at = self.directory(at)?.1;
        }
        Some(self.directory(at).filter(|_| at != 0)?.0)
    }

    fn first_place(&self) -> Option<usize> {
        self.number(if self.wide { 8 } else { 4 }, self.word())
    }

    /// Reads the directory at a place, and where the next one is.
    fn directory(&self, at: usize) -> Option<(Directory, usize)> {
        let (count_size, field_size) = if self.wide { (8, 20) } else { (2, 12) };
        let count = self.number(at, count_size).filter(|&count| count <= FIELDS_MAX)?;
        let first = at.checked_add(count_size)?;
        let next = self.number(first + count * field_size, self.word())?;
        let fields = (0..count).filter_map(|index| self.field(first + index * field_size)).collect();
        Some((Directory { fields }, next))
    }

    fn field(&self, at: usize) -> Option<Field> {
        let size = match self.number(at + 2, 2)? {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 13 => 4,
            16..=18 => 8,
            _ => return None, // fractions, which we do not need
        };
        let length = self.number(at + 4, self.word())?.checked_mul(size)?;
        let inline = at + 4 + self.word();
        let start = if length <= self.word() { inline } else { self.number(inline, self.word())? };
        let values = start..start.checked_add(length)?;
        self.bytes.get(values.clone())?;
        Some(Field { tag: self.number(at, 2)? as u16, size, values })
    }

    /// The numbers of a field; none if it is absent.
    pub fn numbers(self, directory: &Directory, tag: u16) -> impl Iterator<Item = u64> + use<'a> {
        let (range, size) = match directory.field(tag) {
            Some(field) => (field.values.clone(), field.size),
            None => (0..0, 1),
        };
        self.bytes[range].chunks_exact(size).map(move |bytes| self.value(bytes))
    }

    /// The first number of a field.
    pub fn first(self, directory: &Directory, tag: u16) -> Option<u64> {
        self.numbers(directory, tag).next()
    }

    /// The bytes of a field.
    pub fn raw(self, directory: &Directory, tag: u16) -> Option<&'a [u8]> {
        self.bytes.get(directory.field(tag)?.values.clone())
    }

    /// Bytes of an offset.
    fn word(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    fn number(&self, at: usize, size: usize) -> Option<usize> {
        usize::try_from(self.value(self.bytes.get(at..at.checked_add(size)?)?)).ok()
    }

    /// An unsigned number of at most 8 bytes.
    fn value(&self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}

impl Directory {
    fn field(&self, tag: u16) -> Option<&Field> {
        self.fields.iter().find(|field| field.tag == tag)
    }

    /// Pixels of its page; 0 if it has none, or is the mask of another.
    pub fn pixels(&self, file: &File<'_>) -> u64 {
        let mask = file.first(self, NEW_SUBFILE_TYPE).is_some_and(|kind| kind & 4 != 0);
        let side = |tag| file.first(self, tag).unwrap_or(0);
        if mask { 0 } else { side(WIDTH).saturating_mul(side(HEIGHT)) }
    }
}
