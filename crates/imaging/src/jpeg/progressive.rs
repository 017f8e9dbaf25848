//! Progressive DCT of 8 bits, by `zune-jpeg`.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::markers::{EOI, SOS, Segments};
use super::{Header, Picture};
use crate::Fault;

/// Decodes to the components as coded.
///
/// Without an end marker nobody can tell which scan was the last, so that such a stream is refused.
pub(super) fn decode(stream: &[u8], header: &Header) -> Result<Picture, Fault> {
    if header.precision != 8 {
        return Err(Fault::Unsupported("a progressive JPEG stream of other than 8 bits"));
    }
    check_frame(stream)?;
    let damaged = |_| Fault::Damaged("a progressive JPEG stream that is corrupt or cut short");
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(header.width.into())
        .set_max_height(header.height.into());
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
    decoder.decode_headers().map_err(damaged)?;
    let coded = decoder.input_colorspace().ok_or(Fault::Damaged("a progressive JPEG stream of unknown components"))?;
    decoder.set_options(options.jpeg_set_out_colorspace(coded));
    let bytes = decoder.decode().map_err(damaged)?;
    Ok(Picture { samples: bytes.into_iter().map(u16::from).collect(), ended: true })
}

/// Whether all markers up to the end are there, and one frame only: another would have the decoder read another size.
fn check_frame(stream: &[u8]) -> Result<(), Fault> {
    let mut segments = Segments::new(stream)?;
    let mut frames = 0;
    loop {
        match segments.next() {
            Ok((EOI, _)) if frames == 1 => return Ok(()),
            Ok((0xc2, _)) => frames += 1,
            Ok((SOS, _)) => segments.skip_data(),
            Ok((0xc0 | 0xc1 | 0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | EOI, _)) => {
                return Err(Fault::Damaged("a second JPEG frame header"));
            }
            Ok(_) => {}
            Err(_) => return Err(Fault::Damaged("a progressive JPEG stream without its end marker")),
        }
    }
}
