//! The inverse discrete cosine transformation, bit by bit as libjpeg's accurate integer one (`jidctint.c`), after
//! Loeffler, Ligtenberg and Moschytz, ICASSP 1989.

/// Fraction bits of the constants.
const FRACTION: u32 = 13;

/// Eight numbers that are worked on side by side. Sound coefficients never overflow them; hostile ones wrap.
type Lanes = [i32; 8];

/// Turns 64 dequantised coefficients, row by row, into samples of 0 to 2^precision − 1.
pub(super) fn samples_of(coefficients: &[i32; 64], precision: u32) -> [u16; 64] {
    // Fraction bits kept between the two passes, as libjpeg chooses them.
    let kept = if precision > 8 { 1 } else { 2 };
    let rows: [Lanes; 8] = std::array::from_fn(|y| std::array::from_fn(|x| coefficients[8 * y + x]));
    let columns = transform(rows, FRACTION - kept);
    let lines = transpose(transform(transpose(columns), FRACTION + kept + 3));
    let (middle, max) = (1 << (precision - 1), (1 << precision) - 1);
    let mut samples = [0; 64];
    for (samples, line) in samples.as_chunks_mut::<8>().0.iter_mut().zip(lines) {
        *samples = line.map(|value| value.wrapping_add(middle).clamp(0, max) as u16);
    }
    samples
}

/// The sample that all of a block have whose only coefficient this is.
pub(super) fn flat_sample(coefficient: i32, precision: u32) -> u16 {
    let (middle, max) = (1 << (precision - 1), (1 << precision) - 1);
    (coefficient.wrapping_add(4) >> 3).wrapping_add(middle).clamp(0, max) as u16
}

/// One dimension of eight columns, divided by 2^shift and rounded.
#[inline]
fn transform(input: [Lanes; 8], shift: u32) -> [Lanes; 8] {
    let [in0, in1, in2, in3, in4, in5, in6, in7] = input;
    let common = times(plus(in2, in6), 4433); // 0.541196100 of 2^13, and so on
    let even2 = minus(common, times(in6, 15137));
    let even3 = plus(common, times(in2, 6270));
    let (even0, even1) = (times(plus(in0, in4), 1 << FRACTION), times(minus(in0, in4), 1 << FRACTION));
    let even = [plus(even0, even3), plus(even1, even2), minus(even1, even2), minus(even0, even3)];

    let (third, fourth) = (plus(in7, in3), plus(in5, in1));
    let turned = times(plus(third, fourth), 9633);
    let (outer, inner) = (times(plus(in7, in1), -7373), times(plus(in5, in3), -20995));
    let (third, fourth) = (minus(turned, times(third, 16069)), minus(turned, times(fourth, 3196)));
    let odd = [
        plus(times(in1, 12299), plus(outer, fourth)),
        plus(times(in3, 25172), plus(inner, third)),
        plus(times(in5, 16819), plus(inner, fourth)),
        plus(times(in7, 2446), plus(outer, third)),
    ];
    let rounded = |lanes: Lanes| lanes.map(|value| value.wrapping_add(1 << (shift - 1)) >> shift);
    std::array::from_fn(|at| rounded(if at < 4 { plus(even[at], odd[at]) } else { minus(even[7 - at], odd[7 - at]) }))
}

#[inline]
fn plus(a: Lanes, b: Lanes) -> Lanes {
    std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
}

#[inline]
fn minus(a: Lanes, b: Lanes) -> Lanes {
    std::array::from_fn(|lane| a[lane].wrapping_sub(b[lane]))
}

#[inline]
fn times(lanes: Lanes, factor: i32) -> Lanes {
    lanes.map(|value| value.wrapping_mul(factor))
}

#[inline]
fn transpose(rows: [Lanes; 8]) -> [Lanes; 8] {
    std::array::from_fn(|x| std::array::from_fn(|y| rows[y][x]))
}

#[cfg(test)]
mod tests {
    use super::{flat_sample, samples_of};

    #[test]
    fn the_transformation_is_the_cosine_sum_within_one_level() {
        for precision in [8, 12] {
            let mut coefficients = [0; 64];
            for (at, coefficient) in coefficients.iter_mut().enumerate() {
                *coefficient = ((at * 37 + 11) % 41) as i32 * (if at % 3 == 0 { -4 } else { 5 });
            }
            let exact = |x: usize, y: usize| -> f64 {
                let basis = |at: usize, frequency: usize| {
                    let scale = if frequency == 0 { 0.5_f64.sqrt() } else { 1.0 };
                    scale * ((2 * at + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0).cos() / 2.0
                };
                let sum = (0..64).map(|at| f64::from(coefficients[at]) * basis(x, at % 8) * basis(y, at / 8));
                sum.sum::<f64>() + f64::from(1 << (precision - 1))
            };
            let samples = samples_of(&coefficients, precision);
            for (at, &sample) in samples.iter().enumerate() {
                let expected = exact(at % 8, at / 8).clamp(0.0, f64::from((1 << precision) - 1));
                assert!((f64::from(sample) - expected).abs() < 1.0, "{at}");
            }
        }
    }

    #[test]
    fn a_flat_block_is_what_the_transformation_makes_of_it() {
        for precision in [8, 12] {
            for coefficient in -40_000..40_000 {
                let mut coefficients = [0; 64];
                coefficients[0] = coefficient;
                assert_eq!(samples_of(&coefficients, precision), [flat_sample(coefficient, precision); 64]);
            }
        }
    }
}
