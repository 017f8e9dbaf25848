//! A study's way through the reading room: open, reading, finished.

use cspine_domain::Uid;
use sqlx::Row as _;
use time::OffsetDateTime;

use crate::columns::parsed;
use crate::priority::{Cause, reprioritise};
use crate::session::Tx;
use crate::{Store, StoreError};

/// Where a study is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StudyState {
    /// On the list.
    Open,
    /// On the list, not moving: somebody has it on the screen. Ends by itself when that is not said again for as long as
    /// `list_settings.reading_lapses_after`.
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
    /// The event's time by its sender's clock, which orders it among the events of that source; none for a person's word.
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
    /// A flag was set while it was being read, which its reader may not have seen: it is open instead, at its new place, and
    /// finished by the next word.
    FlaggedSince,
    /// Older than a status event of the same source, or the same one again.
    Stale,
    /// No image of this study has arrived yet.
    UnknownStudy,
}

impl Store {
    /// Opens, takes up or finishes a study. A study that is being read and is said to be so again is read for longer.
    ///
    /// An event counts once, however often it comes. Of two events of one source the later one by its clock counts, in
    /// whatever order they come; events of different sources, and what a person says here, count as they come: no sender's clock
    /// is held against another's.
    pub async fn set_study_state(&self, change: &StateChange) -> Result<StateChanged, StoreError> {
        let mut tx = self.pool.begin().await?;
        let Some((from, flagged_since)) = lock(&mut tx, change).await? else { return Ok(StateChanged::UnknownStudy) };
        if overtaken(&mut tx, change).await? {
            tx.commit().await?;
            return Ok(StateChanged::Stale);
        }
        // As if it had been finished first: then the flag would have brought it back.
        let unseen = flagged_since && change.state == StudyState::Finished;
        let state = if unseen { StudyState::Open } else { change.state };
        if from != state && state != StudyState::Finished {
            // to its place as of this moment: there it stands still while it is read, and from there it goes on
            let cause = if from == StudyState::Open { Cause::Ageing } else { Cause::Status };
            open(&mut tx, &change.study).await?;
            reprioritise(&mut tx, &change.study, cause).await?;
        }
        write(&mut tx, change, from, state).await?;
        tx.commit().await?;
        Ok(match () {
            () if unseen => StateChanged::FlaggedSince,
            () if from == state => StateChanged::Unchanged,
            () => StateChanged::Changed { from },
        })
    }
}

/// The study's state, and whether a flag was set while it was being read, its row locked; none when there is no such study.
async fn lock(tx: &mut Tx, change: &StateChange) -> Result<Option<(StudyState, bool)>, sqlx::Error> {
    let row = sqlx::query(
        "select state, flagged_in_reading_at is not null as flagged_since from studies
          where study_instance_uid = $1 for update",
    )
    .bind(change.study.as_str())
    .fetch_optional(tx)
    .await?;
    row.map(|row| Ok((parsed(&row, "state")?, row.try_get("flagged_since")?))).transpose()
}

/// Puts an event on record. Whether it was there, or comes after a later one of its source.
///
/// Which of two is the later one, their sender's clock says, if it went alike for both: if as much time passed between each
/// event's own time and its receipt, give or take an hour. A clock that was set in between, a daylight-saving fault or a local
/// time sent as UTC says nothing; then the order of receipt counts.
///
/// # Errors
/// [`StoreError::OtherEvent`]
async fn overtaken(tx: &mut Tx, change: &StateChange) -> Result<bool, StoreError> {
    let (Some((source, id)), Some(at)) = (&change.event, change.at) else { return Ok(false) };
    let first: Option<bool> = sqlx::query_scalar(
        "insert into status_events (study_instance_uid, source, event_id, state, sent_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing returning true",
    )
    .bind(change.study.as_str())
    .bind(source)
    .bind(id)
    .bind(change.state.as_str())
    .bind(at)
    .fetch_optional(&mut *tx)
    .await?;
    if first.is_none() {
        let again: bool = sqlx::query_scalar(
            "select state = $4 and sent_at = $5 from status_events
              where study_instance_uid = $1 and source = $2 and event_id = $3",
        )
        .bind(change.study.as_str())
        .bind(source)
        .bind(id)
        .bind(change.state.as_str())
        .bind(at)
        .fetch_one(tx)
        .await?;
        return if again { Ok(true) } else { Err(StoreError::OtherEvent) };
    }
    let overtaken = sqlx::query_scalar(
        "select exists (select from status_events
                         where study_instance_uid = $1 and source = $2 and sent_at > $3
                           and received_at - sent_at - (now() - $3) between interval '-1 hour' and interval '1 hour')",
    )
    .bind(change.study.as_str())
    .bind(source)
    .bind(at)
    .fetch_one(tx)
    .await?;
    Ok(overtaken)
}

/// Only an open study can move.
async fn open(tx: &mut Tx, study: &Uid) -> Result<(), sqlx::Error> {
    let update = sqlx::query("update studies set state = 'open' where study_instance_uid = $1");
    update.bind(study.as_str()).execute(tx).await?;
    Ok(())
}

async fn write(tx: &mut Tx, change: &StateChange, from: StudyState, to: StudyState) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update studies
            -- a time from outside is never later than now
            set state = $2, state_event_at = least($3, now()), state_event = $4,
                state_changed_at = case when $5 then now() else state_changed_at end,
                state_changed_by = case when $5 then $6 else state_changed_by end,
                reading_heard_at = case when $2 = 'reading' then now() end,
                flagged_in_reading_at = case when not $5 then flagged_in_reading_at end
          where study_instance_uid = $1",
    )
    .bind(change.study.as_str())
    .bind(to.as_str())
    .bind(change.at)
    .bind(change.event.as_ref().map(|(source, id)| format!("{source} {id}"))) // a source is a URI and holds no space
    .bind(from != to)
    .bind(&change.by)
    .execute(tx)
    .await?;
    Ok(())
}
