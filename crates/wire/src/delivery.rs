//! A message on its way in, and its acknowledgement.

use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Map, Value};

use crate::broker::Link;
use crate::{Broker, Queue};

/// The header that counts attempts; our own, because `x-death` counts per queue and is not kept by publishers.
pub(crate) const ATTEMPT: &str = "attempt";

/// A message to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The exchange.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// The event.
    pub body: Vec<u8>,
    /// How many attempts were made before; 0 for a new message.
    pub attempt: u32,
}

/// A message that this consumer holds until it is acknowledged; dropped unacknowledged, it comes again once the
/// connection ends.
#[derive(Debug)]
pub struct Delivery {
    /// Where it was consumed.
    pub queue: Queue,
    /// With which it was published.
    pub routing_key: String,
    /// The event.
    pub body: Vec<u8>,
    /// How many attempts were made before this one.
    pub attempt: u32,
    /// How often the broker delivered it before without an acknowledgement.
    pub deliveries_before: u32,
    /// All its headers.
    pub headers: Value,
    inner: Held,
}

/// The connection went away before the acknowledgement: the message will come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection went away before the acknowledgement; the message comes again")]
pub struct Lost;

struct Held {
    acker: lapin::Acker,
    broker: Broker,
    /// Keeps the connection open until the last delivery is acknowledged.
    _link: Link,
}

impl Delivery {
    pub(crate) fn new(queue: Queue, delivery: lapin::message::Delivery, broker: Broker, link: Link) -> Self {
        let no_headers = FieldTable::default();
        let headers = delivery.properties.headers().as_ref().unwrap_or(&no_headers);
        Self {
            queue,
            routing_key: delivery.routing_key.to_string(),
            attempt: count(headers, ATTEMPT),
            deliveries_before: count(headers, "x-delivery-count"),
            headers: table(headers),
            body: delivery.data,
            inner: Held { acker: delivery.acker, broker, _link: link },
        }
    }

    /// Whether an acknowledgement can still arrive.
    pub fn is_held(&self) -> bool {
        self.inner.acker.usable()
    }

    /// It is done: commit first.
    ///
    /// # Errors
    /// [`Lost`]
    pub async fn ack(self) -> Result<(), Lost> {
        let acked = self.inner.broker.in_time(async { Ok(self.inner.acker.ack(BasicAckOptions::default()).await?) });
        if matches!(acked.await, Ok(true)) { Ok(()) } else { Err(Lost) }
    }

    /// Back to its queue at once. It costs one of the deliveries that the limit allows.
    ///
    /// # Errors
    /// [`Lost`], which comes to the same.
    pub async fn requeue(self) -> Result<(), Lost> {
        let options = BasicNackOptions { requeue: true, ..Default::default() };
        let returned = self.inner.broker.in_time(async { Ok(self.inner.acker.nack(options).await?) });
        if matches!(returned.await, Ok(true)) { Ok(()) } else { Err(Lost) }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

pub(crate) fn attempt_header(attempt: u32) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(ATTEMPT.into(), AMQPValue::LongInt(i32::try_from(attempt).unwrap_or(i32::MAX)));
    headers
}

fn count(headers: &FieldTable, name: &str) -> u32 {
    let value = headers.inner().get(name).and_then(whole);
    value.map_or(0, |count| u32::try_from(count.max(0)).unwrap_or(u32::MAX))
}

fn whole(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortShortUInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::ShortUInt(n) => Some((*n).into()),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongUInt(n) => Some((*n).into()),
        AMQPValue::LongLongInt(n) => Some(*n),
        _ => None,
    }
}

/// Headers as JSON, for the record of a parked message.
fn table(headers: &FieldTable) -> Value {
    let pairs = headers.inner().iter().map(|(name, value)| (name.to_string(), json(value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn json(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(flag) => Value::from(*flag),
        AMQPValue::Float(number) => Value::from(*number),
        AMQPValue::Double(number) => Value::from(*number),
        AMQPValue::Timestamp(seconds) => Value::from(*seconds),
        // Postgres' jsonb refuses NUL.
        AMQPValue::ShortString(text) => Value::from(text.as_str().replace('\0', "\u{fffd}")),
        AMQPValue::LongString(text) => Value::from(String::from_utf8_lossy(text.as_bytes()).replace('\0', "\u{fffd}")),
        AMQPValue::FieldArray(values) => Value::from(values.as_slice().iter().map(json).collect::<Vec<_>>()),
        AMQPValue::FieldTable(inner) => table(inner),
        other => whole(other).map_or(Value::Null, Value::from),
    }
}
