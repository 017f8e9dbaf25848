//! What an AUC sets against what.

use cspine_domain::Class;

/// The images that a score should put above, against the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contrast {
    /// Dislocations and fractures against normals, by the sum of both probabilities.
    Injury,
    /// A class against the other two, by its probability.
    Class(Class),
}

impl Contrast {
    /// In the order of reports.
    pub const ALL: [Contrast; 4] = [
        Contrast::Injury,
        Contrast::Class(Class::Dislocation),
        Contrast::Class(Class::Fracture),
        Contrast::Class(Class::Normal),
    ];

    /// The key in `comparison.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Contrast::Injury => "injury",
            Contrast::Class(class) => class.as_str(),
        }
    }

    /// Whether an image of this label belongs above.
    pub fn is_case(self, label: Class) -> bool {
        match self {
            Contrast::Injury => label.is_injury(),
            Contrast::Class(class) => label == class,
        }
    }

    /// What ranks an image, from its probabilities by class index.
    pub fn score(self, probabilities: &[f64; Class::COUNT]) -> f64 {
        match self {
            // In single precision, so that 0.1 + 0.2 ties with 0.3 + 0, as whoever wrote these numbers meant it.
            Contrast::Injury => {
                let sum = probabilities[Class::Dislocation.index()] + probabilities[Class::Fracture.index()];
                f64::from(sum as f32)
            }
            Contrast::Class(class) => probabilities[class.index()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Contrast};

    #[test]
    fn injuries_are_ranked_by_both_probabilities_and_decimals_tie_as_they_are_written() {
        let score = |probabilities| Contrast::Injury.score(&probabilities);
        assert_eq!(score([0.1, 0.2, 0.7]), score([0.3, 0.0, 0.7]));
        assert!(score([0.1, 0.2, 0.7]) < score([0.3, 0.01, 0.69]));
        assert!(score([1e-9, 0.0, 1.0]) < score([2e-9, 0.0, 1.0]));
        assert_eq!(Contrast::Class(Class::Fracture).score(&[0.1, 0.2, 0.7]), 0.2);
        assert!(Contrast::Injury.is_case(Class::Fracture) && !Contrast::Injury.is_case(Class::Normal));
        assert!(!Contrast::Class(Class::Fracture).is_case(Class::Dislocation));
    }
}
