//! One trainer at a time, and what it did: the lease with its fencing epoch, runs, their log.

use std::time::Duration;

use cspine_domain::Sha256;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use time::OffsetDateTime;

use crate::columns::{interval, parsed, parsed_option};
use crate::evidence::{Link, add_link};
use crate::session::Tx;
use crate::trial::TrialVerdict;
use crate::words::words;
use crate::{Serving, Store, StoreError};

/// The longest line of a run's log.
const LINE_CHARS_MAX: usize = 4096;

/// What the holder of the lease shows: as soon as the lease is taken over or past its end, nothing is done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// Of the lease; one more with each holder.
    pub epoch: i64,
}

words! {
    /// How far a run has come.
    RunState, "state of a run" {
        /// It prepares, learns or measures.
        Running = "running",
        /// It could not be done.
        Failed = "failed",
        /// The gate refused its challenger.
        Rejected = "rejected",
        /// Its challenger is tried beside the champion.
        Shadowing = "shadowing",
        /// Its challenger waits for a person.
        Waiting = "waiting",
        /// Its challenger became champion.
        Promoted = "promoted",
        /// There was nothing new to learn from, or its challenger was given up after the gate.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// Why a run began.
    RunCause, "cause of a run" {
        /// There were enough new labels.
        Labels = "labels",
        /// It was time.
        Schedule = "schedule",
        /// Somebody asked for it.
        Request = "request",
    }
}

/// A row of `training_runs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// How far it has come.
    pub state: RunState,
    /// Why it began.
    pub cause: RunCause,
    /// What it learns on from, and measures against.
    pub champion: Sha256,
    /// The last review that it has seen.
    pub reviews_through: i64,
    /// All that its result depends on beside its images.
    pub settings: Value,
    /// How often it was taken over without coming any further.
    pub take_overs: i32,
    /// Who wants it, or its challenger's trial, to end, and why.
    pub cancelled: Option<(String, String)>,
    /// What it is at, in words.
    pub stage: String,
    /// How far it is in that, 0 to 1.
    pub progress: f32,
    /// What came of it.
    pub challenger: Option<Sha256>,
    /// What the gate measured.
    pub verdict: Option<Value>,
    /// How the trial of its challenger ended.
    pub trial: Option<TrialVerdict>,
    /// Why it ended as it did.
    pub outcome: Option<String>,
    /// Where its report lies in the object store.
    pub report_key: Option<String>,
    /// When it began, by the database's clock.
    pub started_at: OffsetDateTime,
    /// When it ran no longer; its challenger may be tried after that.
    pub ended_at: Option<OffsetDateTime>,
}

impl Run {
    /// Whether its champion is the one that serves.
    pub fn is_against(&self, serving: &Serving) -> bool {
        serving.champion.as_ref().is_some_and(|champion| champion.sha256 == self.champion)
    }
}

/// A run that is to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Why.
    pub cause: RunCause,
    /// What it learns on from, and measures against.
    pub champion: Sha256,
    /// The last review that it sees.
    pub reviews_through: i64,
    /// All that its result depends on beside its images: who takes it over goes by them.
    pub settings: Value,
}

/// What a write for a run has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is written.
    Held,
    /// Nothing is written: the lease is lost, or the run is somebody else's.
    Lost,
    /// It is written, and a person wants the run to end.
    Cancelled {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// Any state but [`RunState::Running`].
    pub state: RunState,
    /// What came of it.
    pub challenger: Option<Sha256>,
    /// What the gate measured; a challenger has been measured.
    pub verdict: Option<Value>,
    /// Why it ended so.
    pub outcome: String,
    /// Where its report lies in the object store.
    pub report_key: Option<String>,
    /// What its link in the chain of evidence says.
    pub evidence: Value,
}

impl Store {
    /// Takes the lease if it is free or past its end; none while somebody holds it.
    pub async fn acquire_lease(&self, holder: &str, for_: Duration) -> Result<Option<Fence>, StoreError> {
        let epoch: Option<i64> = sqlx::query_scalar(
            "update trainer_lease set epoch = epoch + 1, holder = $1, expires_at = now() + $2
              where expires_at <= now() returning epoch",
        )
        .bind(holder)
        .bind(interval(for_))
        .fetch_optional(&self.pool)
        .await?;
        Ok(epoch.map(|epoch| Fence { epoch }))
    }

    /// Holds the lease for so long from now. False: it is lost, taken over or past its end, and stays so.
    pub async fn renew_lease(&self, fence: Fence, for_: Duration) -> Result<bool, StoreError> {
        let renewed = sqlx::query(
            "update trainer_lease set expires_at = now() + $2 where epoch = $1 and expires_at > clock_timestamp()",
        )
        .bind(fence.epoch)
        .bind(interval(for_))
        .execute(&self.pool)
        .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Gives the lease back, if it is still held.
    pub async fn release_lease(&self, fence: Fence) -> Result<(), StoreError> {
        sqlx::query("update trainer_lease set holder = null, expires_at = '-infinity' where epoch = $1")
            .bind(fence.epoch)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Puts a run on record; it answers whatever requests there are. None: the lease is lost.
    ///
    /// # Errors
    /// The constraint `one_run_at_a_time`, while there is one to take over; else what the database says.
    pub async fn begin_run(&self, fence: Fence, new: &NewRun) -> Result<Option<Run>, StoreError> {
        let mut tx = self.pool.begin().await?;
        if !holds_lease(&mut tx, fence).await? {
            return Ok(None);
        }
        let run: Run = sqlx::query_as(
            "insert into training_runs (cause, lease_epoch, champion_sha256, reviews_through, settings)
             values ($1, $2, $3, $4, $5) returning *",
        )
        .bind(new.cause.as_str())
        .bind(fence.epoch)
        .bind(new.champion.to_string())
        .bind(new.reviews_through)
        .bind(&new.settings)
        .fetch_one(&mut tx)
        .await?;
        sqlx::query("update training_requests set taken_at = now(), run_id = $1 where taken_at is null")
            .bind(run.id)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(Some(run))
    }

    /// The run that goes on under this lease, because its trainer was killed or came back; none when nothing is running, or
    /// when the lease is lost.
    pub async fn take_over_run(&self, fence: Fence) -> Result<Option<Run>, StoreError> {
        let mut tx = self.pool.begin().await?;
        if !holds_lease(&mut tx, fence).await? {
            return Ok(None);
        }
        let run = sqlx::query_as(
            "update training_runs set lease_epoch = $1, take_overs = take_overs + 1 where state = 'running' returning *",
        )
        .bind(fence.epoch)
        .fetch_optional(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Writes what a run is at and how far; new ground makes up for earlier take-overs.
    pub async fn run_progress(
        &self,
        fence: Fence,
        run: i64,
        stage: &str,
        progress: f32,
    ) -> Result<Standing, StoreError> {
        let mut tx = self.pool.begin().await?;
        if !holds_lease(&mut tx, fence).await? {
            return Ok(Standing::Lost);
        }
        let row = sqlx::query(
            "update training_runs
                set stage = $3, progress = $4, furthest = greatest(furthest, $4),
                    take_overs = case when $4 > furthest then 0 else take_overs end
              where id = $1 and lease_epoch = $2 and state = 'running'
              returning cancelled_by, cancel_why",
        )
        .bind(run)
        .bind(fence.epoch)
        .bind(stage)
        .bind(progress)
        .fetch_optional(&mut tx)
        .await?;
        tx.commit().await?;
        let Some(row) = row else { return Ok(Standing::Lost) };
        Ok(match cancelled(&row)? {
            Some((by, why)) => Standing::Cancelled { by, why },
            None => Standing::Held,
        })
    }

    /// Adds a line to a run's log. No lease is asked for: what a trainer saw that lost it is worth knowing.
    pub async fn run_log(&self, run: i64, line: &str) -> Result<(), StoreError> {
        let line: String = line.replace('\0', "\u{fffd}").chars().take(LINE_CHARS_MAX).collect();
        sqlx::query("insert into training_log (run_id, line) values ($1, $2)")
            .bind(run)
            .bind(line)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A run's log, as it was written.
    pub async fn run_lines(&self, run: i64) -> Result<Vec<(OffsetDateTime, String)>, StoreError> {
        let lines = sqlx::query_as("select at, line from training_log where run_id = $1 order by id").bind(run);
        Ok(lines.fetch_all(&self.pool).await?)
    }

    /// Ends a run, and adds its link to the chain of evidence. A challenger that is to be tried takes the place of an
    /// earlier one, whose run is withdrawn. The link; none: the lease is lost, or the run is somebody else's.
    pub async fn end_run(&self, fence: Fence, run: i64, end: &RunEnd) -> Result<Option<Link>, StoreError> {
        let mut tx = self.pool.begin().await?;
        if !holds_lease(&mut tx, fence).await? {
            return Ok(None);
        }
        if end.state == RunState::Shadowing {
            sqlx::query(
                "update training_runs
                    set state = 'withdrawn', trial_verdict = coalesce(trial_verdict, 'superseded'),
                        outcome = 'run ' || $1::bigint || ' has a newer challenger'
                  where state in ('shadowing', 'waiting')",
            )
            .bind(run)
            .execute(&mut tx)
            .await?;
        }
        let ended = sqlx::query(
            "update training_runs
                set state = $3, challenger_sha256 = $4, verdict = $5, outcome = $6, report_key = $7, ended_at = now()
              where id = $1 and lease_epoch = $2 and state = 'running'",
        )
        .bind(run)
        .bind(fence.epoch)
        .bind(end.state.as_str())
        .bind(end.challenger.map(|model| model.to_string()))
        .bind(&end.verdict)
        .bind(&end.outcome)
        .bind(&end.report_key)
        .execute(&mut tx)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(None);
        }
        let link = add_link(&mut tx, run, "run", &end.evidence).await?;
        tx.commit().await?;
        Ok(Some(link))
    }

    /// Asks the trainer to end a run, or its challenger's trial. False: there is neither.
    pub async fn cancel_run(&self, run: i64, by: &str, why: &str) -> Result<bool, StoreError> {
        let asked = sqlx::query(
            "update training_runs set cancelled_by = $2, cancel_why = $3
              where id = $1 and state in ('running', 'shadowing', 'waiting')",
        )
        .bind(run)
        .bind(by)
        .bind(why)
        .execute(&self.pool)
        .await?;
        Ok(asked.rows_affected() == 1)
    }

    /// The latest runs, latest first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<Run>, StoreError> {
        let rows = sqlx::query_as("select * from training_runs order by id desc limit $1").bind(i64::from(limit));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// One run.
    pub async fn run(&self, id: i64) -> Result<Option<Run>, StoreError> {
        let row = sqlx::query_as("select * from training_runs where id = $1").bind(id);
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// Asks for a run, whatever is due.
    pub async fn request_run(&self, by: &str, why: &str) -> Result<(), StoreError> {
        sqlx::query("insert into training_requests (requested_by, why) values ($1, $2)")
            .bind(by)
            .bind(why)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether a run is asked for that none has answered yet.
    pub async fn run_requested(&self) -> Result<bool, StoreError> {
        let asked = sqlx::query_scalar("select exists (select from training_requests where taken_at is null)");
        Ok(asked.fetch_one(&self.pool).await?)
    }
}

/// Whether the lease is still this one's, and keeps it so to the end of the caller's transaction.
pub(crate) async fn holds_lease(tx: &mut Tx, fence: Fence) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("select from trainer_lease where epoch = $1 and expires_at > clock_timestamp() for update")
        .bind(fence.epoch)
        .fetch_optional(tx)
        .await?;
    Ok(row.is_some())
}

/// Who wants a run to end, and why.
fn cancelled(row: &PgRow) -> Result<Option<(String, String)>, sqlx::Error> {
    let by: Option<String> = row.try_get("cancelled_by")?;
    let why: Option<String> = row.try_get("cancel_why")?;
    Ok(by.zip(why))
}

impl FromRow<'_, PgRow> for Run {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            state: parsed(row, "state")?,
            cause: parsed(row, "cause")?,
            champion: parsed(row, "champion_sha256")?,
            reviews_through: row.try_get("reviews_through")?,
            settings: row.try_get("settings")?,
            take_overs: row.try_get("take_overs")?,
            cancelled: cancelled(row)?,
            stage: row.try_get("stage")?,
            progress: row.try_get("progress")?,
            challenger: parsed_option(row, "challenger_sha256")?,
            verdict: row.try_get("verdict")?,
            trial: parsed_option(row, "trial_verdict")?,
            outcome: row.try_get("outcome")?,
            report_key: row.try_get("report_key")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}
