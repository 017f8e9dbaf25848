//! What the frame header of a compressed stream says, where it may differ from the data set.

use super::transfer_syntax::Codec;

/// The frame header of a JPEG, JPEG-LS or JPEG 2000 stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    pub components: u16,
    /// Bits of a sample.
    pub precision: u16,
    /// Whether the precision goes before the bits stored, as it does with JPEG-LS and JPEG 2000.
    pub counts: bool,
}

const SOC_SIZ: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];

impl Stream {
    /// `None` if the stream has no such header: the codec will find out.
    pub fn read(stream: &[u8], codec: Codec) -> Option<Self> {
        match codec {
            Codec::Native | Codec::Rle => None,
            // It may be wrapped into boxes.
            Codec::Jpeg2000 => {
                let start = stream.windows(4).position(|window| window == SOC_SIZ)?;
                let components = u16::from_be_bytes(*stream.get(start + 40..)?.first_chunk()?);
                let precision = stream.get(start + 42)? & 0x7f;
                Some(Self { components, precision: u16::from(precision) + 1, counts: true })
            }
            Codec::Jpeg => jpeg(stream),
        }
    }
}

fn jpeg(stream: &[u8]) -> Option<Stream> {
    let mut at = 2;
    loop {
        let &[0xff, marker, high, low] = stream.get(at..)?.first_chunk()? else { return None };
        match marker {
            0xff => at += 1, // fill byte
            // Frame headers of JPEG, which those of tables lie between, and of JPEG-LS.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7 => {
                let (precision, components) = (*stream.get(at + 4)?, *stream.get(at + 9)?);
                return Some(Stream {
                    components: components.into(),
                    precision: precision.into(),
                    counts: marker == 0xf7,
                });
            }
            0xda => return None,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
        }
    }
}
