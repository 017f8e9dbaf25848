//! Events on their way out: written with what they tell of, relayed by whoever claims them.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use crate::columns::interval;
use crate::events::{Envelope, EventData};
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
    /// The routing key on `cspine.events`.
    pub routing_key: String,
    /// The event as JSON.
    pub payload: Vec<u8>,
}

impl Store {
    /// Takes up to `limit` unsent events, oldest first, for the time of `lease`; another relay gets others. What is not
    /// marked as sent by then is given out again.
    pub async fn outbox_claim(&self, limit: u32, lease: Duration) -> Result<Vec<OutboxMessage>, StoreError> {
        let rows = sqlx::query(
            "with claimed as (
                 update outbox set claimed_until = now() + $2
                  where id in (select id from outbox
                                where sent_at is null and (claimed_until is null or claimed_until < now())
                                order by id limit $1
                                  for update skip locked)
                 returning id, event_id, event_type, routing_key, payload::text as payload
             )
             select * from claimed order by id",
        )
        .bind(i64::from(limit))
        .bind(interval(lease))
        .fetch_all(&self.pool)
        .await?;
        let message = |row: &sqlx::postgres::PgRow| {
            Ok(OutboxMessage {
                id: row.try_get("id")?,
                event_id: row.try_get("event_id")?,
                event_type: row.try_get("event_type")?,
                routing_key: row.try_get("routing_key")?,
                payload: row.try_get::<String, _>("payload")?.into_bytes(),
            })
        };
        rows.iter().map(message).collect()
    }

    /// Marks events the broker has confirmed.
    pub async fn outbox_mark_sent(&self, ids: &[i64]) -> Result<(), StoreError> {
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

    /// Deletes events sent longer ago than this, at most ten thousand; how many.
    pub async fn outbox_discard_sent(&self, older_than: Duration) -> Result<u64, StoreError> {
        let discarded = sqlx::query(
            "delete from outbox
              where id in (select id from outbox where sent_at < now() - $1 limit 10000 for update skip locked)",
        )
        .bind(interval(older_than))
        .execute(&self.pool)
        .await?;
        Ok(discarded.rows_affected())
    }
}

/// Writes an event within the caller's transaction.
pub(crate) async fn enqueue<T: EventData>(tx: &mut PgConnection, event: &Envelope<T>) -> Result<(), sqlx::Error> {
    let payload = serde_json::to_string(event).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
    enqueue_text(tx, &event.id, event.r#type, T::ROUTING_KEY, &payload).await
}

/// Writes a ready-made JSON text as an event, byte for byte.
pub(crate) async fn enqueue_text(
    tx: &mut PgConnection,
    event_id: &str,
    event_type: &str,
    routing_key: &str,
    payload: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into outbox (event_id, event_type, routing_key, payload) values ($1, $2, $3, $4::json)")
        .bind(event_id)
        .bind(event_type)
        .bind(routing_key)
        .bind(payload)
        .execute(tx)
        .await?;
    Ok(())
}
