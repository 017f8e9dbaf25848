//! How the film was taken and processed, and the presets that shift it. None of it knows the class.

use crate::rng::{Rng, Stream};

/// A family of acquisitions. `docs/phantoms.md` fixes the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preset {
    /// What networks are trained on.
    #[default]
    Reference,
    /// Noise × 2, MTF − 40 %, gamma 0.6–1.6, field ± 25 %.
    ShiftA,
    /// Another LUT family, grid lines, strong scatter.
    ShiftB,
}

/// Not `reference`, `shift-a` or `shift-b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known preset: reference, shift-a or shift-b")]
pub struct UnknownPreset;

impl Preset {
    /// Every preset.
    pub const ALL: [Preset; 3] = [Preset::Reference, Preset::ShiftA, Preset::ShiftB];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Reference => "reference",
            Preset::ShiftA => "shift-a",
            Preset::ShiftB => "shift-b",
        }
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Preset {
    type Err = UnknownPreset;
    fn from_str(word: &str) -> Result<Self, UnknownPreset> {
        Preset::ALL.into_iter().find(|p| p.as_str() == word).ok_or(UnknownPreset)
    }
}

/// The characteristic curve from log exposure to displayed grey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lut {
    /// Straight with a soft toe and shoulder, then gamma.
    Linear,
    /// A film's S-shaped curve, without any slow-part compression.
    Sigmoid,
}

/// One acquisition; lengths in mm at the detector unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Acquisition {
    /// Magnification of the patient's midplane.
    pub magnification: f32,
    /// Tube to the patient's midplane.
    pub source_mm: f32,
    /// The collimated field, width and height.
    pub field_mm: [f32; 2],
    /// Where the field's centre lies on the canvas.
    pub field_offset_mm: [f32; 2],
    /// Turn of the collimator, radians.
    pub field_angle: f32,
    /// Side of the square canvas.
    pub canvas_mm: f32,
    /// Where C4 lies from the central ray, object mm.
    pub c4_mm: [f32; 2],
    /// Turn of the whole patient in the film's plane, radians.
    pub lean: f32,
    /// Beam hardness, −1 soft to 1 hard.
    pub hardness: f32,
    /// Open-beam photons a mm² that the detector counts.
    pub photons_mm2: f32,
    /// Electronic noise, as photons (standard deviation) of one mm².
    pub electronic: f32,
    /// Gaussian blur of the imaging chain, standard deviation.
    pub blur_mm: f32,
    /// Scatter over the primary behind the neck.
    pub scatter: f32,
    /// Share of the slow part taken out of the log exposure.
    pub compression: f32,
    /// Window centre's offset and width in log exposure.
    pub window: [f32; 2],
    /// Display gamma.
    pub gamma: f32,
    /// The curve.
    pub lut: Lut,
    /// Grid lines: amplitude (share of the signal), lines a mm.
    pub grid: Option<[f32; 2]>,
    /// Whether the outside of the field is blacked out; else it shows white, as unexposed.
    pub shutter: bool,
    /// Side marker: 'L' or 'R', place on the canvas (mm from the centre), size, turn in radians.
    pub marker: Option<Marker>,
    /// Rigid collar.
    pub collar: Option<Collar>,
    /// Leads, tubes and jewellery: how many of each.
    pub leads: u8,
    /// Whether there are dental fillings.
    pub fillings: u8,
    /// Earring.
    pub earring: bool,
}

/// A lead letter on the cassette.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marker {
    /// 'L' or 'R'.
    pub letter: char,
    /// From the canvas' centre, mm.
    pub at_mm: [f32; 2],
    /// Letter height, mm.
    pub size_mm: f32,
    /// Radians.
    pub angle: f32,
}

/// A rigid collar: two plastic shells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Collar {
    /// Between the skin and the shell, mm.
    pub gap_mm: f32,
    /// Plastic's thickness, mm.
    pub thickness_mm: f32,
    /// Number of metal rivets.
    pub rivets: u8,
}

impl Acquisition {
    pub(crate) fn sample(seed: u64) -> Acquisition {
        let r = &mut Rng::new(seed, Stream::Acquisition);
        let field_mm = [r.range(150.0, 200.0), r.range(184.0, 248.0)];
        let magnification = r.range(1.15, 1.2);
        let mut acquisition = Acquisition {
            magnification,
            source_mm: r.range(1500.0, 1830.0) / magnification,
            field_mm,
            field_offset_mm: [r.normal(0.0, 3.0, 2.0), r.normal(0.0, 2.0, 2.0)],
            field_angle: r.normal(0.0, 0.012, 2.0),
            canvas_mm: field_mm[0].max(field_mm[1]) * r.range(0.97, 1.03),
            c4_mm: [r.normal(4.0, 7.0, 2.0), r.normal(-2.0, 6.0, 2.0)],
            lean: r.normal(0.0, 0.06, 2.0),
            hardness: r.range(-1.0, 1.0),
            photons_mm2: 2.4e5 * (r.normal(0.0, 0.5, 2.0)).exp(),
            electronic: r.range(20.0, 60.0),
            blur_mm: r.range(0.13, 0.22),
            scatter: r.range(0.25, 0.6),
            compression: r.range(0.4, 0.7),
            window: [r.normal(0.0, 0.12, 2.0), r.range(2.0, 3.0)],
            gamma: r.range(0.85, 1.2),
            lut: Lut::Linear,
            grid: None,
            shutter: r.chance(0.75),
            marker: None,
            collar: None,
            leads: 0,
            fillings: 0,
            earring: false,
        };
        acquisition.accessories(&mut Rng::new(seed, Stream::Hardware));
        acquisition
    }

    fn accessories(&mut self, r: &mut Rng) {
        if r.chance(0.85) {
            let half = [0.5 * self.field_mm[0] - 14.0, 0.5 * self.field_mm[1] - 16.0];
            let side = if r.chance(0.7) { -1.0 } else { 1.0 };
            self.marker = Some(Marker {
                letter: if r.chance(0.6) { 'L' } else { 'R' },
                at_mm: [side * half[0] * r.range(0.85, 1.0), half[1] * r.range(-0.95, 0.95)],
                size_mm: r.range(9.0, 15.0),
                angle: r.normal(0.0, 0.15, 2.0),
            });
        }
        if r.chance(0.22) {
            self.collar = Some(Collar {
                gap_mm: r.range(1.0, 6.0),
                thickness_mm: r.range(2.0, 4.0),
                rivets: r.range(0.0, 5.0) as u8,
            });
        }
        self.leads = if r.chance(0.12) { 1 + u8::from(r.chance(0.4)) } else { 0 };
        self.fillings = if r.chance(0.45) { 1 + (r.unit() * 4.0) as u8 } else { 0 };
        self.earring = r.chance(0.06);
    }

    /// This acquisition under a preset; shifts draw from their own stream.
    pub(crate) fn under(&self, preset: Preset, seed: u64) -> Acquisition {
        let mut a = self.clone();
        let r = &mut Rng::new(seed, Stream::Shift);
        match preset {
            Preset::Reference => {}
            Preset::ShiftA => {
                // Twice the relative noise is a quarter of the photons.
                a.photons_mm2 /= 4.0;
                a.electronic /= 2.0;
                a.blur_mm /= 0.6;
                a.gamma = r.range(0.6, 1.6);
                let field = r.range(0.75, 1.25);
                a.canvas_mm *= field;
                a.field_mm = a.field_mm.map(|mm| mm * field);
                a.field_offset_mm = a.field_offset_mm.map(|mm| mm * field);
                if let Some(m) = &mut a.marker {
                    m.at_mm = m.at_mm.map(|mm| mm * field);
                }
            }
            Preset::ShiftB => {
                a.lut = Lut::Sigmoid;
                a.compression = 0.0;
                a.window[1] *= r.range(1.1, 1.5);
                a.grid = Some([r.range(0.02, 0.05), r.range(0.5, 1.3)]);
                a.scatter = r.range(1.5, 2.5);
            }
        }
        a
    }
}
