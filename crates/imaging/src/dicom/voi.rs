//! Modality LUT, VOI LUT or window, and polarity (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2), as one table over the stored bits.

use cspine_domain::{Note, Notes};

use super::dataset::Dataset;
use super::decimal::Decimal;
use super::layout::{Layout, Photometric};
use super::lut::Lut;
use super::tags;
use crate::DecodeError;

/// For each pattern of stored bits its luminance, 0 to 65535. It has `layout.max() + 1` entries.
///
/// A VOI LUT comes before a window, of several the first is taken, and without either the stored range is shown whole.
/// A window that cannot be one (width not over 0, numbers that are none) counts as absent; a rescaling that cannot be read
/// is refused, since without it the values mean something else.
pub(super) fn table(dataset: &Dataset<'_>, layout: &Layout, notes: &mut Notes) -> Result<Vec<u16>, DecodeError> {
    let modality = Modality::read(dataset, layout, notes)?;
    let presentation = Presentation::read(dataset, layout, &modality, notes)?;
    let inverted = layout.photometric == Photometric::Monochrome { inverted: true };
    // Most viewers follow the photometric interpretation alone.
    if dataset.code_or_odd(tags::PRESENTATION_LUT_SHAPE).is_some_and(|shape| !agrees(shape, inverted)) {
        notes.insert(Note::PresentationLutShape);
    }
    let luminance = |index: u16| {
        let shown = presentation.show(modality.apply(layout.meaning(index))).clamp(0.0, 1.0);
        let shown = if inverted { 1.0 - shown } else { shown };
        (shown * 65535.0).round() as u16
    };
    Ok((0..=layout.max()).map(luminance).collect())
}

/// Whether a Presentation LUT Shape shows the lowest value as the photometric interpretation does (PS3.3 C.11.6).
fn agrees(shape: &str, inverted: bool) -> bool {
    shape.eq_ignore_ascii_case(if inverted { "INVERSE" } else { "IDENTITY" })
}

/// From stored values to those of the modality.
enum Modality {
    Rescale { slope: f64, intercept: f64 },
    Lut(Lut),
}

impl Modality {
    fn read(dataset: &Dataset<'_>, layout: &Layout, notes: &mut Notes) -> Result<Self, DecodeError> {
        let (smallest, largest) = layout.range();
        let stored = (smallest.into(), largest.into());
        if let Some(lut) = Lut::read(dataset, tags::MODALITY_LUT_SEQUENCE, stored, notes)? {
            return Ok(Modality::Lut(lut));
        }
        let slope = dataset.decimal(tags::RESCALE_SLOPE).sure("a rescale slope that is no number", notes)?;
        let intercept =
            dataset.decimal(tags::RESCALE_INTERCEPT).sure("a rescale intercept that is no number", notes)?;
        if slope == Some(0.0) {
            notes.insert(Note::ZeroSlope);
        }
        // A slope of 0 would make every image constant; nobody means it.
        let slope = slope.filter(|&slope| slope != 0.0).unwrap_or(1.0);
        Ok(Modality::Rescale { slope, intercept: intercept.unwrap_or(0.0) })
    }

    fn apply(&self, stored: i32) -> f64 {
        match self {
            Modality::Rescale { slope, intercept } => f64::from(stored) * slope + intercept,
            Modality::Lut(lut) => lut.at(f64::from(stored)),
        }
    }

    /// The smallest and the largest value it can give.
    fn range(&self, layout: &Layout) -> (f64, f64) {
        let (smallest, largest) = layout.range();
        let ends = match self {
            Modality::Lut(lut) => [0.0, lut.max],
            Modality::Rescale { .. } => [self.apply(smallest), self.apply(largest)],
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

impl Function {
    /// That of VOI LUT Function, LINEAR without one that we know; and whether the word is one of the standard's.
    fn read(dataset: &Dataset<'_>) -> (Self, bool) {
        let Some(word) = dataset.code_or_odd(tags::VOI_LUT_FUNCTION) else { return (Function::Linear, true) };
        let capitals = word.to_ascii_uppercase();
        let (function, known) = match &capitals[..] {
            "LINEAR" => (Function::Linear, true),
            "LINEAR_EXACT" => (Function::LinearExact, true),
            "SIGMOID" => (Function::Sigmoid, true),
            _ => (Function::Linear, false),
        };
        (function, known && capitals == word)
    }
}

impl Presentation {
    fn read(
        dataset: &Dataset<'_>,
        layout: &Layout,
        modality: &Modality,
        notes: &mut Notes,
    ) -> Result<Self, DecodeError> {
        let (min, max) = modality.range(layout);
        if let Some(lut) = Lut::read(dataset, tags::VOI_LUT_SEQUENCE, (min, max), notes)? {
            return Ok(Presentation::Lut(lut));
        }
        let (function, sound) = Function::read(dataset);
        let narrowest = if matches!(function, Function::Linear) { 1.0 } else { f64::MIN_POSITIVE };
        match (dataset.decimal(tags::WINDOW_CENTER), dataset.decimal(tags::WINDOW_WIDTH)) {
            (Decimal::Absent, Decimal::Absent) => {}
            (Decimal::Number { value: centre, odd }, Decimal::Number { value: width, odd: too })
                if width >= narrowest =>
            {
                notes.extend((odd || too).then_some(Note::DecimalString));
                notes.extend((!sound).then_some(Note::VoiLutFunction));
                return Ok(Presentation::Window { function, centre, width });
            }
            _ => {
                notes.insert(Note::WindowIgnored);
            }
        }
        Ok(Presentation::Whole { min, max })
    }

    fn show(&self, value: f64) -> f64 {
        match self {
            Presentation::Whole { min, max } => (value - min) / (max - min),
            Presentation::Lut(lut) => lut.share(value),
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
