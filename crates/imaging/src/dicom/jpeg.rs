//! A frame coded by JPEG: which form the header and the stream allow, and what its samples mean.

use cspine_domain::{Note, Notes};

use super::dataset::malformed;
use super::frame::Frame;
use super::jpeg2000::conform;
use super::layout::{Layout, Photometric};
use crate::jpeg::{self, Header, Process};
use crate::{DecodeError, Fault, MediaType};

/// Decodes one frame.
pub(super) fn decode(stream: &[u8], layout: &Layout) -> Result<Frame, DecodeError> {
    let of_dicom = |fault: Fault| fault.of(MediaType::Dicom);
    let header = Header::read(stream).map_err(of_dicom)?;
    if (header.width, header.height) != (layout.columns, layout.rows) {
        return Err(malformed("a JPEG stream of another size than rows and columns say"));
    }
    if u16::from(header.precision) > layout.bits_allocated {
        return Err(malformed("a JPEG stream of more bits than are allocated"));
    }
    if header.components.len() != usize::from(layout.samples) {
        return Err(malformed("a JPEG stream of another number of components than samples per pixel say"));
    }
    let mut notes = Notes::new();
    let photometric = colour(&header, layout, &mut notes);
    let picture = jpeg::decode(stream, &header).map_err(of_dicom)?;
    if !picture.ended {
        notes.insert(Note::MissingEndMarker);
    }
    let mut samples = picture.samples;
    // The sign of a lossless sample is its stream's highest bit, as in dcmtk.
    let shorter = layout.signed && u16::from(header.precision) < layout.bits_stored;
    if header.process == Process::LosslessLs || (header.process == Process::Lossless && shorter) {
        conform(&mut samples, (header.precision, layout.signed), layout, &mut notes);
    }
    Ok(Frame { samples, photometric, notes })
}

/// What three components are. As pydicom 3 reads them: the header says it, but components named RGB are RGB where the
/// header says otherwise, and JFIF segments mean luminance and colour differences.
fn colour(header: &Header, layout: &Layout, notes: &mut Notes) -> Photometric {
    let stream = match layout.photometric {
        Photometric::Rgb if header.colour.jfif => Photometric::Ybr { shared: false },
        Photometric::Ybr { .. } if header.is_named_rgb() => Photometric::Rgb,
        said => return said,
    };
    notes.insert(Note::StreamColour);
    stream
}
