//! A DICOM file (PS3.10 chapter 7): preamble, meta information, and the data set, which may be deflated. Each of the first
//! two may be missing, and what the meta information says of the data set may be untrue.

use std::borrow::Cow;
use std::io::Read;

use cspine_domain::{Note, Notes};
use flate2::read::{DeflateDecoder, ZlibDecoder};

use super::dataset::malformed;
use super::element::{Reader, length_of_length};
use super::transfer_syntax::{BIG_ENDIAN, EXPLICIT, Encoding, IMPLICIT, TransferSyntax};
use super::walk;
use crate::{DecodeError, Limit, Limits};

const PREAMBLE: usize = 128;
const MAGIC: &[u8] = b"DICM";

/// A file's data set, still to be read.
pub(super) struct Body<'a> {
    /// As it is, which may be otherwise than the file says.
    pub syntax: TransferSyntax,
    pub bytes: Cow<'a, [u8]>,
}

/// Whether a file is DICOM: by its preamble, or by a first element of meta information or of a data set.
pub(crate) fn is_dicom(file: &[u8]) -> bool {
    if file.get(PREAMBLE..PREAMBLE + 4) == Some(MAGIC) {
        return true;
    }
    let start = file.strip_prefix(MAGIC).unwrap_or(file);
    // Group 2 or 8, and an element of a low number that is not a group's own length in big endian.
    match start {
        [2 | 8, 0, _, 0..=0x20, ..] => looks(start, EXPLICIT) || looks(start, IMPLICIT),
        [0, 8, 0..=0x20, _, ..] => looks(start, BIG_ENDIAN),
        _ => false,
    }
}

fn looks(bytes: &[u8], encoding: Encoding) -> bool {
    let reader = Reader::new(bytes, encoding);
    if encoding.implicit { reader.looks_implicit(bytes.len()) } else { reader.looks_explicit(bytes.len()) }
}

/// Reads the file meta information, finds how the data set is written, and inflates it within the limits.
pub(super) fn open<'a>(file: &'a [u8], limits: &Limits, notes: &mut Notes) -> Result<Body<'a>, DecodeError> {
    let (meta, rest) = split(file, notes)?;
    let Some(syntax) = syntax(meta, notes)? else {
        notes.insert(Note::MissingMeta);
        let encoding = [EXPLICIT, BIG_ENDIAN, IMPLICIT].into_iter().find(|&encoding| starts(rest, encoding));
        let encoding = encoding.ok_or(malformed("no transfer syntax, and a data set that shows none"))?;
        return Ok(Body { syntax: TransferSyntax::native(encoding), bytes: Cow::Borrowed(rest) });
    };
    let bytes = if syntax.deflated { inflate(rest, limits, notes)? } else { Cow::Borrowed(rest) };
    let encoding = actual(&bytes, syntax.encoding);
    if encoding != syntax.encoding {
        notes.insert(Note::OtherTransferSyntax);
    }
    Ok(Body { syntax: TransferSyntax { encoding, ..syntax }, bytes })
}

/// The meta information, which may be empty, and the data set.
fn split<'a>(file: &'a [u8], notes: &mut Notes) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let rest = if file.get(PREAMBLE..PREAMBLE + 4) == Some(MAGIC) {
        &file[PREAMBLE + 4..]
    } else {
        notes.insert(Note::MissingPreamble);
        file.strip_prefix(MAGIC).unwrap_or(file)
    };
    Ok(rest.split_at(meta_length(rest)?))
}

/// What the meta information says; `None` if it says nothing.
fn syntax(meta: &[u8], notes: &mut Notes) -> Result<Option<TransferSyntax>, DecodeError> {
    if meta.is_empty() {
        return Ok(None);
    }
    let implicit = !looks(meta, EXPLICIT);
    if implicit {
        notes.insert(Note::ImplicitMeta);
    }
    TransferSyntax::read(&walk::read(meta, Encoding { implicit, ..EXPLICIT }, notes)?)
}

/// The bytes of group 2, which the length it declares of itself often gets wrong.
fn meta_length(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut at = 0;
    while bytes.get(at..at + 2) == Some(&[2, 0]) {
        let header = bytes.get(at..at + 8).ok_or(malformed("the file ends within its meta information"))?;
        let long = |at: usize| -> Result<u64, DecodeError> {
            let length = bytes.get(at..).and_then(<[u8]>::first_chunk);
            Ok(u32::from_le_bytes(*length.ok_or(malformed("the file ends within its meta information"))?).into())
        };
        let length = match length_of_length([header[4], header[5]]) {
            Some(4) => 12 + long(at + 8)?,
            Some(_) => 8 + u64::from(u16::from_le_bytes([header[6], header[7]])),
            None => 8 + long(at + 4)?, // implicit
        };
        at = usize::try_from(at as u64 + length)
            .ok()
            .filter(|&end| end <= bytes.len())
            .ok_or(malformed("meta information longer than what is left"))?;
    }
    Ok(at)
}

/// Whether a data set begins as one that is written so: with an element of a low group, in the encoding's byte order.
fn starts(bytes: &[u8], encoding: Encoding) -> bool {
    let group = bytes
        .first_chunk()
        .map(|&group| if encoding.big_endian { u16::from_be_bytes(group) } else { u16::from_le_bytes(group) });
    group.is_some_and(|group| (1..0x100).contains(&group)) && looks(bytes, encoding)
}

/// How a data set is written: as said, unless its first element shows that it has value representations where they are
/// said to be missing, or the reverse. Its byte order is as said: that of the pixels hangs on it and shows nowhere.
fn actual(bytes: &[u8], said: Encoding) -> Encoding {
    let other = Encoding { implicit: !said.implicit, ..said };
    if !said.big_endian && starts(bytes, other) && !starts(bytes, said) { other } else { said }
}

/// Inflates a raw deflated data set, as the standard asks, or one with zlib's header; one that is not deflated at all, as
/// its first element shows, is as it is.
fn inflate<'a>(deflated: &'a [u8], limits: &Limits, notes: &mut Notes) -> Result<Cow<'a, [u8]>, DecodeError> {
    let corrupt = match read_within(DeflateDecoder::new(deflated), limits) {
        Err(error @ DecodeError::Malformed(..)) => error,
        inflated => return inflated.map(Cow::Owned),
    };
    notes.insert(Note::OtherTransferSyntax);
    if starts(deflated, EXPLICIT) || starts(deflated, IMPLICIT) {
        return Ok(Cow::Borrowed(deflated));
    }
    read_within(ZlibDecoder::new(deflated), limits).map(Cow::Owned).map_err(|error| match error {
        DecodeError::Malformed(..) => corrupt,
        other => other,
    })
}

fn read_within(decoder: impl Read, limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let cap = limits.max_bytes.min(limits.max_memory);
    let mut bytes = Vec::new();
    let read = decoder.take(cap.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|_| malformed("a deflated data set that does not inflate"))?;
    if bytes.len() as u64 > cap { Err(DecodeError::OverLimit(Limit::Bytes)) } else { Ok(bytes) }
}
