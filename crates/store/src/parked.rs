//! Messages that wait for a person: the truth of what failed.

use cspine_domain::{Reason, Sha256, Uid};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use time::OffsetDateTime;

use crate::arrival::{register, upsert_study};
use crate::columns::{parsed, parsed_option};
use crate::outbox::enqueue_again;
use crate::session::Tx;
use crate::{Arrival, Fault, NamedStudy, Store, StoreError};

/// The longest body that is kept; the same as an event's bound, so every event that could have been accepted is.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest source, id or detail; what is longer is cut, or for source and id counts as unreadable.
const TEXT_CHARS_MAX: usize = 512;

/// A message that got no answer.
#[derive(Debug, Clone)]
pub struct Parked {
    /// Its CloudEvents source, where it can be read.
    pub source: Option<String>,
    /// Its CloudEvents id, where it can be read.
    pub event_id: Option<String>,
    /// The routing key it first came with.
    pub routing_key: String,
    /// Its body, whatever that is.
    pub body: Vec<u8>,
    /// Its AMQP headers.
    pub headers: serde_json::Value,
    /// Why it is here.
    pub reason: Reason,
    /// More on why, for a person; no patient data.
    pub detail: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What it says, where that can be read: its study is put on the list, its image marked as failed.
    pub arrival: Option<Arrival>,
    /// Where it cannot: the studies that it names all the same. They are put on the list, marked with the reason.
    pub studies: Vec<NamedStudy>,
}

/// A row of `parked_messages`.
#[derive(Debug, Clone)]
pub struct ParkedRow {
    /// Its number.
    pub id: i64,
    /// CloudEvents source, where it could be read.
    pub source: Option<String>,
    /// CloudEvents id, where it could be read.
    pub event_id: Option<String>,
    /// The routing key it came with.
    pub routing_key: String,
    /// The body, up to 64 KiB.
    pub body: Option<Vec<u8>>,
    /// The body's SHA-256.
    pub body_sha256: Sha256,
    /// The body's length.
    pub body_size_bytes: i64,
    /// AMQP headers.
    pub headers: serde_json::Value,
    /// Why it was parked.
    pub reason: Reason,
    /// More on why.
    pub detail: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was parked first, or again.
    pub parked_at: OffsetDateTime,
    /// Its study, where the event could be read.
    pub study: Option<Uid>,
    /// Its image, where the event could be read.
    pub sop: Option<Uid>,
    /// When somebody dealt with it.
    pub resolved_at: Option<OffsetDateTime>,
    /// `resent` or `dismissed`.
    pub resolution: Option<String>,
    /// Who.
    pub resolved_by: Option<String>,
    /// Why.
    pub resolved_why: Option<String>,
}

impl Store {
    /// Parks a message and returns its row's number. There is one row for a source, id and body, or else for a body; one
    /// that was resolved is opened again, for it failed again. Where study or image cannot be written, because of what the
    /// event says or because another transaction holds them, the message is kept all the same.
    pub async fn park(&self, parked: &Parked) -> Result<i64, StoreError> {
        let Some(arrival) = &parked.arrival else { return self.park_once(parked, None, &parked.studies).await };
        match self.park_once(parked, Some(arrival), &[]).await {
            // what the event says of its image is at fault: keep at least the message, and its study on the list
            Err(error) if matches!(error.fault(), Fault::Message(_)) => {
                self.park_once(parked, None, &[arrival.bare_study()]).await
            }
            // another transaction holds study or image: the message does not wait for it
            Err(error) if error.fault() == Fault::Row => self.park_once(parked, None, &[]).await,
            outcome => outcome,
        }
    }

    async fn park_once(
        &self,
        parked: &Parked,
        arrival: Option<&Arrival>,
        studies: &[NamedStudy],
    ) -> Result<i64, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(arrival) = arrival {
            register(&mut tx, arrival).await?;
            fail_image(&mut tx, arrival, parked.reason).await?;
        }
        // in one order, so that two messages which name the same studies do not wait for each other
        let mut studies: Vec<&NamedStudy> = studies.iter().collect();
        studies.sort_by_key(|study| &study.study);
        for study in &studies {
            upsert_study(&mut tx, study).await?;
            fail_study(&mut tx, &study.study, parked.reason).await?;
        }
        let study = arrival.map(|arrival| &arrival.study).or_else(|| studies.first().map(|study| &study.study));
        let id = upsert(&mut tx, parked, arrival, study).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Parked messages, those that still wait first, oldest first; only those unless `all`.
    pub async fn parked_list(&self, all: bool, limit: u32) -> Result<Vec<ParkedRow>, StoreError> {
        let rows = sqlx::query_as(
            "select * from parked_messages where $1 or resolved_at is null
              order by resolved_at is not null, parked_at, id limit $2",
        )
        .bind(all)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// One parked message.
    pub async fn parked_get(&self, id: i64) -> Result<Option<ParkedRow>, StoreError> {
        let row = sqlx::query_as("select * from parked_messages where id = $1").bind(id);
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// How many wait for a person.
    pub async fn parked_count(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("select count(*) from parked_messages where resolved_at is null");
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// Sends a message again, byte for byte, by the outbox: so a crash can neither lose it nor send it unrecorded.
    pub async fn parked_resend(&self, id: i64, who: &str, why: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        let row = resolve(&mut tx, id, "resent", who, why).await?;
        let body = row.body.as_deref().and_then(json_text).ok_or(StoreError::NotResendable(id))?;
        let event_id = row.event_id.unwrap_or_else(|| row.body_sha256.to_string());
        enqueue_again(&mut tx, &event_id, &row.routing_key, body).await?;
        sqlx::query(
            "update images i set failed_reason = null from parked_messages p
              where p.id = $1 and (i.sop_instance_uid, i.content_sha256) = (p.sop_instance_uid, p.content_sha256)",
        )
        .bind(id)
        .execute(&mut tx)
        .await?;
        if let Some(study) = &row.study {
            mend_study(&mut tx, study).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Settles a message without sending it again; its image stays failed.
    pub async fn parked_dismiss(&self, id: i64, who: &str, why: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        resolve(&mut tx, id, "dismissed", who, why).await?;
        Ok(tx.commit().await?)
    }
}

async fn upsert(
    tx: &mut Tx,
    parked: &Parked,
    arrival: Option<&Arrival>,
    study: Option<&Uid>,
) -> Result<i64, sqlx::Error> {
    let key = parked.source.as_deref().and_then(readable).zip(parked.event_id.as_deref().and_then(readable));
    // the first reason stays while the row waits: that the broker gave up later says less
    let merge = "set reason = case when p.resolved_at is null then p.reason else excluded.reason end,
                     detail = case when p.resolved_at is null then p.detail else excluded.detail end,
                     parked_at = case when p.resolved_at is null then p.parked_at else excluded.parked_at end,
                     attempts = greatest(p.attempts, excluded.attempts),
                     resolved_at = null, resolution = null, resolved_by = null, resolved_why = null";
    let unique = if key.is_some() {
        "(source, event_id, body_sha256) where event_id is not null"
    } else {
        "(body_sha256) where event_id is null"
    };
    let insert = format!(
        "insert into parked_messages as p
             (source, event_id, routing_key, body, body_sha256, body_size_bytes, headers, reason, detail, attempts,
              study_instance_uid, sop_instance_uid, content_sha256)
         values ($1, $2, $3, $4, $5, $6, $7::json, $8, $9, $10, $11, $12, $13)
         on conflict {unique} do update {merge}
         returning id"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(insert)) // of the literals above only
        .bind(key.map(|(source, _)| source))
        .bind(key.map(|(_, event_id)| event_id))
        .bind(printable(&parked.routing_key))
        .bind((parked.body.len() <= BODY_BYTES_MAX).then_some(&parked.body))
        .bind(Sha256::of(&parked.body).to_string())
        .bind(i64::try_from(parked.body.len()).unwrap_or(i64::MAX))
        .bind(parked.headers.to_string())
        .bind(parked.reason.as_str())
        .bind(printable(&parked.detail))
        .bind(i32::try_from(parked.attempts).unwrap_or(i32::MAX))
        .bind(study.map(Uid::as_str))
        .bind(arrival.map(|a| a.sop.as_str()))
        .bind(arrival.map(|a| a.content.to_string()))
        .fetch_one(tx)
        .await
}

/// Marks an image as failed unless it has its answer: a duplicate's failure takes nothing back.
async fn fail_image(tx: &mut Tx, arrival: &Arrival, reason: Reason) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update images i set failed_reason = $3
          where sop_instance_uid = $1 and content_sha256 = $2
            and not exists (select from findings f
                             where f.sop_instance_uid = $1 and f.content_sha256 = $2 and f.purpose <> 'shadow')",
    )
    .bind(arrival.sop.as_str())
    .bind(arrival.content.to_string())
    .bind(reason.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Marks a study of which an image waits here that cannot be named.
async fn fail_study(tx: &mut Tx, study: &Uid, reason: Reason) -> Result<(), sqlx::Error> {
    sqlx::query("update studies set parked_reason = coalesce(parked_reason, $2) where study_instance_uid = $1")
        .bind(study.as_str())
        .bind(reason.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes the mark back once all such messages were sent again; the reason of the first one that was not stays.
async fn mend_study(tx: &mut Tx, study: &Uid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update studies
            set parked_reason = (select reason from parked_messages
                                  where study_instance_uid = $1 and sop_instance_uid is null
                                    and resolution is distinct from 'resent'
                                  order by id limit 1)
          where study_instance_uid = $1 and parked_reason is not null",
    )
    .bind(study.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

async fn resolve(tx: &mut Tx, id: i64, resolution: &str, who: &str, why: &str) -> Result<ParkedRow, StoreError> {
    let resolved = sqlx::query_as(
        "update parked_messages set resolved_at = now(), resolution = $2, resolved_by = $3, resolved_why = $4
          where id = $1 and resolved_at is null
         returning *",
    )
    .bind(id)
    .bind(resolution)
    .bind(printable(who))
    .bind(printable(why))
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = resolved {
        return Ok(row);
    }
    let known: bool =
        sqlx::query_scalar("select exists (select from parked_messages where id = $1)").bind(id).fetch_one(tx).await?;
    Err(if known { StoreError::AlreadyResolved(id) } else { StoreError::NoSuchParkedMessage(id) })
}

/// A source or id that can be a key; else the body's hash is.
fn readable(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains('\0') && text.chars().count() <= TEXT_CHARS_MAX).then_some(text)
}

/// Postgres takes any text but NUL, and we take none without end.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}").chars().take(TEXT_CHARS_MAX).collect()
}

fn json_text(body: &[u8]) -> Option<&str> {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).ok()?;
    std::str::from_utf8(body).ok()
}

impl FromRow<'_, PgRow> for ParkedRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            source: row.try_get("source")?,
            event_id: row.try_get("event_id")?,
            routing_key: row.try_get("routing_key")?,
            body: row.try_get("body")?,
            body_sha256: parsed(row, "body_sha256")?,
            body_size_bytes: row.try_get("body_size_bytes")?,
            headers: row.try_get("headers")?,
            reason: parsed(row, "reason")?,
            detail: row.try_get("detail")?,
            attempts: row.try_get("attempts")?,
            parked_at: row.try_get("parked_at")?,
            study: parsed_option(row, "study_instance_uid")?,
            sop: parsed_option(row, "sop_instance_uid")?,
            resolved_at: row.try_get("resolved_at")?,
            resolution: row.try_get("resolution")?,
            resolved_by: row.try_get("resolved_by")?,
            resolved_why: row.try_get("resolved_why")?,
        })
    }
}
