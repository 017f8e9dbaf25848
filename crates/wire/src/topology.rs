//! Exchanges, queues and bindings.
//!
//! ```text
//!                    ┌ image.arrived.{stat|urgent|routine} ─► arrivals         (registration)
//! publishers ─► events ┼ image.arrived.{stat|urgent} ───────► infer.stat ──┐
//!                    ├ image.arrived.routine ──────────────► infer.routine ┼─ over the delivery limit ─► dead ─► dead-letters
//!                    ├ study.status ───────────────────────► status ───────┘
//!                    ├ image.confirmed ────────────────────► labels           (bounded: refuses when full)
//!                    ├ finding.#, study.reprioritised, model.# ► results (exchange) ─► whoever listens
//!                    └ anything else ─► unrouted (exchange) ─► unrouted
//! worker ─► retry.5000 (exchange and queue, 5 s) ─► infer (private exchange) ─► the lane or status, same routing key
//! ```
//!
//! All queues are quorum queues: a confirmed publish is on disk. RabbitMQ 3.10 gives them no message priority, hence a
//! queue a lane. What correctness rests on is declared here and nowhere else; tunables are left to policies.
//! `dead-letter-strategy=at-least-once` holds only with `overflow=reject-publish`; the delivery limit is generous,
//! because a consumer that dies counts against every message it held.

use std::time::Duration;

use lapin::options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use crate::Lane;

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
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            prefix: "cspine".into(),
            retry_delays: [5, 60, 15 * 60].map(Duration::from_secs).to_vec(),
            delivery_limit: 20,
            labels_max: 100_000,
        }
    }
}

/// The queues that a worker consumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Every arrival, to be registered.
    Arrivals,
    /// Arrivals to be assessed.
    Lane(Lane),
    /// Changes of a study's state.
    Status,
    /// What people say of images.
    Labels,
    /// What the broker gave up.
    DeadLetters,
    /// What no binding took.
    Unrouted,
}

/// For the two last resorts: they must never give anything up, and 3.10 needs a limit all the same.
const NEVER: u32 = i32::MAX as u32;
const ARRIVALS: [&str; 3] = ["image.arrived.stat", "image.arrived.urgent", "image.arrived.routine"];
const STATUS: &str = "study.status";

impl Topology {
    /// The topic exchange that everyone publishes to.
    pub fn events(&self) -> String {
        self.name("events")
    }

    /// The private exchange: like `events`, but only lanes and status hear it.
    pub fn infer(&self) -> String {
        self.name("infer")
    }

    /// The exchange of the retry ladder's step, from 0; `None` past its end.
    pub fn retry(&self, step: usize) -> Option<String> {
        self.retry_delays.get(step).map(|delay| self.name(&format!("retry.{}", delay.as_millis())))
    }

    /// The name of a queue.
    pub fn queue(&self, queue: Queue) -> String {
        self.name(match queue {
            Queue::Arrivals => "arrivals",
            Queue::Lane(Lane::Stat) => "infer.stat",
            Queue::Lane(Lane::Routine) => "infer.routine",
            Queue::Status => "status",
            Queue::Labels => "labels",
            Queue::DeadLetters => "dead-letters",
            Queue::Unrouted => "unrouted",
        })
    }

    fn name(&self, part: &str) -> String {
        format!("{}.{part}", self.prefix)
    }

    /// Declares everything. Safe to repeat; refused by the broker when something exists with other settings.
    pub(crate) async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        self.declare_exchanges(channel).await?;
        let keys = |keys: &[&'static str]| keys.iter().map(|key| ("events", *key)).collect::<Vec<_>>();
        let twice =
            |keys: &[&'static str]| keys.iter().flat_map(|&k| [("events", k), ("infer", k)]).collect::<Vec<_>>();
        self.working_queue(channel, Queue::Arrivals, &keys(&ARRIVALS)).await?;
        for lane in [Lane::Stat, Lane::Routine] {
            self.working_queue(channel, Queue::Lane(lane), &twice(lane.routing_keys())).await?;
        }
        self.working_queue(channel, Queue::Status, &twice(&[STATUS])).await?;
        self.queue_of(channel, "labels", Args::quorum(NEVER).bounded(self.labels_max), &keys(&["image.confirmed"]))
            .await?;
        self.queue_of(channel, "dead-letters", Args::quorum(NEVER), &[("dead", "")]).await?;
        self.queue_of(channel, "unrouted", Args::quorum(NEVER), &[("unrouted", "")]).await?;
        for delay in &self.retry_delays {
            let step = format!("retry.{}", delay.as_millis());
            // No dead-letter routing key: the message comes back with its own, and to nobody but its lane.
            let args = Args::quorum(NEVER).dead_letters_to(&self.infer()).expires_after(*delay);
            self.queue_of(channel, &step, args, &[(&step, "")]).await?;
        }
        Ok(())
    }

    async fn declare_exchanges(&self, channel: &Channel) -> lapin::Result<()> {
        let mut unrouted = FieldTable::default();
        unrouted.insert("alternate-exchange".into(), text(&self.name("unrouted")));
        self.exchange(channel, "unrouted", ExchangeKind::Fanout, FieldTable::default()).await?;
        self.exchange(channel, "dead", ExchangeKind::Fanout, FieldTable::default()).await?;
        self.exchange(channel, "results", ExchangeKind::Topic, FieldTable::default()).await?;
        self.exchange(channel, "infer", ExchangeKind::Topic, unrouted.clone()).await?;
        self.exchange(channel, "events", ExchangeKind::Topic, unrouted).await?;
        for delay in &self.retry_delays {
            let step = format!("retry.{}", delay.as_millis());
            self.exchange(channel, &step, ExchangeKind::Fanout, FieldTable::default()).await?;
        }
        // Results nobody listens to are not lost mail: this binding keeps them from the alternate exchange.
        for key in ["finding.#", "study.reprioritised", "model.#"] {
            channel
                .exchange_bind(
                    self.name("results").into(),
                    self.events().into(),
                    key.into(),
                    ExchangeBindOptions::default(),
                    FieldTable::default(),
                )
                .await?;
        }
        Ok(())
    }

    async fn exchange(&self, channel: &Channel, name: &str, kind: ExchangeKind, args: FieldTable) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(self.name(name).into(), kind, options, args).await
    }

    /// A queue whose messages, once given up, go to the dead letters.
    async fn working_queue(&self, channel: &Channel, queue: Queue, bindings: &[(&str, &str)]) -> lapin::Result<()> {
        let args = Args::quorum(self.delivery_limit).dead_letters_to(&self.name("dead"));
        let name = self.queue(queue);
        let name = name.strip_prefix(&format!("{}.", self.prefix)).unwrap_or(&name);
        self.queue_of(channel, name, args, bindings).await
    }

    async fn queue_of(
        &self,
        channel: &Channel,
        name: &str,
        args: Args,
        bindings: &[(&str, &str)],
    ) -> lapin::Result<()> {
        let queue = self.name(name);
        channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), args.0).await?;
        for (exchange, key) in bindings {
            let exchange = self.name(exchange);
            let options = QueueBindOptions::default();
            channel
                .queue_bind(queue.as_str().into(), exchange.into(), (*key).into(), options, FieldTable::default())
                .await?;
        }
        Ok(())
    }

    /// Deletes everything, messages included: for tests, which give each a prefix of its own.
    pub(crate) async fn delete(&self, channel: &Channel) -> lapin::Result<()> {
        let steps = || self.retry_delays.iter().map(|delay| format!("retry.{}", delay.as_millis()));
        let queues = ["arrivals", "infer.stat", "infer.routine", "status", "labels", "dead-letters", "unrouted"];
        for queue in queues.into_iter().map(String::from).chain(steps()) {
            channel.queue_delete(self.name(&queue).into(), Default::default()).await?;
        }
        for exchange in ["events", "infer", "results", "dead", "unrouted"].into_iter().map(String::from).chain(steps())
        {
            channel.exchange_delete(self.name(&exchange).into(), Default::default()).await?;
        }
        Ok(())
    }
}

/// A queue's arguments.
struct Args(FieldTable);

impl Args {
    fn quorum(delivery_limit: u32) -> Self {
        let mut args = FieldTable::default();
        args.insert("x-queue-type".into(), text("quorum"));
        args.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(delivery_limit.into()));
        args.insert("x-overflow".into(), text("reject-publish"));
        Self(args)
    }

    fn dead_letters_to(mut self, exchange: &str) -> Self {
        self.0.insert("x-dead-letter-exchange".into(), text(exchange));
        self.0.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        self
    }

    fn expires_after(mut self, delay: Duration) -> Self {
        let milliseconds = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.0.insert("x-message-ttl".into(), AMQPValue::LongLongInt(milliseconds));
        self
    }

    fn bounded(mut self, messages: u32) -> Self {
        self.0.insert("x-max-length".into(), AMQPValue::LongLongInt(messages.into()));
        self
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
