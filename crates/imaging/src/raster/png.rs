//! PNG, by the crate `image`.

use std::io::Cursor;

use cspine_domain::{Note, Notes};
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, ImageError};

use super::Picture;
use crate::grey::{Grey, widen};
use crate::{DecodeError, Limit, Limits, MediaType, exif};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, DecodeError> {
    let mut decoder = PngDecoder::with_limits(Cursor::new(bytes), bounds(limits)).map_err(|error| translate(&error))?;
    let (width, height) = decoder.dimensions();
    // The decoder's copy and ours, and the luminance.
    let bytes_per_pixel = 2 * u64::from(decoder.color_type().bytes_per_pixel()) + 2;
    limits.check_pixels(width, height, 1, bytes_per_pixel)?;
    decoder.set_limits(bounds(limits)).map_err(|error| translate(&error))?;
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| translate(&error))?;
    let (grey, padding) = grey(picture)?;
    let notes = if padding > 0 { Notes::from([Note::TransparentPixels]) } else { Notes::new() };
    Ok(Picture { width, height, grey, padding, orientation: exif::orientation(bytes, MediaType::Png, 0), notes })
}

fn bounds(limits: &Limits) -> image::Limits {
    let mut bounds = image::Limits::no_limits();
    bounds.max_image_width = Some(limits.max_width);
    bounds.max_image_height = Some(limits.max_height);
    bounds.max_alloc = Some(limits.max_memory);
    bounds
}

/// Luminance, and how many pixels are transparent.
fn grey(picture: DynamicImage) -> Result<(Grey, u64), DecodeError> {
    Ok(match picture {
        DynamicImage::ImageLuma16(pixels) => (Grey::of_grey(pixels.into_raw()), 0),
        DynamicImage::ImageLuma8(pixels) => (Grey::of_grey(pixels.iter().map(|&v| widen(v)).collect()), 0),
        DynamicImage::ImageRgb8(pixels) => (Grey::of_rgb(pixels.pixels().map(|p| p.0.map(widen))), 0),
        DynamicImage::ImageRgb16(pixels) => (Grey::of_rgb(pixels.pixels().map(|p| p.0)), 0),
        DynamicImage::ImageLumaA8(pixels) => {
            let grey = Grey::of_grey(pixels.pixels().map(|p| widen(p.0[0])).collect());
            without(grey, pixels.pixels().map(|p| p.0[1] == 0))
        }
        DynamicImage::ImageLumaA16(pixels) => {
            let grey = Grey::of_grey(pixels.pixels().map(|p| p.0[0]).collect());
            without(grey, pixels.pixels().map(|p| p.0[1] == 0))
        }
        DynamicImage::ImageRgba8(pixels) => {
            let grey = Grey::of_rgb(pixels.pixels().map(|p| [p.0[0], p.0[1], p.0[2]].map(widen)));
            without(grey, pixels.pixels().map(|p| p.0[3] == 0))
        }
        DynamicImage::ImageRgba16(pixels) => {
            let grey = Grey::of_rgb(pixels.pixels().map(|p| [p.0[0], p.0[1], p.0[2]]));
            without(grey, pixels.pixels().map(|p| p.0[3] == 0))
        }
        _ => return Err(DecodeError::Unsupported("floating-point pixels")),
    })
}

fn without(mut grey: Grey, transparent: impl Iterator<Item = bool>) -> (Grey, u64) {
    let padding = grey.blacken(transparent);
    (grey, padding)
}

/// The kind of their error, without its text.
fn translate(error: &ImageError) -> DecodeError {
    match error {
        ImageError::Unsupported(_) => DecodeError::Unsupported("a variant of the image format"),
        ImageError::Limits(limit) => DecodeError::OverLimit(match limit.kind() {
            image::error::LimitErrorKind::DimensionError => Limit::Pixels,
            _ => Limit::Memory,
        }),
        _ => DecodeError::Malformed(MediaType::Png, "truncated or corrupt"),
    }
}
