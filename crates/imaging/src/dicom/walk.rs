//! The way through a data set's elements, sequences and items (PS3.5 chapter 7).
//!
//! It never recurses, and enters only what it must: the sequences we read, and items that do not say where they end. All
//! else is skipped by its length, whatever it holds: nested data sets, or the fragments of an icon.

use cspine_domain::{Note, Notes};

use super::dataset::{CODES_MAX, Dataset, malformed};
use super::element::{Element, Reader, UNDEFINED};
use super::fragments;
use super::tags::{self, Tag};
use super::transfer_syntax::Encoding;
use crate::{DecodeError, Limit};

/// Sequences within sequences.
const DEPTH_MAX: usize = 64;

/// Reads a data set. After its pixel data lie padding, signatures and rubbish, and at times attributes out of their order.
pub(super) fn read<'a>(bytes: &'a [u8], encoding: Encoding, notes: &mut Notes) -> Result<Dataset<'a>, DecodeError> {
    let mut walk = Walk { reader: Reader::new(bytes, encoding), open: Vec::new(), encoding, last: 0, repaired: false };
    let mut dataset = Dataset::new(encoding.big_endian);
    while walk.step(&mut dataset)? {}
    walk.after_pixels(&mut dataset)?;
    notes.append(&mut walk.reader.notes);
    Ok(dataset)
}

struct Walk<'a> {
    reader: Reader<'a>,
    /// The sequences and items that are being read, outermost first.
    open: Vec<Open>,
    /// That of the data set itself.
    encoding: Encoding,
    /// The last tag of the data set itself.
    last: Tag,
    /// Whether a delimiter was missing or stray, so that what is taken for the data set itself might be a part of it.
    repaired: bool,
}

impl<'a> Walk<'a> {
    /// Reads one element or delimiter; false at the end.
    fn step(&mut self, dataset: &mut Dataset<'a>) -> Result<bool, DecodeError> {
        self.close_what_ended();
        self.reader.encoding.implicit = self.open.last().map_or(self.encoding.implicit, |inner| inner.implicit);
        let end = self.open.last().map_or(self.reader.bytes.len(), |inner| inner.limit);
        if self.reader.at == end && self.open.is_empty() {
            return Ok(false);
        }
        let start = self.reader.at;
        let element = self.reader.element(end)?;
        match element.tag {
            tags::ITEM => self.item(&element, dataset)?,
            tags::ITEM_END => self.item_end(&element)?,
            tags::SEQUENCE_END => self.sequence_end(&element)?,
            _ if self.open.last().is_some_and(|outer| outer.kind == Kind::Sequence) => {
                // A sequence without its end, if it can be over: then its element is one of what it lies in.
                let sequence = self.open.pop().filter(|outer| outer.end.is_none() && element.tag > outer.tag);
                sequence.ok_or(malformed("an attribute between the items of a sequence"))?;
                self.repair(Note::MissingDelimiter);
                self.reader.at = start;
            }
            _ => return self.attribute(&element, end, dataset),
        }
        Ok(true)
    }

    fn attribute(&mut self, element: &Element, end: usize, dataset: &mut Dataset<'a>) -> Result<bool, DecodeError> {
        if self.open.is_empty() {
            if self.repaired && element.tag <= self.last {
                return Err(malformed("attributes out of order after a delimiter that is missing or stray"));
            }
            self.last = element.tag;
            if element.tag == tags::PIXEL_DATA {
                dataset.keep_pixels(fragments::read(&mut self.reader, element)?)?;
                return Ok(false);
            }
        }
        let wanted = self.open.is_empty() && tags::is_wanted_sequence(element.tag);
        if wanted || element.length == UNDEFINED {
            self.sequence(element, wanted, end)?;
            return Ok(true);
        }
        let value = self.reader.value(element)?;
        match self.open.last() {
            None => dataset.keep(0, 0, element.tag, value)?,
            Some(item) if item.is_read() => dataset.keep(item.tag, item.items, element.tag, value)?,
            Some(_) => {}
        }
        Ok(true)
    }

    /// Reads what follows the pixels while it is elements. An attribute that we want is used; where the elements end, and
    /// what is odd about the others, does not matter.
    fn after_pixels(&mut self, dataset: &mut Dataset<'a>) -> Result<(), DecodeError> {
        while let Some(tag) = self.reader.next_tag(self.reader.bytes.len()).filter(|&tag| tag >= tags::FIRST) {
            let wanted = tag == tags::PIXEL_DATA || tags::is_wanted(0, tag) || tags::is_wanted_sequence(tag);
            let notes = self.reader.notes.clone();
            let read = self.whole_element(dataset);
            if wanted {
                read?;
                self.reader.notes.insert(Note::AttributesAfterPixels);
                continue;
            }
            self.reader.notes = notes;
            if read.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Reads one element of the data set itself, with all that lies in it.
    fn whole_element(&mut self, dataset: &mut Dataset<'a>) -> Result<(), DecodeError> {
        loop {
            self.step(dataset)?;
            self.close_what_ended();
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    fn sequence(&mut self, element: &Element, wanted: bool, limit: usize) -> Result<(), DecodeError> {
        if self.open.len() >= 2 * DEPTH_MAX {
            return Err(DecodeError::OverLimit(Limit::Depth));
        }
        // PS3.5 section 6.2.2: a sequence that was written as unknown is implicit inside.
        let implicit = self.reader.encoding.implicit || element.vr == Some(*b"UN");
        let sequence = Open { kind: Kind::Sequence, tag: element.tag, wanted, items: 0, end: None, limit, implicit };
        self.open.push(sequence.bounded(&self.reader, element.length));
        Ok(())
    }

    fn item(&mut self, element: &Element, dataset: &mut Dataset<'a>) -> Result<(), DecodeError> {
        if self.open.last().is_some_and(|inner| inner.kind == Kind::Item && inner.end.is_none()) {
            self.open.pop();
            self.repair(Note::MissingDelimiter);
        }
        let sequence = self.open.last_mut().filter(|outer| outer.kind == Kind::Sequence);
        let sequence = sequence.ok_or(malformed("an item outside a sequence"))?;
        sequence.items += 1;
        if sequence.wanted {
            dataset.count_item(sequence.tag);
        }
        if element.length != UNDEFINED && !sequence.is_read() {
            self.reader.at += element.length as usize; // the reader has held it against the sequence's end
            return Ok(());
        }
        let item = Open { kind: Kind::Item, ..*sequence }.bounded(&self.reader, element.length);
        let implicit = self.item_is_implicit(&item);
        self.open.push(Open { implicit, ..item });
        Ok(())
    }

    /// How an item's elements are written: some writers forget value representations in items, or write them into what
    /// they call unknown. In an implicit data set all are implicit.
    fn item_is_implicit(&mut self, item: &Open) -> bool {
        if self.encoding.implicit || matches!(self.reader.next_tag(item.limit), None | Some(tags::ITEM_END)) {
            return item.implicit;
        }
        let implicit = self.reader.looks_implicit(item.limit);
        if implicit != item.implicit {
            self.reader.notes.insert(Note::MixedEncoding);
        }
        implicit
    }

    fn item_end(&mut self, element: &Element) -> Result<(), DecodeError> {
        if self.open.last().is_some_and(|inner| inner.kind == Kind::Item && inner.end.is_none()) {
            self.open.pop();
            return Ok(());
        }
        self.stray(element)
    }

    fn sequence_end(&mut self, element: &Element) -> Result<(), DecodeError> {
        let undefined = |inner: &Open, kind| inner.kind == kind && inner.end.is_none();
        match &self.open[..] {
            [.., sequence] if undefined(sequence, Kind::Sequence) => {
                self.open.pop();
                Ok(())
            }
            [.., sequence, item] if undefined(item, Kind::Item) && undefined(sequence, Kind::Sequence) => {
                self.open.truncate(self.open.len() - 2);
                self.repair(Note::MissingDelimiter);
                Ok(())
            }
            _ => self.stray(element),
        }
    }

    /// A delimiter that closes nothing is passed over.
    fn stray(&mut self, element: &Element) -> Result<(), DecodeError> {
        if element.length != 0 {
            return Err(malformed("a delimiter with a length"));
        }
        self.repair(Note::StrayDelimiter);
        Ok(())
    }

    /// Closes what ends here by its length, and with it what lies in it and has no end of its own.
    fn close_what_ended(&mut self) {
        while let Some(inner) = self.open.last() {
            match inner.end {
                Some(end) if end == self.reader.at => {}
                None if inner.limit == self.reader.at && self.open.iter().any(|outer| outer.end.is_some()) => {
                    self.repair(Note::MissingDelimiter);
                }
                _ => break,
            }
            self.open.pop();
        }
    }

    fn repair(&mut self, note: Note) {
        self.reader.notes.insert(note);
        self.repaired = true;
    }
}

/// A sequence or item being read.
#[derive(Clone, Copy)]
struct Open {
    kind: Kind,
    /// The sequence's.
    tag: Tag,
    /// Whether it is a sequence of the data set itself whose items we read, or such an item.
    wanted: bool,
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
    /// Whether the item that was begun last is read.
    fn is_read(&self) -> bool {
        self.wanted && (self.items == 1 || self.items <= CODES_MAX && tags::is_code_sequence(self.tag))
    }

    fn bounded(mut self, reader: &Reader<'_>, length: u32) -> Self {
        self.end = (length != UNDEFINED).then(|| reader.at + length as usize);
        self.limit = self.end.unwrap_or(self.limit);
        self
    }
}
