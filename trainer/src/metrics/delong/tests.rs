//! Against the paper's own data, and against the definition.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::area;
use super::{Area, DeLong, delong};

/// The example of DeLong et al. (1988): albumin, total protein, K-G score and outcome after surgery of 43 patients with
/// ovarian cancer, as the SAS/STAT User's Guide prints it (The LOGISTIC Procedure, Comparing Receiver Operating
/// Characteristic Curves).
const OVARIAN: [(f64, f64, f64, bool); 43] = {
    const NO: bool = false;
    const YES: bool = true;
    [
        (3.0, 5.8, 10.0, NO),
        (3.2, 6.3, 5.0, YES),
        (3.9, 6.8, 3.0, YES),
        (2.8, 4.8, 6.0, NO),
        (3.2, 5.8, 3.0, YES),
        (0.9, 4.0, 5.0, NO),
        (2.5, 5.7, 8.0, NO),
        (1.6, 5.6, 5.0, YES),
        (3.8, 5.7, 5.0, YES),
        (3.7, 6.7, 6.0, YES),
        (3.2, 5.4, 4.0, YES),
        (3.8, 6.6, 6.0, YES),
        (4.1, 6.6, 5.0, YES),
        (3.6, 5.7, 5.0, YES),
        (4.3, 7.0, 4.0, YES),
        (3.6, 6.7, 4.0, NO),
        (2.3, 4.4, 6.0, YES),
        (4.2, 7.6, 4.0, NO),
        (4.0, 6.6, 6.0, NO),
        (3.5, 5.8, 6.0, YES),
        (3.8, 6.8, 7.0, YES),
        (3.0, 4.7, 8.0, NO),
        (4.5, 7.4, 5.0, YES),
        (3.7, 7.4, 5.0, YES),
        (3.1, 6.6, 6.0, YES),
        (4.1, 8.2, 6.0, YES),
        (4.3, 7.0, 5.0, YES),
        (4.3, 6.5, 4.0, YES),
        (3.2, 5.1, 5.0, YES),
        (2.6, 4.7, 6.0, YES),
        (3.3, 6.8, 6.0, NO),
        (1.7, 4.0, 7.0, NO),
        (3.7, 6.1, 5.0, YES),
        (3.3, 6.3, 7.0, YES),
        (4.2, 7.7, 6.0, YES),
        (3.5, 6.2, 5.0, YES),
        (2.9, 5.7, 9.0, NO),
        (2.1, 4.8, 7.0, YES),
        (2.8, 6.2, 8.0, NO),
        (4.0, 7.0, 7.0, YES),
        (3.3, 5.7, 6.0, YES),
        (3.7, 6.9, 5.0, YES),
        (3.6, 6.6, 5.0, YES),
    ]
};

fn near(value: f64, expected: f64, digits: i32) {
    assert!((value - expected).abs() < 0.51 * 10f64.powi(-digits), "{value} is not {expected}");
}

#[test]
fn the_papers_example_has_the_areas_and_errors_that_were_computed_apart() {
    // By the definition, in Python.
    type Test = fn(&(f64, f64, f64, bool)) -> f64;
    let tests: [(Test, [f64; 4]); 3] = [
        (|p| p.0, [0.7366, 0.0927, 0.5549, 0.9182]),
        (|p| p.1, [0.6478, 0.1000, 0.4518, 0.8439]),
        (|p| 10.0 - p.2, [0.7258, 0.1028, 0.5243, 0.9273]),
    ];
    for (test, [auc, error, low, high]) in tests {
        let found = Area::of(&OVARIAN.iter().map(|p| (test(p), p.3)).collect::<Vec<_>>()).unwrap();
        near(found.auc, auc, 4);
        near(found.standard_error.unwrap(), error, 4);
        near(found.interval.unwrap()[0], low, 4);
        near(found.interval.unwrap()[1], high, 4);
        assert_eq!((found.cases, found.controls), (31, 12));
    }
}

#[test]
fn the_papers_example_has_the_differences_that_were_computed_apart() {
    let protein: Vec<_> = OVARIAN.iter().map(|p| ([p.1, 10.0 - p.2], p.3)).collect();
    let test = delong(&protein).unwrap();
    near(test.difference, -0.0780, 4);
    near(test.standard_error, 0.1046, 4);
    near(test.interval[0], -0.2830, 4);
    near(test.interval[1], 0.1271, 4);
    near(test.z.unwrap().powi(2), 0.5554, 4);
    near(test.p.unwrap(), 0.4561, 4);
    let albumin: Vec<_> = OVARIAN.iter().map(|p| ([p.0, 10.0 - p.2], p.3)).collect();
    let test = delong(&albumin).unwrap();
    near(test.difference, 0.0108, 4);
    near(test.standard_error, 0.0953, 4);
    near(test.z.unwrap().powi(2), 0.0127, 4);
    near(test.p.unwrap(), 0.9102, 4);
}

/// By the definition: every case against every control, and the matrix of covariances.
fn by_definition(images: &[([f64; 2], bool)]) -> (f64, f64) {
    let of = |sort: bool, reader: usize| -> Vec<f64> {
        images.iter().filter(|(_, case)| *case == sort).map(|(scores, _)| scores[reader]).collect()
    };
    let beats = |x: f64, y: f64| f64::from(x > y) + 0.5 * f64::from(x == y);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let covariance = |a: &[f64], b: &[f64]| {
        let (mean_a, mean_b) = (mean(a), mean(b));
        a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / (a.len() - 1) as f64
    };
    let components = [0, 1].map(|reader| {
        let (cases, controls) = (of(true, reader), of(false, reader));
        let v10: Vec<f64> =
            cases.iter().map(|x| mean(&controls.iter().map(|y| beats(*x, *y)).collect::<Vec<_>>())).collect();
        let v01: Vec<f64> =
            controls.iter().map(|y| mean(&cases.iter().map(|x| beats(*x, *y)).collect::<Vec<_>>())).collect();
        [v10, v01]
    });
    let s = |a: usize, b: usize| -> f64 {
        let part = |k: usize| covariance(&components[a][k], &components[b][k]) / components[a][k].len() as f64;
        part(0) + part(1)
    };
    (mean(&components[0][0]) - mean(&components[1][0]), s(0, 0) + s(1, 1) - 2.0 * s(0, 1))
}

#[test]
fn midranks_give_what_the_definition_gives_with_ties_and_without() {
    let mut random = StdRng::seed_from_u64(5);
    for steps in [3.0, 10.0, 1e9] {
        for cases in [2, 9, 40] {
            let images: Vec<([f64; 2], bool)> = (0..cases + 25)
                .map(|i| {
                    let case = i < cases;
                    let score = |random: &mut StdRng| {
                        (random.random_range(0.0..1.0) * steps + f64::from(case) * steps / 4.0_f64).floor() / steps
                    };
                    ([score(&mut random), score(&mut random)], case)
                })
                .collect();
            let (difference, variance) = by_definition(&images);
            let test = delong(&images).unwrap();
            assert!((test.difference - difference).abs() < 1e-12, "{test:?}");
            assert!((test.standard_error - variance.sqrt()).abs() < 1e-9, "{test:?} {variance}");
            assert_eq!(Some(test.aucs[0]), area(images.iter().map(|(scores, case)| (scores[0], *case))));
        }
    }
}

#[test]
fn the_same_scores_do_not_differ_and_exchanged_readers_change_the_sign() {
    let same: Vec<_> = OVARIAN.iter().map(|p| ([p.0, p.0 * 2.0], p.3)).collect();
    let DeLong { difference, standard_error, z, p, .. } = delong(&same).unwrap();
    assert_eq!((difference, standard_error, z, p), (0.0, 0.0, Some(0.0), Some(1.0)));
    let one: Vec<_> = OVARIAN.iter().map(|p| ([p.0, p.1], p.3)).collect();
    let other: Vec<_> = OVARIAN.iter().map(|p| ([p.1, p.0], p.3)).collect();
    let (one, other) = (delong(&one).unwrap(), delong(&other).unwrap());
    assert_eq!((one.difference, one.p), (-other.difference, other.p));
}

#[test]
fn what_cannot_be_tested_is_not() {
    // One reader without an error, the other without a hit: a difference of 1 with a variance of 0.
    let opposite = [([0.9, 0.1], true), ([0.8, 0.2], true), ([0.2, 0.8], false), ([0.1, 0.9], false)];
    let test = delong(&opposite).unwrap();
    assert_eq!((test.difference, test.standard_error, test.z, test.p), (1.0, 0.0, None, None));
    assert_eq!(delong(&opposite[1..]), None);
    let single = |images: &[([f64; 2], bool)]| Area::of(&images.iter().map(|(s, c)| (s[0], *c)).collect::<Vec<_>>());
    let perfect = single(&opposite).unwrap();
    assert_eq!((perfect.auc, perfect.standard_error, perfect.interval), (1.0, None, None));
    assert_eq!(single(&opposite[1..]).unwrap().auc, 1.0);
    assert_eq!(single(&opposite[..2]), None);
}
