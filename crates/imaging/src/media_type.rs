//! The file formats we read.

use std::fmt;

use crate::dicom;

/// A format of `data.image.media_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum MediaType {
    /// `application/dicom`: a DICOM file (PS3.10), whose preamble and meta information may be missing.
    #[serde(rename = "application/dicom")]
    Dicom,
    /// `image/png`.
    #[serde(rename = "image/png")]
    Png,
    /// `image/jpeg`.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// `image/tiff`.
    #[serde(rename = "image/tiff")]
    Tiff,
}

/// A media type that is none of ours. It does not quote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known media type: application/dicom, image/png, image/jpeg or image/tiff")]
pub struct UnknownMediaType;

impl MediaType {
    /// The text used in events.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Dicom => "application/dicom",
            MediaType::Png => "image/png",
            MediaType::Jpeg => "image/jpeg",
            MediaType::Tiff => "image/tiff",
        }
    }

    /// The usual file extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            MediaType::Dicom => "dcm",
            MediaType::Png => "png",
            MediaType::Jpeg => "jpg",
            MediaType::Tiff => "tif",
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for MediaType {
    type Err = UnknownMediaType;
    fn from_str(text: &str) -> Result<Self, UnknownMediaType> {
        let all = [MediaType::Dicom, MediaType::Png, MediaType::Jpeg, MediaType::Tiff];
        all.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownMediaType)
    }
}

/// The format that the first bytes announce, if it is one of ours.
pub fn sniff(bytes: &[u8]) -> Option<MediaType> {
    if dicom::is_dicom(bytes) {
        return Some(MediaType::Dicom);
    }
    let starts: [(&[u8], MediaType); 6] = [
        (b"\x89PNG\r\n\x1a\n", MediaType::Png),
        (b"\xff\xd8\xff", MediaType::Jpeg),
        (b"II*\0", MediaType::Tiff),
        (b"MM\0*", MediaType::Tiff),
        // BigTIFF.
        (b"II+\0", MediaType::Tiff),
        (b"MM\0+", MediaType::Tiff),
    ];
    starts.into_iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::{MediaType, sniff};

    #[test]
    fn a_media_type_reads_back_as_it_was_written() {
        for media_type in [MediaType::Dicom, MediaType::Png, MediaType::Jpeg, MediaType::Tiff] {
            assert_eq!(media_type.as_str().parse(), Ok(media_type));
        }
        assert!("image/webp".parse::<MediaType>().is_err());
    }

    #[test]
    fn a_dicom_file_whose_preamble_is_a_tiff_header_is_dicom() {
        let mut bytes = b"II*\0".to_vec();
        bytes.resize(128, 0);
        assert_eq!(sniff(&bytes), Some(MediaType::Tiff));
        bytes.extend(b"DICM");
        assert_eq!(sniff(&bytes), Some(MediaType::Dicom));
        assert_eq!(sniff(b""), None);
    }
}
