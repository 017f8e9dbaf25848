//! A heatmap laid over the radiograph it explains.

use image::{ExtendedColorType, Rgb, RgbImage};

use crate::heatmap::png;
use crate::{EncodeError, Heatmap, Preprocessing, Radiograph};

/// The share of colour where the heatmap is at its strongest; where it is 0 the radiograph shows alone.
const ALPHA_MAX: f32 = 0.6;

/// The radiograph as it stands, in its true proportions, in the grey the network saw, coloured where the decision rests.
/// It has the radiograph's own width and height, but for an axis whose pixels are the longer: that one is stretched.
///
/// The heatmap must stand as the radiograph does: [`Radiograph::posed`] takes it there.
///
/// # Errors
/// [`EncodeError`] if the heatmap's or the radiograph's values do not fill width and height, or one has no pixels.
pub fn overlay(
    radiograph: &Radiograph,
    heatmap: &Heatmap,
    preprocessing: &Preprocessing,
) -> Result<RgbImage, EncodeError> {
    let full = |len: usize, width: u32, height: u32| len > 0 && len as u64 == u64::from(width) * u64::from(height);
    if !full(heatmap.values.len(), heatmap.width, heatmap.height)
        || !full(radiograph.luminance.len(), radiograph.width, radiograph.height)
    {
        return Err(EncodeError);
    }
    let (black, white) = preprocessing.intensity.range(radiograph);
    let radiograph = &*radiograph.squared();
    let (across, down) = preprocessing.axes(radiograph);
    // A pixel's place on the continued axis, as a fraction: where the network saw it.
    let place = |position: u32, axis: crate::resize::Axis| {
        (position as f32 + 0.5 + axis.before as f32) / (axis.before + axis.len + axis.after) as f32
    };
    let width = radiograph.width as usize;
    Ok(RgbImage::from_fn(radiograph.width, radiograph.height, |x, y| {
        let luminance = f32::from(radiograph.luminance[y as usize * width + x as usize]);
        let grey = ((luminance - black) / (white - black)).clamp(0.0, 1.0);
        let heat = heatmap.at(place(x, across), place(y, down)) / 255.0;
        let alpha = ALPHA_MAX * heat;
        Rgb(inferno(heat).map(|colour| ((grey * (1.0 - alpha) + colour * alpha) * 255.0).round() as u8))
    }))
}

/// A picture as an 8-bit RGB PNG.
///
/// # Errors
/// [`EncodeError`] if the encoder refuses its size.
pub fn encode_png(picture: &RgbImage) -> Result<Vec<u8>, EncodeError> {
    png(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
}

/// Matplotlib's perceptually ordered map "inferno" as Matt Zucker's polynomial (CC0); 0 to 1 in and out.
fn inferno(heat: f32) -> [f32; 3] {
    const COEFFICIENTS: [[f32; 3]; 7] = [
        [0.000_218_940_37, 0.001_651_004_6, -0.019_480_899],
        [0.106_513_42, 0.563_956_4, 3.932_712_4],
        [11.602_493, -3.972_854, -15.942_394],
        [-41.703_995, 17.436_398, 44.354_145],
        [77.162_94, -33.402_36, -81.807_31],
        [-71.319_43, 32.626_064, 73.209_52],
        [25.131_126, -12.242_669, -23.070_325],
    ];
    std::array::from_fn(|channel| {
        COEFFICIENTS.iter().rev().fold(0.0, |sum, term| sum * heat + term[channel]).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::{encode_png, inferno, overlay};
    use crate::{Geometry, Heatmap, Limits, Preprocessing, Radiograph, decode};

    fn radiograph(width: u32, height: u32) -> Radiograph {
        let luminance = (0..width * height).map(|i| (i % 97 * 600) as u16).collect();
        Radiograph::grey(width, height, luminance)
    }

    #[test]
    fn the_colour_map_grows_lighter_throughout() {
        let lightness = |heat: f32| {
            let [r, g, b] = inferno(heat);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let steps: Vec<f32> = (0..=64).map(|i| lightness(i as f32 / 64.0)).collect();
        assert!(steps.windows(2).all(|pair| pair[1] > pair[0] - 1e-3), "{steps:?}");
        assert!(steps[0] < 0.01 && steps[64] > 0.9);
    }

    #[test]
    fn an_overlay_without_heat_is_the_grey_radiograph_in_its_own_size() {
        let heatmap = Heatmap { width: 7, height: 7, values: vec![0; 49] };
        let picture = overlay(&radiograph(120, 90), &heatmap, &Preprocessing::default()).unwrap();
        assert_eq!(picture.dimensions(), (120, 90));
        assert!(picture.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]));
        let read = decode(&encode_png(&picture).unwrap(), None, &Limits::default()).unwrap();
        assert!(!read.colour && read.width == 120);
    }

    /// Of an upright radiograph twice as high as wide, padding puts the picture into the middle half of the columns.
    #[test]
    fn heat_lies_where_the_geometry_took_it_from() {
        let mut heatmap = Heatmap { width: 224, height: 224, values: vec![0; 224 * 224] };
        for y in 100..124 {
            for x in 56..84 {
                heatmap.values[y * 224 + x] = 255; // the first quarter of the picture's own columns when padded
            }
        }
        let coloured = |geometry: Geometry| {
            let card = Preprocessing { geometry, ..Preprocessing::default() };
            let picture = overlay(&radiograph(100, 200), &heatmap, &card).unwrap();
            let hot = picture.enumerate_pixels().filter(|(_, _, p)| p.0[0].abs_diff(p.0[2]) > 40);
            let columns: Vec<u32> = hot.map(|(x, _, _)| x).collect();
            (*columns.iter().min().unwrap(), *columns.iter().max().unwrap())
        };
        let (left, right) = coloured(Geometry::Pad);
        assert!(left == 0 && (23..=27).contains(&right), "{left} {right}");
        let (left, right) = coloured(Geometry::Stretch);
        assert!((23..=26).contains(&left) && (36..=39).contains(&right), "{left} {right}");
    }

    #[test]
    fn a_heatmap_that_does_not_fill_its_size_is_refused() {
        let heatmap = Heatmap { width: 7, height: 7, values: vec![0; 48] };
        assert!(overlay(&radiograph(64, 64), &heatmap, &Preprocessing::default()).is_err());
        let empty = Heatmap { width: 0, height: 0, values: vec![] };
        assert!(overlay(&radiograph(64, 64), &empty, &Preprocessing::default()).is_err());
    }
}
