//! The one way in.

use crate::{DecodeError, Limits, MediaType, Radiograph, dicom, raster, sniff};

/// Decodes an image under limits. Of several frames or pages the first is taken.
///
/// `media_type` is what the sender said; `None` goes by the first bytes.
///
/// # Errors
/// [`DecodeError`]: another format than said, damaged, unsupported, or over a limit. It never panics and never aborts.
pub fn decode(bytes: &[u8], media_type: Option<MediaType>, limits: &Limits) -> Result<Radiograph, DecodeError> {
    limits.check_bytes(bytes.len())?;
    let announced = sniff(bytes);
    let media_type = match media_type {
        Some(said) if announced != Some(said) => return Err(DecodeError::OtherFormat(said)),
        Some(said) => said,
        None => announced.ok_or(DecodeError::UnknownFormat)?,
    };
    match media_type {
        MediaType::Dicom => dicom::decode(bytes, limits),
        MediaType::Png | MediaType::Jpeg | MediaType::Tiff => raster::decode(bytes, media_type, limits),
    }
}
