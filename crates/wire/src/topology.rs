//! The names of exchanges and queues, and who is bound to whom.
//!
//! ```text
//! senders ─► events ─┬ image.arrived.{stat|urgent|routine} ─► arrivals.{stat|urgent|routine}      (registration)
//!                    ├ study.status ───────────────────────► status
//!                    ├ image.confirmed ────────────────────► labels            (bounded: refuses when full)
//!                    └ anything else ─► unrouted
//!
//! workers ─► infer ──┬ image.arrived.{stat|urgent|routine} ─► infer.{stat|urgent|routine}         (the lanes)
//!                    └ study.status ───────────────────────► status
//! workers ─► retry.5000 (exchange and queue: waits 5 s) ─► infer, with the same routing key
//! workers ─► results ─► whoever listens
//!
//! any queue of ours ─ over the delivery limit ─► dead-letters ─ over it again ─► undeliverable    (nobody consumes it)
//! ```
//!
//! Keys of arrivals are bound in their usual spellings, each with any suffix (`keys.rs`).
//!
//! Only registration fills the lanes. RabbitMQ 4.x delivers by a sender's message priority within a quorum queue, and no
//! setting prevents it: so what a sender published never lies in a lane, only what a worker published in its turn, and
//! that has no priority. Only workers may write to `infer`, `retry.*` and `results` (`deploy/rabbitmq-users`).

use std::time::Duration;

use crate::Lane;
use crate::keys::{spellings, takes};

/// Names and settings of everything that is declared.
#[derive(Debug, Clone)]
pub struct Topology {
    /// What every name begins with; `cspine`, unless several installations share a virtual host.
    pub prefix: String,
    /// The retry ladder: how long a message waits before its second, third, … attempt.
    pub retry_delays: Vec<Duration>,
    /// After how many deliveries without an answer the broker gives a message up.
    pub delivery_limit: u32,
    /// How many labels wait for a worker before publishers of labels are refused.
    pub labels_max: u32,
    /// How many messages that nothing could be done with are kept for a person, before they stay where they were.
    pub undeliverable_max: u32,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            prefix: "cspine".into(),
            retry_delays: [5, 60, 15 * 60].map(Duration::from_secs).to_vec(),
            delivery_limit: 20,
            labels_max: 100_000,
            undeliverable_max: 10_000,
        }
    }
}

/// The queues, apart from the retry ladder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Arrivals as senders published them, to be registered.
    Arrivals(Lane),
    /// Registered arrivals, to be assessed.
    Lane(Lane),
    /// Changes of a study's state.
    Status,
    /// What people say of images.
    Labels,
    /// What the broker gave up.
    DeadLetters,
    /// What no binding took.
    Unrouted,
    /// What the broker gave up again, as a dead letter. No worker consumes it: its messages may be what ends workers.
    Undeliverable,
}

impl Queue {
    /// Every queue, apart from the retry ladder's.
    pub const ALL: [Queue; 11] = [
        Queue::Arrivals(Lane::Stat),
        Queue::Arrivals(Lane::Urgent),
        Queue::Arrivals(Lane::Routine),
        Queue::Lane(Lane::Stat),
        Queue::Lane(Lane::Urgent),
        Queue::Lane(Lane::Routine),
        Queue::Status,
        Queue::Labels,
        Queue::DeadLetters,
        Queue::Unrouted,
        Queue::Undeliverable,
    ];

    /// Its name after the prefix.
    pub(crate) fn part(self) -> &'static str {
        match self {
            Queue::Arrivals(Lane::Stat) => "arrivals.stat",
            Queue::Arrivals(Lane::Urgent) => "arrivals.urgent",
            Queue::Arrivals(Lane::Routine) => "arrivals.routine",
            Queue::Lane(Lane::Stat) => "infer.stat",
            Queue::Lane(Lane::Urgent) => "infer.urgent",
            Queue::Lane(Lane::Routine) => "infer.routine",
            Queue::Status => "status",
            Queue::Labels => "labels",
            Queue::DeadLetters => "dead-letters",
            Queue::Unrouted => "unrouted",
            Queue::Undeliverable => "undeliverable",
        }
    }

    /// Whether it is bound by this routing key, or takes whatever its exchange gets.
    pub(crate) fn takes(self, routing_key: &str) -> bool {
        self.bindings().iter().any(|(_, key)| key.is_empty() || takes(key, routing_key))
    }

    /// The exchanges that it is bound to, each with its routing key.
    pub(crate) fn bindings(self) -> Vec<(&'static str, String)> {
        const STATUS: &str = "study.status";
        let bound = |exchange, key: &str| (exchange, key.to_owned());
        match self {
            Queue::Arrivals(lane) => spellings(lane.routing_key()).into_iter().map(|key| ("events", key)).collect(),
            Queue::Lane(lane) => vec![bound("infer", lane.routing_key())],
            Queue::Status => vec![bound("events", STATUS), bound("infer", STATUS)],
            Queue::Labels => vec![bound("events", "image.confirmed")],
            Queue::DeadLetters => vec![bound("dead", "")],
            Queue::Unrouted => vec![bound("unrouted", "")],
            Queue::Undeliverable => vec![bound("undeliverable", "")],
        }
    }
}

impl Topology {
    /// The topic exchange that senders publish to.
    pub fn events(&self) -> String {
        self.name("events")
    }

    /// The private exchange, to which only workers publish: the lanes, and changes of state that are tried again.
    pub fn infer(&self) -> String {
        self.name("infer")
    }

    /// The topic exchange that listeners bind their queues to, and to which only workers publish.
    pub fn results(&self) -> String {
        self.name("results")
    }

    /// The exchange of the retry ladder's step, from 0; `None` past its end.
    pub fn retry(&self, step: usize) -> Option<String> {
        self.retry_delays.get(step).map(|delay| self.name(&retry_part(*delay)))
    }

    /// The name of a queue.
    pub fn queue(&self, queue: Queue) -> String {
        self.name(queue.part())
    }

    /// Whether a queue is bound for what is published so: when such a message finds none, the queue is missing.
    pub fn routes(&self, exchange: &str, routing_key: &str) -> bool {
        let Some(exchange) = exchange.strip_prefix(&self.name("")) else { return false };
        let bound = |(to, key): &(&str, String)| *to == exchange && takes(key, routing_key);
        self.retry_delays.iter().any(|delay| retry_part(*delay) == exchange)
            || Queue::ALL.iter().any(|queue| queue.bindings().iter().any(bound))
    }

    pub(crate) fn name(&self, part: &str) -> String {
        format!("{}.{part}", self.prefix)
    }
}

pub(crate) fn retry_part(delay: Duration) -> String {
    format!("retry.{}", delay.as_millis())
}

#[cfg(test)]
mod tests {
    use super::{Queue, Topology};
    use crate::Lane;

    #[test]
    fn what_a_queue_is_bound_for_is_told_from_what_nobody_takes() {
        let topology = Topology::default();
        let retry = topology.retry(0).unwrap();
        for lane in Lane::ALL {
            for exchange in [topology.events(), topology.infer(), retry.clone()] {
                assert!(topology.routes(&exchange, lane.routing_key()), "{exchange}");
            }
        }
        assert!(
            topology.routes(&topology.events(), "study.status") && topology.routes(&topology.infer(), "study.status")
        );
        for (exchange, key) in [
            (topology.events(), "image.arrived"),
            (topology.events(), "finding.created"),
            (topology.infer(), "image.confirmed"),
            ("other.events".to_owned(), "study.status"),
            ("cspine.retry.1".to_owned(), "image.arrived.stat"),
            (String::new(), "cspine.infer.stat"),
        ] {
            assert!(!topology.routes(&exchange, key), "{exchange} {key}");
        }
    }

    #[test]
    fn every_queue_has_a_name_of_its_own_and_a_binding() {
        let mut names: Vec<_> = Queue::ALL.iter().map(|queue| queue.part()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Queue::ALL.len());
        assert!(Queue::ALL.iter().all(|queue| !queue.bindings().is_empty()));
    }
}
