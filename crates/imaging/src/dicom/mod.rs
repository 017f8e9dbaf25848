//! DICOM files.

mod header;
pub use header::{Header, TextEvidence};

use crate::{DecodeError, Limits, Radiograph};

pub(crate) fn decode(_bytes: &[u8], _limits: &Limits) -> Result<Radiograph, DecodeError> {
    Err(DecodeError::Unsupported("DICOM"))
}
