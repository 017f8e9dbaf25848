//! p-values by permutation.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::Settings;

/// What a permutation must be below to be less: sums of the same values in another order differ by as much.
const ROUNDING: f64 = 1e-9;

/// Statistics of two samples, each with its value and its p-value: of the samples as they are and of all permutations, the
/// share of which it is at least as large (Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology
/// 2010, 9, 39: never 0).
///
/// A statistic is a function of the places in the pooled sample of those that count as the first.
pub fn permuted<const N: usize>(
    [first, second]: [usize; 2],
    settings: &Settings,
    statistics: impl Fn(&[usize]) -> [f64; N] + Sync,
) -> [(f64, f64); N] {
    let pooled: Vec<usize> = (0..first + second).collect();
    let observed = statistics(&pooled[..first]);
    let as_large = |round: usize| {
        let mut rng = StdRng::seed_from_u64(settings.seed ^ (round as u64 + 1) << 32);
        let mut order = pooled.clone();
        let (drawn, _) = order.partial_shuffle(&mut rng, first);
        let values = statistics(drawn);
        std::array::from_fn(|k| usize::from(values[k] >= observed[k] - ROUNDING * (1.0 + observed[k].abs())))
    };
    let counts: [usize; N] = (0..settings.permutations)
        .into_par_iter()
        .map(as_large)
        .reduce(|| [0; N], |a, b| std::array::from_fn(|k| a[k] + b[k]));
    std::array::from_fn(|k| (observed[k], (counts[k] + 1) as f64 / (settings.permutations + 1) as f64))
}
