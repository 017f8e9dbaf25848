//! What the order asked for.

/// The urgency the ordering physician gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum OrderPriority {
    /// Read at once.
    Stat,
    /// Read soon.
    Urgent,
    /// Read in turn; what an order without a priority means.
    #[default]
    Routine,
}

crate::words!(OrderPriority, "order priority", { Stat => "stat", Urgent => "urgent", Routine => "routine" });

impl OrderPriority {
    /// The worklist level: stat 0, urgent 2, routine 3; lower is sooner.
    pub fn level(self) -> i16 {
        match self {
            OrderPriority::Stat => 0,
            OrderPriority::Urgent => 2,
            OrderPriority::Routine => 3,
        }
    }
}
