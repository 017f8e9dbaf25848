//! Several tests at once.

/// Holm's step-down correction (Scandinavian Journal of Statistics 1979, 6, 65): the k-th smallest of m p-values times
/// m − k + 1, no smaller than the one before it and at most 1. Below α it keeps the chance of any false alarm among the
/// m tests at α, however they depend on each other.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut corrected, mut largest) = (vec![0.0; p.len()], 0.0_f64);
    for (rank, test) in order.into_iter().enumerate() {
        largest = largest.max(p[test] * (p.len() - rank) as f64).min(1.0);
        corrected[test] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::holm;

    #[test]
    fn the_smallest_p_is_multiplied_by_all_tests_and_none_overtakes_another() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        // By hand: 4·.005, 3·.01, 2·.03, and .04 no smaller than that.
        for (value, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((value - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.6, 0.9]), [1.0, 1.0]);
        assert_eq!(holm(&[0.2]), [0.2]);
        assert!(holm(&[]).is_empty());
    }
}
