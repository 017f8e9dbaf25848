//! DICOM files: header, first frame, and the grey values a display would show.
//!
//! Only the codecs are foreign (JPEG, JPEG 2000). Structure, sizes, VOI and inversion are read here, on raw samples.

mod dataset;
mod frame;
mod header;
mod jpeg2000;
mod layout;
mod rle;
mod tags;
mod text;
mod transfer_syntax;
mod voi;

pub use header::Header;
pub use text::TextEvidence;

use crate::contain::contain;
use crate::grey::Grey;
use crate::{DecodeError, Limits, Radiograph};
use layout::{Layout, Photometric};
use transfer_syntax::Codec;

/// Decodes the first frame of a DICOM file.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Radiograph, DecodeError> {
    let body = transfer_syntax::open(bytes, limits)?;
    let dataset = dataset::read(&body.bytes, body.encoding)?;
    let layout = Layout::read(&dataset)?;
    // Bytes that each codec holds for a sample, its scratch included: measured, and rounded up.
    let bytes_per_sample = match body.codec {
        Codec::Native => 4,
        Codec::Rle => 6,
        Codec::Jpeg => 16,
        Codec::Jpeg2000 => 24,
    };
    let bytes_per_pixel = bytes_per_sample * u64::from(layout.samples) + 2;
    limits.check_pixels(layout.columns.into(), layout.rows.into(), layout.frames, bytes_per_pixel)?;
    let header = Header::read(&dataset);
    let frame = contain(dataset::malformed("its decoder failed"), || frame::first(&dataset, &layout, body.codec))?;
    let Grey { luminance, colour } = display(&dataset, &layout, frame)?;
    let (width, height) = (layout.columns.into(), layout.rows.into());
    Ok(Radiograph { colour, header: Some(header), ..Radiograph::grey(width, height, luminance) })
}

/// From raw samples to luminance.
fn display(dataset: &dataset::Dataset<'_>, layout: &Layout, frame: frame::Frame) -> Result<Grey, DecodeError> {
    let mut samples = frame.samples;
    let grey = match layout.photometric {
        Photometric::Monochrome { .. } | Photometric::Palette => {
            let table = voi::table(dataset, layout)?;
            for sample in &mut samples {
                *sample = table[layout.index(*sample)];
            }
            // Whatever its palette holds, an image of colour indices is no radiograph.
            Grey { luminance: samples, colour: layout.photometric == Photometric::Palette }
        }
        Photometric::Rgb | Photometric::Ybr { .. } => {
            let max = layout.max();
            let scale = |sample: u16| (u32::from(sample.min(max)) * 65535 / u32::from(max)) as u16;
            let pixels = samples.as_chunks::<3>().0.iter().map(|pixel| pixel.map(scale));
            if layout.photometric != Photometric::Rgb && !frame.converted {
                Grey::of_rgb(pixels.map(rgb_of_ybr))
            } else {
                Grey::of_rgb(pixels)
            }
        }
    };
    Ok(grey)
}

/// PS3.3 C.7.6.3.1.2, YBR_FULL, over 0..=65535.
fn rgb_of_ybr([y, b, r]: [u16; 3]) -> [u16; 3] {
    let [y, b, r] = [f32::from(y), f32::from(b) - 32896.0, f32::from(r) - 32896.0]; // 128 of 255
    // The cast saturates.
    [y + 1.402 * r, y - 0.344_136 * b - 0.714_136 * r, y + 1.772 * b].map(|value| value.round() as u16)
}
