//! A golden inference: what a network said of one fixed image when its file was made. Whoever loads the file asks it again
//! before it answers for anybody: weights that were damaged before their digest was taken, a file read wrongly and kernels
//! that compute something else are noticed then, and not on a patient.

use cspine_domain::{Class, Sha256};
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, Classifier, ModelError};

/// What a network says of [`image`], as its card keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// The logits, by class index.
    pub logits: [f32; Class::COUNT],
    /// How far from them each logit may lie: sums in another order, as another machine's vectors make them, are no fault.
    pub tolerance: f32,
}

impl Golden {
    /// Of the largest logit; but never less of 1.
    const RELATIVE_TOLERANCE: f32 = 2e-5;
    /// How much wider a card's tolerance may be than the one given to its logits: a wide one would let any weights pass.
    const SLACK: f32 = 2.0;

    fn new(logits: [f32; Class::COUNT]) -> Self {
        let largest = logits.iter().fold(1.0f32, |largest, z| largest.max(z.abs()));
        Self { logits, tolerance: Self::RELATIVE_TOLERANCE * largest }
    }

    /// What is wrong with its numbers, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !self.logits.iter().all(|z| z.is_finite()) {
            return Some("the golden inference is no number");
        }
        let widest = Self::SLACK * Self::new(self.logits).tolerance;
        let can_fail = self.tolerance > 0.0 && self.tolerance <= widest;
        (!can_fail).then_some("the golden inference's tolerance is none: nothing, or anything, would pass")
    }
}

/// The golden image: `size * size` grey values from 0 to 1, before normalisation. At `u` of the width and `v` of the height,
/// each of the pixel's middle,
///
/// ```text
/// grey(u, v) = 0.1 + 0.3 v + 0.3 w(3 u + v²) w(8 v − u) + 0.3 w(16 (u² + v²))
/// w(t) = 16 f² (1 − f)²,  f = t − ⌊t⌋
/// ```
///
/// a slope, a column of soft blobs that bends as a spine does, and rings that grow finer: coarse and fine, at every angle, so
/// that few of a network's channels stay dark; smooth, as images are and noise is not; of products and sums alone, so that
/// every machine makes the same.
pub fn image(size: u32) -> Vec<f32> {
    let place = |pixel: u32| (pixel as f32 + 0.5) / size as f32;
    let wave = |t: f32| {
        let f = t - t.floor();
        16.0 * (f * f) * ((1.0 - f) * (1.0 - f))
    };
    let grey = |u: f32, v: f32| {
        let (blobs, rings) = (wave(3.0 * u + v * v) * wave(8.0 * v - u), wave(16.0 * (u * u + v * v)));
        0.1 + 0.3 * v + 0.3 * blobs + 0.3 * rings
    };
    (0..size).flat_map(|row| (0..size).map(move |column| grey(place(column), place(row)))).collect()
}

impl Checkpoint {
    /// The same with its golden inference in the card, made by the weights as a file stores them.
    ///
    /// # Errors
    /// Weights that do not fit the card, or an output that is not finite.
    pub fn with_golden(mut self) -> Result<Self, ModelError> {
        let stored = Classifier::new(&self.as_stored()?, Sha256([0; 32]))?;
        self.card.golden = Some(Golden::new(stored.golden_logits()?));
        Ok(self)
    }
}

impl Classifier {
    /// Asks the network for its golden inference again, on the calling pool.
    ///
    /// # Errors
    /// [`ModelError::NoGolden`] where the card has none, [`ModelError::GoldenDiffers`] where the network says something else.
    pub fn check_golden(&self) -> Result<(), ModelError> {
        let golden = self.card().golden.ok_or(ModelError::NoGolden)?;
        let found = self.golden_logits()?;
        let off = found.iter().zip(golden.logits).fold(0.0f32, |most, (z, expected)| most.max((z - expected).abs()));
        if off <= golden.tolerance {
            return Ok(());
        }
        Err(ModelError::GoldenDiffers { found, expected: golden.logits, tolerance: golden.tolerance })
    }

    fn golden_logits(&self) -> Result<[f32; Class::COUNT], ModelError> {
        let preprocessing = &self.card().preprocessing;
        let input = preprocessing.normalise(&image(preprocessing.size));
        Ok(self.logits(&[input])?.swap_remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::image;

    #[test]
    fn the_golden_image_is_smooth_and_uses_the_whole_range() {
        let size = 224;
        let grey = image(size as u32);
        assert_eq!(grey.len(), size * size);
        assert!(grey.iter().all(|value| (0.0..=1.0).contains(value)));
        let (least, most) = grey.iter().fold((1.0f32, 0.0f32), |(least, most), v| (least.min(*v), most.max(*v)));
        assert!(least < 0.15 && most > 0.9, "{least} to {most}");
        for row in grey.chunks(size) {
            assert!(row.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.2));
        }
        // By hand: the middle of the first pixel, u = v = 1/448.
        let t = 1.0f64 / 448.0;
        let wave = |f: f64| 16.0 * f * f * (1.0 - f) * (1.0 - f);
        let expected = 0.1 + 0.3 * t + 0.3 * wave(3.0 * t + t * t) * wave(7.0 * t) + 0.3 * wave(32.0 * t * t);
        assert!((f64::from(grey[0]) - expected).abs() < 1e-6);
    }
}
