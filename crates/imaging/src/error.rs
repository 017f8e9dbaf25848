//! What can be wrong with a file. No error quotes a value of the file, which may be patient data.

use cspine_domain::Reason;

use crate::MediaType;

/// Why some bytes gave no radiograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes announce none of the formats we read.
    #[error("neither DICOM, PNG, JPEG nor TIFF")]
    UnknownFormat,
    /// The bytes announce another format than the event.
    #[error("not {0}, though said to be")]
    OtherFormat(MediaType),
    /// Truncated, contradictory or damaged.
    #[error("damaged {0}: {1}")]
    Malformed(MediaType, &'static str),
    /// Sound as far as we can tell, in a variant we do not decode.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// Larger than allowed.
    #[error("over the limit on {0}")]
    OverLimit(Limit),
}

/// The limit that a file exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `max_bytes`.
    Bytes,
    /// `max_width`.
    Width,
    /// `max_height`.
    Height,
    /// `max_pixels`.
    Pixels,
    /// `max_memory`.
    Memory,
    /// Depth of nested DICOM sequences.
    Depth,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Limit::Bytes => "bytes",
            Limit::Width => "width",
            Limit::Height => "height",
            Limit::Pixels => "pixels",
            Limit::Memory => "memory",
            Limit::Depth => "sequence depth",
        })
    }
}

impl DecodeError {
    /// The code for a finding or a parked message: `unsupported_transfer_syntax` is not assessable, the others park.
    pub fn reason(&self) -> Reason {
        match self {
            DecodeError::Unsupported(_) => Reason::UnsupportedTransferSyntax,
            DecodeError::OverLimit(_) => Reason::OverLimit,
            DecodeError::UnknownFormat | DecodeError::OtherFormat(_) | DecodeError::Malformed(..) => {
                Reason::Undecodable
            }
        }
    }
}

/// What is wrong with a compressed stream, whatever file it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Truncated, contradictory or damaged.
    Damaged(&'static str),
    /// Sound as far as we can tell, in a form we do not decode.
    Unsupported(&'static str),
}

impl Fault {
    /// The error of a file of this format with such a stream.
    pub(crate) fn of(self, media_type: MediaType) -> DecodeError {
        match self {
            Fault::Damaged(what) => DecodeError::Malformed(media_type, what),
            Fault::Unsupported(what) => DecodeError::Unsupported(what),
        }
    }
}

/// A picture whose values do not fill its width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("width and height do not fit the number of values")]
pub struct EncodeError;
