//! What the decision rests on, at the network's resolution.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::{DecodeError, EncodeError, Limits, MediaType, decode};

/// A saliency map over the network's input: geometry and padding are the input's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heatmap {
    /// Values in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height` values, row by row: 0 does not matter to 255 matters most.
    pub values: Vec<u8>,
}

impl Heatmap {
    /// Scales values of any range, row by row, so that the largest becomes 255; values up to 0 and not finite become 0.
    ///
    /// # Errors
    /// [`EncodeError`] if there are not `width * height` of them.
    pub fn from_saliency(width: u32, height: u32, saliency: &[f32]) -> Result<Self, EncodeError> {
        if saliency.len() as u64 != u64::from(width) * u64::from(height) {
            return Err(EncodeError);
        }
        let peak = saliency.iter().copied().filter(|v| v.is_finite()).fold(0.0_f32, f32::max);
        let scale = if peak > 0.0 { 255.0 / peak } else { 0.0 };
        // The cast saturates and takes NaN to 0; an infinite value is no measure of importance either.
        let values = saliency.iter().map(|v| if v.is_finite() { (v * scale).round() as u8 } else { 0 }).collect();
        Ok(Self { width, height, values })
    }

    /// The map as an 8-bit grey PNG.
    ///
    /// # Errors
    /// [`EncodeError`] if the values do not fill width and height.
    pub fn to_png(&self) -> Result<Vec<u8>, EncodeError> {
        png(&self.values, self.width, self.height, ExtendedColorType::L8)
    }

    /// Reads what `to_png` wrote.
    ///
    /// # Errors
    /// As [`decode`]; a map is at most 4096 on a side.
    pub fn from_png(bytes: &[u8]) -> Result<Self, DecodeError> {
        let limits = Limits { max_width: 4096, max_height: 4096, ..Limits::default() };
        let picture = decode(bytes, Some(MediaType::Png), &limits)?;
        let values = picture.luminance.iter().map(|value| (value >> 8) as u8).collect();
        Ok(Self { width: picture.width, height: picture.height, values })
    }

    /// The value at a place given as fractions of width and height, between the four nearest.
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let (x0, x1, across) = neighbours(x, self.width);
        let (y0, y1, down) = neighbours(y, self.height);
        let value = |x: usize, y: usize| f32::from(self.values[y * self.width as usize + x]);
        let mix = |a: f32, b: f32, part: f32| a + (b - a) * part;
        mix(mix(value(x0, y0), value(x1, y0), across), mix(value(x0, y1), value(x1, y1), across), down)
    }
}

/// The two pixels around a place and how far it lies towards the second.
fn neighbours(fraction: f32, len: u32) -> (usize, usize, f32) {
    let last = (len - 1) as f32;
    let place = (fraction * len as f32 - 0.5).clamp(0.0, last);
    (place.floor() as usize, place.ceil() as usize, place.fract())
}

/// Encodes 8-bit samples as PNG.
pub(crate) fn png(samples: &[u8], width: u32, height: u32, colour: ExtendedColorType) -> Result<Vec<u8>, EncodeError> {
    let needed = u64::from(width) * u64::from(height) * u64::from(colour.bits_per_pixel()) / 8;
    if samples.len() as u64 != needed {
        return Err(EncodeError);
    }
    let mut file = Cursor::new(Vec::new());
    PngEncoder::new(&mut file).write_image(samples, width, height, colour).map_err(|_| EncodeError)?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::Heatmap;
    use crate::EncodeError;

    #[test]
    fn a_heatmap_survives_its_png() {
        let heatmap = Heatmap { width: 5, height: 3, values: (0..15).map(|i| i * 17).collect() };
        assert_eq!(Heatmap::from_png(&heatmap.to_png().unwrap()), Ok(heatmap));
        assert_eq!(Heatmap { width: 5, height: 3, values: vec![0; 14] }.to_png(), Err(EncodeError));
    }

    #[test]
    fn saliency_is_scaled_to_its_peak() {
        let heatmap = Heatmap::from_saliency(3, 2, &[0.0, 1.0, 2.0, -1.0, f32::NAN, f32::INFINITY]).unwrap();
        assert_eq!(heatmap.values, [0, 128, 255, 0, 0, 0]);
        assert_eq!(Heatmap::from_saliency(2, 1, &[0.0, 0.0]).unwrap().values, [0, 0]);
        assert!(Heatmap::from_saliency(2, 2, &[1.0]).is_err());
    }
}
