//! Everything about one radiograph.

use crate::acquisition::{Acquisition, Preset};
use crate::anatomy::Anatomy;
use crate::film::Film;
use crate::lesion::{Kind, Lesion};
use crate::render;
use crate::rng::{Rng, Stream};
use cspine_domain::Class;

/// One synthetic patient on one day: pure data, drawn from a seed; nothing is rendered yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The seed all streams derive from.
    pub seed: u64,
    /// The label.
    pub class: Class,
    /// The injury's kind.
    pub kind: Kind,
    /// "C5", "C5-C6" for a dislocation, empty for a normal.
    pub level: String,
    /// The kind's severity variable, mm; 0 for a normal.
    pub severity_mm: f32,
    /// An injury within 1 mm of its threshold, or a normal with a mimic.
    pub ambiguous: bool,
    /// Stable pseudonym of the patient.
    pub patient_key: String,
    /// Sizes, posture, degeneration.
    pub anatomy: Anatomy,
    /// Field, dose, processing, hardware.
    pub acquisition: Acquisition,
    /// The injury, if any.
    pub lesion: Option<Lesion>,
}

impl Case {
    /// Draws a case. Anatomy, acquisition and noise depend on the seed alone.
    pub fn sample(seed: u64, class: Class) -> Case {
        let anatomy = Anatomy::sample(seed);
        let lesion = Lesion::sample(&mut Rng::new(seed, Stream::Lesion), class, anatomy.mimic);
        let acquisition = Acquisition::sample(seed);
        let patient_key = format!("P{:012x}", Rng::new(seed, Stream::Patient).next() >> 16);
        Case::assemble(seed, patient_key, anatomy, acquisition, lesion)
    }

    /// The same patient, film and noise without the injury; its class is normal.
    pub fn counterfactual(&self) -> Case {
        let (anatomy, acquisition) = (self.anatomy.clone(), self.acquisition.clone());
        Case::assemble(self.seed, self.patient_key.clone(), anatomy, acquisition, None)
    }

    /// Renders `size` × `size` pixels.
    ///
    /// # Panics
    /// If `size` is not within 128 to 2048.
    pub fn render(&self, size: u32, preset: Preset) -> Film {
        assert!((128..=2048).contains(&size), "a phantom's size is 128 to 2048 pixels, not {size}");
        render::film(self, size as usize, preset)
    }

    fn assemble(
        seed: u64,
        patient_key: String,
        anatomy: Anatomy,
        acquisition: Acquisition,
        lesion: Option<Lesion>,
    ) -> Case {
        let class = match &lesion {
            None => Class::Normal,
            Some(l) if l.dislocates() => Class::Dislocation,
            Some(_) => Class::Fracture,
        };
        Case {
            seed,
            class,
            kind: lesion.map_or(Kind::None, |l| l.kind),
            level: lesion.map_or_else(String::new, |l| l.level()),
            severity_mm: lesion.map_or(0.0, |l| l.severity_mm),
            ambiguous: lesion.map_or(anatomy.mimic.is_some(), |l| l.is_ambiguous()),
            patient_key,
            anatomy,
            acquisition,
            lesion,
        }
    }
}
