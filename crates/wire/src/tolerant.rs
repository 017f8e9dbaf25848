//! Reading what an event could do without: odd, it is left out or made up for, and noted.
//!
//! An image that is not looked at is worse than an order's number that is not known. So only what identifies the image and
//! lets it be fetched may keep an event from being taken. Padding, case and emptiness are no oddity, and no note.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use cspine_domain::{Note, Notes, Sha256};
use serde_json::Value;
use time::OffsetDateTime;

use crate::EventError;
use crate::fields::{Fields, unpadded, whole};
use crate::times;

/// What stands in for what an event does not say of itself, and what was odd about it so far.
pub(crate) struct Receipt<'a> {
    pub body: &'a [u8],
    pub at: OffsetDateTime,
    pub notes: RefCell<Notes>,
}

impl<'a> Receipt<'a> {
    pub fn new(body: &'a [u8], at: OffsetDateTime) -> Self {
        Self { body, at, notes: RefCell::default() }
    }
}

impl Fields<'_> {
    pub(crate) fn note(&self, note: Note) {
        self.receipt.notes.borrow_mut().insert(note);
    }

    /// A word of a vocabulary, in any case.
    pub(crate) fn word<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, EventError> {
        self.text(name, 64)?.to_lowercase().parse().map_err(|error: T::Err| self.invalid(name, error))
    }

    /// A text, or a whole number as a text; `None` when it is absent or odd.
    pub(crate) fn lenient_text(&self, name: &'static str, longest: usize) -> Option<String> {
        let value = self.given(name)?;
        let number = whole(value).map(|number| Value::from(number.to_string()));
        self.checked_text(name, number.as_ref().unwrap_or(value), longest).ok()
    }

    /// The same, with a note unless it is absent or a text.
    pub(crate) fn noted_text(&self, name: &'static str, longest: usize, note: Note) -> Option<String> {
        let text = self.lenient_text(name, longest);
        if self.given(name).is_some_and(|value| !value.is_string() || text.is_none()) {
            self.note(note);
        }
        text
    }

    /// What `read` makes of a text; with a note where it is given and nothing comes of it.
    pub(crate) fn noted<T>(&self, name: &'static str, note: Note, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.given(name)?;
        let read = value.as_str().and_then(|text| read(unpadded(text)));
        if read.is_none() {
            self.note(note);
        }
        read
    }

    /// A moment; with a note where it is none.
    pub(crate) fn noted_moment(&self, name: &'static str, note: Note) -> Option<OffsetDateTime> {
        self.noted(name, note, times::moment)
    }

    /// A whole number from 1 to `most`, with a note where it is a text, and left out with one where it is none.
    pub(crate) fn noted_size(&self, name: &'static str, most: i64, note: Note) -> Option<u64> {
        let value = self.given(name)?;
        let of_text = || serde_json::from_str(unpadded(value.as_str()?)).ok().as_ref().and_then(whole);
        let size = whole(value).or_else(of_text).filter(|size| (1..=i128::from(most)).contains(size));
        if size.is_none() || value.is_string() {
            self.note(note);
        }
        size.and_then(|size| u64::try_from(size).ok())
    }

    /// The body's digest, for an event without a name.
    pub(crate) fn digest(&self) -> String {
        Sha256::of(self.receipt.body).to_string()
    }
}
