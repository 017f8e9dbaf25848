//! Images that are neither answered nor parked: what the reconciler finds, by the table `awaited_answers`, which triggers
//! keep. It holds what waits and no history, so nothing here grows with the years.

use std::time::Duration;

use cspine_domain::{OrderPriority, Sha256, Uid};
use sqlx::FromRow as _;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::columns::{count, interval};
use crate::{Arrival, Store, StoreError};

/// An image whose answer is overdue.
#[derive(Debug, Clone)]
pub struct Overdue {
    /// All that its event said, with the study's order priority.
    pub arrival: Arrival,
    /// How long ago it was registered.
    pub waited: Duration,
    /// How often its arrival was published again.
    pub republished: u32,
}

/// How many images wait for their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// All of them.
    pub waiting: u64,
    /// Those whose answer is overdue.
    pub overdue: u64,
}

/// Columns and joins of an [`Overdue`]: `a` is its row of `awaited_answers`.
const OVERDUE: &str = "select i.*, s.accession_number, s.patient_key, s.site, s.order_priority, a.republished,
        extract(epoch from now() - i.registered_at)::double precision as waited
   from %awaited% a
   join images i using (sop_instance_uid, content_sha256)
   join studies s using (study_instance_uid)";

impl Store {
    /// Images of an order priority that have been waiting for their answer for longer than `after` since their message
    /// was last known to be on its way; longest first, at most `limit`.
    pub async fn overdue(
        &self,
        priority: OrderPriority,
        after: Duration,
        limit: u32,
    ) -> Result<Vec<Overdue>, StoreError> {
        let select = OVERDUE.replace("%awaited%", "awaited_answers");
        let select = format!(
            "{select} where s.order_priority = $1 and a.expected_at < now() - $2 order by a.expected_at limit $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)) // of the literals above only
            .bind(priority.as_str())
            .bind(interval(after))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(overdue).collect::<Result<_, _>>()?)
    }

    /// The same, for the time of `lease` for the caller alone: another reconciler gets others.
    pub async fn claim_overdue(
        &self,
        priority: OrderPriority,
        after: Duration,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Overdue>, StoreError> {
        let select = OVERDUE.replace("%awaited%", "claimed");
        let claim = format!(
            "with claimed as (
                 update awaited_answers set claimed_until = now() + $4
                  where (sop_instance_uid, content_sha256) in (
                      select a.sop_instance_uid, a.content_sha256
                        from awaited_answers a
                        join images i using (sop_instance_uid, content_sha256)
                        join studies s using (study_instance_uid)
                       where s.order_priority = $1 and a.expected_at < now() - $2
                         and (a.claimed_until is null or a.claimed_until < now())
                       order by a.expected_at limit $3
                         for update of a skip locked)
                 returning *
             )
             {select} order by a.expected_at"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(claim)) // of the literals above only
            .bind(priority.as_str())
            .bind(interval(after))
            .bind(i64::from(limit))
            .bind(interval(lease))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(overdue).collect::<Result<_, _>>()?)
    }

    /// An image's arrival was published again: its answer is expected anew from now on.
    pub async fn mark_republished(&self, sop: &Uid, content: Sha256) -> Result<(), StoreError> {
        sqlx::query(
            "update awaited_answers set republished = republished + 1, expected_at = now(), claimed_until = null
              where sop_instance_uid = $1 and content_sha256 = $2",
        )
        .bind(sop.as_str())
        .bind(content.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// An image's message rests on the retry ladder for this long: its answer is expected from then on.
    pub async fn expect_answer_after(&self, sop: &Uid, content: Sha256, rest: Duration) -> Result<(), StoreError> {
        sqlx::query(
            "update awaited_answers set expected_at = greatest(expected_at, now() + $3)
              where sop_instance_uid = $1 and content_sha256 = $2",
        )
        .bind(sop.as_str())
        .bind(content.to_string())
        .bind(interval(rest))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How many images wait for their answers, and for how many of them it is overdue.
    pub async fn awaited(&self, after: Duration) -> Result<Awaited, StoreError> {
        let row = sqlx::query(
            "select count(*) as waiting, count(*) filter (where expected_at < now() - $1) as overdue
               from awaited_answers",
        )
        .bind(interval(after))
        .fetch_one(&self.pool)
        .await?;
        Ok(Awaited { waiting: count(&row, "waiting")?, overdue: count(&row, "overdue")? })
    }
}

fn overdue(row: &PgRow) -> Result<Overdue, sqlx::Error> {
    let republished: i32 = row.try_get("republished")?;
    Ok(Overdue {
        arrival: Arrival::from_row(row)?,
        waited: Duration::try_from_secs_f64(row.try_get("waited")?).unwrap_or_default(),
        republished: republished.unsigned_abs(),
    })
}
