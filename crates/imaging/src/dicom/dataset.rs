//! An iterative reader of DICOM files (PS3.10, PS3.5 chapter 7) that takes nothing on trust.
//!
//! It never recurses, allocates nothing by a declared length, and keeps slices of the wanted attributes only. General
//! readers recurse into nested sequences and reserve what a length declares, either of which aborts the process.

use std::collections::BTreeMap;

use super::tags::{self, Tag};
use super::transfer_syntax::Encoding;
use crate::{DecodeError, Limit, MediaType};

/// Sequences within sequences.
const DEPTH_MAX: usize = 32;
/// Fragments of encapsulated pixel data: 16 bytes of memory each.
const FRAGMENTS_MAX: usize = 1 << 16;
const UNDEFINED: u32 = u32::MAX;

/// The wanted attributes of a data set, and its pixel data.
#[derive(Debug, Default)]
pub(super) struct Dataset<'a> {
    pub big_endian: bool,
    /// By sequence and tag; the sequence is 0 for the data set itself, and of a sequence the first item is kept.
    values: BTreeMap<(Tag, Tag), Value<'a>>,
    pub pixel_data: Option<PixelData<'a>>,
}

/// An attribute's bytes as they stand in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    pub bytes: &'a [u8],
    /// The value representation; `None` where it is implicit.
    pub vr: Option<[u8; 2]>,
}

#[derive(Debug)]
pub(super) enum PixelData<'a> {
    Native(Value<'a>),
    /// The basic offset table and the fragments.
    Encapsulated(&'a [u8], Vec<&'a [u8]>),
}

/// An error about the file's structure.
pub(super) const fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed(MediaType::Dicom, what)
}

/// Reads a data set up to and including its pixel data; what follows is padding and signatures.
pub(super) fn read(bytes: &[u8], encoding: Encoding) -> Result<Dataset<'_>, DecodeError> {
    let mut dataset = Dataset { big_endian: encoding.big_endian, ..Dataset::default() };
    let mut reader = Reader { bytes, at: 0, encoding };
    let mut open: Vec<Open> = Vec::new();
    loop {
        while open.last().is_some_and(|inner| inner.end == Some(reader.at)) {
            open.pop();
        }
        reader.encoding.implicit = open.last().map_or(encoding.implicit, |inner| inner.implicit);
        let end = open.last().map_or(bytes.len(), |inner| inner.limit);
        if reader.at == end && open.is_empty() {
            return Ok(dataset);
        }
        let element = reader.element(end)?;
        match element.tag {
            tags::ITEM => {
                let sequence = open.last_mut().filter(|outer| outer.kind == Kind::Sequence);
                let sequence = sequence.ok_or(malformed("an item outside a sequence"))?;
                sequence.items += 1;
                let item = Open { kind: Kind::Item, items: sequence.items, ..*sequence };
                open.push(item.bounded(&reader, element.length));
            }
            tags::ITEM_END | tags::SEQUENCE_END => {
                let kind = if element.tag == tags::ITEM_END { Kind::Item } else { Kind::Sequence };
                match open.pop() {
                    Some(inner) if inner.kind == kind && inner.end.is_none() => {}
                    _ => return Err(malformed("a delimiter that closes nothing")),
                }
            }
            _ if open.last().is_some_and(|outer| outer.kind == Kind::Sequence) => {
                return Err(malformed("an attribute between the items of a sequence"));
            }
            tags::PIXEL_DATA if open.is_empty() => {
                dataset.pixel_data = Some(reader.pixel_data(&element)?);
                return Ok(dataset);
            }
            _ if is_sequence(&element, open.is_empty()) => {
                if open.len() >= 2 * DEPTH_MAX {
                    return Err(DecodeError::OverLimit(Limit::Depth));
                }
                let sequence = Open {
                    kind: Kind::Sequence,
                    // Only sequences of the data set itself are wanted; 1 is no sequence's tag.
                    tag: if open.is_empty() { element.tag } else { 1 },
                    items: 0,
                    end: None,
                    limit: end,
                    // PS3.5 section 6.2.2: a sequence that was written as unknown is implicit inside.
                    implicit: reader.encoding.implicit || element.vr == Some(*b"UN"),
                };
                open.push(sequence.bounded(&reader, element.length));
            }
            _ => {
                let value = reader.value(&element)?;
                let (sequence, items) = open.last().map_or((0, 1), |item| (item.tag, item.items));
                if items == 1 && tags::is_wanted(sequence, element.tag) {
                    dataset.values.entry((sequence, element.tag)).or_insert(value);
                }
            }
        }
    }
}

/// Whether an element is to be walked into. Others of a defined length are skipped as a whole, whatever they hold.
fn is_sequence(element: &Element, at_top: bool) -> bool {
    element.length == UNDEFINED || (at_top && tags::is_wanted_sequence(element.tag))
}

/// A sequence or item being read.
#[derive(Clone, Copy)]
struct Open {
    kind: Kind,
    tag: Tag,
    /// Items of the sequence so far.
    items: u32,
    /// Where it ends, if it said so; else a delimiter ends it.
    end: Option<usize>,
    /// Where it must have ended: its own end, or that of what it lies in.
    limit: usize,
    implicit: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sequence,
    Item,
}

impl Open {
    fn bounded(mut self, reader: &Reader<'_>, length: u32) -> Self {
        self.end = (length != UNDEFINED).then(|| reader.at + length as usize);
        self.limit = self.end.unwrap_or(self.limit);
        self
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
}

/// The header of a data element.
struct Element {
    tag: Tag,
    vr: Option<[u8; 2]>,
    length: u32,
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self, end: usize) -> Result<[u8; N], DecodeError> {
        let taken = self.bytes[..end].get(self.at..).and_then(<[u8]>::first_chunk);
        self.at += N;
        taken.copied().ok_or(malformed("the file ends within an element"))
    }

    fn u16(&mut self, end: usize) -> Result<u16, DecodeError> {
        let bytes = self.take(end)?;
        Ok(if self.encoding.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self, end: usize) -> Result<u32, DecodeError> {
        let bytes = self.take(end)?;
        Ok(if self.encoding.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Reads an element's header, and holds its length against `end`.
    fn element(&mut self, end: usize) -> Result<Element, DecodeError> {
        let tag = Tag::from(self.u16(end)?) << 16 | Tag::from(self.u16(end)?);
        let (vr, length) = if self.encoding.implicit || tag >> 16 == 0xfffe {
            (None, self.u32(end)?)
        } else {
            let vr: [u8; 2] = self.take(end)?;
            let length = match &vr {
                b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT"
                | b"UV" => {
                    let _reserved: [u8; 2] = self.take(end)?;
                    self.u32(end)?
                }
                b"AE" | b"AS" | b"AT" | b"CS" | b"DA" | b"DS" | b"DT" | b"FD" | b"FL" | b"IS" | b"LO" | b"LT"
                | b"PN" | b"SH" | b"SL" | b"SS" | b"ST" | b"TM" | b"UI" | b"UL" | b"US" => self.u16(end)?.into(),
                _ => return Err(malformed("no value representation where one must stand")),
            };
            (Some(vr), length)
        };
        if length != UNDEFINED && length as usize > end - self.at {
            return Err(malformed("an element longer than what is left"));
        }
        Ok(Element { tag, vr, length })
    }

    fn value(&mut self, element: &Element) -> Result<Value<'a>, DecodeError> {
        let end = self.at.saturating_add(element.length as usize);
        let bytes = self.bytes.get(self.at..end).ok_or(malformed("an element longer than what is left"))?;
        self.at = end;
        Ok(Value { bytes, vr: element.vr })
    }

    fn pixel_data(&mut self, element: &Element) -> Result<PixelData<'a>, DecodeError> {
        if element.length != UNDEFINED {
            return Ok(PixelData::Native(self.value(element)?));
        }
        let mut fragments = Vec::new();
        loop {
            let item = self.element(self.bytes.len())?;
            match item.tag {
                tags::ITEM if item.length == UNDEFINED => return Err(malformed("a fragment without a length")),
                tags::ITEM if fragments.len() > FRAGMENTS_MAX => return Err(DecodeError::OverLimit(Limit::Memory)),
                tags::ITEM => fragments.push(self.value(&item)?.bytes),
                tags::SEQUENCE_END => break,
                _ => return Err(malformed("pixel data that are no fragments")),
            }
        }
        let mut items = fragments.into_iter();
        let offsets = items.next().ok_or(malformed("pixel data without an offset table"))?;
        Ok(PixelData::Encapsulated(offsets, items.collect()))
    }
}

impl<'a> Dataset<'a> {
    /// The attribute of the data set itself.
    pub fn value(&self, tag: Tag) -> Option<Value<'a>> {
        self.value_in(0, tag)
    }

    /// The attribute in the first item of a sequence.
    pub fn value_in(&self, sequence: Tag, tag: Tag) -> Option<Value<'a>> {
        self.values.get(&(sequence, tag)).copied().filter(|value| !value.bytes.is_empty())
    }

    /// 16-bit numbers, as many as there are.
    pub fn u16s(&self, value: Value<'a>) -> impl Iterator<Item = u16> + use<'a> {
        let big_endian = self.big_endian;
        value
            .bytes
            .as_chunks()
            .0
            .iter()
            .map(move |&bytes| if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    /// The first 16-bit number.
    pub fn u16(&self, tag: Tag) -> Option<u16> {
        self.value(tag).and_then(|value| self.u16s(value).next())
    }

    /// The first of the decimal or integer strings.
    pub fn decimal(&self, tag: Tag) -> Option<f64> {
        self.value(tag)?.parts().next()?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The first of the strings of a short code; `None` unless it is printable ASCII of at most 64 characters.
    pub fn code(&self, tag: Tag) -> Option<&'a str> {
        self.value(tag)?.parts().next().filter(|text| !text.is_empty())
    }
}

impl<'a> Value<'a> {
    /// The values of a text without their padding; one that is not printable ASCII or over 64 characters is empty.
    pub fn parts(self) -> impl Iterator<Item = &'a str> {
        self.bytes.split(|&byte| byte == b'\\').map(|part| {
            let part = part.trim_ascii_end();
            let part = part.strip_suffix(b"\0").unwrap_or(part).trim_ascii();
            let printable = part.len() <= 64 && part.iter().all(|byte| (0x20..0x7f).contains(byte));
            std::str::from_utf8(part).ok().filter(|_| printable).unwrap_or("")
        })
    }
}
