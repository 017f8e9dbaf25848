//! Transfer syntaxes (PS3.5 chapter 10): how elements and pixels are written.

use super::dataset::Dataset;
use super::tags;
use crate::DecodeError;

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
    /// Baseline, extended, lossless or JPEG-LS: the stream says which.
    Jpeg,
    /// Of high throughput or not: the stream says which.
    Jpeg2000,
}

pub(super) const EXPLICIT: Encoding = Encoding { implicit: false, big_endian: false };
pub(super) const IMPLICIT: Encoding = Encoding { implicit: true, big_endian: false };
pub(super) const BIG_ENDIAN: Encoding = Encoding { implicit: false, big_endian: true };

/// What a transfer syntax UID says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TransferSyntax {
    pub encoding: Encoding,
    pub codec: Codec,
    pub deflated: bool,
    /// Whether its uncompressed pixels lie in fragments.
    pub encapsulated: bool,
}

impl TransferSyntax {
    /// Uncompressed pixels in a data set that is written so.
    pub const fn native(encoding: Encoding) -> Self {
        Self { encoding, codec: Codec::Native, deflated: false, encapsulated: false }
    }

    const fn compressed(codec: Codec) -> Self {
        Self { encoding: EXPLICIT, codec, deflated: false, encapsulated: true }
    }

    /// That of file meta information; `None` if it names none.
    pub fn read(meta: &Dataset<'_>) -> Result<Option<Self>, DecodeError> {
        let Some(uid) = meta.code(tags::TRANSFER_SYNTAX_UID) else { return Ok(None) };
        let syntax = match uid {
            "1.2.840.10008.1.2" => Self::native(IMPLICIT),
            "1.2.840.10008.1.2.1" => Self::native(EXPLICIT),
            "1.2.840.10008.1.2.1.98" => Self { encapsulated: true, ..Self::native(EXPLICIT) },
            "1.2.840.10008.1.2.1.99" => Self { deflated: true, ..Self::native(EXPLICIT) },
            "1.2.840.10008.1.2.2" => Self::native(BIG_ENDIAN),
            "1.2.840.10008.1.2.5" => Self::compressed(Codec::Rle),
            // Baseline, extended, lossless of any predictor and of the first, JPEG-LS lossless and near-lossless.
            "1.2.840.10008.1.2.4.50"
            | "1.2.840.10008.1.2.4.51"
            | "1.2.840.10008.1.2.4.57"
            | "1.2.840.10008.1.2.4.70"
            | "1.2.840.10008.1.2.4.80"
            | "1.2.840.10008.1.2.4.81" => Self::compressed(Codec::Jpeg),
            // JPEG 2000 lossless and any, and the same of high throughput, once more in an order of resolutions.
            "1.2.840.10008.1.2.4.90"
            | "1.2.840.10008.1.2.4.91"
            | "1.2.840.10008.1.2.4.201"
            | "1.2.840.10008.1.2.4.202"
            | "1.2.840.10008.1.2.4.203" => Self::compressed(Codec::Jpeg2000),
            _ => return Err(DecodeError::Unsupported("a DICOM transfer syntax")),
        };
        Ok(Some(syntax))
    }
}
