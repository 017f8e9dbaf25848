//! A message on its way in, and its acknowledgement.

use cspine_domain::OrderPriority;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Map, Value};

use crate::broker::Link;
use crate::{Broker, Lane, Queue, Topology};

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

impl Message {
    /// A registered arrival on its way to its lane, by the private exchange: nobody else hears it.
    pub fn to_lane(topology: &Topology, priority: OrderPriority, body: Vec<u8>) -> Self {
        Self { exchange: topology.infer(), routing_key: Lane::of(priority).routing_key().into(), body, attempt: 0 }
    }
}

/// A message that this consumer holds until it is acknowledged; dropped unacknowledged, it comes again once the
/// connection ends.
#[derive(Debug)]
pub struct Delivery {
    /// Where it was consumed.
    pub queue: Queue,
    /// To which it was published.
    pub exchange: String,
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
            exchange: delivery.exchange.to_string(),
            routing_key: delivery.routing_key.to_string(),
            // a sender's own header counts nothing: what was tried before comes from an exchange of ours
            attempt: if delivery.exchange.as_str() == broker.topology.events() { 0 } else { count(headers, ATTEMPT) },
            deliveries_before: count(headers, "x-delivery-count"),
            headers: table(headers, 0),
            body: delivery.data,
            inner: Held { acker: delivery.acker, broker, _link: link },
        }
    }

    /// Whether an acknowledgement can still arrive.
    pub fn is_held(&self) -> bool {
        self.inner.acker.usable()
    }

    /// Whether it came by a routing key that its queue is bound by. The headers `CC` and `BCC` bring a message into other
    /// queues too, and brokers before 4.0 do not ask whether its sender may publish there.
    pub fn is_addressed(&self) -> bool {
        self.is_addressed_to(self.queue)
    }

    /// The same of another queue, which it was in before it was given up.
    pub fn is_addressed_to(&self, queue: Queue) -> bool {
        queue.takes(&self.routing_key)
    }

    /// It is done: commit first.
    ///
    /// # Errors
    /// [`Lost`]
    pub async fn ack(&self) -> Result<(), Lost> {
        let acked = self.inner.broker.in_time(async { Ok(self.inner.acker.ack(BasicAckOptions::default()).await?) });
        if matches!(acked.await, Ok(true)) { Ok(()) } else { Err(Lost) }
    }

    /// Back to its queue at once. It costs one of the deliveries that the limit allows.
    ///
    /// # Errors
    /// [`Lost`], which comes to the same.
    pub async fn requeue(&self) -> Result<(), Lost> {
        // Not basic.nack: from RabbitMQ 4.3 on that costs nothing, and a message could be given back for ever.
        let options = BasicRejectOptions { requeue: true };
        let returned = self.inner.broker.in_time(async { Ok(self.inner.acker.reject(options).await?) });
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

/// How deep headers are followed. What lies deeper is left out: it is a record for people, and each level costs stack.
const NESTING_MAX: usize = 16;

/// Headers as JSON, for the record of a parked message.
fn table(headers: &FieldTable, depth: usize) -> Value {
    let pairs = headers.inner().iter().map(|(name, value)| (printable(name.as_str()), json(value, depth)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn json(value: &AMQPValue, depth: usize) -> Value {
    match value {
        AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) if depth >= NESTING_MAX => Value::Null,
        AMQPValue::Boolean(flag) => Value::from(*flag),
        AMQPValue::Float(number) => Value::from(*number),
        AMQPValue::Double(number) => Value::from(*number),
        AMQPValue::Timestamp(seconds) => Value::from(*seconds),
        AMQPValue::ShortString(text) => Value::from(printable(text.as_str())),
        AMQPValue::LongString(text) => Value::from(printable(&String::from_utf8_lossy(text.as_bytes()))),
        AMQPValue::FieldArray(values) => {
            Value::from(values.as_slice().iter().map(|value| json(value, depth + 1)).collect::<Vec<_>>())
        }
        AMQPValue::FieldTable(inner) => table(inner, depth + 1),
        other => whole(other).map_or(Value::Null, Value::from),
    }
}

/// Postgres' jsonb refuses NUL.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use lapin::types::{AMQPValue, FieldTable};
    use serde_json::Value;

    use super::{NESTING_MAX, table};

    fn depth(value: &Value) -> usize {
        match value {
            Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
            Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn headers_are_followed_to_a_bound_and_no_further() {
        for levels in [1, NESTING_MAX, NESTING_MAX + 1, 100] {
            let mut headers = FieldTable::default();
            for level in 0..levels {
                let inner = AMQPValue::FieldTable(headers);
                let inner = if level % 2 == 0 { inner } else { AMQPValue::FieldArray(vec![inner].into()) };
                headers = FieldTable::default();
                headers.insert("inner\0".into(), inner);
                headers.insert("beside".into(), AMQPValue::LongInt(7));
            }
            let json = table(&headers, 0);
            assert_eq!(json["beside"], 7);
            assert!(json.get("inner\u{fffd}").is_some(), "a name without NUL");
            assert!(depth(&json) <= NESTING_MAX + 1, "{levels}");
        }
    }
}
