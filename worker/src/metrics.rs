//! What `/metrics` says, in Prometheus' text form.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cspine_domain::{Note, Notes, Reason, Sha256, Verdict};
use cspine_imaging::Rejection;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The worker's counters, gauges and histograms.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    images: Family<Answered, Counter>,
    notes: Family<Noted, Counter>,
    rejections: Family<Rejected, Counter>,
    /// The values of `rejections` so far: a family forgets none, so they are bounded.
    rejected_values: Mutex<HashSet<Rejected>>,
    stages: Family<Stage, Histogram>,
    in_flight: Family<InLane, Gauge>,
    retries: Family<Because, Counter>,
    parked: Family<Because, Counter>,
    champion: Family<Named, Gauge>,
    shadow: Family<Named, Gauge>,
    load_failures: Family<As, Counter>,
    shadowed: Family<Outcome, Counter>,
    queues: Family<InQueue, Gauge>,
    /// Looks at the registry that failed while Postgres was there.
    pub registry_failures: Counter,
    /// Images that are neither answered nor parked.
    pub images_waiting: Gauge,
    /// Those that have been waiting for too long.
    pub images_overdue: Gauge,
    /// Arrivals that the reconciler published again.
    pub images_republished: Counter,
    /// Messages that made their consumer panic.
    pub panics: Counter,
    /// Acknowledgements that came too late: their messages come again.
    pub acks_lost: Counter,
    /// Events that the relay published.
    pub outbox_sent: Counter,
    /// Events that a listener's full queue refused, each time.
    pub outbox_refused: Counter,
    /// Events that were refused and wait for their next attempt.
    pub outbox_refused_waiting: Gauge,
    /// Whether the broker has blocked publishing: its memory or disk is nearly used up.
    pub broker_blocked: Gauge,
    /// Studies that ageing raised.
    pub aged: Counter,
    /// Parked messages that nobody has resolved.
    pub parked_unresolved: Gauge,
    /// Age of the oldest event that is still to be published, seconds.
    pub outbox_age_seconds: Gauge<f64, std::sync::atomic::AtomicU64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    verdict: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Noted {
    note: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rejected {
    attribute: String,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InLane {
    lane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InQueue {
    queue: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Because {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct As {
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// What a model is here for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It answers.
    Champion,
    /// It is tried beside it.
    Shadow,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Role::Champion => "champion",
            Role::Shadow => "shadow",
        }
    }
}

/// What became of an image of the shadow's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    /// The shadow scored it.
    Scored,
    /// There was no room in its queue.
    LeftOut,
    /// It could not be scored.
    Failed,
}

impl Metrics {
    /// Upper bounds of the stages' buckets, seconds.
    const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

    /// Values that reject, each counted; any more are counted together, as `other`.
    const REJECTED_VALUES_MAX: usize = 200;

    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("cspine");
        let stages = Family::new_with_constructor((|| Histogram::new(Self::BUCKETS)) as fn() -> Histogram);
        let metrics = Self {
            images: Family::default(),
            notes: Family::default(),
            rejections: Family::default(),
            rejected_values: Mutex::default(),
            stages,
            in_flight: Family::default(),
            retries: Family::default(),
            parked: Family::default(),
            champion: Family::default(),
            shadow: Family::default(),
            load_failures: Family::default(),
            shadowed: Family::default(),
            queues: Family::default(),
            registry_failures: Counter::default(),
            images_waiting: Gauge::default(),
            images_overdue: Gauge::default(),
            images_republished: Counter::default(),
            panics: Counter::default(),
            acks_lost: Counter::default(),
            outbox_sent: Counter::default(),
            outbox_refused: Counter::default(),
            outbox_refused_waiting: Gauge::default(),
            broker_blocked: Gauge::default(),
            aged: Counter::default(),
            parked_unresolved: Gauge::default(),
            outbox_age_seconds: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("images", "Images answered, by verdict and reason", metrics.images.clone());
        registry.register("notes", "Odd files and events that were tolerated, by code", metrics.notes.clone());
        let help = "Images out of scope, by the value that rejects them";
        registry.register("scope_rejections", help, metrics.rejections.clone());
        registry.register_with_unit("stage", "Time in each stage", Unit::Seconds, metrics.stages.clone());
        registry.register("in_flight", "Messages being worked on", metrics.in_flight.clone());
        registry.register("retries", "Messages sent down the retry ladder", metrics.retries.clone());
        registry.register("parked", "Messages parked by this worker", metrics.parked.clone());
        registry.register(
            "parked_unresolved",
            "Parked messages nobody has resolved",
            metrics.parked_unresolved.clone(),
        );
        registry.register("model_info", "The model that answers, by its file", metrics.champion.clone());
        registry.register("shadow_info", "The model tried in the shadow, by its file", metrics.shadow.clone());
        let failures = metrics.load_failures.clone();
        // There from the start: a first failure is an increase.
        failures.get_or_create(&As { role: Role::Champion.as_str() }).inc_by(0);
        registry.register("model_load_failures", "Models of the registry that could not be served", failures);
        let failures = metrics.registry_failures.clone();
        registry.register("registry_failures", "Looks at the registry that failed while Postgres was there", failures);
        registry.register("shadow_images", "Images of the shadow's share, by outcome", metrics.shadowed.clone());
        let (waiting, overdue) = (metrics.images_waiting.clone(), metrics.images_overdue.clone());
        registry.register("images_waiting", "Images neither answered nor parked", waiting);
        registry.register("images_overdue", "Images that have been waiting past their time", overdue);
        let republished = metrics.images_republished.clone();
        registry.register("images_republished", "Arrivals that the reconciler published again", republished);
        registry.register("consumer_panics", "Messages that made their consumer panic", metrics.panics.clone());
        registry.register("acks_lost", "Acknowledgements that came too late", metrics.acks_lost.clone());
        registry.register("outbox_sent", "Events published by the relay", metrics.outbox_sent.clone());
        let refused = metrics.outbox_refused.clone();
        registry.register("outbox_refused", "Events that a listener's full queue refused, each time", refused);
        let waiting = metrics.outbox_refused_waiting.clone();
        registry.register("outbox_refused_waiting", "Refused events that wait for their next attempt", waiting);
        registry.register("broker_blocked", "1 while the broker blocks publishing", metrics.broker_blocked.clone());
        registry.register("queue_messages", "Messages that wait in a queue, by its name", metrics.queues.clone());
        let age = metrics.outbox_age_seconds.clone();
        registry.register_with_unit("outbox_age", "Age of the oldest unpublished event", Unit::Seconds, age);
        registry.register("aged", "Studies raised by ageing", metrics.aged.clone());
        Self { registry, ..metrics }
    }

    /// An image has its answer, and these things about it were odd.
    pub fn answered(&self, verdict: Verdict, reason: Option<Reason>, notes: &Notes) {
        let labels = Answered { verdict: verdict.as_str(), reason: reason.map_or("", Reason::as_str) };
        self.images.get_or_create(&labels).inc();
        for note in notes.iter().copied().map(Note::as_str) {
            self.notes.get_or_create(&Noted { note }).inc();
        }
    }

    /// An image is out of scope by this value.
    pub fn rejected(&self, rejection: Rejection) {
        let Rejection { attribute, value } = rejection;
        let mut values = self.rejected_values.lock().unwrap_or_else(PoisonError::into_inner);
        let mut label = Rejected { attribute, value };
        if values.len() >= Self::REJECTED_VALUES_MAX && !values.contains(&label) {
            label.value = "other".into();
        } else {
            values.insert(label.clone());
        }
        self.rejections.get_or_create(&label).inc();
    }

    /// A stage took this long: `queue_wait`, `fetch`, `decode`, `infer`, `explain` or `commit`.
    pub fn stage(&self, stage: &'static str, took: Duration) {
        self.stages.get_or_create(&Stage { stage }).observe(took.as_secs_f64());
    }

    /// Measures a stage.
    pub async fn timed<T>(&self, stage: &'static str, work: impl Future<Output = T>) -> T {
        let begin = Instant::now();
        let done = work.await;
        self.stage(stage, begin.elapsed());
        done
    }

    /// Counts a message as in flight until the guard is dropped.
    pub fn in_flight(&self, lane: &'static str) -> InFlight {
        let gauge = self.in_flight.get_or_create(&InLane { lane }).clone();
        gauge.inc();
        InFlight(gauge)
    }

    /// A message goes down the ladder.
    pub fn retried(&self, reason: Reason) {
        self.retries.get_or_create(&Because { reason: reason.as_str() }).inc();
    }

    /// A message was parked.
    pub fn parked(&self, reason: Reason) {
        self.parked.get_or_create(&Because { reason: reason.as_str() }).inc();
    }

    /// So many messages wait in a queue, not counting those that a worker holds.
    pub fn queue(&self, queue: String, messages: u32) {
        self.queues.get_or_create(&InQueue { queue }).set(messages.into());
    }

    /// A model is in this place from now on, or none is.
    pub fn serves(&self, role: Role, model: Option<Sha256>) {
        let family = match role {
            Role::Champion => &self.champion,
            Role::Shadow => &self.shadow,
        };
        family.clear();
        if let Some(model) = model {
            family.get_or_create(&Named { sha256: model.to_string() }).set(1);
        }
    }

    /// A model of the registry could not be served.
    pub fn load_failed(&self, role: Role) {
        self.load_failures.get_or_create(&As { role: role.as_str() }).inc();
    }

    /// An image of the shadow's share met its end.
    pub fn shadowed(&self, sampled: Sampled) {
        let outcome = match sampled {
            Sampled::Scored => "scored",
            Sampled::LeftOut => "left_out",
            Sampled::Failed => "failed",
        };
        self.shadowed.get_or_create(&Outcome { outcome }).inc();
    }

    /// All of them as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes any text");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// One message being worked on.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use cspine_imaging::Rejection;

    use super::Metrics;

    #[test]
    fn values_that_reject_are_counted_each_up_to_a_bound_and_then_together() {
        let metrics = Metrics::new();
        let reject = |value: &str| metrics.rejected(Rejection { attribute: "body_part".into(), value: value.into() });
        (0..Metrics::REJECTED_VALUES_MAX + 50).for_each(|number| reject(&format!("PART {number}")));
        reject("PART 0");
        let text = metrics.encode();
        let counts = |line: &str| text.lines().any(|counted| counted == line);
        assert!(counts(r#"cspine_scope_rejections_total{attribute="body_part",value="PART 0"} 2"#), "{text}");
        assert!(counts(r#"cspine_scope_rejections_total{attribute="body_part",value="other"} 50"#), "{text}");
        assert_eq!(text.matches("cspine_scope_rejections_total{").count(), Metrics::REJECTED_VALUES_MAX + 1);
    }
}
