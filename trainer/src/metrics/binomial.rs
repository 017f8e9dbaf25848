//! The binomial distribution's upper tail.

/// The probability of at least so many successes in `of` trials that succeed with a `chance`.
pub fn at_least(successes: usize, of: usize, chance: f64) -> f64 {
    if successes == 0 || chance >= 1.0 {
        return 1.0;
    }
    if chance <= 0.0 {
        return 0.0;
    }
    let ways: f64 = (1..=successes).map(|i| ((of - successes + i) as f64 / i as f64).ln()).sum();
    let mut here = (ways + successes as f64 * chance.ln() + (of - successes) as f64 * (1.0 - chance).ln()).exp();
    let mut sum = 0.0;
    for k in successes..=of {
        sum += here;
        here *= (of - k) as f64 / (k + 1) as f64 * chance / (1.0 - chance);
    }
    f64::min(sum, 1.0)
}

#[cfg(test)]
mod tests {
    use super::at_least;

    #[test]
    fn binomial_tails_are_those_of_the_tables() {
        assert!((at_least(1000, 2000, 0.5) - 0.5).abs() < 0.01);
        assert!((at_least(5, 5, 0.5) - 1.0 / 32.0).abs() < 1e-15);
        // 1 - 0.85³, and 0.15³.
        assert!((at_least(1, 3, 0.15) - 0.385_875).abs() < 1e-12 && (at_least(3, 3, 0.15) - 0.003_375).abs() < 1e-12);
        assert_eq!([at_least(0, 5, 0.0), at_least(1, 5, 0.0), at_least(5, 5, 1.0)], [1.0, 0.0, 1.0]);
    }
}
