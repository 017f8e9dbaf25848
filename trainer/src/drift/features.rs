//! Features against features: the maximum mean discrepancy (Gretton et al., Journal of Machine Learning Research 2012, 13,
//! 723), which is 0 for two samples of one distribution and grows with any difference of theirs, not that of means alone.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index;
use rayon::prelude::*;

use super::permutation::permuted;
use super::report::Finding;
use super::{Observed, Settings};

/// Sums that the compiler keeps side by side.
const LANES: usize = 16;

/// A kernel exp(−2·d²/median) of every two images of both samples, d² being their squared distance and the median that of
/// all of them. At twice the usual width (exp(−d²/median)) as at half of it, and by the energy distance, `shift-a` shows later.
struct Kernel {
    /// Of images i and j below i, from i·(i − 1)/2 + j on.
    pairs: Vec<f32>,
    /// Of each image, with all others.
    sums: Vec<f64>,
    /// Of all pairs.
    total: f64,
}

/// The squared discrepancy of the features, without bias, of at most so many images of each period as the settings say.
pub(super) fn compare(periods: [&[Observed]; 2], settings: &Settings) -> Finding {
    let known = periods.map(|images| images.iter().filter_map(|image| image.features.as_deref()));
    let length = known[0].clone().next().map_or(0, <[f32]>::len);
    let usable = |row: &&[f32]| row.len() == length && row.iter().all(|value| value.is_finite());
    let rows = known.map(|rows| rows.filter(usable).collect::<Vec<_>>());
    let counts = rows.each_ref().map(Vec::len);
    if let Some(too_few) = Finding::too_few(counts, settings) {
        return too_few;
    }
    let rows = rows.map(|rows| drawn(rows, settings));
    let counts = rows.each_ref().map(Vec::len);
    let Some(kernel) = Kernel::new(&rows.concat()) else {
        return Finding::Alike;
    };
    let [found] = permuted(counts, settings, |reference| [kernel.discrepancy(reference)]);
    Finding::measured(found)
}

fn drawn<'a>(rows: Vec<&'a [f32]>, settings: &Settings) -> Vec<&'a [f32]> {
    // Of two a discrepancy without bias can be computed.
    let most = settings.features_max.max(2);
    if rows.len() <= most {
        return rows;
    }
    let mut rng = StdRng::seed_from_u64(settings.seed);
    index::sample(&mut rng, rows.len(), most).iter().map(|i| rows[i]).collect()
}

impl Kernel {
    /// `None` if all images are alike.
    fn new(rows: &[&[f32]]) -> Option<Kernel> {
        let mut pairs: Vec<f32> = (1..rows.len())
            .into_par_iter()
            .flat_map_iter(|i| rows[..i].iter().map(move |other| square_distance(rows[i], other)))
            .collect();
        let scale = middle(&pairs)?;
        pairs.iter_mut().for_each(|square| *square = (-2.0 * *square / scale).exp());
        let (mut sums, mut total) = (vec![0.0; rows.len()], 0.0);
        for i in 1..rows.len() {
            for (j, value) in pairs[i * (i - 1) / 2..][..i].iter().enumerate() {
                let value = f64::from(*value);
                sums[i] += value;
                sums[j] += value;
                total += value;
            }
        }
        Some(Kernel { pairs, sums, total })
    }

    /// Of those that count as the reference from the others.
    fn discrepancy(&self, reference: &[usize]) -> f64 {
        let mut reference = reference.to_vec();
        reference.sort_unstable();
        let within: f64 = reference.iter().enumerate().map(|(place, i)| self.sum_with(*i, &reference[..place])).sum();
        let across = reference.iter().map(|i| self.sums[*i]).sum::<f64>() - 2.0 * within;
        let elsewhere = self.total - within - across;
        let [n, m] = [reference.len(), self.sums.len() - reference.len()].map(|count| count as f64);
        2.0 * (within / (n * (n - 1.0)) + elsewhere / (m * (m - 1.0)) - across / (n * m))
    }

    /// Of an image with some before it.
    fn sum_with(&self, i: usize, others: &[usize]) -> f64 {
        let Some(last) = i.checked_sub(1) else { return 0.0 };
        let row = &self.pairs[i * last / 2..][..i];
        others.iter().map(|j| f64::from(row[*j])).sum()
    }
}

fn square_distance(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks(LANES), b.chunks(LANES));
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    sums.iter().sum()
}

/// The median; the mean where that is 0, as more than half of the pairs are alike. `None` where all are.
fn middle(squares: &[f32]) -> Option<f32> {
    let mut sorted = squares.to_vec();
    let half = sorted.len() / 2;
    let median = *sorted.select_nth_unstable_by(half, f32::total_cmp).1;
    let mean = squares.iter().map(|square| f64::from(*square)).sum::<f64>() / squares.len() as f64;
    [median, mean as f32].into_iter().find(|scale| *scale > 0.0)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::{Kernel, square_distance};

    fn rows(count: usize, length: usize) -> Vec<Vec<f32>> {
        let mut rng = StdRng::seed_from_u64(3);
        (0..count).map(|_| (0..length).map(|_| rng.random_range(-1.0..1.0)).collect()).collect()
    }

    #[test]
    fn the_discrepancy_is_that_of_its_definition_whichever_images_count_as_the_reference() {
        let rows = rows(9, 37);
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let square =
            |i: usize, j: usize| -> f64 { rows[i].iter().zip(rows[j]).map(|(a, b)| f64::from(a - b).powi(2)).sum() };
        let mut squares: Vec<f64> =
            (0..9).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| square(i, j)).collect();
        squares.sort_by(f64::total_cmp);
        let k = |i: usize, j: usize| (-2.0 * square(i, j) / squares[18]).exp();
        let mean = |a: &[usize], b: &[usize]| {
            let pairs = a.iter().flat_map(|i| b.iter().map(move |j| (*i, *j))).filter(|(i, j)| i != j);
            let values: Vec<f64> = pairs.map(|(i, j)| k(i, j)).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let kernel = Kernel::new(&rows).unwrap();
        for (reference, others) in [([0, 1, 2, 3], [4, 5, 6, 7, 8]), ([7, 0, 5, 2], [1, 3, 4, 6, 8])] {
            let expected = mean(&reference, &reference) + mean(&others, &others) - 2.0 * mean(&reference, &others);
            let found = kernel.discrepancy(&reference);
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn distances_take_in_what_lies_behind_the_last_whole_run() {
        let a: Vec<f32> = (0..19).map(|i| i as f32).collect();
        // 0² + 1² + … + 18².
        assert_eq!(square_distance(&a, &[0.0; 19]), 2109.0);
    }

    #[test]
    fn images_that_are_all_alike_have_no_kernel_and_those_that_mostly_are_have_one() {
        let (one, other) = ([1.0, 2.0], [3.0, 2.0]);
        assert!(Kernel::new(&[&one, &one, &one]).is_none());
        let kernel = Kernel::new(&[&one, &one, &one, &one, &other]).unwrap();
        assert!(kernel.pairs.iter().all(|value| value.is_finite()) && kernel.discrepancy(&[0, 1]).is_finite());
    }
}
