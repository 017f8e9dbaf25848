//! The one way in.

use cspine_domain::Note;

use crate::{DecodeError, Limits, MediaType, Radiograph, dicom, raster, sniff};

/// Decodes an image under limits. Of several frames or pages the first is taken.
///
/// The first bytes tell the format. `media_type` is what the sender said; where it is another one, a note says so.
///
/// # Errors
/// [`DecodeError`]: no format of ours, damaged, unsupported, or over a limit. It never panics and never aborts.
pub fn decode(bytes: &[u8], media_type: Option<MediaType>, limits: &Limits) -> Result<Radiograph, DecodeError> {
    limits.check_bytes(bytes.len())?;
    let found = sniff(bytes).ok_or(media_type.map_or(DecodeError::UnknownFormat, DecodeError::OtherFormat))?;
    let mut radiograph = match found {
        MediaType::Dicom => dicom::decode(bytes, limits),
        MediaType::Png | MediaType::Jpeg | MediaType::Tiff => raster::decode(bytes, found, limits),
    }?;
    if media_type.is_some_and(|said| said != found) {
        radiograph.notes.insert(Note::EventMediaType);
    }
    Ok(radiograph)
}
