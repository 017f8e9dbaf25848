//! The trial of a challenger beside the champion: which images it is due, and how it ends.

use std::time::Duration;

use cspine_domain::Sha256;
use time::OffsetDateTime;

use crate::columns::interval;
use crate::training::{Fence, Run, RunState, holds_lease};
use crate::words::words;
use crate::{Store, StoreError};

words! {
    /// How the trial of a challenger ended.
    TrialVerdict, "verdict of a trial" {
        /// It answers as the champion does.
        Agrees = "agrees",
        /// Whether it does is for a person to say.
        Doubtful = "doubtful",
        /// It does not.
        Differs = "differs",
        /// Images enough came, and workers did not score them.
        NotScored = "not_scored",
        /// Another champion serves, or a newer challenger is tried.
        Superseded = "superseded",
        /// A person ended it.
        Cancelled = "cancelled",
    }
}

/// What becomes of a run that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'a> {
    /// Shadowing, waiting, promoted or withdrawn.
    pub state: RunState,
    /// How its challenger's trial ended; one that has ended keeps its verdict.
    pub trial: Option<TrialVerdict>,
    /// Why, in words.
    pub outcome: &'a str,
}

/// The images that a trial's shadow should have scored by now.
#[derive(Debug, Clone, Copy)]
pub struct TrialImages {
    /// Who answered them.
    pub champion: Sha256,
    /// When the trial began.
    pub since: OffsetDateTime,
    /// Share of the images that the shadow scores, chosen by their UIDs.
    pub share: f32,
    /// How long it may take over one.
    pub wait: Duration,
}

impl Store {
    /// The run whose challenger is tried or waits.
    pub async fn run_on_trial(&self) -> Result<Option<Run>, StoreError> {
        let row = sqlx::query_as("select * from training_runs where state in ('shadowing', 'waiting')");
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// Moves a run that has ended on. False: the lease is lost, or the run was in none of these states.
    pub async fn settle_run(
        &self,
        fence: Fence,
        run: i64,
        from: &[RunState],
        to: Settlement<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        if !holds_lease(&mut tx, fence).await? {
            return Ok(false);
        }
        let from: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
        let settled = sqlx::query(
            "update training_runs set state = $3, outcome = $4, trial_verdict = coalesce(trial_verdict, $5)
              where id = $1 and state = any($2)",
        )
        .bind(run)
        .bind(from)
        .bind(to.state.as_str())
        .bind(to.outcome)
        .bind(to.trial.map(TrialVerdict::as_str))
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(settled.rows_affected() == 1)
    }

    /// Counts the live images of a trial's share that the champion answered long enough ago for the shadow to have scored
    /// them too.
    pub async fn trial_images(&self, of: &TrialImages) -> Result<i64, StoreError> {
        // An image is of the share by the first four bytes of its UID's SHA-256, as workers choose.
        let count = sqlx::query_scalar(
            "select count(*) from findings
              where model_sha256 = $1 and purpose = 'primary' and created_at between $2 and now() - $4
                and ('x' || left(encode(sha256(convert_to(sop_instance_uid, 'UTF8')), 'hex'), 8))::bit(32)::bigint
                    < $3::float8 * 4294967296",
        )
        .bind(of.champion.to_string())
        .bind(of.since)
        .bind(f64::from(of.share))
        .bind(interval(of.wait));
        Ok(count.fetch_one(&self.pool).await?)
    }
}
