//! Scores against scores: the population stability index and the statistic of Kolmogorov and Smirnov.

use super::permutation::permuted;
use super::report::{Finding, Magnitude};
use super::{Observed, Settings};

/// Bins of the index: tenths of the reference.
const BINS: usize = 10;

/// Scores of both periods, by where each lies among their different values.
struct Ranked {
    /// Of each image, the reference's first.
    ranks: Vec<usize>,
    /// Images of each rank.
    totals: Vec<usize>,
}

/// PSI and KS of p(dislocation) + p(fracture), over the images with an answer.
pub(super) fn compare(periods: [&[Observed]; 2], settings: &Settings) -> [Finding; 2] {
    let scores = periods.map(|images| -> Vec<f32> {
        images.iter().filter_map(|image| image.p_injury.filter(|p| p.is_finite())).collect()
    });
    let counts = scores.each_ref().map(Vec::len);
    if let Some(too_few) = Finding::too_few(counts, settings) {
        return [too_few.clone(), too_few];
    }
    let ranked = Ranked::new(&scores.concat());
    if ranked.totals.len() == 1 {
        return [Finding::Alike, Finding::Alike];
    }
    let [psi, ks] = permuted(counts, settings, |reference| ranked.psi_and_ks(reference));
    [Finding::measured(psi).of_magnitude(Magnitude::of(psi.0)), Finding::measured(ks)]
}

impl Ranked {
    fn new(scores: &[f32]) -> Ranked {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_unstable_by(|i, j| scores[*i].total_cmp(&scores[*j]));
        let mut ranked = Ranked { ranks: vec![0; scores.len()], totals: Vec::new() };
        for tied in order.chunk_by(|i, j| scores[*i] == scores[*j]) {
            tied.iter().for_each(|i| ranked.ranks[*i] = ranked.totals.len());
            ranked.totals.push(tied.len());
        }
        ranked
    }

    /// Of those that count as the reference against the others.
    fn psi_and_ks(&self, reference: &[usize]) -> [f64; 2] {
        let mut counts = vec![0; self.totals.len()];
        reference.iter().for_each(|i| counts[self.ranks[*i]] += 1);
        let of = [reference.len(), self.ranks.len() - reference.len()];
        let (mut bins, mut bin, mut below, mut ks) = (Vec::with_capacity(BINS + 1), [0; 2], [0; 2], 0.0_f64);
        for (count, total) in counts.iter().zip(&self.totals) {
            for (period, count) in [*count, total - count].into_iter().enumerate() {
                bin[period] += count;
                below[period] += count;
            }
            let [reference, window] = [0, 1].map(|period| below[period] as f64 / of[period] as f64);
            ks = ks.max((reference - window).abs());
            // A tenth ends with the value at which it is full; ties may fill several at once. The last has no end.
            let full = (below[0] * BINS / of[0]).min(BINS - 1);
            if full > (below[0] - bin[0]) * BINS / of[0] {
                bins.push(std::mem::take(&mut bin));
            }
        }
        if bin != [0; 2] {
            bins.push(bin);
        }
        [psi(&bins, of), ks]
    }
}

/// Σ (w − r) · ln(w / r) over the bins' shares w of the window and r of the reference, half an image added to each.
fn psi(bins: &[[usize; 2]], of: [usize; 2]) -> f64 {
    let share =
        |bin: &[usize; 2], period: usize| (bin[period] as f64 + 0.5) / (of[period] as f64 + 0.5 * bins.len() as f64);
    bins.iter()
        .map(|bin| {
            let (r, w) = (share(bin, 0), share(bin, 1));
            (w - r) * (w / r).ln()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Ranked, psi};

    fn of(reference: &[f32], window: &[f32]) -> [f64; 2] {
        let places: Vec<usize> = (0..reference.len()).collect();
        Ranked::new(&[reference, window].concat()).psi_and_ks(&places)
    }

    #[test]
    fn the_index_is_that_of_its_formula_over_the_references_tenths() {
        // A hundred scores, ten a bin; the window has 20 in the first, 12 in the last, none in the second, else 10 or 8.
        let reference: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let counts = [20, 0, 10, 10, 10, 10, 10, 10, 8, 12];
        let window: Vec<f32> = (0..10).flat_map(|bin| vec![bin as f32 * 10.0 + 5.5; counts[bin]]).collect();
        let expected: f64 = counts
            .iter()
            .map(|count| {
                let (r, w) = (10.5 / 105.0, (*count as f64 + 0.5) / 105.0);
                (w - r) * f64::ln(w / r)
            })
            .sum();
        let [found, ks] = of(&reference, &window);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        // Of the second bin's first half the reference has six: 20 of 100 against 16 below 15.5 and the rest.
        assert!((ks - 0.14).abs() < 1e-12, "{ks}");
    }

    #[test]
    fn the_largest_distance_is_that_of_the_distributions_with_ties_and_beyond_each_other() {
        assert_eq!(of(&[1.0, 2.0], &[3.0, 4.0])[1], 1.0);
        assert_eq!(of(&[1.0, 1.0, 2.0, 2.0], &[1.0, 2.0])[1], 0.0);
        // Below 2 lie one of four and two of three.
        assert!((of(&[1.0, 2.0, 2.0, 3.0], &[1.0, 1.0, 3.0])[1] - (2.0 / 3.0 - 0.25)).abs() < 1e-12);
    }

    #[test]
    fn ties_fill_several_tenths_at_once() {
        // Nine tenths are one value: two bins and none between them.
        let reference = [vec![0.5; 90], vec![0.9; 10]].concat();
        assert!((of(&reference, &[0.5, 0.9])[0] - psi(&[[90, 1], [10, 1]], [100, 2])).abs() < 1e-12);
        // A window above all of a constant reference is in a bin of its own, and finite.
        let above = of(&[0.5; 100], &[0.7; 50])[0];
        assert!((above - psi(&[[100, 0], [0, 50]], [100, 50])).abs() < 1e-12 && above > 1.0);
    }
}
