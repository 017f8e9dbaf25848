//! PNG, JPEG and TIFF.

use std::io::Cursor;

use image::codecs::{jpeg::JpegDecoder, png::PngDecoder, tiff::TiffDecoder};
use image::{DynamicImage, ImageDecoder, ImageError};

use crate::contain::contain;
use crate::grey::{Grey, widen};
use crate::{DecodeError, Limit, Limits, MediaType, Radiograph, jpeg};

/// Decodes one of the three; transparency is ignored.
pub(crate) fn decode(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Result<Radiograph, DecodeError> {
    contain(DecodeError::Malformed(media_type, "its decoder failed"), || {
        let picture = read(bytes, media_type, limits).map_err(|error| match error {
            Failure::Ours(error) => error,
            Failure::Theirs(error) => translate(&error, media_type),
        })?;
        let (width, height) = (picture.width(), picture.height());
        let Grey { luminance, colour } = grey(picture)?;
        Ok(Radiograph { colour, ..Radiograph::grey(width, height, luminance) })
    })
}

enum Failure {
    Ours(DecodeError),
    Theirs(ImageError),
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Failure::Ours(error)
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Failure::Theirs(error)
    }
}

fn read(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Result<DynamicImage, Failure> {
    let bounds = bounds(limits);
    let file = Cursor::new(bytes);
    match media_type {
        MediaType::Png => finish(PngDecoder::with_limits(file, bounds)?, 2, limits),
        MediaType::Tiff => finish(TiffDecoder::new(file)?, 2, limits),
        MediaType::Jpeg => {
            let frame = jpeg::scan(bytes).map_err(|fault| DecodeError::Malformed(media_type, fault))?;
            limits.check_pixels(frame.width.into(), frame.height.into(), 1, 1)?;
            // Progressive files hold 16-bit coefficients of every channel beside the pixels.
            finish(JpegDecoder::new(file)?, 4, limits)
        }
        MediaType::Dicom => Err(DecodeError::UnknownFormat.into()),
    }
}

/// Decodes if `copies` of the pixels and their luminance fit into the limits.
fn finish(mut decoder: impl ImageDecoder, copies: u64, limits: &Limits) -> Result<DynamicImage, Failure> {
    let (width, height) = decoder.dimensions();
    let bytes_per_pixel = copies * u64::from(decoder.color_type().bytes_per_pixel()) + 2;
    limits.check_pixels(width, height, 1, bytes_per_pixel)?;
    if width == 0 || height == 0 {
        return Err(DecodeError::Unsupported("an image without pixels").into());
    }
    decoder.set_limits(bounds(limits))?;
    Ok(DynamicImage::from_decoder(decoder)?)
}

fn bounds(limits: &Limits) -> image::Limits {
    let mut bounds = image::Limits::no_limits();
    bounds.max_image_width = Some(limits.max_width);
    bounds.max_image_height = Some(limits.max_height);
    bounds.max_alloc = Some(limits.max_memory);
    bounds
}

fn grey(picture: DynamicImage) -> Result<Grey, DecodeError> {
    Ok(match picture {
        DynamicImage::ImageLuma16(pixels) => Grey::of_grey(pixels.into_raw()),
        DynamicImage::ImageLuma8(pixels) => Grey::of_grey(pixels.iter().map(|&v| widen(v)).collect()),
        DynamicImage::ImageLumaA8(pixels) => Grey::of_grey(pixels.pixels().map(|p| widen(p.0[0])).collect()),
        DynamicImage::ImageLumaA16(pixels) => Grey::of_grey(pixels.pixels().map(|p| p.0[0]).collect()),
        DynamicImage::ImageRgb8(pixels) => Grey::of_rgb(pixels.pixels().map(|p| p.0.map(widen))),
        DynamicImage::ImageRgb16(pixels) => Grey::of_rgb(pixels.pixels().map(|p| p.0)),
        DynamicImage::ImageRgba8(pixels) => Grey::of_rgb(pixels.pixels().map(|p| [p.0[0], p.0[1], p.0[2]].map(widen))),
        DynamicImage::ImageRgba16(pixels) => Grey::of_rgb(pixels.pixels().map(|p| [p.0[0], p.0[1], p.0[2]])),
        _ => return Err(DecodeError::Unsupported("floating-point pixels")),
    })
}

/// The kind of their error, without its text.
fn translate(error: &ImageError, media_type: MediaType) -> DecodeError {
    match error {
        ImageError::Unsupported(_) => DecodeError::Unsupported("a variant of the image format"),
        ImageError::Limits(limit) => DecodeError::OverLimit(match limit.kind() {
            image::error::LimitErrorKind::DimensionError => Limit::Pixels,
            _ => Limit::Memory,
        }),
        _ => DecodeError::Malformed(media_type, "truncated or corrupt"),
    }
}
