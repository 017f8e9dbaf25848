//! Data elements (PS3.5 chapter 7.1): their headers, also where the value representation is missing or none that exists.

use cspine_domain::{Note, Notes};

use super::dataset::{Value, malformed};
use super::tags::{self, Tag};
use super::transfer_syntax::Encoding;
use crate::DecodeError;

pub(super) const UNDEFINED: u32 = u32::MAX;

/// The header of a data element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    pub tag: Tag,
    pub vr: Option<[u8; 2]>,
    pub length: u32,
}

/// A place in the bytes of a data set.
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    pub encoding: Encoding,
    /// What was odd so far.
    pub notes: Notes,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self { bytes, at: 0, encoding, notes: Notes::new() }
    }

    /// Reads an element's header, and holds its length against `end`.
    pub fn element(&mut self, end: usize) -> Result<Element, DecodeError> {
        let (element, value_at) = self.header(self.at, end).ok_or(malformed("the file ends within an element"))?;
        if element.tag >> 16 != 0xfffe && !self.encoding.implicit && element.vr.is_none() {
            return self.element_without_vr(end);
        }
        self.at = value_at;
        if element.length != UNDEFINED && element.length as usize > end - self.at {
            return Err(malformed("an element longer than what is left"));
        }
        Ok(element)
    }

    /// Reads the value of an element whose header was read.
    pub fn value(&mut self, element: &Element) -> Result<Value<'a>, DecodeError> {
        let end = self.at.saturating_add(element.length as usize);
        let bytes = self.bytes.get(self.at..end).ok_or(malformed("an element longer than what is left"))?;
        self.at = end;
        Ok(Value { bytes, vr: element.vr })
    }

    /// The next tag, left unread.
    pub fn next_tag(&self, end: usize) -> Option<Tag> {
        self.tag(self.at, end)
    }

    /// Whether the element here has a value representation that exists.
    pub fn looks_explicit(&self, end: usize) -> bool {
        self.with(false).header(self.at, end).is_some_and(|(element, _)| element.vr.is_some())
    }

    /// Whether the element here has none, and what follows agrees with that.
    pub fn looks_implicit(&self, end: usize) -> bool {
        let implicit = self.with(true);
        let element = implicit.header(self.at, end).filter(|_| !self.looks_explicit(end));
        element.is_some_and(|(element, value_at)| implicit.agrees(&element, value_at, end))
    }

    /// The same place, read with or without value representations.
    fn with(&self, implicit: bool) -> Self {
        let encoding = Encoding { implicit, ..self.encoding };
        Self { bytes: self.bytes, at: self.at, encoding, notes: Notes::new() }
    }

    /// An element whose value representation is missing (as pydicom reads it, a length of four bytes stands there), or
    /// is none that exists (as dcmtk reads it, a length of two bytes or, after two more, of four follows it). It is what
    /// a sound element follows.
    fn element_without_vr(&mut self, end: usize) -> Result<Element, DecodeError> {
        let head: [u8; 8] = self.bytes[self.at..end].first_chunk().copied().ok_or(malformed("a cut element"))?;
        let tag = self.tag(self.at, end).ok_or(malformed("a cut element"))?;
        let short = [head[6], head[7]];
        let short = if self.encoding.big_endian { u16::from_be_bytes(short) } else { u16::from_le_bytes(short) };
        let long = self.number(self.at + 8, end).filter(|_| short == 0).map(|length| (length, self.at + 12));
        let missing = self.number(self.at + 4, end).map(|length| (length, self.at + 8));
        let candidates = [missing, Some((short.into(), self.at + 8)), long];
        for (length, value_at) in candidates.into_iter().flatten() {
            let element = Element { tag, vr: None, length };
            if self.agrees(&element, value_at, end) {
                self.notes.insert(Note::InvalidVr);
                self.at = value_at;
                return Ok(element);
            }
        }
        Err(malformed("no value representation where one must stand"))
    }

    /// Whether an element's value ends where its data set does, or before a later or private element that has a header.
    fn agrees(&self, element: &Element, value_at: usize, end: usize) -> bool {
        if element.length == UNDEFINED {
            return matches!(self.tag(value_at, end), Some(tags::ITEM | tags::SEQUENCE_END));
        }
        let after = value_at.saturating_add(element.length as usize);
        if after >= end {
            return after == end;
        }
        let Some((next, next_value_at)) = self.header(after, end) else { return false };
        match next.tag {
            tags::ITEM_END | tags::SEQUENCE_END => next.length == 0,
            tag if tag <= element.tag || tag > tags::LAST => false,
            // One more without a value representation, as the private elements of a group are, or all from here on.
            tag if !self.encoding.implicit && next.vr.is_none() => {
                tag >> 16 == element.tag >> 16 || self.with(true).ends_well(after, end)
            }
            _ => next.length == UNDEFINED || next.length as usize <= end - next_value_at,
        }
    }

    /// Whether the element at `at` ends where its data set does, or before a later one.
    fn ends_well(&self, at: usize, end: usize) -> bool {
        let Some((element, value_at)) = self.header(at, end) else { return false };
        let after = value_at.saturating_add(element.length as usize);
        after == end || self.tag(after, end).is_some_and(|next| next > element.tag && next <= tags::LAST)
    }

    /// The header at `at` and where its value begins. In an explicit data set `vr` is `None` if there is none that exists.
    fn header(&self, at: usize, end: usize) -> Option<(Element, usize)> {
        let tag = self.tag(at, end)?;
        if self.encoding.implicit || tag >> 16 == 0xfffe {
            return Some((Element { tag, vr: None, length: self.number(at + 4, end)? }, at + 8));
        }
        let head: [u8; 4] = *self.bytes.get(at + 4..end)?.first_chunk()?;
        let vr = [head[0], head[1]];
        let (vr, length, value_at) = match length_of_length(vr) {
            Some(4) => (Some(vr), self.number(at + 8, end)?, at + 12),
            Some(_) => (Some(vr), self.short(at + 6, end)?.into(), at + 8),
            None => (None, 0, at + 8),
        };
        Some((Element { tag, vr, length }, value_at))
    }

    fn tag(&self, at: usize, end: usize) -> Option<Tag> {
        Some(Tag::from(self.short(at, end)?) << 16 | Tag::from(self.short(at + 2, end)?))
    }

    fn short(&self, at: usize, end: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..end)?.first_chunk()?;
        Some(if self.encoding.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn number(&self, at: usize, end: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..end)?.first_chunk()?;
        Some(if self.encoding.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

/// The bytes of the length that follows a value representation (PS3.5 section 7.1.2); `None` if there is no such one.
pub(super) fn length_of_length(vr: [u8; 2]) -> Option<usize> {
    match &vr {
        b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV" => {
            Some(4)
        }
        b"AE" | b"AS" | b"AT" | b"CS" | b"DA" | b"DS" | b"DT" | b"FD" | b"FL" | b"IS" | b"LO" | b"LT" | b"PN"
        | b"SH" | b"SL" | b"SS" | b"ST" | b"TM" | b"UI" | b"UL" | b"US" => Some(2),
        _ => None,
    }
}
