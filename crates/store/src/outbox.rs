//! Events on their way out: written with what they tell of, relayed by whoever claims them.

use std::time::Duration;

use sqlx::Row as _;

use crate::columns::interval;
use crate::events::{Envelope, EventData, ModelDrifted};
use crate::session::Tx;
use crate::{Store, StoreError};

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// The row, for [`Store::outbox_mark_sent`].
    pub id: i64,
    /// The CloudEvents id: the same every time the row is relayed.
    pub event_id: String,
    /// The CloudEvents type.
    pub event_type: String,
    /// Who is to get it.
    pub destination: Destination,
    /// The routing key there.
    pub routing_key: String,
    /// The event as JSON.
    pub payload: Vec<u8>,
}

/// Who is to get an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Whoever listens to results.
    Results,
    /// Ourselves once more, as if its sender had sent it again.
    Events,
}

impl Destination {
    fn as_str(self) -> &'static str {
        match self {
            Destination::Results => "results",
            Destination::Events => "events",
        }
    }
}

impl Store {
    /// Takes up to `limit` unsent events that are due, for the time of `lease`; another relay gets others. What is not
    /// marked as sent by then is given out again.
    pub async fn outbox_claim(&self, limit: u32, lease: Duration) -> Result<Vec<OutboxMessage>, StoreError> {
        let rows = sqlx::query(
            "with claimed as (
                 update outbox set claimed_until = now() + $2
                  where id in (select id from outbox
                                where sent_at is null and next_attempt_at <= now()
                                  and (claimed_until is null or claimed_until < now())
                                order by next_attempt_at, id limit $1
                                  for update skip locked)
                 returning id, event_id, event_type, destination, routing_key, payload::text as payload
             )
             select * from claimed order by id",
        )
        .bind(i64::from(limit))
        .bind(interval(lease))
        .fetch_all(&self.pool)
        .await?;
        let message = |row: &sqlx::postgres::PgRow| {
            let to_us = row.try_get::<&str, _>("destination")? == Destination::Events.as_str();
            Ok(OutboxMessage {
                id: row.try_get("id")?,
                event_id: row.try_get("event_id")?,
                event_type: row.try_get("event_type")?,
                destination: if to_us { Destination::Events } else { Destination::Results },
                routing_key: row.try_get("routing_key")?,
                payload: row.try_get::<String, _>("payload")?.into_bytes(),
            })
        };
        rows.iter().map(message).collect()
    }

    /// Puts events off that a listener's full queue refused: 5 s, then four times as long each time, at most ten minutes.
    /// Other listeners have them already and get each once more with every attempt.
    pub async fn outbox_put_off(&self, ids: &[i64]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update outbox
                set attempts = attempts + 1, claimed_until = null,
                    next_attempt_at = now() + least(600, 5 * power(4, least(attempts, 9))) * interval '1 second'
              where id = any($1) and sent_at is null",
        )
        .bind(ids)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives claimed events back that were not published, so that they need not wait for the lease's end.
    pub async fn outbox_release(&self, ids: &[i64]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query("update outbox set claimed_until = null where id = any($1) and sent_at is null")
            .bind(ids)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// How many events were refused and wait for their next attempt.
    pub async fn outbox_refused(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("select count(*) from outbox where sent_at is null and attempts > 0");
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// Marks events the broker has confirmed.
    pub async fn outbox_mark_sent(&self, ids: &[i64]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query("update outbox set sent_at = now() where id = any($1) and sent_at is null")
            .bind(ids)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// How long the oldest unsent event has been waiting; none when all are sent.
    pub async fn outbox_age(&self) -> Result<Option<Duration>, StoreError> {
        let seconds: Option<f64> = sqlx::query_scalar(
            "select extract(epoch from now() - min(created_at))::double precision from outbox where sent_at is null",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(seconds.map(|s| Duration::try_from_secs_f64(s).unwrap_or_default()))
    }
}

/// Writes an event for listeners within the caller's transaction.
pub(crate) async fn enqueue<T: EventData>(tx: &mut Tx, event: &Envelope<T>) -> Result<(), sqlx::Error> {
    insert(tx, Destination::Results, &event.id, event.r#type, T::ROUTING_KEY, &json(event)?).await
}

fn json<T: EventData>(event: &Envelope<T>) -> Result<String, sqlx::Error> {
    serde_json::to_string(event).map_err(|e| sqlx::Error::Encode(Box::new(e)))
}

/// Writes of drift within a trainer's transaction, which may write of nothing else.
pub(crate) async fn tell_of_drift(tx: &mut Tx, event: &Envelope<ModelDrifted>) -> Result<(), sqlx::Error> {
    sqlx::query("select tell_of_drift($1, $2::json)").bind(&event.id).bind(json(event)?).execute(tx).await?;
    Ok(())
}

/// Writes a message that a sender once published, byte for byte, to be published there again. A result among them stays
/// what it was, a message from outside: only our own events go to listeners.
pub(crate) async fn enqueue_again(
    tx: &mut Tx,
    event_id: &str,
    routing_key: &str,
    payload: &str,
) -> Result<(), sqlx::Error> {
    insert(tx, Destination::Events, event_id, "parked.resent", routing_key, payload).await
}

async fn insert(
    tx: &mut Tx,
    destination: Destination,
    event_id: &str,
    event_type: &str,
    routing_key: &str,
    payload: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into outbox (destination, event_id, event_type, routing_key, payload) values ($1, $2, $3, $4, $5::json)",
    )
    .bind(destination.as_str())
    .bind(event_id)
    .bind(event_type)
    .bind(routing_key)
    .bind(payload)
    .execute(tx)
    .await?;
    Ok(())
}
