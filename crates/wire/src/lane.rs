//! The lanes to the network.

use cspine_domain::OrderPriority;

/// A queue with worker slots of its own, one for each order priority: STAT never waits behind urgent, nor urgent behind
/// routine. The more urgent is the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// STAT.
    Stat,
    /// Urgent.
    Urgent,
    /// Routine.
    Routine,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Lane; 3] = [Lane::Stat, Lane::Urgent, Lane::Routine];

    /// Where an order's images belong.
    pub fn of(priority: OrderPriority) -> Self {
        match priority {
            OrderPriority::Stat => Lane::Stat,
            OrderPriority::Urgent => Lane::Urgent,
            OrderPriority::Routine => Lane::Routine,
        }
    }

    /// The routing key of its arrivals.
    pub fn routing_key(self) -> &'static str {
        match self {
            Lane::Stat => "image.arrived.stat",
            Lane::Urgent => "image.arrived.urgent",
            Lane::Routine => "image.arrived.routine",
        }
    }

    /// Its word in logs, metrics and names of queues.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Stat => "stat",
            Lane::Urgent => "urgent",
            Lane::Routine => "routine",
        }
    }
}
