//! Challengers of known worth, simulated.

mod calibration;
mod labels;

use cspine_domain::Class;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Answers, Basis, Check, Decision, Examined, Margins, Measured, Outcome, Shares, Verdict, judge};
use crate::metrics::{Answer, Proportion};

/// How often the champion is right.
const ACCURACY: f64 = 0.95;

const SITES: [&str; 3] = ["ed-1", "ed-2", "ed-3"];

/// An answer that is right or wrong (an injury that is missed, a normal that is flagged), and about so sure.
fn answer(rng: &mut StdRng, label: Class, right: bool, confidence: f64) -> Option<Answer> {
    let verdict = match label {
        _ if right => label,
        Class::Normal => Class::Fracture,
        _ => Class::Normal,
    };
    let sure = (confidence + rng.random_range(-0.01..0.01)) as f32;
    let mut probabilities = [(1.0 - sure) / 2.0; Class::COUNT];
    probabilities[verdict.index()] = sure;
    Some(Answer { probabilities, verdict, flagged: verdict.is_injury() })
}

/// Injuries of both sorts by turns and normals, of three sites. Of all images the challenger loses and gains shares; both are
/// as sure as they are right.
fn set(rng: &mut StdRng, [injuries, normals]: [usize; 2], lost: f64, gained: f64) -> Vec<Examined> {
    let labels = (0..injuries).map(|i| Class::ALL[i % 2]).chain(std::iter::repeat_n(Class::Normal, normals));
    let image = |(i, label): (usize, Class)| {
        let right = rng.random_bool(ACCURACY);
        let changes = if right { lost / ACCURACY } else { gained / (1.0 - ACCURACY) };
        let changed = rng.random_bool(changes);
        let site = Some(SITES[i / 2 % SITES.len()].to_owned());
        let champion = answer(rng, label, right, ACCURACY);
        let challenger = answer(rng, label, right != changed, ACCURACY - lost + gained);
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
    Answers { frozen: frozen.to_vec(), holdout: holdout.to_vec(), ..Answers::default() }
}

fn failed(verdict: &Verdict) -> Vec<&str> {
    let failed = verdict.sets().into_iter().flat_map(|set| set.that(Outcome::Failed));
    failed.map(|check| check.name.as_str()).collect()
}

fn shares(check: &Check) -> &Shares {
    match &check.measured {
        Measured::Shares(shares) => shares,
        other => panic!("{other:?}"),
    }
}

fn right(label: Class) -> Option<Answer> {
    answer(&mut StdRng::seed_from_u64(0), label, true, ACCURACY)
}

fn wrong(label: Class) -> Option<Answer> {
    answer(&mut StdRng::seed_from_u64(0), label, false, ACCURACY)
}

const ENOUGH: [usize; 2] = [300, 300];

#[test]
fn a_challenger_that_answers_as_the_champion_does_passes() {
    let verdict = judged(&alike(1, ENOUGH), &alike(2, [120, 240]));
    assert_eq!((verdict.decision, failed(&verdict)), (Decision::Passed, vec![]), "{verdict}");
    let names: Vec<&str> = verdict.frozen.checks.iter().map(|check| check.name.as_str()).collect();
    let expected = ["sensitivity", "specificity", "recall of dislocation", "recall of fracture", "recall of normal"];
    assert_eq!(names[..5], expected);
    assert_eq!(names[5..8], ["sensitivity at ed-1", "sensitivity at ed-2", "sensitivity at ed-3"]);
    assert_eq!(names[8..11], ["specificity at ed-1", "specificity at ed-2", "specificity at ed-3"]);
    assert_eq!(names[11..], ["calibration", "collapse"]);
    assert!(verdict.to_string().starts_with("Passed: all 27 checks held.\n"), "{verdict}");
}

#[test]
fn a_challenger_of_damaged_labels_is_rejected_with_numbers() {
    let mut rng = StdRng::seed_from_u64(3);
    let damaged = changed(alike(3, ENOUGH), |_, image| {
        if rng.random_bool(0.3) {
            let class = Class::ALL[rng.random_range(0..Class::COUNT)];
            image.challenger = answer(&mut rng, class, true, ACCURACY);
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
        format!("at least {:+.1}, where -2.0 is the least allowed", 100.0 * shares.bound.unwrap()),
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
    for (injuries, name) in [(true, "sensitivity at ed-3"), (false, "specificity at ed-3")] {
        let mut there = 0;
        let worse = changed(alike(6, [600, 600]), |i, image| {
            let (right, wrong) = (right(image.label), wrong(image.label));
            if image.site.as_deref() != Some("ed-3") {
                if i % 20 == 0 {
                    (image.champion, image.challenger) = (wrong, right);
                }
            } else if image.label.is_injury() == injuries {
                there += 1;
                // Of both sorts of injury alike.
                if there % 15 == 0 {
                    (image.champion, image.challenger) = (right, wrong);
                }
            }
        });
        let verdict = judged(&worse, &[]);
        assert_eq!(failed(&verdict), [name], "{verdict}");
        let mean = shares(&verdict.frozen.checks[usize::from(!injuries)]);
        assert!(mean.difference.unwrap() > 0.0, "{verdict}");
    }
}

#[test]
fn a_challenger_that_flags_everything_is_rejected_by_its_specificity() {
    let all = changed(alike(7, ENOUGH), |_, image| {
        image.challenger.as_mut().unwrap().flagged = true;
    });
    let verdict = judged(&all, &[]);
    let sites = SITES.map(|site| format!("specificity at {site}"));
    assert_eq!(failed(&verdict), [&["specificity".to_owned()][..], &sites].concat(), "{verdict}");
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
    assert_eq!(judged(&mute, &[]).decision, Decision::Rejected);
}

#[test]
fn a_small_holdout_vetoes_only_what_is_significantly_worse_and_asks_for_a_person() {
    let frozen = alike(10, ENOUGH);
    let lose = |count: usize| {
        changed(alike(11, [40, 200]), |i, image| {
            if i < count {
                (image.champion, image.challenger) = (right(image.label), wrong(image.label));
            }
        })
    };
    // Four of 40 are ten points, and one time in sixteen chance.
    for holdout in [vec![], alike(11, [40, 200]), lose(4)] {
        let verdict = judged(&frozen, &holdout);
        assert_eq!(verdict.decision, Decision::PassedButInsufficient, "{verdict}");
        assert!(!verdict.holdout.sufficient && verdict.frozen.sufficient);
        let first = verdict.to_string().lines().next().unwrap().to_owned();
        assert!(first.contains("a person must decide: the holdout is too small"), "{first}");
    }
    let verdict = judged(&frozen, &lose(5));
    assert_eq!(failed(&verdict), ["sensitivity"], "{verdict}");
    assert_eq!(verdict.holdout.checks[0].basis, Basis::NotSignificantlyWorse);
    let reason = "only a significant fall counts (McNemar's exact p = 0.0312, where 0.0500 or less fails)";
    assert!(verdict.reasons()[0].contains(reason), "{verdict}");
    assert!(verdict.to_string().contains("insufficient, which takes 100 of each"), "{verdict}");
}

#[test]
fn a_holdout_of_enough_injuries_and_few_normals_is_strict_with_all_but_normals() {
    let holdout = changed(alike(13, [140, 60]), |i, image| {
        // Four injuries and three normals: neither fall is significant, and the first is not shown to be within its margin.
        (image.champion, image.challenger) = (right(image.label), right(image.label));
        if i < 140 && i % 35 == 0 || i >= 197 {
            image.challenger = wrong(image.label);
        }
    });
    let verdict = judged(&alike(12, ENOUGH), &holdout);
    assert_eq!(failed(&verdict), ["sensitivity"], "{verdict}");
    let basis = |name: &str| verdict.holdout.checks.iter().find(|check| check.name == name).unwrap().basis;
    assert_eq!([basis("sensitivity"), basis("specificity")], [Basis::NonInferior, Basis::NotSignificantlyWorse]);
    assert_eq!([basis("calibration"), basis("collapse")], [Basis::NoSureRise, Basis::Sound]);
    assert!(!verdict.holdout.sufficient);
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
fn a_site_too_small_to_tell_that_falls_over_its_margin_is_left_to_a_person() {
    let judged_with_lost = |lost: usize| {
        let frozen = changed(alike(16, [600, 600]), |i, image| {
            if i < 24 {
                image.site = Some("ward".to_owned());
                image.champion = right(image.label);
                image.challenger = if i < lost { wrong(image.label) } else { right(image.label) };
            }
        });
        judged(&frozen, &alike(16, ENOUGH))
    };
    // One of 24 is within the margin.
    assert_eq!(judged_with_lost(0).decision, Decision::Passed);
    assert_eq!(judged_with_lost(1).decision, Decision::Passed);
    // Four are 16.7 points, and one time in sixteen chance.
    let verdict = judged_with_lost(4);
    assert_eq!(verdict.decision, Decision::PassedButInsufficient, "{verdict}");
    let text = verdict.to_string();
    let first = "Passed, but insufficient: of 28 checks none failed, but a person must decide: sensitivity at ward (frozen \
                 set) is in doubt.\n";
    assert!(text.starts_with(first), "{text}");
    let sentence = "where 24 patients are too few to tell from -5.0: a fall below that is left to a person, a significant \
                    one fails (McNemar's exact p = 0.0625, where 0.0500 or less fails)";
    assert!(text.contains(sentence), "{text}");
    assert_eq!(failed(&judged_with_lost(5)), ["sensitivity at ward"]);
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
    let low = |verdict: &Verdict| shares(&verdict.frozen.checks[0]).bound.unwrap();
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

#[test]
fn a_scope_gate_that_lets_in_what_the_champions_keeps_out_is_refused() {
    let failed_with = |champion, challenger| {
        let kept_out = Some([champion, challenger].map(|count| Proportion { count, of: 80 }));
        let verdict =
            judge(&Answers { kept_out, ..answers(&alike(21, ENOUGH), &alike(22, [110, 110])) }, &Margins::default());
        failed(&verdict).len()
    };
    assert_eq!(failed_with(80, 75), 1);
    for (champion, challenger) in [(80, 76), (70, 70), (70, 74)] {
        assert_eq!(failed_with(champion, challenger), 0, "{champion} {challenger}");
    }
}
