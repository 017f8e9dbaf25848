//! Proportions and their intervals.

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
}

/// The 97.5 % point of the normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

impl Proportion {
    /// From 0 to 1; `None` of nothing.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// Wilson's 95 % interval; `None` of nothing.
    pub fn interval(self) -> Option<[f64; 2]> {
        (self.of > 0).then(|| wilson(self.count, self.of))
    }
}

/// Wilson's score interval of a proportion at 95 % (Wilson 1927), `[low, high]`; `of` is over 0.
pub fn wilson(count: usize, of: usize) -> [f64; 2] {
    let (n, p) = (of as f64, count as f64 / of as f64);
    let square = Z * Z / n;
    let centre = (p + square / 2.0) / (1.0 + square);
    let half = Z * (p * (1.0 - p) / n + square / (4.0 * n)).sqrt() / (1.0 + square);
    // At the ends rounding may leave a trace beyond them.
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::{Proportion, wilson};

    #[test]
    fn wilsons_intervals_are_those_of_the_literature() {
        let near = |[low, high]: [f64; 2], expected: [f64; 2]| {
            assert!((low - expected[0]).abs() < 5e-4 && (high - expected[1]).abs() < 5e-4, "{low} {high}");
        };
        near(wilson(60, 68), [0.785, 0.939]);
        // Newcombe 1998, Statistics in Medicine 17, 857, table I, method 3.
        near(wilson(81, 263), [0.2553, 0.3662]);
        near(wilson(15, 148), [0.0624, 0.1605]);
        near(wilson(0, 20), [0.0, 0.1611]);
        near(wilson(1, 29), [0.0061, 0.1718]);
        near(wilson(20, 20), [0.8389, 1.0]);
    }

    #[test]
    fn a_proportion_of_nothing_has_no_value() {
        assert_eq!(Proportion { count: 0, of: 0 }.value(), None);
        assert_eq!(Proportion { count: 0, of: 0 }.interval(), None);
        assert_eq!(Proportion { count: 3, of: 4 }.value(), Some(0.75));
    }
}
