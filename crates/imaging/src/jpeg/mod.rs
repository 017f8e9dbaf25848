//! JPEG (ITU-T T.81), Huffman coded: sequential DCT of 8 and 12 bits, progressive DCT of 8 bits, and the lossless process;
//! and JPEG-LS (T.87).
//!
//! We decode these ourselves: the crates we know read lossless streams with restart intervals or a point transform
//! wrongly, know no 12 bits, and fill what a stream lacks with grey. Here a stream gives every sample or an error.
//!
//! ```text
//! stream --markers--> Header (sizes against the limits) --lossless | sequential | progressive | ls--> Picture
//! ```

mod bits;
mod colour;
mod coverage;
mod decoder;
mod grid;
mod huffman;
mod idct;
mod lossless;
mod ls;
mod markers;
mod planes;
mod progressive;
mod sequential;

pub(crate) use colour::Colour;
pub(crate) use markers::{Header, Process};

use crate::Fault;

/// The samples of an image, pixel by pixel.
#[derive(Debug)]
pub(crate) struct Picture {
    /// `width * height * components` samples as coded, each of at most `precision` bits, or 16 for a stream that lies.
    pub samples: Vec<u16>,
    /// Whether the stream had an end marker.
    pub ended: bool,
}

/// Decodes the stream of which this is the header. The caller has held its size against the limits: decoding holds at
/// most 8 bytes a sample.
///
/// # Errors
/// A stream that lacks a sample is damaged; a process or a form that we do not decode is unsupported.
pub(crate) fn decode(stream: &[u8], header: &Header) -> Result<Picture, Fault> {
    if !matches!(header.components.len(), 1 | 3) {
        return Err(Fault::Unsupported("a JPEG stream of other than one and three components"));
    }
    match header.process {
        Process::Lossless | Process::Sequential | Process::Progressive => decoder::decode(stream, header),
        Process::LosslessLs => ls::decode(stream, header),
        Process::Other => Err(Fault::Unsupported("a JPEG process other than Huffman coded DCT and lossless")),
    }
}
