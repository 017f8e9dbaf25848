//! How the bytes of a strip or tile are packed.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;
use ruzstd::decoding::StreamingDecoder;
use weezl::BitOrder;

use super::damaged;
use super::page::Compression;
use crate::{DecodeError, packbits};

/// The first `length` bytes; fewer are an error, and more are padding.
pub(super) fn unpack(compression: Compression, packed: &[u8], length: usize) -> Result<Cow<'_, [u8]>, DecodeError> {
    const CUT: DecodeError = damaged("a strip or tile that ends too soon or is corrupt");
    let mut bytes = Vec::new();
    match compression {
        Compression::None => return Ok(Cow::Borrowed(packed.get(..length).ok_or(CUT)?)),
        Compression::Deflate => {
            ZlibDecoder::new(packed).take(length as u64).read_to_end(&mut bytes).map_err(|_| CUT)?;
        }
        Compression::Zstd => {
            // What lies further back than the chunk is long is never repeated.
            let window = (length as u64).next_power_of_two().max(8 << 20);
            let decoder = StreamingDecoder::new_with_max_window_size(packed, window).map_err(|_| CUT)?;
            decoder.take(length as u64).read_to_end(&mut bytes).map_err(|_| CUT)?;
        }
        Compression::Lzw => {
            bytes.resize(length, 0);
            let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
            let (mut read, mut written) = (0, 0);
            while written < length {
                let step = decoder.decode_bytes(&packed[read..], &mut bytes[written..]);
                read += step.consumed_in;
                written += step.consumed_out;
                if step.status.is_err() || (step.consumed_in, step.consumed_out) == (0, 0) {
                    return Err(CUT);
                }
            }
        }
        Compression::PackBits => {
            bytes.resize(length, 0);
            packbits::unpack(packed, &mut bytes).ok_or(CUT)?;
        }
        Compression::Jpeg => return Err(CUT), // no bytes, but samples
    }
    if bytes.len() == length { Ok(Cow::Owned(bytes)) } else { Err(CUT) }
}
