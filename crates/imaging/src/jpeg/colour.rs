//! What the components of a JPEG stream are, as far as the stream says.

use super::{Header, Process};

/// The marker segments of a stream that tell its colour space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Colour {
    /// A JFIF segment: luminance and two colour differences.
    pub jfif: bool,
    /// The transformation of an Adobe segment: 0 none, 1 to luminance and two colour differences.
    pub adobe: Option<u8>,
}

impl Colour {
    pub(super) fn note(&mut self, marker: u8, segment: &[u8]) {
        match marker {
            0xe0 if segment.starts_with(b"JFIF\0") => self.jfif = true,
            0xee if segment.starts_with(b"Adobe") => self.adobe = segment.get(11).copied(),
            _ => {}
        }
    }
}

impl Header {
    /// Whether the identifiers of three components spell RGB or rgb.
    pub fn is_named_rgb(&self) -> bool {
        let spell = |name: &[u8; 3]| self.components.iter().map(|component| component.id).eq(*name);
        spell(b"RGB") || spell(b"rgb")
    }

    /// Whether the components of a file are red, green and blue, by the rules of libjpeg.
    pub fn is_rgb(&self) -> bool {
        match self.colour {
            Colour { jfif: true, .. } => false,
            Colour { adobe: Some(transformation), .. } => transformation == 0,
            _ => self.is_named_rgb() || matches!(self.process, Process::Lossless | Process::LosslessLs),
        }
    }
}
