//! The wanted attributes of a data set, as slices of the file.
//!
//! Nothing is taken on trust: the reader (`walk.rs`) never recurses and allocates nothing by a declared length. General
//! readers recurse into nested sequences and reserve what a length declares, either of which aborts the process.

use std::collections::BTreeMap;

use super::decimal::{Decimal, trim};
use super::tags::{self, Tag};
use crate::scope::text::BYTES_MAX;
use crate::{DecodeError, MediaType};

/// How many items of a code sequence are read.
pub(super) const CODES_MAX: u32 = 8;

/// The wanted attributes of a data set, and its pixel data.
#[derive(Debug, Default)]
pub(super) struct Dataset<'a> {
    pub big_endian: bool,
    /// By sequence, item and tag; both are 0 for the data set itself.
    values: BTreeMap<(Tag, u32, Tag), Value<'a>>,
    /// How many items the wanted sequences have.
    items: BTreeMap<Tag, u32>,
    pub pixel_data: Option<PixelData<'a>>,
}

/// An attribute's bytes as they stand in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value<'a> {
    pub bytes: &'a [u8],
    /// The value representation; `None` where it is implicit.
    pub vr: Option<[u8; 2]>,
}

#[derive(Debug, PartialEq)]
pub(super) enum PixelData<'a> {
    Native(Value<'a>),
    /// The basic offset table and the fragments.
    Encapsulated(&'a [u8], Vec<&'a [u8]>),
}

/// An error about the file's structure.
pub(super) const fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed(MediaType::Dicom, what)
}

impl<'a> Dataset<'a> {
    /// One without attributes.
    pub fn new(big_endian: bool) -> Self {
        Self { big_endian, ..Self::default() }
    }

    /// The attribute of the data set itself.
    pub fn value(&self, tag: Tag) -> Option<Value<'a>> {
        self.value_of((0, 0, tag))
    }

    /// The attribute in the first item of a sequence.
    pub fn value_in(&self, sequence: Tag, tag: Tag) -> Option<Value<'a>> {
        self.value_of((sequence, 1, tag))
    }

    fn value_of(&self, key: (Tag, u32, Tag)) -> Option<Value<'a>> {
        self.values.get(&key).copied()
    }

    /// Keeps a value if it is wanted and not empty; `sequence` and `item` are 0 for the data set itself.
    ///
    /// # Errors
    /// The attribute has another value already: readers differ in which they take.
    pub fn keep(&mut self, sequence: Tag, item: u32, tag: Tag, value: Value<'a>) -> Result<(), DecodeError> {
        if value.bytes.is_empty() || !tags::is_wanted(sequence, tag) {
            return Ok(());
        }
        let kept = self.values.entry((sequence, item, tag)).or_insert(value);
        if kept.bytes == value.bytes { Ok(()) } else { Err(malformed("an attribute that is there twice")) }
    }

    /// Keeps the pixel data.
    ///
    /// # Errors
    /// There are others already.
    pub fn keep_pixels(&mut self, pixels: PixelData<'a>) -> Result<(), DecodeError> {
        if self.pixel_data.as_ref().is_some_and(|kept| *kept != pixels) {
            return Err(malformed("pixel data that are there twice"));
        }
        self.pixel_data = Some(pixels);
        Ok(())
    }

    /// Counts an item of a wanted sequence.
    pub fn count_item(&mut self, sequence: Tag) {
        *self.items.entry(sequence).or_default() += 1;
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

    /// The first 16-bit number, also one that was written as a longer number or as a text.
    ///
    /// # Errors
    /// It is there and cannot be read, or is over 16 bits: it must not count as absent.
    pub fn u16(&self, tag: Tag, what: &'static str) -> Result<Option<u16>, DecodeError> {
        let word = self.word(tag, what)?;
        if word.is_some_and(|word| word < 0) { Err(malformed(what)) } else { Ok(word.map(|word| word as u16)) }
    }

    /// The same, which may be negative where it was written with a sign: -32768 to 65535.
    pub fn word(&self, tag: Tag, what: &'static str) -> Result<Option<i32>, DecodeError> {
        let number = match self.number(tag) {
            Decimal::Absent => return Ok(None),
            Decimal::Number { value, .. } if value.fract() == 0.0 => value,
            _ => return Err(malformed(what)),
        };
        if (-32768.0..65536.0).contains(&number) { Ok(Some(number as i32)) } else { Err(malformed(what)) }
    }

    /// The first number, of whatever value representation; those of 16 bits have no sign.
    fn number(&self, tag: Tag) -> Decimal {
        let Some(value) = self.value(tag) else { return Decimal::Absent };
        let long = || {
            let bytes = *value.bytes.first_chunk()?;
            Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
        };
        let number = match value.vr.as_ref() {
            Some(b"IS" | b"DS") => return Decimal::parse(value.bytes),
            Some(b"UL") => long().map(f64::from),
            Some(b"SL") => long().map(|number| number.cast_signed().into()),
            None | Some(b"US" | b"SS" | b"OB" | b"OW" | b"UN") => self.u16s(value).next().map(f64::from),
            Some(_) => None,
        };
        number.map_or(Decimal::Unreadable, |value| Decimal::Number { value, odd: false })
    }

    /// The first of the decimal or integer strings.
    pub fn decimal(&self, tag: Tag) -> Decimal {
        self.value(tag).map_or(Decimal::Absent, |value| Decimal::parse(value.bytes))
    }

    /// The first of the strings of a short code; `None` unless it is printable ASCII of at most 64 characters.
    pub fn code(&self, tag: Tag) -> Option<&'a str> {
        self.value(tag)?.parts().next().filter(|text| !text.is_empty())
    }

    /// The same, but the empty text where something is there that is no such code.
    pub fn code_or_odd(&self, tag: Tag) -> Option<&'a str> {
        let value = self.value(tag).filter(|value| !trim(value.bytes).is_empty())?;
        value.parts().next()
    }

    /// The strings of a short text with `/` between them; `None` unless all are printable UTF-8 of at most 64 characters.
    pub fn text(&self, tag: Tag) -> Option<String> {
        let text = std::str::from_utf8(trim(self.value(tag)?.bytes)).ok().filter(|text| text.len() <= BYTES_MAX)?;
        let parts: Vec<&str> = text.split('\\').map(|part| part.trim_matches([' ', '\0'])).collect();
        let readable = |part: &&str| part.chars().count() <= 64 && !part.chars().any(char::is_control);
        let all = parts.iter().all(readable) && parts.iter().any(|part| !part.is_empty());
        all.then(|| parts.join("/"))
    }

    /// The Code Values of all items of a sequence with `/` between them; an item without a readable one is `?`.
    pub fn codes(&self, sequence: Tag) -> Option<String> {
        let items = *self.items.get(&sequence)?;
        let code = |item| {
            let value = self.value_of((sequence, item, tags::CODE_VALUE))?;
            value.parts().next().filter(|code| !code.is_empty())
        };
        // One item more than are read, if there are more: nobody knows its code.
        let codes: Vec<&str> = (1..=items.min(CODES_MAX + 1)).map(|item| code(item).unwrap_or("?")).collect();
        Some(codes.join("/"))
    }
}

impl<'a> Value<'a> {
    /// The values of a text without their padding; one that is not printable ASCII or over 64 characters is empty.
    pub fn parts(self) -> impl Iterator<Item = &'a str> {
        self.bytes.split(|&byte| byte == b'\\').map(|part| {
            let part = trim(part);
            let printable = part.len() <= 64 && part.iter().all(|byte| (0x20..0x7f).contains(byte));
            std::str::from_utf8(part).ok().filter(|_| printable).unwrap_or("")
        })
    }
}
