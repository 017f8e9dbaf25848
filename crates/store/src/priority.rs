//! Moving a study on the list: one place that does it, and the sweep that does what ageing asks for.

use cspine_domain::{Class, Uid};

use crate::events::{Envelope, StudyReprioritised};
use crate::outbox::enqueue;
use crate::session::Tx;
use crate::{Store, StoreError};

/// How many studies one transaction of the sweep raises at most.
const SWEEP_BATCH: i64 = 200;

/// Why a study moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A more urgent order.
    Order,
    /// A finding flagged this injury.
    Flagged { injury: Class, finding_id: i64 },
    /// A flagged image brought a finished study back.
    NewImage { finding_id: i64 },
    /// It waited for longer than its cap.
    Ageing,
    /// It came back from being read, by somebody's word or because nobody said any more that it is; with what happened
    /// meanwhile.
    Status,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Cause::Order => "order",
            Cause::Flagged { injury: Class::Dislocation, .. } => "flagged_dislocation",
            Cause::Flagged { .. } => "flagged_fracture",
            Cause::NewImage { .. } => "new_image",
            Cause::Ageing => "ageing",
            Cause::Status => "status",
        }
    }

    fn finding_id(self) -> Option<i64> {
        match self {
            Cause::Flagged { finding_id, .. } | Cause::NewImage { finding_id } => Some(finding_id),
            _ => None,
        }
    }
}

/// Brings an open study to the place its order, findings and waiting give it, and tells of it; does nothing when it is
/// there already, or is being read or finished. Whether it moved.
pub(crate) async fn reprioritise(tx: &mut Tx, study: &Uid, cause: Cause) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "with due as (
             select study_instance_uid, listed_level, listed_flagged,
                    -- only an order lowers: a longer cap of ageing takes nothing back
                    case when $2 = 'order' then study_level(order_priority, ai_level, arrived_at, now())
                         else least(listed_level, study_level(order_priority, ai_level, arrived_at, now())) end as level,
                    flagged
               from studies where study_instance_uid = $1 and state = 'open' for update
         ), moved as (
             update studies s set listed_level = due.level, listed_flagged = due.flagged
               from due
              where s.study_instance_uid = due.study_instance_uid
                -- a study back on the list has moved, even to its old level
                and ($2 = 'new_image' or (due.listed_level, due.listed_flagged) <> (due.level, due.flagged))
             returning s.accession_number, s.order_priority, s.verdict, due.*
         ), written as (
             insert into priority_changes
                 (study_instance_uid, reason, from_level, to_level, from_flagged, to_flagged, finding_id)
             select study_instance_uid, $2, listed_level, level, listed_flagged, flagged, $3 from moved
         )
         select accession_number, order_priority, verdict, listed_level as previous_level, level, flagged,
                gen_random_uuid()::text as event_id, now() as time
           from moved",
    )
    .bind(study.as_str())
    .bind(cause.as_str())
    .bind(cause.finding_id())
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = moved else { return Ok(false) };
    let event = StudyReprioritised::new(study, cause.as_str(), &row)?;
    enqueue(tx, &Envelope::from_row(&row, study.as_str(), event)?).await?;
    Ok(true)
}

impl Store {
    /// Ends readings that have lapsed, and writes what ageing changed since the last sweep; how many studies that raised.
    /// Safe beside other sweeps and transactions: a study another one holds is left to it, or to the next sweep.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        Ok(self.sweep_batches(Cause::Status).await? + self.sweep_batches(Cause::Ageing).await?)
    }

    /// Moves the studies that are due for this cause, batch by batch.
    async fn sweep_batches(&self, cause: Cause) -> Result<u64, StoreError> {
        let mut raised = 0;
        loop {
            let mut tx = self.pool.begin().await?;
            let studies = if cause == Cause::Status { lapsed(&mut tx).await? } else { aged(&mut tx).await? };
            for study in &studies {
                raised += u64::from(reprioritise(&mut tx, study, cause).await?);
            }
            tx.commit().await?;
            if (studies.len() as i64) < SWEEP_BATCH {
                return Ok(raised);
            }
        }
    }
}

/// Studies that nobody has said for long to be read still: open again, and locked.
async fn lapsed(tx: &mut Tx) -> Result<Vec<Uid>, sqlx::Error> {
    let rows = sqlx::query(
        "update studies
            set state = 'open', state_changed_at = now(), state_changed_by = null, reading_heard_at = null,
                flagged_in_reading_at = null
          where study_instance_uid in (
                select study_instance_uid from studies
                 where state = 'reading' and greatest(reading_heard_at, state_changed_at)
                       <= now() - (select reading_lapses_after from list_settings)
                 order by arrived_at limit $1
                   for update skip locked)
         returning study_instance_uid",
    )
    .bind(SWEEP_BATCH)
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| crate::columns::parsed(row, "study_instance_uid")).collect()
}

/// Open studies whose level is no longer the listed one, locked.
async fn aged(tx: &mut Tx) -> Result<Vec<Uid>, sqlx::Error> {
    let rows = sqlx::query(
        "select s.study_instance_uid from studies s left join ageing_caps c using (order_priority)
          where s.state = 'open'
            and raised_level(s.order_priority, s.ai_level, s.arrived_at, now(), c.cap) < s.listed_level
          order by s.arrived_at limit $1
            for update of s skip locked",
    )
    .bind(SWEEP_BATCH)
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| crate::columns::parsed(row, "study_instance_uid")).collect()
}
