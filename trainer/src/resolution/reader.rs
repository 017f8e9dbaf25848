//! A simulated reader: what can be told by measuring, at a given resolution.
//!
//! It knows what there is to measure on a phantom and measures every length truly, but for a normal error of half a pixel.
//! What is not there it does not measure: no error of its own makes a gap in a whole bone. It is a yardstick for how much
//! resolution allows, not a bound: films show more of an injury than one length.

use cspine_domain::Class;
use cspine_phantom::{Case, Kind};
use rand::Rng;

/// Standard deviation of a measured length in the patient, mm: half of an input's pixel at the midplane.
pub fn error_mm(case: &Case, input_size: u32) -> f32 {
    0.5 * case.acquisition.canvas_mm / input_size as f32 / case.acquisition.magnification
}

/// One reading: the class whose measure exceeds its threshold the most; normal if none does.
pub fn read(case: &Case, error_mm: f32, rng: &mut impl Rng) -> Class {
    let mut largest = [f32::MIN; 2];
    for (class, excess) in excesses(case) {
        let measured = excess + error_mm * cspine_nets::init::normal(rng);
        largest[class.index()] = largest[class.index()].max(measured);
    }
    match largest {
        [dislocation, fracture] if dislocation.max(fracture) < 0.0 => Class::Normal,
        [dislocation, fracture] if dislocation >= fracture => Class::Dislocation,
        _ => Class::Fracture,
    }
}

/// Everything there is to measure, mm over its threshold: the injury, each level's slip, each body's wedging.
fn excesses(case: &Case) -> impl Iterator<Item = (Class, f32)> {
    let over = |kind: Kind, mm: f32| mm - kind.threshold_mm();
    let injury = case.lesion.map(|lesion| (case.class, over(lesion.kind, lesion.severity_mm)));
    let slips = case.anatomy.steps.iter().map(move |mm| (Class::Dislocation, over(Kind::UnilateralFacet, mm.abs())));
    let wedges = case.anatomy.wedging.iter().map(move |mm| (Class::Fracture, over(Kind::Wedge, *mm)));
    injury.into_iter().chain(slips).chain(wedges)
}

#[cfg(test)]
mod tests {
    use cspine_domain::Class;
    use cspine_phantom::Case;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{error_mm, read};

    #[test]
    fn a_reader_without_error_is_always_right() {
        let mut rng = StdRng::seed_from_u64(1);
        for seed in 0..600 {
            for class in Class::ALL {
                assert_eq!(read(&Case::sample(seed, *class), 0.0, &mut rng), *class, "seed {seed}");
            }
        }
    }

    #[test]
    fn errors_come_with_coarse_pixels_and_at_the_threshold() {
        let mut rng = StdRng::seed_from_u64(2);
        let mut wrong = |size: u32, ambiguous: bool| {
            let cases = (0..4000).map(|seed| Case::sample(seed, Class::Fracture)).filter(|c| c.ambiguous == ambiguous);
            let (mut wrong, mut all) = (0, 0);
            for case in cases {
                wrong += usize::from(read(&case, error_mm(&case, size), &mut rng) != case.class);
                all += 1;
            }
            wrong as f64 / f64::from(all)
        };
        assert!(wrong(224, true) > 2.0 * wrong(224, false));
        assert!(wrong(224, true) > 1.5 * wrong(448, true));
    }
}
