//! Whether a probability is one: expected calibration error (Naeini et al. 2015), Brier score, reliability diagram.

use cspine_domain::Class;
use serde::Serialize;

use super::Labelled;

/// Bins of confidence, of equal width, as in Guo et al. 2017 (arXiv 1706.04599).
const BINS: usize = 15;

/// How far confidence and accuracy lie apart, over the images with an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Images with an answer.
    pub images: usize,
    /// Σ over bins of share · |accuracy − mean confidence|, of the likeliest class; 0 to 1.
    pub ece: f64,
    /// Mean of Σ over classes of (p − truth)²; 0 to 2.
    pub brier: f64,
    /// The bins that hold images, by confidence.
    pub bins: Vec<Bin>,
}

/// Images of like confidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// How many.
    pub images: usize,
    /// Mean probability of the likeliest class.
    pub confidence: f64,
    /// Share of them that are of that class.
    pub accuracy: f64,
}

/// Calibration of probabilities as they would be with the logits divided by `1 / sharpening` of what they were: 1 for those
/// that were answered, the model's temperature for those of the bare logits. `None` without an answer.
///
/// Logits are known from probabilities but for a constant that a softmax does not see: z = T · ln p.
pub fn calibration(images: &[Labelled], sharpening: f64) -> Option<Calibration> {
    let answered: Vec<(usize, [f64; Class::COUNT])> = images
        .iter()
        .filter_map(|image| Some((image.label.index(), sharpened(image.answer.as_ref()?.probabilities, sharpening))))
        .collect();
    if answered.is_empty() {
        return None;
    }
    let count = answered.len() as f64;
    let mut sums = vec![(0usize, 0.0, 0usize); BINS];
    let mut brier = 0.0;
    for (label, p) in &answered {
        let likeliest = (0..Class::COUNT).max_by(|a, b| p[*a].total_cmp(&p[*b])).expect("there are classes");
        let (images, confidence, right) = &mut sums[((p[likeliest] * BINS as f64) as usize).min(BINS - 1)];
        *images += 1;
        *confidence += p[likeliest];
        *right += usize::from(likeliest == *label);
        brier += (0..Class::COUNT).map(|c| (p[c] - f64::from(u8::from(c == *label))).powi(2)).sum::<f64>() / count;
    }
    let bins: Vec<Bin> = sums
        .into_iter()
        .filter(|(images, ..)| *images > 0)
        .map(|(images, confidence, right)| Bin {
            images,
            confidence: confidence / images as f64,
            accuracy: right as f64 / images as f64,
        })
        .collect();
    let ece = bins.iter().map(|bin| bin.images as f64 / count * (bin.accuracy - bin.confidence).abs()).sum();
    Some(Calibration { images: answered.len(), ece, brier, bins })
}

fn sharpened(probabilities: [f32; Class::COUNT], power: f64) -> [f64; Class::COUNT] {
    let largest = probabilities.iter().copied().fold(f32::MIN, f32::max);
    // Over the largest first: a power of what is small underflows to 0, never all three of them.
    let raised = probabilities.map(|p| f64::from(p / largest).powf(power));
    let sum: f64 = raised.iter().sum();
    raised.map(|p| p / sum)
}

#[cfg(test)]
mod tests {
    use cspine_domain::Class;

    use super::super::{Answer, Labelled};
    use super::{calibration, sharpened};

    fn image(label: Class, probabilities: [f32; 3]) -> Labelled {
        Labelled { label, answer: Some(Answer { probabilities, verdict: label, flagged: false }) }
    }

    #[test]
    fn an_answer_that_is_right_as_often_as_it_says_has_no_error() {
        let images: Vec<Labelled> =
            (0..10).map(|i| image(if i < 8 { Class::Fracture } else { Class::Normal }, [0.0, 0.8, 0.2])).collect();
        let figures = calibration(&images, 1.0).unwrap();
        assert!(figures.ece < 1e-7 && figures.bins.len() == 1);
        // 8 · (0.2² + 0.2²) + 2 · (0.8² + 0.8²), of 10.
        assert!((figures.brier - (8.0 * 0.08 + 2.0 * 1.28) / 10.0).abs() < 1e-7);
    }

    #[test]
    fn errors_of_bins_are_weighted_by_their_images() {
        let mut images = vec![image(Class::Normal, [1.0, 0.0, 0.0])];
        images.extend((0..3).map(|_| image(Class::Normal, [0.1, 0.3, 0.6])));
        // One sure and wrong: 1 · 1/4. Three right at 0.6: 0.4 · 3/4.
        assert!((calibration(&images, 1.0).unwrap().ece - (0.25 + 0.3)).abs() < 1e-6);
    }

    #[test]
    fn the_temperatures_power_gives_the_bare_logits_probabilities() {
        let softmax = |z: [f64; 3], t: f64| {
            let e = z.map(|z| (z / t).exp());
            e.map(|v| v / e.iter().sum::<f64>())
        };
        let (z, t) = ([1.0, -2.0, 4.0], 1.7);
        let bare = sharpened(softmax(z, t).map(|p| p as f32), t);
        for (a, b) in bare.iter().zip(softmax(z, 1.0)) {
            assert!((a - b).abs() < 1e-6);
        }
        assert_eq!(sharpened([1e-30, 1.0, 0.0], 20.0), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn without_an_answer_there_is_no_calibration() {
        assert_eq!(calibration(&[Labelled { label: Class::Normal, answer: None }], 1.0), None);
    }
}
