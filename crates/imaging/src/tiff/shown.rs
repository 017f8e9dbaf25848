//! From the samples of a page to what a display shows.

use super::page::{Meaning, Page};
use crate::DecodeError;
use crate::grey::{Grey, rgb_of_ybr, stretch_table};

/// Luminance, and how many pixels are transparent: those are black.
pub(super) fn grey(page: &Page<'_>, mut samples: Vec<u16>) -> Result<(Grey, u64), DecodeError> {
    let count = page.samples;
    let transparent: Vec<bool> = match page.alpha {
        Some(alpha) => samples.iter().skip(alpha).step_by(count).map(|&alpha| alpha == 0).collect(),
        None => Vec::new(),
    };
    if page.signed && page.meaning != Meaning::Palette {
        // The lowest value is black, as for unsigned samples.
        samples.iter_mut().for_each(|sample| *sample ^= 1 << (page.bits - 1));
    }
    let table = stretch_table(page.bits);
    let scale = |sample: u16| table[usize::from(sample)];
    let pixels = samples.chunks_exact(count);
    let mut grey = match page.meaning {
        Meaning::Grey { inverted } => {
            let flip = if inverted { u16::MAX } else { 0 };
            Grey::of_grey(pixels.map(|pixel| scale(pixel[0]) ^ flip).collect())
        }
        Meaning::Rgb => Grey::of_rgb(pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]].map(scale))),
        Meaning::Ybr => Grey::of_rgb(pixels.map(|pixel| rgb_of_ybr([pixel[0], pixel[1], pixel[2]].map(scale)))),
        Meaning::Palette => {
            // Some writers fill the table with 8-bit values, which libtiff stretches as well.
            let factor = if page.palette.iter().all(|&value| value < 256) { 257 } else { 1 };
            let colour =
                |index: u16, channel: usize| page.palette[(channel << page.bits) + usize::from(index)] * factor;
            Grey::of_rgb(pixels.map(|pixel| [0, 1, 2].map(|channel| colour(pixel[0], channel))))
        }
    };
    let padding = grey.blacken(transparent.into_iter());
    Ok((grey, padding))
}
