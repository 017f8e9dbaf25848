//! DICOM files: header, first frame, and the grey values a display would show.
//!
//! Only the codecs of JPEG 2000 and progressive JPEG are foreign. Structure, sizes, VOI and inversion are read here, on raw samples.

mod bits;
mod dataset;
mod decimal;
mod element;
mod file;
mod fragments;
mod frame;
mod header;
mod jpeg;
mod jpeg2000;
mod layout;
mod lut;
mod padding;
mod palette;
mod rle;
mod shape;
mod stream;
mod tags;
mod text;
mod transfer_syntax;
mod voi;
mod walk;

pub(crate) use file::is_dicom;
pub use header::Header;
pub use text::TextEvidence;

use cspine_domain::{Note, Notes};

use crate::contain::contain;
use crate::grey::{Grey, rgb_of_ybr};
use crate::{DecodeError, Limits, Radiograph};
use dataset::{Dataset, Value};
use layout::{Layout, Photometric};
use padding::Padding;
use stream::Stream;
use transfer_syntax::Codec;

/// Decodes the first frame of a DICOM file.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Radiograph, DecodeError> {
    let mut notes = Notes::new();
    let body = file::open(bytes, limits, &mut notes)?;
    let codec = body.syntax.codec;
    let dataset = walk::read(&body.bytes, body.syntax.encoding, &mut notes)?;
    let layout = Layout::read(&dataset, &mut notes)?;
    if layout.frames > 1 {
        notes.insert(Note::FurtherFrames);
    }
    check(&layout, codec, limits)?;
    let data = dataset.pixel_data.as_ref().ok_or(dataset::malformed("no pixel data"))?;
    let first = fragments::first_frame(data, &layout, &body.syntax, &mut notes)?;
    let layout = layout.of_stream(Stream::read(&first.bytes, codec), &mut notes)?;
    let header = Header::read(&dataset);
    let stream = Value { bytes: &first.bytes, vr: first.vr };
    let frame = contain(dataset::malformed("its decoder failed"), || {
        frame::decode(stream, &layout, codec, dataset.big_endian)
    })?;
    notes.extend(&frame.notes);
    let (Grey { luminance, colour }, padding) = display(&dataset, &layout, frame, &mut notes)?;
    let (width, height) = (layout.columns.into(), layout.rows.into());
    let radiograph = Radiograph::grey(width, height, luminance);
    Ok(shape::upright(Radiograph { colour, padding, header: Some(header), notes, ..radiograph }, &dataset))
}

/// Holds the size of the image against the limits, before anything is allocated for it.
fn check(layout: &Layout, codec: Codec, limits: &Limits) -> Result<(), DecodeError> {
    // Bytes that each codec holds for a sample, its scratch included: measured, and rounded up.
    let bytes_per_sample = match codec {
        Codec::Native => 4,
        Codec::Rle => 6,
        Codec::Jpeg => 8,
        Codec::Jpeg2000 => 24,
    };
    let bytes_per_pixel = bytes_per_sample * u64::from(layout.samples) + 2;
    limits.check_pixels(layout.columns.into(), layout.rows.into(), layout.frames, bytes_per_pixel)
}

/// From raw samples to luminance, and how many pixels are padding.
fn display(
    dataset: &Dataset<'_>,
    layout: &Layout,
    frame: frame::Frame,
    notes: &mut Notes,
) -> Result<(Grey, u64), DecodeError> {
    let mut samples = frame.samples;
    let layout = layout.of_stream_samples(&samples, notes);
    let layout = &layout.of_samples(samples.iter().fold(0, |used, sample| used | sample), notes);
    if let Photometric::Monochrome { .. } = frame.photometric {
        let padding = show(&mut samples, dataset, layout, notes)?;
        return Ok((Grey::of_grey(samples), padding));
    }
    bits::check(samples.iter().copied(), dataset, layout, notes)?;
    Ok((colours(&samples, frame.photometric, dataset, layout, notes)?, 0))
}

/// The luminance of pixels in colour, which may all be grey.
fn colours(
    samples: &[u16],
    photometric: Photometric,
    dataset: &Dataset<'_>,
    layout: &Layout,
    notes: &mut Notes,
) -> Result<Grey, DecodeError> {
    let scale = |sample: u16| (layout.index(sample) * 65535 / usize::from(layout.max())) as u16;
    let pixels = samples.as_chunks::<3>().0.iter().map(|pixel| pixel.map(scale));
    Ok(match photometric {
        Photometric::Palette => {
            let palette = palette::table(dataset, layout, notes)?;
            Grey::of_rgb(samples.iter().map(|&sample| palette[layout.index(sample)]))
        }
        Photometric::Ybr { .. } => Grey::of_rgb(pixels.map(rgb_of_ybr)),
        Photometric::Rgb | Photometric::Monochrome { .. } => Grey::of_rgb(pixels),
    })
}

/// Puts in the place of each stored sample its luminance, which is black for padding; gives how many are padding.
fn show(samples: &mut [u16], dataset: &Dataset<'_>, layout: &Layout, notes: &mut Notes) -> Result<u64, DecodeError> {
    let table = voi::table(dataset, layout, notes)?;
    let padding = Padding::read(dataset, layout, notes)?;
    // Asked once for each word that there may be: there are more pixels than words.
    let padding = padding.map(|padding| (0..=u16::MAX).map(|word| padding.covers(word, layout)).collect::<Vec<bool>>());
    let is_padding = |sample: u16| padding.as_ref().is_some_and(|padding| padding[usize::from(sample)]);
    bits::check(samples.iter().copied().filter(|&sample| !is_padding(sample)), dataset, layout, notes)?;
    let mut covered = 0;
    for sample in samples {
        let luminance = if is_padding(*sample) { None } else { Some(table[layout.index(*sample)]) };
        covered += u64::from(luminance.is_none());
        *sample = luminance.unwrap_or(0);
    }
    Ok(covered)
}
