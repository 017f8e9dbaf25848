//! One patient: sizes, posture and degeneration, none of which knows the class.

use crate::rng::{Rng, Stream};

/// The vertebrae a phantom has, from above.
pub const LEVELS: [&str; 9] = ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2"];

/// Index of C2 in [`LEVELS`].
pub(crate) const C2: usize = 1;
/// Index of C3.
pub(crate) const C3: usize = 2;
/// Index of C4, where the beam is centred.
pub(crate) const C4: usize = 3;
/// Index of C7.
pub(crate) const C7: usize = 6;
/// Index of T1.
pub(crate) const T1: usize = 7;
/// Index of T2, the lowest.
pub(crate) const T2: usize = 8;

/// A finding that is no injury and looks like one: what makes a normal a hard negative. Present in injured patients
/// as often as in others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mimic {
    /// Degenerative slip of 2 to 3.5 mm at the disc under this vertebra; forwards if positive.
    Step(usize, f32),
    /// Old or physiological wedging of 2 to 2.8 mm.
    Wedge(usize, f32),
    /// Bridging front osteophytes of 3.5 to 6 mm at the disc under this vertebra.
    Osteophytes(usize, f32),
    /// A disc of 1.2 to 2.2 mm under this vertebra.
    NarrowDisc(usize, f32),
    /// A limbus vertebra: a smooth, corticated ossicle (its size, mm) at the lower front corner.
    Limbus(usize, f32),
    /// An ossicle (its length, mm) of the nuchal ligament behind this spinous process.
    Nuchal(usize, f32),
}

impl Mimic {
    /// The vertebrae whose look it changes.
    pub(crate) fn touches(self, vertebra: usize) -> bool {
        match self {
            Mimic::Step(i, _) | Mimic::Osteophytes(i, _) | Mimic::NarrowDisc(i, _) => {
                vertebra == i || vertebra == i + 1
            }
            Mimic::Wedge(i, _) | Mimic::Limbus(i, _) | Mimic::Nuchal(i, _) => vertebra == i,
        }
    }
}

/// Sizes in mm, angles in radians, indexed as [`LEVELS`]; discs by the vertebra above them.
#[derive(Debug, Clone, PartialEq)]
pub struct Anatomy {
    /// Body size relative to the mean.
    pub scale: f32,
    /// Body heights, C2 to T2 (C2: without the dens).
    pub heights: [f32; 9],
    /// Body depths, front to back.
    pub depths: [f32; 9],
    /// Disc heights.
    pub discs: [f32; 9],
    /// Spinous process lengths, from the spinolaminar line.
    pub spinous: [f32; 9],
    /// Canal depth.
    pub canal: f32,
    /// Front tipped down, of each vertebra.
    pub pitch: [f32; 9],
    /// Turn about the vertical, of each vertebra.
    pub yaw: [f32; 9],
    /// Tilt to the side, of each vertebra.
    pub roll: [f32; 9],
    /// Pitch, yaw and roll of the head.
    pub head: [f32; 3],
    /// Natural slip over the vertebra below; positive forwards; under 1.2 in size but for a mimic.
    pub steps: [f32; 9],
    /// Natural loss of front height; under 1.2 but for a mimic.
    pub wedging: [f32; 9],
    /// Front osteophytes' length at the disc under each vertebra; under 2 but for a mimic.
    pub osteophytes: [f32; 9],
    /// Atlanto-dental interval.
    pub adi: f32,
    /// Prevertebral soft tissue at C3 and at C6–7.
    pub prevertebral: [f32; 2],
    /// What a mm of trabecular bone is worth in mm of cortical bone.
    pub trabecular: f32,
    /// Cortical shell.
    pub shell: f32,
    /// Half the neck's width, side to side.
    pub neck_half_width: f32,
    /// Skin in front of the C5 body.
    pub neck_front: f32,
    /// Skin behind the C5 body.
    pub neck_back: f32,
    /// Top of the shoulders under the middle of C7, mm down.
    pub shoulder_drop: f32,
    /// Length of the dens.
    pub dens: f32,
    /// Jaw size relative to the mean.
    pub jaw: f32,
    /// Whether the mouth and throat hold more or less air, 0.7 to 1.3.
    pub airway: f32,
    /// The hard negative, if any.
    pub mimic: Option<Mimic>,
}

/// Chance of a mimic, in every class.
const MIMIC: f32 = 0.25;

impl Anatomy {
    pub(crate) fn sample(seed: u64) -> Anatomy {
        let mut anatomy = Anatomy::sizes(&mut Rng::new(seed, Stream::Anatomy));
        anatomy.pose(&mut Rng::new(seed, Stream::Posture));
        anatomy.degenerate(&mut Rng::new(seed, Stream::Degeneration));
        anatomy
    }

    fn sizes(r: &mut Rng) -> Anatomy {
        let scale = r.normal(1.0, 0.07, 2.2);
        let depth = r.normal(1.0, 0.05, 2.0) * scale;
        let mut each = |mean: [f32; 9], sd: f32, k: f32| mean.map(|m| k * m * r.normal(1.0, sd, 2.0));
        let heights = each([0.0, 19.0, 11.3, 11.0, 10.6, 11.0, 12.4, 14.2, 15.0], 0.03, scale);
        let depths = each([0.0, 14.8, 14.8, 15.1, 15.5, 16.0, 16.5, 16.5, 17.0], 0.02, depth);
        let discs = each([0.0, 4.8, 4.8, 4.9, 4.9, 4.8, 4.6, 4.4, 4.4], 0.08, scale);
        let spinous = each([0.0, 15.0, 11.5, 12.0, 13.5, 18.0, 23.0, 25.0, 25.0], 0.12, scale);
        Anatomy {
            scale,
            heights,
            depths,
            discs,
            spinous,
            canal: r.normal(12.6, 1.2, 2.0) * scale,
            pitch: [0.0; 9],
            yaw: [0.0; 9],
            roll: [0.0; 9],
            head: [0.0; 3],
            steps: [0.0; 9],
            wedging: [0.0; 9],
            osteophytes: [0.0; 9],
            adi: r.range(0.9, 2.4),
            prevertebral: [r.range(3.0, 5.8), r.range(10.0, 16.5)],
            trabecular: r.range(0.28, 0.42),
            shell: r.range(0.3, 0.5),
            neck_half_width: r.normal(55.0, 5.0, 2.0) * scale,
            neck_front: r.normal(44.0, 6.0, 2.0) * scale,
            neck_back: r.normal(58.0, 7.0, 2.0) * scale,
            shoulder_drop: r.range(4.0, 28.0),
            dens: r.normal(15.0, 1.0, 2.0) * scale,
            jaw: r.normal(1.0, 0.06, 2.0) * scale,
            airway: r.range(0.75, 1.25),
            mimic: None,
        }
    }

    fn pose(&mut self, r: &mut Rng) {
        let degrees = |d: f32| d.to_radians();
        // From kyphosis (negative) to lordosis, C2 to C7; a straighter neck stands on a flatter T1.
        let lordosis = r.normal(13.0, 11.0, 2.2);
        let c7 = 0.45 * lordosis + r.normal(11.0, 4.0, 2.0);
        let c2 = c7 - lordosis;
        for i in C2..=C7 {
            let t = (i - C2) as f32 / (C7 - C2) as f32;
            self.pitch[i] = degrees(c2 + (c7 - c2) * t + r.normal(0.0, 1.2, 2.0));
        }
        let kyphosis = r.range(2.0, 6.0);
        self.pitch[T1] = self.pitch[C7] + degrees(kyphosis);
        self.pitch[T2] = self.pitch[T1] + degrees(kyphosis);
        self.pitch[0] = degrees(0.5 * c2 + r.normal(-4.0, 4.0, 2.0));
        let (body, head) = (r.normal(0.0, 2.5, 2.2), r.normal(0.0, 4.0, 2.2));
        let (lean, tilt) = (r.normal(0.0, 1.5, 2.0), r.normal(0.0, 2.5, 2.0));
        for i in 0..9 {
            // The head turns mostly at C1–C2.
            let share = [0.9, 0.45, 0.4, 0.33, 0.25, 0.17, 0.1, 0.0, 0.0][i];
            self.yaw[i] = degrees(body + head * share);
            self.roll[i] = degrees(lean + tilt * share);
        }
        self.head = [degrees(0.4 * c2 + r.normal(-2.0, 5.0, 2.0)), degrees(body + head), degrees(lean + tilt)];
    }

    fn degenerate(&mut self, r: &mut Rng) {
        let age = r.unit();
        for i in C2..=C7 {
            self.steps[i] = r.normal(0.0, 0.5, 2.2);
            if i >= C3 {
                self.wedging[i] = r.normal(0.35, 0.3, 2.2).clamp(0.0, 1.1);
            }
            let worn = age * [0.0, 0.2, 0.4, 0.6, 1.0, 1.0, 0.5, 0.0, 0.0][i] * r.unit();
            self.discs[i] *= 1.0 - 0.3 * worn;
            self.osteophytes[i] = 1.9 * worn;
        }
        if r.chance(MIMIC) {
            self.mimic = Some(self.mimicry(r));
        }
    }

    /// Draws a mimic and works it into the sizes that it changes.
    fn mimicry(&mut self, r: &mut Rng) -> Mimic {
        let kind = r.pick(&[0.32, 0.16, 0.18, 0.14, 0.12, 0.08]);
        let disc = C3 + r.pick(&[0.2, 0.3, 0.3, 0.2]);
        let body = C3 + r.pick(&[0.1, 0.2, 0.3, 0.25, 0.15]);
        match kind {
            0 => {
                self.steps[disc] = r.range(2.0, 3.5) * if r.chance(0.75) { 1.0 } else { -1.0 };
                self.discs[disc] *= 0.75;
                Mimic::Step(disc, self.steps[disc])
            }
            1 => {
                self.wedging[body] = r.range(2.0, 2.8);
                Mimic::Wedge(body, self.wedging[body])
            }
            2 => {
                self.osteophytes[disc] = r.range(3.5, 6.0);
                self.discs[disc] *= 0.75;
                Mimic::Osteophytes(disc, self.osteophytes[disc])
            }
            3 => {
                self.discs[disc] = r.range(1.2, 2.2);
                Mimic::NarrowDisc(disc, self.discs[disc])
            }
            4 => Mimic::Limbus(body, r.range(2.5, 4.0)),
            _ => Mimic::Nuchal(if r.chance(0.5) { C7 - 1 } else { C7 }, r.range(4.0, 9.0)),
        }
    }
}
