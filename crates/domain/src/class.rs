//! The paper's three classes.

/// What a radiograph shows, in the paper's order (Naguib et al., Diagnostics 2023, 13, 1273).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// A vertebra or facet has left its place; with or without a fracture.
    Dislocation = 0,
    /// A fracture without dislocation.
    Fracture = 1,
    /// Neither.
    Normal = 2,
}

crate::words!(Class, "class", { Dislocation => "dislocation", Fracture => "fracture", Normal => "normal" });

impl Class {
    /// How many classes there are; the length of a vector of logits.
    pub const COUNT: usize = 3;

    /// The index in logits and probabilities: 0, 1, 2.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The class of an index, or `None` over 2.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// Whether it is one of the two injuries.
    pub fn is_injury(self) -> bool {
        self != Class::Normal
    }
}
