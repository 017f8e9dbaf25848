//! What the network says of an image or a study.

use crate::Class;

/// The class of the highest calibrated probability, or that none can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A dislocation.
    Dislocation,
    /// A fracture without dislocation.
    Fracture,
    /// Neither seen. Never a rule-out.
    Normal,
    /// No answer; a reason says why. Never to be read as normal.
    NotAssessable,
}

crate::words!(Verdict, "verdict", {
    Dislocation => "dislocation", Fracture => "fracture", Normal => "normal", NotAssessable => "not_assessable",
});

impl From<Class> for Verdict {
    fn from(class: Class) -> Self {
        match class {
            Class::Dislocation => Verdict::Dislocation,
            Class::Fracture => Verdict::Fracture,
            Class::Normal => Verdict::Normal,
        }
    }
}
