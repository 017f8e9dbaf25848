//! JPEG 2000 (ITU-T T.800): its main header is held against the data set before a codec sees the stream.

mod codestream;
mod high_throughput;

use std::borrow::Cow;

use cspine_domain::{Note, Notes};
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::dataset::malformed;
use super::frame::Frame;
use super::layout::Layout;
use crate::DecodeError;
use codestream::Codestream;

const END: [u8; 2] = [0xff, 0xd9];

/// Decodes one frame.
pub(super) fn decode(stream: &[u8], layout: &Layout) -> Result<Frame, DecodeError> {
    let codestream = Codestream::read(stream, layout)?;
    let mut notes = Notes::new();
    let bytes = if codestream.ended {
        Cow::Borrowed(codestream.bytes)
    } else {
        notes.insert(Note::MissingEndMarker);
        Cow::Owned([codestream.bytes, &END].concat())
    };
    let decode = if codestream.high_throughput { high_throughput::decode } else { decode_components };
    let mut samples = decode(&bytes, &codestream, layout)?;
    conform(&mut samples, (codestream.depth, codestream.signed), layout, &mut notes);
    Ok(Frame { samples, photometric: layout.photometric, notes })
}

/// The components as numbers of the codestream's own depth and sign.
fn decode_components(bytes: &[u8], codestream: &Codestream<'_>, layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    let corrupt = |_| malformed("a corrupt JPEG 2000 codestream");
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    let image = Image::new(bytes, &settings).map_err(corrupt)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(corrupt)?;
    let components = decoded.components();
    if components.len() != usize::from(layout.samples)
        || components.iter().any(|component| component.samples().len() != layout.pixels())
    {
        return Err(malformed("a JPEG 2000 codestream of another size than it says"));
    }
    let mut samples = vec![0; layout.pixels() * components.len()];
    for (at, component) in components.iter().enumerate() {
        // The codec lifts every sample by half the range, which it must not where samples are signed.
        let half = 1 << (component.bit_depth() - 1);
        let lift = if codestream.signed { half } else { 0 };
        for (word, &sample) in samples.iter_mut().skip(at).step_by(components.len()).zip(component.samples()) {
            *word = ((sample.round() as i32).clamp(0, 2 * half - 1) - lift) as u16;
        }
    }
    Ok(samples)
}

/// Takes the bits of a stream's samples, of its depth and sign, for those of the header's sign, as pydicom does where the
/// two disagree.
pub(super) fn conform(samples: &mut [u16], (depth, signed): (u8, bool), layout: &Layout, notes: &mut Notes) {
    if signed != layout.signed || (signed && u16::from(depth) < layout.bits_stored) {
        notes.insert(Note::StreamDepth);
    }
    let shift = 16 - u32::from(depth);
    for sample in samples {
        let raised = *sample << shift;
        *sample = if layout.signed { (raised.cast_signed() >> shift).cast_unsigned() } else { raised >> shift };
    }
}
