//! Modality LUT, VOI LUT or window, and polarity (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2), as one table over the stored bits.

use super::dataset::{Dataset, Value, malformed};
use super::layout::{Layout, Photometric};
use super::tags::{self, Tag};
use crate::DecodeError;

/// For each pattern of stored bits its luminance, 0 to 65535. It has `layout.max() + 1` entries.
///
/// A VOI LUT comes before a window, of several the first is taken, and without either the stored range is shown whole.
/// A window that cannot be one (width not over 0, numbers that are none) counts as absent.
pub(super) fn table(dataset: &Dataset<'_>, layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    let modality = Modality::read(dataset, layout)?;
    let presentation = Presentation::read(dataset, layout, &modality)?;
    let inverted = layout.photometric == Photometric::Monochrome { inverted: true };
    let luminance = |index: u16| {
        let shown = presentation.show(modality.apply(layout.meaning(index))).clamp(0.0, 1.0);
        let shown = if inverted { 1.0 - shown } else { shown };
        (shown * 65535.0).round() as u16
    };
    Ok((0..=layout.max()).map(luminance).collect())
}

/// From stored values to those of the modality.
enum Modality {
    Rescale { slope: f64, intercept: f64 },
    Lut(Lut),
}

impl Modality {
    fn read(dataset: &Dataset<'_>, layout: &Layout) -> Result<Self, DecodeError> {
        if let Some(lut) = Lut::read(dataset, tags::MODALITY_LUT_SEQUENCE, layout)? {
            return Ok(Modality::Lut(lut));
        }
        // A slope of 0 would make every image constant; nobody means it.
        let slope = dataset.decimal(tags::RESCALE_SLOPE).filter(|&slope| slope != 0.0).unwrap_or(1.0);
        Ok(Modality::Rescale { slope, intercept: dataset.decimal(tags::RESCALE_INTERCEPT).unwrap_or(0.0) })
    }

    fn apply(&self, stored: i32) -> f64 {
        match self {
            Modality::Rescale { slope, intercept } => f64::from(stored) * slope + intercept,
            Modality::Lut(lut) => lut.at(f64::from(stored)),
        }
    }

    /// The smallest and the largest value it can give.
    fn range(&self, layout: &Layout) -> (f64, f64) {
        let ends = match self {
            Modality::Lut(lut) => [0.0, lut.max],
            Modality::Rescale { .. } if layout.signed => {
                let half = i32::from(layout.max() / 2);
                [self.apply(-half - 1), self.apply(half)]
            }
            Modality::Rescale { .. } => [self.apply(0), self.apply(layout.max().into())],
        };
        (ends[0].min(ends[1]), ends[0].max(ends[1]))
    }
}

/// From values of the modality to shown ones, 0 black to 1 white.
enum Presentation {
    Whole { min: f64, max: f64 },
    Window { function: Function, centre: f64, width: f64 },
    Lut(Lut),
}

enum Function {
    Linear,
    LinearExact,
    Sigmoid,
}

impl Presentation {
    fn read(dataset: &Dataset<'_>, layout: &Layout, modality: &Modality) -> Result<Self, DecodeError> {
        if let Some(lut) = Lut::read(dataset, tags::VOI_LUT_SEQUENCE, layout)? {
            return Ok(Presentation::Lut(lut));
        }
        let function = match dataset.code(tags::VOI_LUT_FUNCTION) {
            Some("SIGMOID") => Function::Sigmoid,
            Some("LINEAR_EXACT") => Function::LinearExact,
            _ => Function::Linear,
        };
        let narrowest = if matches!(function, Function::Linear) { 1.0 } else { f64::MIN_POSITIVE };
        let width = dataset.decimal(tags::WINDOW_WIDTH).filter(|&width| width >= narrowest);
        Ok(match (dataset.decimal(tags::WINDOW_CENTER), width) {
            (Some(centre), Some(width)) => Presentation::Window { function, centre, width },
            _ => {
                let (min, max) = modality.range(layout);
                Presentation::Whole { min, max }
            }
        })
    }

    fn show(&self, value: f64) -> f64 {
        match self {
            Presentation::Whole { min, max } => (value - min) / (max - min),
            Presentation::Lut(lut) => lut.at(value) / lut.max,
            Presentation::Window { function: Function::Sigmoid, centre, width } => {
                1.0 / (1.0 + (-4.0 * (value - centre) / width).exp())
            }
            Presentation::Window { function: Function::Linear, centre, width } => {
                ramp(value, centre - 0.5, width - 1.0)
            }
            Presentation::Window { function: Function::LinearExact, centre, width } => ramp(value, *centre, *width),
        }
    }
}

/// 0 up to the window's lower edge, 1 from above its upper edge, a straight line between.
fn ramp(value: f64, centre: f64, width: f64) -> f64 {
    if value <= centre - width / 2.0 {
        0.0
    } else if value > centre + width / 2.0 {
        1.0
    } else {
        (value - centre) / width + 0.5
    }
}

/// A lookup table (PS3.3 C.11.1.1): from the first value mapped on, clamped at both ends.
struct Lut {
    first: f64,
    entries: Vec<u16>,
    /// The largest value of its bit depth.
    max: f64,
}

impl Lut {
    /// The table in the first item of a sequence; `None` without one.
    fn read(dataset: &Dataset<'_>, sequence: Tag, layout: &Layout) -> Result<Option<Self>, DecodeError> {
        let Some(descriptor) = dataset.value_in(sequence, tags::LUT_DESCRIPTOR) else { return Ok(None) };
        let data = dataset.value_in(sequence, tags::LUT_DATA).ok_or(malformed("a lookup table without data"))?;
        let numbers: Vec<u16> = dataset.u16s(descriptor).take(3).collect();
        let &[count, first, bits] = &numbers[..] else {
            return Err(malformed("a lookup table whose descriptor is too short"));
        };
        if !(1..=16).contains(&bits) {
            return Err(malformed("a lookup table of no bit depth that is one"));
        }
        let count = if count == 0 { 1 << 16 } else { usize::from(count) };
        let max = u16::MAX >> (16 - bits);
        let entries: Vec<u16> = entries(dataset, data, count).map(|entry| entry.min(max)).collect();
        if entries.len() < count {
            return Err(malformed("a lookup table shorter than its descriptor says"));
        }
        let signed = descriptor.vr.map_or(layout.signed, |vr| vr == *b"SS");
        let first = if signed { f64::from(first.cast_signed()) } else { f64::from(first) };
        Ok(Some(Self { first, entries, max: max.into() }))
    }

    fn at(&self, value: f64) -> f64 {
        // The cast saturates below the first entry.
        let index = (value - self.first) as usize;
        self.entries[index.min(self.entries.len() - 1)].into()
    }
}

/// `count` entries, one in two bytes, or in one where there are not enough bytes.
fn entries<'a>(dataset: &Dataset<'a>, data: Value<'a>, count: usize) -> Box<dyn Iterator<Item = u16> + 'a> {
    if data.bytes.len() >= 2 * count {
        Box::new(dataset.u16s(data).take(count))
    } else {
        Box::new(data.bytes.iter().map(|&byte| byte.into()).take(count))
    }
}
