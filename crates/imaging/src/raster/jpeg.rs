//! JPEG and JPEG-LS files.

use cspine_domain::{Note, Notes};

use super::Picture;
use crate::grey::{Grey, rgb_of_ybr, stretch_table};
use crate::jpeg::{self, Header};
use crate::{DecodeError, Limits, MediaType, exif};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, DecodeError> {
    let header = Header::read(bytes).map_err(|fault| fault.of(MediaType::Jpeg))?;
    let bytes_per_pixel = 8 * header.components.len() as u64 + 2;
    limits.check_pixels(header.width.into(), header.height.into(), 1, bytes_per_pixel)?;
    let picture = jpeg::decode(bytes, &header).map_err(|fault| fault.of(MediaType::Jpeg))?;
    let table = stretch_table(header.precision.into());
    let scale = |sample: u16| table[usize::from(sample).min(table.len() - 1)];
    let grey = if header.components.len() == 1 {
        Grey::of_grey(picture.samples.into_iter().map(scale).collect())
    } else {
        let pixels = picture.samples.as_chunks::<3>().0.iter().map(|pixel| pixel.map(scale));
        if header.is_rgb() { Grey::of_rgb(pixels) } else { Grey::of_rgb(pixels.map(rgb_of_ybr)) }
    };
    let notes = if picture.ended { Notes::new() } else { Notes::from([Note::MissingEndMarker]) };
    Ok(Picture {
        width: header.width.into(),
        height: header.height.into(),
        grey,
        padding: 0,
        orientation: exif::orientation(bytes, MediaType::Jpeg, 0),
        notes,
    })
}
