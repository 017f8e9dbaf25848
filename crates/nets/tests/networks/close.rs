//! What "the same" means for results in float32: the same up to the rounding of their sums.
//!
//! A sum of n products rounds by about √n · 2⁻²⁴ of the size of its terms, at worst by n · 2⁻²⁴, and each instruction set,
//! tile and batch adds in another order. So a tolerance is a share of the size of the values, and of the largest of
//! them: a value near zero is what large terms left of each other, and carries their rounding.

/// Holds `max |actual − expected| ≤ relative · max |expected|`; whatever is no number is not close.
#[track_caller]
pub fn assert_close<A, B>(actual: &[A], expected: &[B], relative: f64)
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    assert_eq!(actual.len(), expected.len(), "as many values");
    let size = expected.iter().fold(0.0, |most: f64, value| most.max((*value).into().abs()));
    let pairs = actual.iter().zip(expected).map(|(a, b)| ((*a).into(), (*b).into()));
    for (at, (a, b)) in pairs.enumerate() {
        let off: f64 = f64::abs(a - b);
        assert!(off <= relative * size, "{a} against {b} at {at}: {:.1e} of {size}, over {relative:.0e}", off / size);
    }
}
