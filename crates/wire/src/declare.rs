//! Declaring the topology at the broker.
//!
//! All queues are quorum queues: a confirmed publish is on disk. RabbitMQ 3.10 gives them no message priority, hence a
//! queue a lane. What correctness rests on is declared here and nowhere else; tunables are left to policies.
//! `dead-letter-strategy=at-least-once` holds only with `overflow=reject-publish`; the delivery limit is generous,
//! because a consumer that dies counts against every message it held.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use crate::topology::retry_part;
use crate::{Queue, Topology};

/// How many messages waited in each queue when it was declared, not counting those that a consumer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depths(BTreeMap<Queue, u32>);

impl Depths {
    /// Of one queue.
    pub fn get(&self, queue: Queue) -> u32 {
        self.0.get(&queue).copied().unwrap_or_default()
    }
}

/// For queues that nobody consumes, whose messages are never given up; 3.10 needs a limit all the same.
const NEVER: u32 = i32::MAX as u32;

impl Topology {
    /// Declares everything. Safe to repeat; refused by the broker when something exists with other settings.
    pub(crate) async fn declare(&self, channel: &Channel) -> lapin::Result<Depths> {
        self.declare_exchanges(channel).await?;
        let mut depths = Depths::default();
        for queue in Queue::ALL {
            let waiting = self.queue_of(channel, queue.part(), self.arguments(queue), &queue.bindings()).await?;
            depths.0.insert(queue, waiting);
        }
        for delay in &self.retry_delays {
            let step = retry_part(*delay);
            // No dead-letter routing key: the message comes back with its own, and to nobody but its lane.
            let args = Args::quorum(NEVER).dead_letters_to(&self.infer()).expires_after(*delay);
            self.queue_of(channel, &step, args, &[(&step, String::new())]).await?;
        }
        Ok(depths)
    }

    async fn declare_exchanges(&self, channel: &Channel) -> lapin::Result<()> {
        let kept = || {
            let mut args = FieldTable::default();
            args.insert("alternate-exchange".into(), text(&self.name("unrouted")));
            args
        };
        for last in ["unrouted", "dead", "undeliverable"] {
            self.exchange(channel, last, ExchangeKind::Fanout, FieldTable::default()).await?;
        }
        // Results that nobody listens to are not lost mail: no alternate exchange.
        self.exchange(channel, "results", ExchangeKind::Topic, FieldTable::default()).await?;
        for topic in ["infer", "events"] {
            self.exchange(channel, topic, ExchangeKind::Topic, kept()).await?;
        }
        for delay in &self.retry_delays {
            self.exchange(channel, &retry_part(*delay), ExchangeKind::Fanout, kept()).await?;
        }
        Ok(())
    }

    fn arguments(&self, queue: Queue) -> Args {
        match queue {
            Queue::Undeliverable => Args::quorum(NEVER).bounded(self.undeliverable_max),
            Queue::DeadLetters => Args::quorum(self.delivery_limit).dead_letters_to(&self.name("undeliverable")),
            Queue::Labels => {
                Args::quorum(self.delivery_limit).dead_letters_to(&self.name("dead")).bounded(self.labels_max)
            }
            _ => Args::quorum(self.delivery_limit).dead_letters_to(&self.name("dead")),
        }
    }

    async fn exchange(&self, channel: &Channel, name: &str, kind: ExchangeKind, args: FieldTable) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(self.name(name).into(), kind, options, args).await
    }

    async fn queue_of(
        &self,
        channel: &Channel,
        name: &str,
        args: Args,
        bindings: &[(&str, String)],
    ) -> lapin::Result<u32> {
        let queue = self.name(name);
        let declared = channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), args.0).await?;
        for (exchange, key) in bindings {
            let exchange = self.name(exchange);
            let options = QueueBindOptions::default();
            channel
                .queue_bind(queue.as_str().into(), exchange.into(), key.as_str().into(), options, FieldTable::default())
                .await?;
        }
        Ok(declared.message_count())
    }

    /// Deletes everything, messages included: for tests, which give each a prefix of its own.
    pub(crate) async fn delete(&self, channel: &Channel) -> lapin::Result<()> {
        let steps = || self.retry_delays.iter().map(|delay| retry_part(*delay));
        for queue in Queue::ALL.into_iter().map(|queue| queue.part().to_owned()).chain(steps()) {
            channel.queue_delete(self.name(&queue).into(), Default::default()).await?;
        }
        let exchanges = ["events", "infer", "results", "dead", "unrouted", "undeliverable"];
        for exchange in exchanges.into_iter().map(String::from).chain(steps()) {
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
