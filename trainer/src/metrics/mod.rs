//! Figures of a classifier on labelled images: pure functions of labels and answers.
//!
//! An image without an answer (not decodable, not assessable) is an error wherever it counts: it is missed in its own
//! class, it is no true negative of the others, and at the operating point it is neither a hit nor a correct rejection.
//! Only the AUC, which needs a score, leaves it out.

mod auc;
mod binomial;
mod calibration;
mod collapse;
mod confusion;
mod delong;
mod holm;
mod mcnemar;
mod predictive;
mod roc;
mod spearman;
mod tail;
mod wilson;

use cspine_domain::Class;

pub use auc::{area, auc};
pub use binomial::at_least;
pub use calibration::{Bin, Calibration, calibration};
pub use collapse::{Collapse, collapse};
pub use confusion::{Binary, Confusion, OneVsRest};
pub use delong::{Area, DeLong, delong};
pub use holm::holm;
pub use mcnemar::{McNemar, Method};
pub use predictive::{ppv, ppv_interval};
pub use roc::roc;
pub use spearman::spearman;
pub use tail::{chi_square_tail, erfc, two_sided};
pub use wilson::{Proportion, wilson};

/// One image's label and answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// What it shows.
    pub label: Class,
    /// What was said of it; `None` if nothing could be.
    pub answer: Option<Answer>,
}

/// What a model says of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// By class index; they sum to 1.
    pub probabilities: [f32; Class::COUNT],
    /// The class of the highest probability.
    pub verdict: Class,
    /// Whether p(dislocation) + p(fracture) is at or over the operating point.
    pub flagged: bool,
}

/// Injuries flagged and normals not flagged, at the model's operating point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// Flagged injuries of all injuries.
    pub sensitivity: Proportion,
    /// Normals that were not flagged, of all normals.
    pub specificity: Proportion,
}

/// Sensitivity and specificity of the flag to injuries.
pub fn operating_point(images: &[Labelled]) -> OperatingPoint {
    let share = |injury: bool| {
        let of = images.iter().filter(|image| image.label.is_injury() == injury);
        let right = of.clone().filter(|image| image.answer.as_ref().is_some_and(|answer| answer.flagged == injury));
        Proportion { count: right.count(), of: of.count() }
    };
    OperatingPoint { sensitivity: share(true), specificity: share(false) }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Class, Labelled, Proportion, operating_point};

    fn image(label: Class, injury: f32) -> Labelled {
        let verdict = if injury > 0.5 { Class::Fracture } else { Class::Normal };
        let probabilities = [0.0, injury, 1.0 - injury];
        Labelled { label, answer: Some(Answer { probabilities, verdict, flagged: injury >= 0.2 }) }
    }

    #[test]
    fn an_image_without_an_answer_is_wrong_on_both_sides_of_the_operating_point() {
        let mut images = vec![
            image(Class::Dislocation, 0.3),
            image(Class::Fracture, 0.1),
            image(Class::Normal, 0.1),
            image(Class::Normal, 0.9),
        ];
        let point = operating_point(&images);
        assert_eq!(point.sensitivity, Proportion { count: 1, of: 2 });
        assert_eq!(point.specificity, Proportion { count: 1, of: 2 });
        images.extend([Class::Fracture, Class::Normal].map(|label| Labelled { label, answer: None }));
        let point = operating_point(&images);
        assert_eq!(point.sensitivity, Proportion { count: 1, of: 3 });
        assert_eq!(point.specificity, Proportion { count: 1, of: 3 });
    }
}
