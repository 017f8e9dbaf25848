//! How well the score ranks injuries above normals.

use super::Labelled;

/// Area under the ROC curve of p(dislocation) + p(fracture), injuries against normals: the probability that
/// an injury scores higher than a normal, a tie counting one half (Mann and Whitney's U).
///
/// `None` without injuries or without normals. Images without an answer are left out.
pub fn auc(images: &[Labelled]) -> Option<f64> {
    area(images.iter().filter_map(|image| {
        let [dislocation, fracture, _] = image.answer.as_ref()?.probabilities;
        Some((f64::from(dislocation) + f64::from(fracture), image.label.is_injury()))
    }))
}

/// [`auc`] of any score: each image's score and whether it is a case. `None` without cases or without controls.
pub fn area(images: impl IntoIterator<Item = (f64, bool)>) -> Option<f64> {
    let mut scored: Vec<(f64, bool)> = images.into_iter().collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut controls_below, mut cases, mut wins) = (0.0, 0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let tied_cases = tied.iter().filter(|(_, case)| *case).count() as f64;
        let tied_controls = tied.len() as f64 - tied_cases;
        wins += tied_cases * (controls_below + tied_controls / 2.0);
        controls_below += tied_controls;
        cases += tied_cases;
    }
    let pairs = cases * controls_below;
    (pairs > 0.0).then(|| wins / pairs)
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::{Labelled, auc};
    use cspine_domain::Class;

    fn images(injuries: &[f32], normals: &[f32]) -> Vec<Labelled> {
        let image = |label, injury: f32| {
            let answer = Answer { probabilities: [injury, 0.0, 1.0 - injury], verdict: label, flagged: false };
            Labelled { label, answer: Some(answer) }
        };
        let injuries = injuries.iter().map(|score| image(Class::Fracture, *score));
        injuries.chain(normals.iter().map(|score| image(Class::Normal, *score))).collect()
    }

    fn area(injuries: &[f32], normals: &[f32]) -> Option<f64> {
        auc(&images(injuries, normals))
    }

    #[test]
    fn the_area_is_the_share_of_pairs_in_the_right_order() {
        assert_eq!(area(&[0.9, 0.8], &[0.1, 0.2]), Some(1.0));
        assert_eq!(area(&[0.1], &[0.9, 0.8]), Some(0.0));
        // Pairs: .8 beats both, .35 beats .1 and not .4: 3 of 4 (scikit-learn's example).
        assert_eq!(area(&[0.35, 0.8], &[0.1, 0.4]), Some(0.75));
    }

    #[test]
    fn a_tie_counts_one_half() {
        assert_eq!(area(&[0.5, 0.5], &[0.5, 0.5, 0.5]), Some(0.5));
        assert_eq!(area(&[0.5, 0.9], &[0.5, 0.1]), Some(0.875));
    }

    #[test]
    fn one_sort_of_image_has_no_area_and_unanswered_ones_are_left_out() {
        assert_eq!(area(&[0.5], &[]), None);
        let mut some = images(&[0.9], &[0.1]);
        some.push(Labelled { label: Class::Normal, answer: None });
        assert_eq!(auc(&some), Some(1.0));
    }
}
