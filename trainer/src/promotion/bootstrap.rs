//! The paired bootstrap of what two models show on the same images (Efron and Tibshirani, An Introduction to the Bootstrap,
//! 1993, chapter 13), resampled by patients.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How often is resampled, and how sure a bound is.
#[derive(Debug, Clone, Copy)]
pub struct Resampling {
    /// Of the bound, one-sided.
    pub confidence: f64,
    /// How often.
    pub rounds: usize,
    /// Of the draws.
    pub seed: u64,
}

/// The lower bound, one-sided, of a figure that follows from sums over images: a percentile. Each patient comes with the sums
/// over their images, as [`by_patient`](super::trials::by_patient) has them. `None` without patients.
pub fn lower_bound<const N: usize>(
    patients: &[[f64; N]],
    figure: impl Fn([f64; N]) -> f64,
    resampling: Resampling,
) -> Option<f64> {
    if patients.is_empty() {
        return None;
    }
    let mut rng = StdRng::seed_from_u64(resampling.seed);
    let rounds = resampling.rounds.max(1);
    let mut figures: Vec<f64> = (0..rounds)
        .map(|_| {
            let mut sums = [0.0; N];
            for _ in patients {
                let drawn = patients[rng.random_range(0..patients.len())];
                sums.iter_mut().zip(drawn).for_each(|(sum, value)| *sum += value);
            }
            figure(sums)
        })
        .collect();
    let below = ((rounds + 1) as f64 * (1.0 - resampling.confidence)) as usize;
    let (_, bound, _) = figures.select_nth_unstable_by(below.clamp(1, rounds) - 1, f64::total_cmp);
    Some(*bound)
}

#[cfg(test)]
mod tests {
    use rand::Rng;
    use rand::rngs::StdRng;

    use super::super::trials::by_patient;
    use super::{Resampling, SeedableRng, lower_bound};

    const RESAMPLING: Resampling = Resampling { confidence: 0.95, rounds: 2000, seed: 1 };

    /// Of the mean over the images.
    fn bound(patients: &[[f64; 2]], resampling: Resampling) -> Option<f64> {
        lower_bound(patients, |[images, sum]| sum / images, resampling)
    }

    fn images(lost: usize, gained: usize, alike: usize) -> Vec<[f64; 2]> {
        [(lost, -1.0), (gained, 1.0), (alike, 0.0)].map(|(count, gain)| vec![[1.0, gain]; count]).concat()
    }

    #[test]
    fn the_bound_is_that_of_the_normal_distribution_where_many_images_differ() {
        let low = bound(&images(60, 40, 900), RESAMPLING).unwrap();
        // Mean -0.02; variance (0.1 - 0.02²) / 1000; the 5 % point at 1.645 standard deviations.
        let half = 1.645 * ((0.1_f64 - 0.0004) / 1000.0).sqrt();
        assert!((low + 0.02 + half).abs() < 0.0015, "{low}");
        assert_eq!(bound(&images(0, 0, 50), RESAMPLING), Some(0.0));
        assert_eq!(bound(&[], RESAMPLING), None);
    }

    #[test]
    fn images_of_one_patient_are_drawn_together() {
        // Ten patients of ten images, two of them wholly lost: as uncertain as two of ten, not as twenty of a hundred.
        let patients: Vec<String> = (0..10).map(|p| format!("P{p}")).collect();
        let image = |i: usize| (Some(patients[i / 10].as_str()), [1.0, if i / 10 > 1 { 0.0 } else { -1.0 }]);
        let together = bound(&by_patient((0..100).map(image)), RESAMPLING).unwrap();
        let apart = bound(&by_patient((0..100).map(|i| (None, image(i).1))), RESAMPLING).unwrap();
        assert_eq!(together, -0.4);
        assert!((-0.29..-0.24).contains(&apart), "{apart}");
    }

    #[test]
    fn the_bound_lies_below_the_truth_as_often_as_it_says() {
        // Two models that differ on 3 + 2, 8 + 2 and 6 + 6 of a hundred injuries, 300 of them measured.
        let mut rng = StdRng::seed_from_u64(2);
        for (lost, gained) in [(0.03, 0.02), (0.08, 0.02), (0.06, 0.06)] {
            let (mut below, sets) = (0, 600);
            for seed in 0..sets {
                let image = |_| match rng.random::<f64>() {
                    u if u < lost => [1.0, -1.0],
                    u if u < lost + gained => [1.0, 1.0],
                    _ => [1.0, 0.0],
                };
                let measured: Vec<[f64; 2]> = (0..300).map(image).collect();
                let low = bound(&measured, Resampling { rounds: 200, seed, ..RESAMPLING }).unwrap();
                below += usize::from(low <= gained - lost);
            }
            let covered = below as f64 / sets as f64;
            assert!((0.92..0.985).contains(&covered), "{lost} {gained}: {covered}");
        }
    }

    #[test]
    fn two_thousand_rounds_of_a_thousand_images_take_no_time_to_speak_of() {
        // The time that this thread was given a processor, in ns, by Linux' account: a busy machine changes nothing in it.
        let given = || -> u64 {
            let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            said.split(' ').next().unwrap().parse().unwrap()
        };
        let begin = given();
        bound(&images(80, 60, 860), RESAMPLING).unwrap();
        let took = given() - begin;
        assert!(took < 500_000_000, "{took} ns");
    }
}
