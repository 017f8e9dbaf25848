//! Tails of the normal and the chi-square distribution.

use std::f64::consts::{PI, SQRT_2};

/// The probability that a standard normal value lies further from 0 than `z`, on either side.
pub fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// The probability that a chi-square value of one degree of freedom exceeds `x`, which is 0 or more.
pub fn chi_square_tail(x: f64) -> f64 {
    erfc((x / 2.0).sqrt())
}

/// Terms of the continued fraction; from 2 on, 40 suffice.
const TERMS: u32 = 60;

/// The complementary error function, to a relative error below 1e-12.
///
/// Below 2 from the series of positive terms of erf (NIST DLMF 7.6.2), from 2 on by the continued fraction
/// (DLMF 7.9.1), evaluated from its end.
pub fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x < 2.0 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > 1e-17 * sum {
            odd += 2.0;
            term *= 2.0 * x * x / odd;
            sum += term;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-x * x).exp() * sum;
    }
    let fraction = (1..=TERMS).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
    (-x * x).exp() / PI.sqrt() / fraction
}

#[cfg(test)]
mod tests {
    use super::{chi_square_tail, erfc, two_sided};

    fn near(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-12, "{value} is not {expected}");
    }

    #[test]
    fn erfc_is_that_of_the_c_library_on_both_sides_of_the_seam() {
        // Python's math.erfc.
        assert_eq!(erfc(0.0), 1.0);
        near(erfc(0.1), 0.887_537_083_981_715_2);
        near(erfc(0.5), 0.479_500_122_186_953_5);
        near(erfc(1.0), 0.157_299_207_050_285_13);
        near(erfc(1.99), 0.004_888_586_800_383_003);
        near(erfc(2.0), 0.004_677_734_981_047_265);
        near(erfc(3.0), 2.209_049_699_858_543_8e-5);
        near(erfc(5.0), 1.537_459_794_428_035_1e-12);
        near(erfc(10.0), 2.088_487_583_762_545e-45);
        near(erfc(-1.0), 1.842_700_792_949_715);
    }

    #[test]
    fn tails_are_those_of_the_tables() {
        near(two_sided(1.959_963_984_540_054), 0.05);
        near(two_sided(-2.575_829_303_548_900_4), 0.01);
        near(chi_square_tail(3.841_458_820_694_124), 0.05);
        near(chi_square_tail(10.827_566_170_662_733), 0.001);
        assert_eq!((two_sided(0.0), chi_square_tail(0.0)), (1.0, 1.0));
        assert_eq!(two_sided(f64::INFINITY), 0.0);
    }
}
