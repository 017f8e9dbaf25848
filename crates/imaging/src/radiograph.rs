//! A decoded image.

use cspine_domain::{Notes, Pose, Reason};

use crate::Header;

/// The narrowest side that the network can make anything of, in pixels.
const MIN_SIDE: u32 = 64;

/// One decoded image, as a display would show it, in grey.
#[derive(Debug, Clone)]
pub struct Radiograph {
    /// Pixels in a row; at least 1.
    pub width: u32,
    /// Rows; at least 1.
    pub height: u32,
    /// `width * height` values, row by row: 0 black to 65535 white as displayed. The range is that of the stored bit
    /// depth, or for DICOM the output of the modality and VOI transformations. Colour is weighed as Rec. 601.
    pub luminance: Vec<u16>,
    /// How many of the values are padding, no part of the picture. Each of them is 0, black; no range of grey values counts
    /// them.
    pub padding: u64,
    /// Whether more than 0.5 % of the pixels have a chroma (largest less smallest channel) over 8/255.
    pub colour: bool,
    /// What a DICOM header says; `None` for the other formats.
    pub header: Option<Header>,
    /// How it stands beside the stored pixels, and their shape.
    pub pose: Pose,
    /// What was odd about the file and was tolerated.
    pub notes: Notes,
}

impl Radiograph {
    /// A grey image without a header: `luminance` has `width * height` values.
    pub fn grey(width: u32, height: u32, luminance: Vec<u16>) -> Self {
        let (colour, notes, pose) = (false, Notes::new(), Pose::default());
        Self { width, height, luminance, padding: 0, colour, header: None, pose, notes }
    }

    /// Whether a network may judge it; else the code: `colour`, `too_small` or `constant`.
    pub fn assessable(&self) -> Result<(), Reason> {
        if self.colour {
            return Err(Reason::Colour);
        }
        if self.width.min(self.height) < MIN_SIDE {
            return Err(Reason::TooSmall);
        }
        if self.is_constant() { Err(Reason::Constant) } else { Ok(()) }
    }

    /// Whether all values but padding are alike.
    fn is_constant(&self) -> bool {
        let black = self.luminance.iter().filter(|&&value| value == 0).count() as u64;
        // Padding is black: without black beside it, the rest may be alike all the same.
        let padding = self.padding > 0 && black == self.padding;
        let mut shown = self.luminance.iter().filter(|&&value| !(padding && value == 0));
        let first = shown.next();
        shown.all(|value| Some(value) == first)
    }
}

#[cfg(test)]
mod tests {
    use cspine_domain::Reason;

    use super::Radiograph;

    fn radiograph(width: u32, height: u32, colour: bool) -> Radiograph {
        let luminance = (0..width * height).map(|i| (i % 251) as u16).collect();
        Radiograph { colour, ..Radiograph::grey(width, height, luminance) }
    }

    #[test]
    fn colour_small_and_constant_images_are_not_assessable() {
        assert_eq!(radiograph(64, 64, false).assessable(), Ok(()));
        assert_eq!(radiograph(64, 64, true).assessable(), Err(Reason::Colour));
        assert_eq!(radiograph(63, 640, false).assessable(), Err(Reason::TooSmall));
        let mut constant = radiograph(64, 64, false);
        constant.luminance.fill(7);
        assert_eq!(constant.assessable(), Err(Reason::Constant));
        constant.luminance[..640].fill(0);
        assert_eq!(constant.assessable(), Ok(()));
        constant.padding = 640;
        assert_eq!(constant.assessable(), Err(Reason::Constant));
        constant.padding = 639; // one black pixel is of the picture
        assert_eq!(constant.assessable(), Ok(()));
    }
}
