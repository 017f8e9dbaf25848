//! The two lanes to the network.

use cspine_domain::OrderPriority;

/// A queue with worker slots of its own, so that STAT never waits behind routine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// STAT and urgent.
    Stat,
    /// Routine.
    Routine,
}

impl Lane {
    /// Where an order's images belong.
    pub fn of(priority: OrderPriority) -> Self {
        match priority {
            OrderPriority::Stat | OrderPriority::Urgent => Lane::Stat,
            OrderPriority::Routine => Lane::Routine,
        }
    }

    /// The routing key of an order's arrivals.
    pub fn routing_key(priority: OrderPriority) -> &'static str {
        match priority {
            OrderPriority::Stat => "image.arrived.stat",
            OrderPriority::Urgent => "image.arrived.urgent",
            OrderPriority::Routine => "image.arrived.routine",
        }
    }

    /// The routing keys of the lane.
    pub fn routing_keys(self) -> &'static [&'static str] {
        match self {
            Lane::Stat => &["image.arrived.stat", "image.arrived.urgent"],
            Lane::Routine => &["image.arrived.routine"],
        }
    }

    /// Its word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Stat => "stat",
            Lane::Routine => "routine",
        }
    }
}
