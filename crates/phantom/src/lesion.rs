//! The injury: kind, place and size. Drawn from its own stream.

use crate::anatomy::{C2, C7, LEVELS, Mimic};
use crate::rng::Rng;
use cspine_domain::Class;

/// What kind of injury a case shows; `docs/phantoms.md` has the table of severities and masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No injury.
    None,
    /// Wedge compression: front height lost, mm.
    Wedge,
    /// Burst: back fragment driven into the canal, mm.
    Burst,
    /// Teardrop: displacement of the lower front chip, mm.
    Teardrop,
    /// Hangman's fracture: gap in the pars of C2, mm.
    Hangman,
    /// Odontoid fracture, type II: displacement of the dens, mm.
    Odontoid,
    /// Spinous process (clay-shoveller's): gap, mm.
    SpinousProcess,
    /// Dislocation of one facet: translation, mm.
    UnilateralFacet,
    /// Dislocation of both facets: translation, mm.
    BilateralFacet,
}

impl Kind {
    /// Every kind, `None` first.
    pub const ALL: [Kind; 9] = [
        Kind::None,
        Kind::Wedge,
        Kind::Burst,
        Kind::Teardrop,
        Kind::Hangman,
        Kind::Odontoid,
        Kind::SpinousProcess,
        Kind::UnilateralFacet,
        Kind::BilateralFacet,
    ];

    /// The word of manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::None => "none",
            Kind::Wedge => "wedge",
            Kind::Burst => "burst",
            Kind::Teardrop => "teardrop",
            Kind::Hangman => "hangman",
            Kind::Odontoid => "odontoid",
            Kind::SpinousProcess => "spinous_process",
            Kind::UnilateralFacet => "unilateral_facet",
            Kind::BilateralFacet => "bilateral_facet",
        }
    }

    /// From this severity (mm) on it is an injury; `None` has none.
    pub fn threshold_mm(self) -> f32 {
        match self {
            Kind::None => f32::INFINITY,
            Kind::Wedge => 3.0,
            Kind::Burst | Kind::Teardrop | Kind::Hangman | Kind::Odontoid | Kind::SpinousProcess => 2.0,
            Kind::UnilateralFacet | Kind::BilateralFacet => 3.5,
        }
    }

    /// Severities of clear cases, mm: at least 1 mm over the threshold.
    pub fn clear_mm(self) -> (f32, f32) {
        match self {
            Kind::None => (0.0, 0.0),
            Kind::Wedge => (4.2, 6.5),
            Kind::Burst => (3.2, 6.0),
            Kind::Teardrop => (3.2, 6.0),
            Kind::Hangman => (3.2, 7.0),
            Kind::Odontoid => (3.2, 7.0),
            Kind::SpinousProcess => (3.2, 8.0),
            Kind::UnilateralFacet => (4.6, 6.0),
            Kind::BilateralFacet => (6.0, 10.0),
        }
    }
}

/// One injury.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lesion {
    /// The kind; never [`Kind::None`].
    pub kind: Kind,
    /// Index in [`LEVELS`]; for a dislocation the upper of the two.
    pub vertebra: usize,
    /// The kind's severity, mm.
    pub severity_mm: f32,
    /// Kyphosis of a dislocation, tilt of a fragment, radians.
    pub angle: f32,
    /// +1 or −1: the side of a unilateral injury, or the direction of an odontoid's displacement.
    pub side: f32,
    /// 0 to 1: where in its natural range the fragment's size or height lies.
    pub size: f32,
}

/// Share of injuries within 1 mm of their threshold.
const AMBIGUOUS: f32 = 0.18;

impl Lesion {
    /// An injury of `class`, away from the vertebrae that a mimic already changes. `None` for a normal.
    pub(crate) fn sample(r: &mut Rng, class: Class, mimic: Option<Mimic>) -> Option<Lesion> {
        let place = |r: &mut Rng| match class {
            Class::Normal => None,
            Class::Dislocation => Some(dislocation(r)),
            Class::Fracture => Some(fracture(r)),
        };
        let (mut kind, mut vertebra) = place(r)?;
        for _ in 0..64 {
            let taken = |v: usize| mimic.is_some_and(|m| m.touches(v));
            if !(taken(vertebra) || class == Class::Dislocation && taken(vertebra + 1)) {
                break;
            }
            (kind, vertebra) = place(r)?;
        }
        let (low, high) = kind.clear_mm();
        let at = kind.threshold_mm();
        let severity_mm = if r.chance(AMBIGUOUS) { r.range(at + 0.1, at + 0.99) } else { r.range(low, high) };
        let angle = match kind {
            Kind::BilateralFacet => r.range(5.0, 14.0),
            Kind::UnilateralFacet => r.range(1.0, 6.0),
            Kind::Odontoid => r.range(6.0, 20.0),
            _ => r.range(5.0, 20.0),
        };
        Some(Lesion { kind, vertebra, severity_mm, angle: angle.to_radians(), side: r.sign(), size: r.unit() })
    }

    /// Whether it lies within 1 mm of its threshold.
    pub fn is_ambiguous(&self) -> bool {
        self.severity_mm < self.kind.threshold_mm() + 1.0
    }

    /// "C5", or "C5-C6" for a dislocation.
    pub(crate) fn level(&self) -> String {
        match self.kind {
            Kind::UnilateralFacet | Kind::BilateralFacet => {
                format!("{}-{}", LEVELS[self.vertebra], LEVELS[self.vertebra + 1])
            }
            _ => LEVELS[self.vertebra].to_owned(),
        }
    }

    pub(crate) fn dislocates(&self) -> bool {
        matches!(self.kind, Kind::UnilateralFacet | Kind::BilateralFacet)
    }
}

fn dislocation(r: &mut Rng) -> (Kind, usize) {
    let kind = if r.chance(0.45) { Kind::UnilateralFacet } else { Kind::BilateralFacet };
    (kind, 2 + r.pick(&[0.1, 0.2, 0.35, 0.35]))
}

/// A third at C2, half at C6 and C7, the rest between.
fn fracture(r: &mut Rng) -> (Kind, usize) {
    match r.pick(&[1.0, 1.0, 0.85, 1.2, 1.0, 1.0]) {
        0 => (Kind::Hangman, C2),
        1 => (Kind::Odontoid, C2),
        2 => (Kind::SpinousProcess, C7 - r.pick(&[0.6, 0.4])),
        body => {
            let kind = [Kind::Wedge, Kind::Burst, Kind::Teardrop][body - 3];
            (kind, 2 + r.pick(&[0.07, 0.09, 0.15, 0.35, 0.34]))
        }
    }
}
