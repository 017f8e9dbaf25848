//! Challengers of known worth, simulated.

use cspine_domain::Class;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Answers, Basis, Check, Decision, Examination, Examined, Margins, Measured, Shares, Verdict, judge};
use crate::metrics::Answer;

/// How often the champion is right, and how sure both models say they are.
const ACCURACY: f64 = 0.95;

const SITES: [&str; 3] = ["ed-1", "ed-2", "ed-3"];

/// An answer that is right or wrong: an injury that is missed, a normal that is flagged.
fn answer(rng: &mut StdRng, label: Class, right: bool) -> Option<Answer> {
    let verdict = match label {
        _ if right => label,
        Class::Normal => Class::Fracture,
        _ => Class::Normal,
    };
    let sure = rng.random_range(ACCURACY - 0.03..ACCURACY + 0.03) as f32;
    let mut probabilities = [(1.0 - sure) / 2.0; Class::COUNT];
    probabilities[verdict.index()] = sure;
    Some(Answer { probabilities, verdict, flagged: verdict.is_injury() })
}

/// Injuries of both sorts by turns and normals, of three sites. Of all images the challenger loses and gains shares.
fn set(rng: &mut StdRng, [injuries, normals]: [usize; 2], lost: f64, gained: f64) -> Vec<Examined> {
    let labels = (0..injuries).map(|i| Class::ALL[i % 2]).chain(std::iter::repeat_n(Class::Normal, normals));
    let image = |(i, label): (usize, Class)| {
        let right = rng.random_bool(ACCURACY);
        let changes = if right { lost / ACCURACY } else { gained / (1.0 - ACCURACY) };
        let changed = rng.random_bool(changes);
        let site = Some(SITES[i / 2 % SITES.len()].to_owned());
        let (champion, challenger) = (answer(rng, label, right), answer(rng, label, right != changed));
        Examined { label, site, patient: None, champion, challenger }
    };
    labels.enumerate().map(image).collect()
}

/// A challenger that answers as the champion does.
fn alike(seed: u64, counts: [usize; 2]) -> Vec<Examined> {
    let mut images = set(&mut StdRng::seed_from_u64(seed), counts, 0.0, 0.0);
    images.iter_mut().for_each(|image| image.challenger = image.champion.clone());
    images
}

/// By a challenger that answers images otherwise.
fn changed(mut images: Vec<Examined>, mut change: impl FnMut(usize, &mut Examined)) -> Vec<Examined> {
    images.iter_mut().enumerate().for_each(|(i, image)| change(i, image));
    images
}

fn judged(frozen: &[Examined], holdout: &[Examined]) -> Verdict {
    judge(&answers(frozen, holdout), &Margins::default())
}

fn answers(frozen: &[Examined], holdout: &[Examined]) -> Answers {
    Answers { frozen: frozen.to_vec(), holdout: holdout.to_vec(), validation: vec![] }
}

fn failed(verdict: &Verdict) -> Vec<&str> {
    verdict.sets().into_iter().flat_map(Examination::failed).map(|check| check.name.as_str()).collect()
}

fn shares(check: &Check) -> &Shares {
    match &check.measured {
        Measured::Shares(shares) => shares,
        other => panic!("{other:?}"),
    }
}

fn right(label: Class) -> Option<Answer> {
    answer(&mut StdRng::seed_from_u64(0), label, true)
}

fn wrong(label: Class) -> Option<Answer> {
    answer(&mut StdRng::seed_from_u64(0), label, false)
}

const ENOUGH: [usize; 2] = [300, 300];

#[test]
fn a_challenger_that_answers_as_the_champion_does_passes() {
    let verdict = judged(&alike(1, ENOUGH), &alike(2, [120, 240]));
    assert_eq!((verdict.decision, failed(&verdict)), (Decision::Passed, vec![]), "{verdict}");
    let names: Vec<&str> = verdict.frozen.checks.iter().map(|check| check.name.as_str()).collect();
    let expected = ["sensitivity", "specificity", "recall of dislocation", "recall of fracture", "recall of normal"];
    assert_eq!(names[..5], expected);
    let rest = ["sensitivity at ed-1", "sensitivity at ed-2", "sensitivity at ed-3", "calibration", "collapse"];
    assert_eq!(names[5..], rest);
    assert!(verdict.to_string().starts_with("Passed: all 21 checks held.\n"), "{verdict}");
}

#[test]
fn a_challenger_of_damaged_labels_is_rejected_with_numbers() {
    let mut rng = StdRng::seed_from_u64(3);
    let damaged = changed(alike(3, ENOUGH), |_, image| {
        if rng.random_bool(0.3) {
            let class = Class::ALL[rng.random_range(0..Class::COUNT)];
            image.challenger = answer(&mut rng, class, true);
        }
    });
    let verdict = judged(&damaged, &[]);
    assert_eq!(verdict.decision, Decision::Rejected);
    let shares = shares(&verdict.frozen.checks[0]);
    let (champion, challenger) = (shares.champion.value.unwrap(), shares.challenger.value.unwrap());
    assert!(champion - challenger > 0.05 && shares.difference == Some(challenger - champion), "{shares:?}");
    let reason = &verdict.reasons()[0];
    for number in [
        format!("{} of 300 ({:.1} %", shares.champion.count, 100.0 * champion),
        format!("{} of 300 ({:.1} %", shares.challenger.count, 100.0 * challenger),
        format!("{} images lost and {} gained", shares.lost, shares.gained),
        format!("at least {:+.1}, where -2.0 is the least allowed", 100.0 * shares.bounds.unwrap()[0]),
    ] {
        assert!(reason.starts_with("frozen set: sensitivity: ") && reason.contains(&number), "{number}: {reason}");
    }
    assert!(failed(&verdict).contains(&"calibration"), "{verdict}");
}

#[test]
fn a_better_challenger_passes() {
    let mut rng = StdRng::seed_from_u64(4);
    let better = [ENOUGH, [150, 300]].map(|counts| set(&mut rng, counts, 0.002, 0.03));
    let verdict = judged(&better[0], &better[1]);
    assert_eq!(verdict.decision, Decision::Passed, "{verdict}");
    assert!(shares(&verdict.frozen.checks[0]).difference.unwrap() > 0.0);
}

#[test]
fn one_class_that_is_called_another_is_found_though_every_injury_is_flagged() {
    let mut dislocations = 0;
    let worse = changed(alike(5, ENOUGH), |_, image| match image.label {
        Class::Dislocation => {
            dislocations += 1;
            if dislocations % 9 == 0 {
                image.challenger = right(Class::Fracture);
            }
        }
        label => image.challenger = right(label),
    });
    let verdict = judged(&worse, &[]);
    assert_eq!(failed(&verdict), ["recall of dislocation"], "{verdict}");
    assert!(shares(&verdict.frozen.checks[0]).difference.unwrap() > 0.0, "{verdict}");
}

#[test]
fn one_site_that_falls_is_found_though_the_mean_rises() {
    let mut there = 0;
    let worse = changed(alike(6, ENOUGH), |_, image| {
        if image.site.as_deref() != Some("ed-3") {
            image.challenger = right(image.label);
        } else if image.label.is_injury() {
            there += 1;
            // Of both sorts of injury alike.
            if there % 11 == 0 {
                image.challenger = wrong(image.label);
            }
        }
    });
    let verdict = judged(&worse, &[]);
    assert_eq!(failed(&verdict), ["sensitivity at ed-3"], "{verdict}");
    assert!(shares(&verdict.frozen.checks[0]).difference.unwrap() > 0.0, "{verdict}");
}

#[test]
fn a_challenger_that_flags_everything_is_rejected_by_its_specificity() {
    let all = changed(alike(7, ENOUGH), |_, image| {
        image.challenger.as_mut().unwrap().flagged = true;
    });
    let verdict = judged(&all, &[]);
    assert_eq!(failed(&verdict), ["specificity"], "{verdict}");
    assert_eq!(shares(&verdict.frozen.checks[0]).challenger.count, 300);
}

#[test]
fn a_challenger_with_one_answer_to_everything_has_collapsed() {
    let constant = changed(alike(8, ENOUGH), |_, image| image.challenger = right(Class::Fracture));
    let verdict = judged(&constant, &[]);
    assert!(failed(&verdict).contains(&"collapse"));
    let sentence = "the challenger has collapsed: it answers fracture to every one of 600 images";
    assert!(verdict.to_string().contains(sentence), "{verdict}");
}

#[test]
fn what_is_not_answered_is_lost() {
    let silent = changed(alike(9, ENOUGH), |i, image| {
        if i % 10 == 0 {
            image.challenger = None;
        }
    });
    let verdict = judged(&silent, &[]);
    assert!(failed(&verdict).starts_with(&["sensitivity", "specificity"]), "{verdict}");
    let mute = changed(alike(9, ENOUGH), |_, image| image.challenger = None);
    assert!(failed(&judged(&mute, &[])).contains(&"calibration"));
}

#[test]
fn a_small_holdout_vetoes_only_what_is_surely_worse_and_asks_for_a_person() {
    let frozen = alike(10, ENOUGH);
    let lose = |count: usize| {
        changed(alike(11, [40, 200]), |i, image| {
            if i < count {
                (image.champion, image.challenger) = (right(image.label), wrong(image.label));
            }
        })
    };
    // Two of 40 would be more than the margin and prove nothing.
    for holdout in [vec![], alike(11, [40, 200]), lose(2)] {
        let verdict = judged(&frozen, &holdout);
        assert_eq!(verdict.decision, Decision::PassedButInsufficient, "{verdict}");
        assert!(!verdict.holdout.sufficient && verdict.frozen.sufficient);
    }
    let verdict = judged(&frozen, &lose(12));
    assert_eq!(verdict.decision, Decision::Rejected);
    assert!(failed(&verdict).contains(&"sensitivity"), "{verdict}");
    assert_eq!(verdict.holdout.checks[0].basis, Basis::NotSignificantlyWorse);
    assert!(verdict.to_string().contains("insufficient, which takes 100 of each"), "{verdict}");
}

#[test]
fn a_holdout_with_enough_images_has_to_show_what_the_frozen_set_has_to() {
    let frozen = alike(12, ENOUGH);
    let worse = changed(alike(13, [140, 300]), |i, image| {
        if i % 20 == 0 {
            image.challenger = wrong(image.label);
        }
    });
    let verdict = judged(&frozen, &worse);
    assert_eq!(verdict.decision, Decision::Rejected, "{verdict}");
    assert_eq!(verdict.holdout.checks[0].basis, Basis::NonInferior);
}

#[test]
fn a_frozen_set_without_injuries_or_without_normals_shows_nothing() {
    for counts in [[0, 300], [300, 0], [0, 0]] {
        let verdict = judged(&alike(14, counts), &alike(15, ENOUGH));
        assert_eq!(verdict.decision, Decision::Rejected, "{verdict}");
    }
    // A small one is asked all, and promotes nobody by itself.
    let verdict = judged(&alike(14, [60, 60]), &alike(15, ENOUGH));
    assert_eq!(verdict.decision, Decision::PassedButInsufficient, "{verdict}");
}

#[test]
fn a_site_of_few_images_says_that_it_is_too_small_to_tell() {
    let with_site = |lost: usize| {
        changed(alike(16, ENOUGH), |i, image| {
            if i < 24 {
                image.site = Some("ward".to_owned());
                image.champion = right(image.label);
                image.challenger = if i < lost { wrong(image.label) } else { right(image.label) };
            }
        })
    };
    let check = |verdict: &Verdict| {
        verdict.frozen.checks.iter().find(|check| check.name == "sensitivity at ward").unwrap().clone()
    };
    // Four of 24 are 16.7 points, and one time in sixteen chance.
    let verdict = judged(&with_site(4), &[]);
    assert!(check(&verdict).held && check(&verdict).basis == Basis::TooFewToTell);
    let sentence = "which 24 patients are too few to tell from -5.0: only a significant fall counts (McNemar's exact p = \
                    0.0625, where 0.0500 is the least allowed)";
    assert!(verdict.to_string().contains(sentence), "{verdict}");
    assert!(!check(&judged(&with_site(5), &[])).held);
}

/// So many newly labelled images, of which a share has a label that is not what the film shows; both models see what it shows.
fn labelled(rng: &mut StdRng, count: usize, flipped: f64) -> Vec<Examined> {
    let image = |i: usize| {
        let shows = Class::ALL[i % Class::COUNT];
        let label = match shows {
            _ if !rng.random_bool(flipped) => shows,
            Class::Normal => Class::Fracture,
            _ => Class::Normal,
        };
        Examined { label, site: None, patient: None, champion: right(shows), challenger: right(shows) }
    };
    (0..count).map(image).collect()
}

#[test]
fn labels_that_cannot_be_learnt_are_refused_however_good_the_challenger_is_elsewhere() {
    let mut rng = StdRng::seed_from_u64(21);
    let mut verdict = |count, flipped| {
        let validation = labelled(&mut rng, count, flipped);
        judge(&Answers { validation, ..answers(&alike(21, ENOUGH), &[]) }, &Margins::default())
    };
    let wrong = verdict(130, 0.3);
    assert_eq!((wrong.decision, failed(&wrong)), (Decision::Rejected, vec!["agreement with the labels"]), "{wrong}");
    let reason = &wrong.reasons()[0];
    assert!(reason.starts_with("new labels: agreement") && reason.contains("must reach 85.0 %"), "{reason}");
    let mut refused =
        |count, flipped| (0..100).filter(|_| verdict(count, flipped).decision == Decision::Rejected).count();
    assert!(refused(130, 0.3) >= 90 && refused(60, 0.3) >= 70, "three in ten");
    assert_eq!((refused(130, 0.05), refused(130, 0.08)), (0, 0), "people err");
}

#[test]
fn one_wrong_label_of_three_shows_nothing() {
    let validation = changed(labelled(&mut StdRng::seed_from_u64(23), 3, 0.0), |i, image| {
        if i == 0 {
            image.challenger = wrong(image.label);
        }
    });
    let verdict = judge(&Answers { validation, ..answers(&alike(23, ENOUGH), &[]) }, &Margins::default());
    assert_eq!(failed(&verdict), [""; 0], "{verdict}");
}

#[test]
fn a_change_of_films_that_the_champion_cannot_read_is_no_fault_of_the_labels() {
    let validation = changed(labelled(&mut StdRng::seed_from_u64(22), 130, 0.0), |i, image| {
        image.champion = if i % 2 == 0 { None } else { wrong(image.label) };
    });
    let verdict = judge(&Answers { validation, ..answers(&alike(22, ENOUGH), &[]) }, &Margins::default());
    assert_eq!(failed(&verdict), [""; 0], "{verdict}");
}

#[test]
fn images_without_a_site_are_a_group_too() {
    let nowhere = changed(alike(17, ENOUGH), |i, image| {
        if i % 2 == 0 {
            image.site = None;
        }
    });
    let verdict = judged(&nowhere, &[]);
    assert_eq!(verdict.frozen.checks[5].name, "sensitivity without a site");
}

#[test]
fn patients_are_what_is_counted_where_one_has_many_images() {
    // Ten images each: thirty injured patients are too few for a difference that 300 images would make certain.
    let images = |patients: bool| {
        changed(alike(18, ENOUGH), |i, image| {
            image.champion = right(image.label);
            image.challenger = if i / 10 == 5 { wrong(image.label) } else { right(image.label) };
            image.patient = patients.then(|| format!("P{}", i / 10));
        })
    };
    let low = |verdict: &Verdict| shares(&verdict.frozen.checks[0]).bounds.unwrap()[0];
    let (apart, together) = (judged(&images(false), &[]), judged(&images(true), &[]));
    assert!(low(&together) < 1.5 * low(&apart), "{together}");
    assert_eq!(shares(&together.frozen.checks[0]).patients, 30);
}

#[test]
fn a_verdict_comes_back_from_json_and_says_the_same() {
    let frozen = set(&mut StdRng::seed_from_u64(19), ENOUGH, 0.08, 0.01);
    let verdict = judged(&frozen, &alike(19, [3, 5]));
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["decision"], "rejected");
    assert_eq!(json["frozen"]["checks"][0]["basis"], "non_inferior");
    let back: Verdict = serde_json::from_value(json).unwrap();
    assert_eq!(back, verdict);
    let text: Verdict = serde_json::from_str(&serde_json::to_string(&verdict).unwrap()).unwrap();
    assert_eq!(text.to_string(), verdict.to_string());
}

#[test]
fn a_seed_gives_one_verdict_on_any_number_of_threads() {
    let mut rng = StdRng::seed_from_u64(20);
    let (frozen, holdout) = (set(&mut rng, ENOUGH, 0.03, 0.03), set(&mut rng, [120, 120], 0.03, 0.03));
    let with = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| judge(&answers(&frozen, &holdout), &Margins { seed, rounds: 50, ..Margins::default() }))
    };
    assert_eq!(with(1, 5), with(3, 5));
    assert_ne!(with(1, 5).frozen.checks, with(1, 6).frozen.checks);
}

/// The share of simulated challengers that are rejected.
fn rejected(sets: u64, counts: [[usize; 2]; 2], lost: f64, gained: f64) -> f64 {
    let margins = Margins { rounds: 400, ..Margins::default() };
    let rejected = (0..sets).filter(|seed| {
        let mut rng = StdRng::seed_from_u64(1000 + seed);
        let [frozen, holdout] = counts.map(|counts| set(&mut rng, counts, lost, gained));
        judge(&answers(&frozen, &holdout), &Margins { seed: *seed, ..margins }).decision == Decision::Rejected
    });
    rejected.count() as f64 / sets as f64
}

#[test]
fn what_is_truly_worse_is_hardly_ever_let_through() {
    let passed = |lost, gained| 1.0 - rejected(100, [[300, 300], [40, 200]], lost, gained);
    // Six points worse; and just as much worse as is allowed.
    assert_eq!(passed(0.07, 0.01), 0.0);
    assert!(passed(0.03, 0.01) <= 0.05);
}

#[test]
fn what_is_truly_equal_is_let_through_the_oftener_the_less_it_differs_and_the_more_images_there_are() {
    let small = |differs: f64| rejected(100, [[300, 300], [40, 200]], differs / 2.0, differs / 2.0);
    assert!(small(0.005) <= 0.05, "{}", small(0.005));
    assert!(small(0.02) <= 0.4, "{}", small(0.02));
    let large = rejected(100, [[600, 600], [40, 200]], 0.01, 0.01);
    assert!(large <= 0.2, "{large}");
}
