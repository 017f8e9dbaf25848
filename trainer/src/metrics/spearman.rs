//! Rank correlation.

/// Spearman's ρ: the correlation of the ranks of two series of the same length, ties having their mean rank. `None` where
/// one of them is constant.
pub fn spearman(a: &[f32], b: &[f32]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    // Ranks have this mean, with ties or without.
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    (scale > 0.0).then(|| product(&a, &b) / scale)
}

/// Each value's rank from 1 on.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let rank = below as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&i| ranks[i] = rank);
        below += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::spearman;

    #[test]
    fn rho_is_that_of_scipy() {
        // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]); then ties on both sides, by hand.
        let rho = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap();
        assert!((rho - 0.820_782_681_668_123_3).abs() < 1e-12, "{rho}");
        let rho = spearman(&[1.0, 1.0, 2.0, 3.0], &[2.0, 1.0, 1.0, 4.0]).unwrap();
        assert!((rho - 0.5).abs() < 1e-12, "{rho}");
    }

    #[test]
    fn order_is_all_that_counts_and_a_constant_has_none() {
        let a = [0.1, 5.0, -3.0, 2.0];
        assert_eq!(spearman(&a, &a.map(|v| v * v * v)), Some(1.0));
        assert_eq!(spearman(&a, &a.map(|v| -v)), Some(-1.0));
        assert_eq!(spearman(&a, &[1.0; 4]), None);
    }
}
