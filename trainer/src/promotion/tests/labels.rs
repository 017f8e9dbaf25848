//! New labels: right, flipped, and of images that are hard.

use std::ops::Range;

use super::*;

/// Right nearly always, and sure of it.
const EASY: Range<f64> = 0.98..0.99;
/// Right on three of four, and more often where it is surer.
const HARD: Range<f64> = 0.51..0.99;

/// So many newly labelled images, of which a share has a label that is not what the image shows. Both models see what it
/// shows as often as they are sure.
fn labelled(rng: &mut StdRng, count: usize, flipped: f64, confidence: Range<f64>) -> Vec<Examined> {
    let image = |i: usize| {
        let shows = Class::ALL[i % Class::COUNT];
        let label = match shows {
            _ if !rng.random_bool(flipped) => shows,
            Class::Normal => Class::Fracture,
            _ => Class::Normal,
        };
        let confidence = rng.random_range(confidence.clone());
        let right = rng.random_bool(confidence);
        let answer = answer(rng, shows, right, confidence);
        Examined { label, site: None, patient: None, champion: answer.clone(), challenger: answer }
    };
    (0..count).map(image).collect()
}

/// In how many of a hundred sets of new labels their check comes to that.
fn percent(outcome: Outcome, count: usize, flipped: f64, confidence: Range<f64>) -> f64 {
    let mut rng = StdRng::seed_from_u64(21);
    let came = (0..1000).filter(|_| {
        let images = labelled(&mut rng, count, flipped, confidence.clone());
        Check::of_agreement(&images.iter().collect::<Vec<_>>(), &Margins::default()).outcome == outcome
    });
    came.count() as f64 / 10.0
}

/// Of a challenger that is fine on the frozen set and on a sufficient holdout.
fn verdict(validation: Vec<Examined>) -> Verdict {
    judge(&Answers { validation, ..answers(&alike(21, ENOUGH), &alike(22, [110, 110])) }, &Margins::default())
}

#[test]
fn labels_that_cannot_be_learnt_are_refused_however_good_the_challenger_is_elsewhere() {
    let validation = labelled(&mut StdRng::seed_from_u64(21), 130, 0.3, EASY);
    let verdict = judge(&Answers { validation, ..answers(&alike(21, ENOUGH), &[]) }, &Margins::default());
    assert_eq!(failed(&verdict), ["agreement with the labels"], "{verdict}");
    let reason = &verdict.reasons()[0];
    assert!(reason.starts_with("new labels: agreement") && reason.contains("must reach 85.0 %"), "{reason}");
    assert!(!reason.contains("say little"), "{reason}");

    let refused = |count, flipped, confidence| percent(Outcome::Failed, count, flipped, confidence);
    assert!(refused(130, 0.3, EASY) >= 99.0 && refused(60, 0.3, EASY) >= 80.0, "three in ten");
    assert!(refused(130, 0.3, HARD) >= 99.0, "hard images do not excuse them");
    assert!(refused(130, 0.05, EASY) <= 0.1 && refused(130, 0.08, EASY) <= 0.1, "people err");
}

#[test]
fn labels_of_images_that_are_honestly_hard_are_left_to_a_person() {
    let verdict = verdict(labelled(&mut StdRng::seed_from_u64(24), 700, 0.0, HARD));
    assert_eq!(verdict.decision, Decision::PassedButInsufficient, "{verdict}");
    assert_eq!(verdict.doubts(), ["agreement with the labels (new labels) is in doubt"]);
    for (count, least) in [(130, 60.0), (400, 75.0)] {
        let not_refused = 100.0 - percent(Outcome::Failed, count, 0.0, HARD);
        assert!(not_refused >= least, "{count}: {not_refused}");
    }
}

#[test]
fn one_wrong_label_of_three_says_little_and_the_verdict_says_so() {
    let validation = changed(labelled(&mut StdRng::seed_from_u64(23), 3, 0.0, EASY), |i, image| {
        image.challenger = if i == 0 { wrong(image.label) } else { right(image.label) };
    });
    let verdict = judge(&Answers { validation, ..answers(&alike(23, ENOUGH), &[]) }, &Margins::default());
    assert_eq!(failed(&verdict), [""; 0], "{verdict}");
    let sentence = verdict.labels.checks[0].sentence(&verdict.margins);
    assert!(sentence.contains("2 of 3") && sentence.ends_with("; so few labels say little."), "{sentence}");
}

#[test]
fn a_change_of_films_that_the_champion_cannot_read_is_no_fault_of_the_labels() {
    let validation = changed(labelled(&mut StdRng::seed_from_u64(22), 130, 0.0, EASY), |i, image| {
        image.champion = if i % 2 == 0 { None } else { wrong(image.label) };
    });
    let verdict = verdict(validation);
    assert_eq!(verdict.decision, Decision::Passed, "{verdict}");
}
