//! Departments that stay as they are, and such that change.

use cspine_domain::{Reason, Verdict};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Drift, Finding, Magnitude, Observed, Settings, State, What, drift};

const SETTINGS: Settings =
    Settings { alpha: 0.02, permutations: 599, reference_min: 100, images_min: 30, features_max: 400, seed: 1 };

/// A department: how much of what its images have.
#[derive(Clone, Copy)]
struct Department {
    /// Share of images that are injuries.
    injuries: f64,
    /// How sure the model is: scores are rounded to tenths, and many are alike.
    unsure: f64,
    /// What is added to a few features.
    brighter: f32,
    /// By what the features' common part is stretched: neither mean nor spread of all changes by its sign.
    together: f32,
    /// Shares of two of three sites; the third has the rest.
    sites: [f64; 2],
    /// Share of images from a machine that nobody had.
    new_machine: f64,
    /// Share of images without an answer.
    refused: f64,
}

const USUAL: Department = Department {
    injuries: 0.1,
    unsure: 0.3,
    brighter: 0.0,
    together: 1.0,
    sites: [0.6, 0.3],
    new_machine: 0.0,
    refused: 0.02,
};

fn bell(rng: &mut StdRng) -> f32 {
    (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0
}

impl Department {
    fn image(&self, rng: &mut StdRng) -> Observed {
        let injury = rng.random_bool(self.injuries);
        let score = (10.0 * rng.random::<f64>() * self.unsure).round() as f32 / 10.0;
        let score = if injury { 1.0 - score } else { score };
        // Features are none below 0, and all of them go up and down with two of an image's traits.
        let (first, second) = (bell(rng), bell(rng));
        let features = (0..24).map(|i| {
            let common = if i % 2 == 0 { first } else { first * (1.0 - self.together) + second * self.together };
            let more = if i < 4 { self.brighter } else { 0.0 };
            (common + 0.5 * bell(rng) + more + if injury { 1.0 } else { 0.5 }).max(0.0)
        });
        let features = Some(features.collect());
        let site = match rng.random::<f64>() {
            u if u < self.sites[0] => Some("ed-1".to_owned()),
            u if u < self.sites[0] + self.sites[1] => Some("ed-2".to_owned()),
            _ => None,
        };
        let modality = match rng.random::<f64>() {
            u if u < self.new_machine => "RF",
            u if u < 0.97 => "DX",
            _ => "CR",
        };
        let refused = rng.random_bool(self.refused);
        let (verdict, reason) = match score {
            _ if refused => (Verdict::NotAssessable, Some(Reason::OutOfDistribution)),
            ..0.5 => (Verdict::Normal, rng.random_bool(0.05).then_some(Reason::Atypical)),
            _ => (Verdict::Fracture, None),
        };
        let p_injury = (!refused).then_some(score);
        Observed { p_injury, verdict, reason, features, modality: Some(modality.to_owned()), site }
    }

    fn images(&self, count: usize, seed: u64) -> Vec<Observed> {
        let mut rng = StdRng::seed_from_u64(seed);
        (0..count).map(|_| self.image(&mut rng)).collect()
    }
}

fn finding(drift: &Drift, name: What) -> &Finding {
    &drift.statistics.iter().find(|statistic| statistic.name == name).unwrap().finding
}

/// Value, p-value, and p-value after correction.
fn measured(drift: &Drift, name: What) -> [f64; 3] {
    match finding(drift, name) {
        Finding::Measured { value, p, p_corrected, .. } => [*value, *p, *p_corrected],
        other => panic!("{name}: {other:?}"),
    }
}

/// What is found in each of some windows of 120 images of another department.
fn found(changed: Department) -> Vec<Drift> {
    (0..5).map(|seed| drift(&USUAL.images(200, seed), &changed.images(120, 100 + seed), &SETTINGS)).collect()
}

fn all_by(drifts: &[Drift], name: What) -> bool {
    drifts.iter().all(|drift| drift.state == State::Drifted && drift.drifted.contains(&name))
}

#[test]
fn fewer_than_one_in_twenty_days_without_drift_alarm() {
    let departments = 200;
    let (mut alarms, mut below) = (0, [0; 6]);
    for seed in 0..departments {
        let (reference, later) = (USUAL.images(120, 2 * seed), USUAL.images(80, 2 * seed + 1));
        // Of two days, twenty images each: most of the second's window is the first's.
        for window in [&later[..60], &later[20..]] {
            let drift = drift(&reference, window, &Settings { seed, ..SETTINGS });
            alarms += usize::from(drift.state == State::Drifted);
            for (count, statistic) in below.iter_mut().zip(&drift.statistics) {
                // All of a window may come from one machine.
                let significant = matches!(statistic.finding, Finding::Measured { p, .. } if p <= 0.05);
                *count += usize::from(significant);
            }
        }
    }
    assert!(alarms * 20 < 2 * departments as usize, "{alarms} of {departments} departments' two days each");
    // Each p-value by itself is what it says, within three standard deviations of one in twenty of days that come in pairs.
    assert!(below.iter().all(|count| *count <= 36), "{below:?}");
}

#[test]
fn scores_that_move_are_found_by_both_of_their_statistics() {
    let drifts = found(Department { unsure: 0.5, ..USUAL });
    assert!(all_by(&drifts, What::ScorePsi) && all_by(&drifts, What::ScoreKs), "{drifts:?}");
    assert!(drifts.iter().all(|drift| !drift.drifted.contains(&What::Site)));
    let Finding::Measured { value, magnitude, .. } = finding(&drifts[0], What::ScorePsi) else { panic!() };
    assert!(*value > 0.25 && *magnitude == Some(Magnitude::Large));
}

#[test]
fn features_that_move_or_only_hang_together_otherwise_are_found() {
    for changed in [Department { brighter: 0.9, ..USUAL }, Department { together: 0.0, ..USUAL }] {
        let drifts = found(changed);
        assert!(all_by(&drifts, What::Features), "{drifts:?}");
        assert!(drifts.iter().all(|drift| !drift.drifted.contains(&What::ScoreKs)), "{drifts:?}");
    }
}

#[test]
fn sites_machines_and_answers_that_change_their_shares_are_found() {
    let drifts = found(Department { sites: [0.3, 0.6], ..USUAL });
    assert!(all_by(&drifts, What::Site), "{drifts:?}");
    let drifts = found(Department { refused: 0.2, ..USUAL });
    assert!(all_by(&drifts, What::Verdict), "{drifts:?}");
    let drifts = found(Department { new_machine: 0.12, ..USUAL });
    assert!(all_by(&drifts, What::Modality), "{drifts:?}");
    // One that the reference never had counts, and is named among those that moved.
    let Finding::Measured { moved, .. } = finding(&drifts[0], What::Modality) else { panic!() };
    let new = moved.iter().find(|moved| moved.category == "RF").unwrap();
    assert!(new.reference == 0.0 && new.window > 0.05, "{moved:?}");
}

#[test]
fn too_few_images_are_said_to_be_too_few() {
    for (reference, window) in [(0, 0), (200, 0), (0, 200), (99, 200), (200, 29)] {
        let drift = drift(&USUAL.images(reference, 1), &USUAL.images(window, 2), &SETTINGS);
        assert_eq!((drift.state, drift.drifted.len()), (State::TooFew, 0), "{drift:?}");
    }
    // Enough images, of which too few have an answer: what can be said is said.
    let mute = Department { refused: 0.9, ..USUAL };
    let drift = drift(&USUAL.images(200, 1), &mute.images(60, 2), &SETTINGS);
    let Finding::TooFew { images, needed, .. } = finding(&drift, What::ScoreKs) else { panic!("{drift:?}") };
    assert!(*images < 30 && *needed == [100, 30]);
    assert_eq!((drift.state, drift.drifted.contains(&What::Verdict)), (State::Drifted, true));
}

#[test]
fn what_is_missing_or_never_changes_is_answered_in_words() {
    let image = |p_injury, features: Option<Vec<f32>>| Observed {
        p_injury,
        verdict: Verdict::Normal,
        reason: None,
        features,
        modality: None,
        site: None,
    };
    let constant = |count| vec![image(Some(0.25), Some(vec![1.0; 8])); count];
    let same = drift(&constant(150), &constant(150), &SETTINGS);
    assert_eq!(same.state, State::Steady);
    assert!(same.statistics.iter().all(|statistic| statistic.finding == Finding::Alike), "{same:?}");

    let nothing = drift(&vec![image(None, None); 150], &vec![image(None, None); 150], &SETTINGS);
    assert_eq!((nothing.state, finding(&nothing, What::Site)), (State::Steady, &Finding::Alike));
    let too_few = Finding::TooFew { reference: 0, images: 0, needed: [100, 30] };
    assert_eq!((finding(&nothing, What::ScorePsi), finding(&nothing, What::Features)), (&too_few, &too_few));

    // A constant that became another one, and features that are no numbers or of another network.
    let other = vec![image(Some(0.75), Some(vec![2.0; 8])); 150];
    let moved = drift(&constant(150), &other, &SETTINGS);
    assert_eq!(moved.drifted, [What::ScorePsi, What::ScoreKs, What::Features]);
    let odd = [vec![image(Some(f32::NAN), Some(vec![f32::NAN; 8])); 80], vec![image(None, Some(vec![1.0; 9])); 80]];
    assert_eq!(
        finding(&drift(&constant(150), &odd.concat(), &SETTINGS), What::Features),
        &Finding::TooFew { reference: 150, images: 0, needed: [100, 30] }
    );
    for drift in [same, nothing, moved] {
        for statistic in &drift.statistics {
            if let Finding::Measured { value, p, p_corrected, .. } = statistic.finding {
                assert!([value, p, p_corrected].iter().all(|number| number.is_finite()), "{statistic:?}");
            }
        }
    }
}

#[test]
fn more_images_than_are_compared_are_drawn_from_and_the_draw_is_the_seeds() {
    let few = Settings { features_max: 50, ..SETTINGS };
    let (reference, window) = (USUAL.images(300, 1), USUAL.images(300, 2));
    let value = |seed| measured(&drift(&reference, &window, &Settings { seed, ..few }), What::Features)[0];
    assert_eq!(value(1), value(1));
    assert_ne!(value(1), value(2));
}

#[test]
fn a_seed_gives_one_answer_on_any_number_of_threads() {
    let (reference, window) = (USUAL.images(150, 1), USUAL.images(100, 2));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| drift(&reference, &window, &SETTINGS))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn the_answer_is_written_with_its_names_and_comes_back() {
    let answer = drift(&USUAL.images(120, 1), &USUAL.images(60, 2), &SETTINGS);
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!((&json["state"], &json["statistics"][0]["name"]), (&"steady".into(), &"score_psi".into()));
    assert_eq!(json["statistics"][5]["outcome"], "measured");
    assert_eq!(serde_json::from_value::<Drift>(json).unwrap(), answer);
    let names = answer.statistics.iter().map(|statistic| statistic.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["score_psi", "score_ks", "features", "modality", "site", "verdict"]);
}
