//! Transfer syntaxes (PS3.5 chapter 10), and where in a file its data set begins.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::DeflateDecoder;

use super::dataset::{self, Dataset, malformed};
use super::tags;
use crate::{DecodeError, Limit, Limits};

/// How the elements of a data set are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub implicit: bool,
    pub big_endian: bool,
}

/// How its pixels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Native,
    Rle,
    /// Baseline, extended or lossless: the stream says which.
    Jpeg,
    Jpeg2000,
}

const EXPLICIT: Encoding = Encoding { implicit: false, big_endian: false };
const PREAMBLE: usize = 132;

/// A file's data set, still to be read.
pub(super) struct Body<'a> {
    pub encoding: Encoding,
    pub codec: Codec,
    pub bytes: Cow<'a, [u8]>,
}

/// Reads the file meta information and inflates a deflated data set, within the limits.
pub(super) fn open<'a>(file: &'a [u8], limits: &Limits) -> Result<Body<'a>, DecodeError> {
    if file.get(128..PREAMBLE) != Some(b"DICM") {
        return Err(malformed("no preamble"));
    }
    let (meta, rest) = file[PREAMBLE..].split_at(meta_length(&file[PREAMBLE..])?);
    let meta: Dataset<'_> = dataset::read(meta, EXPLICIT)?;
    let uid = meta.code(tags::TRANSFER_SYNTAX_UID).ok_or(malformed("no transfer syntax"))?;
    let little = |codec| Ok((EXPLICIT, codec));
    let (encoding, codec) = match uid {
        "1.2.840.10008.1.2" => Ok((Encoding { implicit: true, big_endian: false }, Codec::Native)),
        "1.2.840.10008.1.2.1" | DEFLATED => little(Codec::Native),
        "1.2.840.10008.1.2.2" => Ok((Encoding { implicit: false, big_endian: true }, Codec::Native)),
        "1.2.840.10008.1.2.5" => little(Codec::Rle),
        // Baseline, extended, lossless of any predictor, lossless of the first.
        "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" | "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => {
            little(Codec::Jpeg)
        }
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => little(Codec::Jpeg2000),
        _ => Err(DecodeError::Unsupported("a DICOM transfer syntax")),
    }?;
    let bytes = if uid == DEFLATED { Cow::Owned(inflate(rest, limits)?) } else { Cow::Borrowed(rest) };
    Ok(Body { encoding, codec, bytes })
}

const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// The bytes of group 2, which the length it declares of itself often gets wrong.
fn meta_length(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut at = 0;
    while bytes.get(at..at + 2) == Some(&[2, 0]) {
        let header = bytes.get(at..at + 8).ok_or(malformed("the file ends within its meta information"))?;
        let length = match &header[4..6] {
            b"OB" | b"OW" | b"UN" | b"UT" | b"UC" | b"UR" | b"SQ" => {
                let length = bytes.get(at + 8..at + 12).and_then(<[u8]>::first_chunk);
                12 + u64::from(u32::from_le_bytes(
                    *length.ok_or(malformed("the file ends within its meta information"))?,
                ))
            }
            _ => 8 + u64::from(u16::from_le_bytes([header[6], header[7]])),
        };
        at = usize::try_from(at as u64 + length)
            .ok()
            .filter(|&end| end <= bytes.len())
            .ok_or(malformed("meta information longer than what is left"))?;
    }
    Ok(at)
}

fn inflate(deflated: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let cap = limits.max_bytes.min(limits.max_memory);
    let mut bytes = Vec::new();
    let mut decoder = DeflateDecoder::new(deflated).take(cap.saturating_add(1));
    decoder.read_to_end(&mut bytes).map_err(|_| malformed("a deflated data set that does not inflate"))?;
    if bytes.len() as u64 > cap { Err(DecodeError::OverLimit(Limit::Bytes)) } else { Ok(bytes) }
}
