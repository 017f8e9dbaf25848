//! Two readers' errors on the same images.

use serde::Serialize;

use super::chi_square_tail;

/// From so many discordant images on the chi-square distribution is used.
const CHI_SQUARE_FROM: usize = 25;

/// McNemar's test (Psychometrika 1947, 12, 153) of two readers' plain accuracies. Images that both have right or both
/// wrong say nothing of the difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Images that only the first has right.
    pub only_first: usize,
    /// Images that only the second has right.
    pub only_second: usize,
    /// How `p` was computed.
    pub method: Method,
    /// Chi-square with one degree of freedom, if that was used.
    pub statistic: Option<f64>,
    /// Two-sided.
    pub p: f64,
}

/// How McNemar's p is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Binomial with one half: below 25 discordant images.
    Exact,
    /// Chi-square with Edwards' continuity correction (Psychometrika 1948, 13, 185).
    ChiSquare,
}

impl McNemar {
    /// Tests; each image is whether the first and whether the second reader has it right.
    pub fn of(images: impl IntoIterator<Item = [bool; 2]>) -> McNemar {
        let (mut only_first, mut only_second) = (0, 0);
        for [first, second] in images {
            only_first += usize::from(first && !second);
            only_second += usize::from(second && !first);
        }
        McNemar::new(only_first, only_second)
    }

    fn new(only_first: usize, only_second: usize) -> McNemar {
        let discordant = only_first + only_second;
        if discordant < CHI_SQUARE_FROM {
            let p = binomial(only_first.min(only_second), discordant);
            return McNemar { only_first, only_second, method: Method::Exact, statistic: None, p };
        }
        // Equal counts are no evidence at all: the correction does not go below 0.
        let difference = only_first.abs_diff(only_second).saturating_sub(1) as f64;
        let statistic = difference * difference / discordant as f64;
        let p = chi_square_tail(statistic);
        McNemar { only_first, only_second, method: Method::ChiSquare, statistic: Some(statistic), p }
    }
}

/// Twice the probability of at most `count` heads in `of` throws of a fair coin, at most 1; `of` is below 25.
fn binomial(count: usize, of: usize) -> f64 {
    let (mut ways, mut sum) = (1_u64, 1_u64);
    for k in 1..=count as u64 {
        ways = ways * (of as u64 - k + 1) / k;
        sum += ways;
    }
    (2.0 * sum as f64 / (1_u64 << of) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::{McNemar, Method};

    #[test]
    fn few_discordant_images_get_the_exact_binomial_p() {
        // By hand: 2·(1/2)^6, 2·8/128 with 1 + 7 = 8 ways of 2^8, and so on.
        for (only_first, only_second, p) in [
            (0, 0, 1.0),
            (0, 1, 1.0),
            (0, 6, 0.031_25),
            (7, 0, 0.015_625),
            (1, 7, 2.0 * 9.0 / 256.0),
            (2, 8, 0.109_375),
            (3, 3, 1.0),
            (6, 8, 0.790_527_343_75),
        ] {
            let test = McNemar::new(only_first, only_second);
            assert_eq!((test.method, test.statistic, test.p), (Method::Exact, None, p), "{only_first} {only_second}");
        }
        // The last before the chi-square: 24 throws, 9 heads or fewer (Python's math.comb).
        let last = McNemar::new(9, 15);
        assert!(last.method == Method::Exact && (last.p - 0.307_456_254_959_106_45).abs() < 1e-15);
    }

    #[test]
    fn many_get_chi_square_with_the_continuity_correction() {
        // Approval of a prime minister, 86 and 150 changed their mind (Agresti, Categorical Data Analysis, 10.1):
        // (64 - 1)^2 / 236.
        let test = McNemar::new(86, 150);
        assert_eq!((test.method, test.statistic), (Method::ChiSquare, Some(3969.0 / 236.0)));
        assert!((test.p / 4.114_562e-5 - 1.0).abs() < 1e-6, "{}", test.p);
        let smallest = McNemar::new(5, 20);
        assert_eq!((smallest.method, smallest.statistic), (Method::ChiSquare, Some(196.0 / 25.0)));
        assert_eq!(McNemar::new(20, 20).p, 1.0);
    }

    #[test]
    fn images_on_which_both_are_right_or_both_wrong_do_not_count() {
        let images = [[true, true], [true, false], [true, false], [false, true], [false, false]];
        let test = McNemar::of(images);
        assert_eq!((test.only_first, test.only_second, test.p), (2, 1, 1.0));
    }
}
