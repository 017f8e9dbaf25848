//! Networks that are surer, or less sure, than they are right.

use super::*;

/// Two networks that are right on 95 of 100 images, injuries and normals alike, and know how sure they may be; their scores
/// correlate by 0.9. The challenger's temperature is wrong by a factor: over 1 it is too sure.
fn tempered(rng: &mut StdRng, each: usize, factor: f64) -> Vec<Examined> {
    let (apart, shared) = (3.29, 0.9_f64);
    let image = |i: usize| {
        let label = if i < each { Class::Fracture } else { Class::Normal };
        let [one, other] = [normal(rng), normal(rng)];
        let said = |noise: f64, factor: f64| {
            let centre = if label.is_injury() { apart / 2.0 } else { -apart / 2.0 };
            let injury = 1.0 / (1.0 + (-factor * apart * (centre + noise)).exp());
            let verdict = if injury >= 0.5 { Class::Fracture } else { Class::Normal };
            let probabilities = [0.0, injury as f32, 1.0 - injury as f32];
            Some(Answer { probabilities, verdict, flagged: verdict.is_injury() })
        };
        let challenger = said(shared * one + (1.0 - shared * shared).sqrt() * other, factor);
        Examined { label, site: None, patient: None, champion: said(one, 1.0), challenger }
    };
    (0..2 * each).map(image).collect()
}

/// A standard normal value (Box and Muller).
fn normal(rng: &mut StdRng) -> f64 {
    let [radius, angle]: [f64; 2] = rng.random();
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn check(images: &[Examined]) -> Check {
    Check::of_calibration(images, true, &Margins { rounds: 200, ..Margins::default() })
}

/// Of a hundred challengers, how many are found out.
fn caught(each: usize, factor: f64) -> usize {
    let mut rng = StdRng::seed_from_u64(31);
    (0..100).filter(|_| check(&tempered(&mut rng, each, factor)).outcome == Outcome::Failed).count()
}

#[test]
fn a_temperature_that_is_far_off_is_found_and_an_equal_one_is_let_through() {
    assert!(caught(300, 1.0) <= 3, "equal");
    assert!(caught(300, 2.0) >= 45 && caught(600, 2.0) >= 75, "twice too sure");
    assert!(caught(300, 0.5) >= 95, "half as sure as it may be");
}

#[test]
fn what_only_one_model_answers_says_nothing_of_calibration() {
    // Silent on what it would have wrong, it looks too modest by itself; beside the champion on the same images, alike.
    let silent = changed(alike(32, ENOUGH), |_, image| {
        image.challenger = image.challenger.take().filter(|answer| answer.verdict == image.label);
    });
    let check = check(&silent);
    let Measured::Calibration(calibrated) = &check.measured else { panic!("{check:?}") };
    assert!(calibrated.images < 600 && calibrated.distances.unwrap().rise == 0.0, "{calibrated:?}");
    assert_eq!(check.outcome, Outcome::Held);
}

#[test]
fn without_an_image_that_both_answered_a_person_must_judge_calibration() {
    let in_turn = changed(alike(33, ENOUGH), |i, image| {
        *[&mut image.champion, &mut image.challenger][i % 2] = None;
    });
    assert_eq!(check(&in_turn).outcome, Outcome::Doubtful);
}

#[test]
fn a_small_sets_calibration_is_only_shown() {
    let too_sure = tempered(&mut StdRng::seed_from_u64(34), 40, 5.0);
    let check = Check::of_calibration(&too_sure, false, &Margins::default());
    assert_eq!((check.basis, check.outcome), (Basis::Shown, Outcome::Held));
}
