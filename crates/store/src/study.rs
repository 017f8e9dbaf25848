//! A study's way through the reading room: open, reading, finished.

use cspine_domain::Uid;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::columns::parsed;
use crate::priority::{Cause, reprioritise};
use crate::{Store, StoreError};

/// Where a study is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StudyState {
    /// On the list.
    Open,
    /// On the list, not moving: somebody has it on the screen.
    Reading,
    /// Off the list.
    Finished,
}

impl StudyState {
    /// The word of `studies.state` and of status events.
    pub fn as_str(self) -> &'static str {
        match self {
            StudyState::Open => "open",
            StudyState::Reading => "reading",
            StudyState::Finished => "finished",
        }
    }
}

/// A word that is no study state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a study state: open, reading or finished")]
pub struct UnknownStudyState;

impl std::str::FromStr for StudyState {
    type Err = UnknownStudyState;
    fn from_str(word: &str) -> Result<Self, UnknownStudyState> {
        let known = [StudyState::Open, StudyState::Reading, StudyState::Finished];
        known.into_iter().find(|state| state.as_str() == word).ok_or(UnknownStudyState)
    }
}

/// What a status event or a person says of a study.
#[derive(Debug, Clone)]
pub struct StateChange {
    /// Which study.
    pub study: Uid,
    /// Where it is now.
    pub state: StudyState,
    /// The event's time by its sender's clock; none: now, by the database's.
    pub at: Option<OffsetDateTime>,
    /// The event's source and id, so that its duplicate changes nothing.
    pub event: Option<(String, String)>,
    /// Who did it, by pseudonym.
    pub by: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChanged {
    /// The study was in another state.
    Changed {
        /// In this one.
        from: StudyState,
    },
    /// It was in that state already.
    Unchanged,
    /// Older than the last status event, or the same one again.
    Stale,
    /// No image of this study has arrived yet.
    UnknownStudy,
}

impl Store {
    /// Opens, takes up or finishes a study. Of status events the latest by their own clock counts, in whatever order
    /// they come.
    pub async fn set_study_state(&self, change: &StateChange) -> Result<StateChanged, StoreError> {
        let mut tx = self.pool.begin().await?;
        let Some((from, stale)) = lock(&mut tx, change).await? else { return Ok(StateChanged::UnknownStudy) };
        if stale {
            return Ok(StateChanged::Stale);
        }
        if from != change.state && change.state != StudyState::Finished {
            // to its place as of this moment: there it stands still while it is read, and from there it goes on
            let cause = if from == StudyState::Open { Cause::Ageing } else { Cause::Status };
            open(&mut tx, &change.study).await?;
            reprioritise(&mut tx, &change.study, cause).await?;
        }
        write(&mut tx, change, from).await?;
        tx.commit().await?;
        Ok(if from == change.state { StateChanged::Unchanged } else { StateChanged::Changed { from } })
    }
}

/// The study's state, and whether the change comes too late; none when there is no such study.
async fn lock(tx: &mut PgConnection, change: &StateChange) -> Result<Option<(StudyState, bool)>, sqlx::Error> {
    let row = sqlx::query(
        "select state, coalesce($2 < state_event_at or state_event = $3, false) as stale
           from studies where study_instance_uid = $1 for update",
    )
    .bind(change.study.as_str())
    .bind(change.at)
    .bind(event_key(change))
    .fetch_optional(tx)
    .await?;
    row.map(|row| Ok((parsed(&row, "state")?, sqlx::Row::try_get(&row, "stale")?))).transpose()
}

/// Only an open study can move.
async fn open(tx: &mut PgConnection, study: &Uid) -> Result<(), sqlx::Error> {
    let update = sqlx::query("update studies set state = 'open' where study_instance_uid = $1");
    update.bind(study.as_str()).execute(tx).await?;
    Ok(())
}

async fn write(tx: &mut PgConnection, change: &StateChange, from: StudyState) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update studies
            set state = $2, state_event_at = coalesce($3, now()), state_event = $4,
                state_changed_at = case when $5 then now() else state_changed_at end,
                state_changed_by = case when $5 then $6 else state_changed_by end
          where study_instance_uid = $1",
    )
    .bind(change.study.as_str())
    .bind(change.state.as_str())
    .bind(change.at)
    .bind(event_key(change))
    .bind(from != change.state)
    .bind(&change.by)
    .execute(tx)
    .await?;
    Ok(())
}

/// Source and id as one text; a CloudEvents source is a URI and holds no space.
fn event_key(change: &StateChange) -> Option<String> {
    change.event.as_ref().map(|(source, id)| format!("{source} {id}"))
}
