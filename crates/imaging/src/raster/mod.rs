//! PNG, JPEG and TIFF files.

mod jpeg;
mod png;

use cspine_domain::{Notes, Orientation};

use crate::contain::contain;
use crate::grey::Grey;
use crate::{DecodeError, Limits, MediaType, Radiograph, tiff};

/// What a decoder gives.
pub(crate) struct Picture {
    pub width: u32,
    pub height: u32,
    pub grey: Grey,
    /// How many pixels are transparent: those are black.
    pub padding: u64,
    /// EXIF's number, or another that the file says.
    pub orientation: Option<u16>,
    pub notes: Notes,
}

/// Decodes one of the three. Transparent pixels are padding; half transparent ones count as they are.
pub(crate) fn decode(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Result<Radiograph, DecodeError> {
    contain(DecodeError::Malformed(media_type, "its decoder failed"), || {
        let picture = match media_type {
            MediaType::Png => png::decode(bytes, limits)?,
            MediaType::Jpeg => jpeg::decode(bytes, limits)?,
            MediaType::Tiff => tiff::decode(bytes, limits)?,
            MediaType::Dicom => return Err(DecodeError::UnknownFormat),
        };
        let Picture { width, height, grey: Grey { luminance, colour }, padding, orientation, notes } = picture;
        let radiograph = Radiograph { colour, padding, notes, ..Radiograph::grey(width, height, luminance) };
        Ok(match orientation {
            Some(number) => radiograph.upright_by_its_file(Orientation::from_exif(number)),
            None => radiograph,
        })
    })
}
