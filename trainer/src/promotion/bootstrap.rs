//! The paired bootstrap of the difference of two shares of the same images (Efron and Tibshirani, An Introduction to the
//! Bootstrap, 1993, chapter 13), resampled by patients.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::trials::Cluster;

/// Trials of which the chance of no success, one half to their power, is still an ordinary number.
const TRIALS_MAX: usize = 500;

/// How often is resampled, and from which end the bounds are taken.
#[derive(Debug, Clone, Copy)]
pub struct Resampling {
    /// Of each bound, one-sided.
    pub confidence: f64,
    /// How often.
    pub rounds: usize,
    /// Of the draws.
    pub seed: u64,
}

/// The lower and the upper bound of the difference, each one-sided: percentiles. `None` without clusters.
///
/// A cluster counts only by how many images it has and how many more of them the second model has right, so that it is
/// the numbers of clusters of each kind that are resampled, multinomially, and not the images.
pub fn bounds(clusters: &[Cluster], resampling: Resampling) -> Option<[f64; 2]> {
    let mut kinds = BTreeMap::<Cluster, usize>::new();
    for cluster in clusters {
        *kinds.entry(*cluster).or_default() += 1;
    }
    let mut kinds: Vec<(Cluster, usize)> = kinds.into_iter().collect();
    // What remains falls to the last: that costs no draw, so it is the commonest.
    kinds.sort_by_key(|(_, count)| *count);
    let (last, others) = kinds.split_last()?;
    let mut rng = StdRng::seed_from_u64(resampling.seed);
    let mut differences: Vec<f64> = (0..resampling.rounds.max(1))
        .map(|_| {
            let (mut images, mut net) = (0, 0);
            let mut add = |cluster: &Cluster, times: usize| {
                images += cluster.images * times;
                net += cluster.net() * times as isize;
            };
            let (mut draws, mut rest) = (clusters.len(), clusters.len());
            for (cluster, count) in others {
                let times = binomial(&mut rng, draws, *count as f64 / rest as f64);
                add(cluster, times);
                draws -= times;
                rest -= count;
            }
            add(&last.0, draws);
            net as f64 / images as f64
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    let rounds = differences.len();
    let below = ((rounds + 1) as f64 * (1.0 - resampling.confidence)) as usize;
    let place = below.clamp(1, rounds) - 1;
    Some([differences[place], differences[rounds - 1 - place]])
}

/// Successes of trials with a chance, drawn.
fn binomial(rng: &mut StdRng, trials: usize, chance: f64) -> usize {
    if chance > 0.5 {
        return trials - binomial(rng, trials, 1.0 - chance);
    }
    let (mut left, mut successes) = (trials, 0);
    while left > 0 {
        let some = left.min(TRIALS_MAX);
        successes += by_inversion(rng, some, chance);
        left -= some;
    }
    successes
}

/// [`binomial`] of few trials with a chance of at most one half: as many steps as there are successes.
fn by_inversion(rng: &mut StdRng, trials: usize, chance: f64) -> usize {
    let odds = chance / (1.0 - chance);
    let (mut u, mut successes) = (rng.random::<f64>(), 0);
    let mut here = (1.0 - chance).powi(trials as i32);
    while u >= here && successes < trials {
        u -= here;
        successes += 1;
        here *= odds * (trials + 1 - successes) as f64 / successes as f64;
    }
    successes
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::super::trials::{Cluster, clusters};
    use super::{Resampling, binomial, bounds};

    const RESAMPLING: Resampling = Resampling { confidence: 0.95, rounds: 2000, seed: 7 };

    fn images(lost: usize, gained: usize, same: usize) -> Vec<Cluster> {
        let of = |count, image| std::iter::repeat_n((None, image), count);
        clusters(of(lost, [true, false]).chain(of(gained, [false, true])).chain(of(same, [true, true])))
    }

    #[test]
    fn draws_of_a_binomial_have_its_mean_and_its_variance() {
        let mut rng = StdRng::seed_from_u64(1);
        for (trials, chance) in [(10, 0.3), (1000, 0.02), (1700, 0.5), (300, 0.97)] {
            let draws: Vec<f64> = (0..4000).map(|_| binomial(&mut rng, trials, chance) as f64).collect();
            let mean = draws.iter().sum::<f64>() / 4000.0;
            let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 4000.0;
            let (expected, spread) = (trials as f64 * chance, trials as f64 * chance * (1.0 - chance));
            assert!((mean - expected).abs() < 4.0 * (spread / 4000.0).sqrt(), "{trials} {chance}: {mean}");
            assert!((variance / spread - 1.0).abs() < 0.12, "{trials} {chance}: {variance}");
        }
        assert_eq!((binomial(&mut rng, 9, 0.0), binomial(&mut rng, 9, 1.0)), (0, 9));
    }

    #[test]
    fn bounds_are_those_of_the_normal_distribution_where_many_images_differ() {
        let [low, high] = bounds(&images(60, 40, 900), RESAMPLING).unwrap();
        // Mean -0.02; variance (0.1 - 0.02²) / 1000; the 5 % points at 1.645 standard deviations.
        let half = 1.645 * ((0.1_f64 - 0.0004) / 1000.0).sqrt();
        assert!((low + 0.02 + half).abs() < 0.0015 && (high + 0.02 - half).abs() < 0.0015, "{low} {high}");
        assert_eq!(bounds(&images(0, 0, 50), RESAMPLING), Some([0.0; 2]));
        assert_eq!(bounds(&[], RESAMPLING), None);
    }

    #[test]
    fn images_of_one_patient_are_drawn_together() {
        // Ten patients of ten images, two of them wholly lost: as uncertain as two of ten, not as twenty of a hundred.
        let patients: Vec<String> = (0..10).map(|p| format!("P{p}")).collect();
        let image = |i: usize| (Some(patients[i / 10].as_str()), [true, i / 10 > 1]);
        let together = bounds(&clusters((0..100).map(image)), RESAMPLING).unwrap();
        let apart = bounds(&clusters((0..100).map(|i| (None, image(i).1))), RESAMPLING).unwrap();
        assert_eq!(together[0], -0.4);
        assert!((-0.29..-0.24).contains(&apart[0]), "{apart:?}");
    }

    #[test]
    fn a_bound_lies_beyond_the_truth_as_often_as_it_says() {
        // Two models that differ on 3 + 2, 8 + 2 and 6 + 6 of a hundred injuries, 300 of them measured.
        let mut rng = StdRng::seed_from_u64(2);
        for (lost, gained) in [(0.03, 0.02), (0.08, 0.02), (0.06, 0.06)] {
            let (mut below, mut above, sets) = (0, 0, 600);
            for seed in 0..sets {
                let image = |_| match rng.random::<f64>() {
                    u if u < lost => (None, [true, false]),
                    u if u < lost + gained => (None, [false, true]),
                    _ => (None, [true, true]),
                };
                let measured = clusters((0..300).map(image));
                let [low, high] = bounds(&measured, Resampling { rounds: 500, seed, ..RESAMPLING }).unwrap();
                below += usize::from(low <= gained - lost);
                above += usize::from(high >= gained - lost);
            }
            for covered in [below, above] {
                let covered = covered as f64 / sets as f64;
                assert!((0.92..0.985).contains(&covered), "{lost} {gained}: {covered}");
            }
        }
    }

    #[test]
    fn two_thousand_rounds_of_a_thousand_images_take_no_time_to_speak_of() {
        let begin = Instant::now();
        bounds(&images(80, 60, 860), RESAMPLING).unwrap();
        assert!(begin.elapsed().as_secs_f64() < 0.5, "{:?}", begin.elapsed());
    }
}
