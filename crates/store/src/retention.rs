//! What is kept for a time only, and its clearing away in small steps.
//!
//! Studies, images, findings, reviews, models and evidence are the record: nothing here deletes them. What goes is what
//! has served its purpose (events that were sent, messages that a person has settled), what can be computed again from the
//! image and the model (heatmaps, features), and the moves on the list of studies that were read long ago.

use std::time::Duration;

use crate::columns::interval;
use crate::{Store, StoreError};

/// How many rows one transaction clears away. Its locks are held for milliseconds, however much is due.
const BATCH: i64 = 1000;

/// How long what is not kept for ever is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Events that were sent, and status events: as long as one of them may come twice.
    pub events: Duration,
    /// Parked messages after a person has settled them. Those that wait stay.
    pub parked: Duration,
    /// The moves of studies that have left the list.
    pub priority_changes: Duration,
    /// Heatmaps, with what they explain.
    pub heatmaps: Duration,
    /// What the head of a network saw. Of models in service, drift is measured on them: those stay.
    pub features: Duration,
}

/// How many rows were cleared away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Deleted events that had been sent.
    pub outbox: u64,
    /// Deleted status events.
    pub status_events: u64,
    /// Deleted parked messages that had been settled.
    pub parked: u64,
    /// Deleted moves on the list.
    pub priority_changes: u64,
    /// Findings without their heatmap from now on.
    pub heatmaps: u64,
    /// Findings without their features from now on.
    pub features: u64,
}

impl Cleared {
    /// All together.
    pub fn rows(&self) -> u64 {
        self.outbox + self.status_events + self.parked + self.priority_changes + self.heatmaps + self.features
    }
}

impl Store {
    /// Clears away all that is older than it is to be kept. Safe beside other workers that do the same: what one holds, the
    /// others leave to it.
    pub async fn clear(&self, keep: &Retention) -> Result<Cleared, StoreError> {
        Ok(Cleared {
            outbox: self.clear_batches(OUTBOX, keep.events).await?,
            status_events: self.clear_batches(STATUS_EVENTS, keep.events).await?,
            parked: self.clear_batches(PARKED, keep.parked).await?,
            priority_changes: self.clear_batches(PRIORITY_CHANGES, keep.priority_changes).await?,
            heatmaps: self.clear_batches(HEATMAPS, keep.heatmaps).await?,
            features: self.clear_batches(FEATURES, keep.features).await?,
        })
    }

    /// One statement again and again, until it finds less than a batch.
    async fn clear_batches(&self, statement: &'static str, keep: Duration) -> Result<u64, StoreError> {
        let mut cleared = 0;
        loop {
            let batch = sqlx::query(statement).bind(interval(keep)).bind(BATCH).execute(&self.pool).await?;
            cleared += batch.rows_affected();
            if batch.rows_affected() < BATCH.unsigned_abs() {
                return Ok(cleared);
            }
        }
    }
}

// Keys are gathered first, as an array: so each row is found by its key, however few rows the planner thinks there are.

const OUTBOX: &str = "delete from outbox where id = any (array(
  select id from outbox where sent_at < now() - $1 order by sent_at limit $2 for update skip locked))";

const STATUS_EVENTS: &str = "delete from status_events where ctid = any (array(
  select ctid from status_events where received_at < now() - $1 order by received_at limit $2))";

const PARKED: &str = "delete from parked_messages where id = any (array(
  select id from parked_messages where resolved_at < now() - $1 order by resolved_at limit $2 for update skip locked))";

// A study still on the list for so long keeps the explanation of its place: its few rows are passed over each time.
const PRIORITY_CHANGES: &str = "delete from priority_changes where id = any (array(
  select id from priority_changes p
   where changed_at < now() - $1
     and (select state from studies s where s.study_instance_uid = p.study_instance_uid) = 'finished'
   order by changed_at limit $2))";

// A heatmap goes with all that only explains it.
const HEATMAPS: &str = "update findings
    set heatmap_png = null, saliency_class = null, saliency_method = null, orientation = null, pixel_aspect = null
  where id = any (array(
  select id from findings
   where heatmap_png is not null and created_at < now() - $1
   order by created_at limit $2 for update skip locked))";

// Model after model, each found by the index: there are few, and not all are on record (`--model FILE`).
const FEATURES: &str = "with recursive used (model) as (
     select min(model_sha256) from findings where features is not null
     union all
     select (select min(model_sha256) from findings where features is not null and model_sha256 > u.model)
       from used u where u.model is not null
 )
 update findings set features = null where id = any (array(
  select f.id from used u
   cross join lateral (select id from findings
                        where model_sha256 = u.model and features is not null and created_at < now() - $1
                        order by created_at limit $2 for update skip locked) f
   where u.model not in (select sha256 from models where state in ('champion', 'shadow'))
   limit $2))";
