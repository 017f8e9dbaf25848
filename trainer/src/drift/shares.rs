//! Shares of categories: of machines, of sites, of answers.

use std::collections::BTreeMap;

use super::permutation::permuted;
use super::report::{Finding, Moved};
use super::{Observed, Settings};

/// Categories that a report names, those that moved most.
const NAMED_MAX: usize = 10;

/// Pearson's chi-square of the shares of a category, known or not: a category of which the other period has no image counts
/// as any other. Its p-value is by permutation, since counts may be small.
pub(super) fn compare(
    periods: [&[Observed]; 2],
    category: impl Fn(&Observed) -> String,
    settings: &Settings,
) -> Finding {
    let counts = periods.map(<[Observed]>::len);
    if let Some(too_few) = Finding::too_few(counts, settings) {
        return too_few;
    }
    let names: Vec<String> = periods.iter().flat_map(|images| images.iter()).map(category).collect();
    let mut places = BTreeMap::<&str, [usize; 2]>::new();
    for (i, name) in names.iter().enumerate() {
        places.entry(name).or_default()[usize::from(i >= counts[0])] += 1;
    }
    if places.len() == 1 {
        return Finding::Alike;
    }
    let index: BTreeMap<&str, usize> = places.keys().enumerate().map(|(place, name)| (*name, place)).collect();
    let of_image: Vec<usize> = names.iter().map(|name| index[name.as_str()]).collect();
    let totals: Vec<usize> = places.values().map(|[reference, window]| reference + window).collect();
    let [found] = permuted(counts, settings, |reference| {
        let mut of_reference = vec![0; totals.len()];
        reference.iter().for_each(|image| of_reference[of_image[*image]] += 1);
        [chi_square(&of_reference, &totals, counts)]
    });
    Finding::measured(found).with_moved(moved(&places, counts))
}

/// Of a table of two rows: Σ (r·m − w·n)² / (n·m·(r + w)).
fn chi_square(of_reference: &[usize], totals: &[usize], [n, m]: [usize; 2]) -> f64 {
    let cells = of_reference.iter().zip(totals).map(|(reference, total)| {
        let apart = *reference as f64 * m as f64 - (total - reference) as f64 * n as f64;
        apart * apart / *total as f64
    });
    cells.sum::<f64>() / (n as f64 * m as f64)
}

fn moved(places: &BTreeMap<&str, [usize; 2]>, counts: [usize; 2]) -> Vec<Moved> {
    let mut moved: Vec<Moved> = places
        .iter()
        .map(|(name, [reference, window])| Moved {
            category: (*name).to_owned(),
            reference: *reference as f64 / counts[0] as f64,
            window: *window as f64 / counts[1] as f64,
        })
        .collect();
    moved.sort_by(|a, b| b.apart().total_cmp(&a.apart()));
    moved.truncate(NAMED_MAX);
    moved
}

#[cfg(test)]
mod tests {
    use super::chi_square;

    #[test]
    fn chi_square_is_that_of_the_textbook() {
        // 12 and 5 of 20 and 25 against 8 and 20: 45 · (12·20 − 8·5)² / (20 · 25 · 17 · 28).
        let value = chi_square(&[12, 8], &[17, 28], [20, 25]);
        assert!((value - 45.0 * 200.0 * 200.0 / (20.0 * 25.0 * 17.0 * 28.0)).abs() < 1e-9, "{value}");
        assert_eq!(chi_square(&[10, 10], &[20, 20], [20, 20]), 0.0);
    }
}
