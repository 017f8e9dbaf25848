//! From a radiograph to the network's input, as the model card says. Worker and trainer share this one function.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Radiograph;
use crate::resize::{Axis, Taps, resample};

/// How pixels become the network's input; a part of the model card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Preprocessing {
    /// How a radiograph that is not square becomes square.
    pub geometry: Geometry,
    /// Side of the network's input in pixels, 1 to 4096.
    pub size: u32,
    /// How it is resized.
    pub filter: Filter,
    /// Which luminance becomes black and which white.
    pub intensity: Intensity,
    /// What is subtracted from the grey value (0 to 1), for each of the three input channels.
    pub mean: [f32; 3],
    /// What it is then divided by, for each channel; over 0.
    pub std: [f32; 3],
}

/// How a radiograph that is not square becomes square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Geometry {
    /// Width and height are resized each by its own factor (the paper's).
    Stretch,
    /// The shorter side is continued on both sides with the edge's value; proportions stay.
    Pad,
}

/// How it is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Antialiased triangle: Pillow's BILINEAR.
    Triangle,
}

/// Which luminance becomes 0 and which 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intensity {
    /// The ends of the stored bit depth: for imported networks.
    FullRange,
    /// The 0.5th and the 99.5th percentile of the whole image without its padding; what lies beyond is clipped.
    Percentile,
}

/// A preprocessing that no image can go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PreprocessingError {
    /// The size is 0 or over 4096.
    #[error("the input size must be 1 to 4096 pixels")]
    Size,
    /// A mean that is not finite, or a standard deviation that is not over 0.
    #[error("means must be finite and standard deviations finite and over 0")]
    Normalisation,
}

impl Default for Preprocessing {
    /// Ours: padded, 224 pixels, percentiles, with the means and deviations of torchvision's ImageNet networks.
    fn default() -> Self {
        Self {
            geometry: Geometry::Pad,
            size: 224,
            filter: Filter::Triangle,
            intensity: Intensity::Percentile,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }
}

impl Preprocessing {
    /// `grey`, then `normalise`: `[3, size, size]`, plane by plane.
    pub fn apply(&self, radiograph: &Radiograph) -> Vec<f32> {
        self.normalise(&self.grey(radiograph))
    }

    /// The radiograph as the network sees it, before normalisation: `size * size` values from 0 (black) to 1 (white).
    ///
    /// # Panics
    /// If the radiograph's luminance does not fill its width and height.
    pub fn grey(&self, radiograph: &Radiograph) -> Vec<f32> {
        let (width, size) = (radiograph.width as usize, self.size as usize);
        assert_eq!(radiograph.luminance.len(), width * radiograph.height as usize, "luminance fills the radiograph");
        let (across, down) = self.axes(radiograph);
        let (black, white) = self.intensity.range(radiograph);
        let luminance = without_padding(radiograph, black);
        let mut grey = resample(&luminance, width, &Taps::new(across, size), &Taps::new(down, size));
        let scale = 1.0 / (white - black);
        for value in &mut grey {
            *value = ((*value - black) * scale).clamp(0.0, 1.0);
        }
        grey
    }

    /// `size * size` grey values to `[3, size, size]`: each channel less its mean, by its deviation.
    pub fn normalise(&self, grey: &[f32]) -> Vec<f32> {
        let mut planes = Vec::with_capacity(3 * grey.len());
        for (mean, std) in self.mean.iter().zip(&self.std) {
            let scale = 1.0 / std;
            planes.extend(grey.iter().map(|value| (value - mean) * scale));
        }
        planes
    }

    /// The two axes of a radiograph with what geometry adds to them, each in its own pixels.
    pub(crate) fn axes(&self, radiograph: &Radiograph) -> (Axis, Axis) {
        let (width, height) = (radiograph.width as usize, radiograph.height as usize);
        match self.geometry {
            Geometry::Stretch => (Axis::whole(width), Axis::whole(height)),
            Geometry::Pad => {
                // Lengths in widths of a pixel.
                let pixel_height = f64::from(radiograph.pose.pixel_aspect);
                let side = (width as f64).max(height as f64 * pixel_height);
                let centred = |len: usize, pixel: f64| Axis::centred(len, len.max((side / pixel).round() as usize));
                (centred(width, 1.0), centred(height, pixel_height))
            }
        }
    }
}

impl Intensity {
    /// The luminance of black and of white; white is the larger by at least 1.
    pub(crate) fn range(self, radiograph: &Radiograph) -> (f32, f32) {
        match self {
            Intensity::FullRange => (0.0, f32::from(u16::MAX)),
            Intensity::Percentile => percentiles(&radiograph.luminance, radiograph.padding),
        }
    }
}

/// The luminance with padding, if there is any, as bright as what becomes black. Else it would darken the pixels beside it
/// when these are resized, by more the brighter the picture's black is.
fn without_padding(radiograph: &Radiograph, black: f32) -> Cow<'_, [u16]> {
    let black = black as u16;
    if radiograph.padding == 0 || black == 0 {
        return Cow::Borrowed(&radiograph.luminance);
    }
    Cow::Owned(radiograph.luminance.iter().map(|&value| value.max(black)).collect())
}

/// The values under which lie 0.5 % and 99.5 % of all pixels that are no padding; where they coincide, the smallest and
/// largest value.
fn percentiles(luminance: &[u16], padding: u64) -> (f32, f32) {
    let mut counts = vec![0_u32; 1 << 16];
    for &value in luminance {
        counts[usize::from(value)] += 1;
    }
    // All padding is black. Where nothing else is left, there is nothing to leave it out of.
    let padding = if padding < luminance.len() as u64 { padding.min(counts[0].into()) } else { 0 };
    counts[0] -= padding as u32;
    let tail = (luminance.len() as u64 - padding) / 200;
    let low = quantile(counts.iter(), tail);
    let high = usize::from(u16::MAX) - quantile(counts.iter().rev(), tail);
    let (low, high) = if low < high {
        (low, high)
    } else {
        (quantile(counts.iter(), 0), usize::from(u16::MAX) - quantile(counts.iter().rev(), 0))
    };
    (low as f32, high.max(low + 1) as f32)
}

/// The first index at which more than `tail` pixels have been counted.
fn quantile<'a>(counts: impl Iterator<Item = &'a u32>, tail: u64) -> usize {
    let mut seen = 0_u64;
    for (index, &count) in counts.enumerate() {
        seen += u64::from(count);
        if seen > tail {
            return index;
        }
    }
    0
}

/// The form on file, before it is checked. Unknown fields are refused: they might change what the network sees.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    geometry: Geometry,
    size: u32,
    filter: Filter,
    intensity: Intensity,
    mean: [f32; 3],
    std: [f32; 3],
}

impl TryFrom<Unchecked> for Preprocessing {
    type Error = PreprocessingError;
    fn try_from(card: Unchecked) -> Result<Self, PreprocessingError> {
        let Unchecked { geometry, size, filter, intensity, mean, std } = card;
        if !(1..=4096).contains(&size) {
            return Err(PreprocessingError::Size);
        }
        if mean.iter().any(|v| !v.is_finite()) || std.iter().any(|v| !v.is_finite() || *v <= 0.0) {
            return Err(PreprocessingError::Normalisation);
        }
        Ok(Self { geometry, size, filter, intensity, mean, std })
    }
}

#[cfg(test)]
mod tests {
    use super::{Geometry, Intensity, Preprocessing, percentiles};
    use crate::Radiograph;

    #[test]
    fn a_card_uses_the_designs_words_and_refuses_what_it_does_not_know() {
        let card = serde_json::to_value(Preprocessing::default()).unwrap();
        assert_eq!(card["geometry"], "pad");
        assert_eq!(card["filter"], "triangle");
        assert_eq!(card["intensity"], "percentile");
        assert_eq!(serde_json::from_value::<Preprocessing>(card.clone()).unwrap(), Preprocessing::default());
        let with = |field: &str, value: serde_json::Value| {
            let mut card = card.clone();
            card[field] = value;
            serde_json::from_value::<Preprocessing>(card).is_ok()
        };
        assert!(with("intensity", "full_range".into()) && with("geometry", "stretch".into()));
        assert!(!with("geometry", "crop".into()) && !with("size", 0.into()) && !with("gamma", 2.into()));
        assert!(!with("std", serde_json::json!([0.0, 1.0, 1.0])));
    }

    #[test]
    fn percentiles_leave_out_half_a_percent_at_each_end() {
        let mut luminance = vec![0; 5];
        luminance.extend((0..990).map(|i| 1000 + i));
        luminance.extend([65535; 5]);
        assert_eq!(percentiles(&luminance, 0), (1000.0, 1989.0));
        assert_eq!(percentiles(&[7; 1000], 0), (7.0, 8.0));
        let mut nearly_constant = vec![7; 1000];
        nearly_constant[0] = 900;
        assert_eq!(percentiles(&nearly_constant, 0), (7.0, 900.0));
        assert_eq!(percentiles(&[65535; 4], 0), (65535.0, 65536.0));
    }

    #[test]
    fn percentiles_leave_padding_out() {
        let mut luminance = vec![0; 5];
        luminance.extend((0..990).map(|i| 1000 + i));
        luminance.extend([65535; 5]);
        luminance.extend([0; 3000]);
        assert_eq!(percentiles(&luminance, 3000), (1000.0, 1989.0));
        assert_eq!(percentiles(&luminance, 0).0, 0.0);
        assert_eq!(percentiles(&[0; 1000], 1000), (0.0, 1.0));
        assert_eq!(percentiles(&[0; 1000], 5000), (0.0, 1.0));
    }

    #[test]
    fn input_is_three_normalised_planes() {
        let radiograph = Radiograph::grey(80, 40, vec![65535; 3200]);
        let card = Preprocessing { intensity: Intensity::FullRange, geometry: Geometry::Stretch, ..Default::default() };
        let input = card.apply(&radiograph);
        assert_eq!(input.len(), 3 * 224 * 224);
        for (channel, plane) in input.chunks_exact(224 * 224).enumerate() {
            let expected = (1.0 - card.mean[channel]) / card.std[channel];
            assert!(plane.iter().all(|v| (v - expected).abs() < 1e-5));
        }
    }
}
