use cspine_domain::OrderPriority::{Stat, Urgent};
use cspine_store::StateChanged::{Changed, FlaggedSince, Stale, Unchanged, UnknownStudy};
use cspine_store::StudyState::{self, Finished, Open, Reading};
use cspine_store::{Recorded, StateChange, StateChanged, Store, StoreError};
use cspine_tests::database::Database;
use time::{Duration, OffsetDateTime};

use crate::samples::{
    DISLOCATION, FRACTURE, NORMAL, age, arrival, changes, find, finding, listed, ordered, record, uid,
};

async fn set(store: &Store, study: u32, state: StudyState) -> StateChanged {
    let change = StateChange { study: uid(study), state, at: None, event: None, by: Some("reader-1".into()) };
    store.set_study_state(&change).await.unwrap()
}

/// A status event of this number, so many seconds after the epoch.
fn event(id: u32, seconds: i64, state: StudyState) -> StateChange {
    let at = OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds);
    let event = Some(("/ris".to_owned(), id.to_string()));
    StateChange { study: uid(1), state, at: Some(at), event, by: None }
}

#[tokio::test]
async fn a_study_is_opened_read_and_finished() {
    let db = Database::create().await;
    assert_eq!(set(&db.store, 1, Reading).await, UnknownStudy);
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    assert_eq!(set(&db.store, 1, Open).await, Unchanged);
    assert_eq!(set(&db.store, 1, Reading).await, Changed { from: Open });
    assert_eq!(listed(&db.store, 1).await.state, Reading);
    assert_eq!(set(&db.store, 1, Finished).await, Changed { from: Reading });
    assert!(find(&db.store, 1).await.is_none());
    assert_eq!(set(&db.store, 1, Open).await, Changed { from: Finished });
    assert_eq!(listed(&db.store, 1).await.state, Open);
}

#[tokio::test]
async fn status_events_count_by_their_own_time_and_once() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    let finish = event(2, 20, Finished);
    assert_eq!(db.store.set_study_state(&finish).await.unwrap(), Changed { from: Open });
    assert_eq!(db.store.set_study_state(&event(1, 10, Reading)).await.unwrap(), Stale);
    // a flagged image brings it back; the finish that comes a second time knows nothing of that image
    record(&db.store, arrival(1, 2), FRACTURE).await;
    assert_eq!(db.store.set_study_state(&finish).await.unwrap(), Stale);
    assert_eq!(listed(&db.store, 1).await.state, Open);
    // two events of the same second are two
    assert_eq!(db.store.set_study_state(&event(3, 20, Reading)).await.unwrap(), Changed { from: Open });
}

#[tokio::test]
async fn another_event_under_an_id_that_was_used_is_refused_and_the_same_again_is_not() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    assert_eq!(db.store.set_study_state(&event(1, 10, Reading)).await.unwrap(), Changed { from: Open });
    assert_eq!(db.store.set_study_state(&event(1, 10, Reading)).await.unwrap(), Stale);
    for other in [event(1, 10, Finished), event(1, 20, Reading)] {
        let refused = db.store.set_study_state(&other).await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherEvent), "{refused}");
    }
    assert_eq!(listed(&db.store, 1).await.state, Reading);
}

/// An event of this source, its own clock so many minutes beside ours.
fn sent(source: &str, id: u32, clock: i64, state: StudyState) -> StateChange {
    let at = OffsetDateTime::now_utc() + Duration::minutes(clock);
    let event = Some((source.to_owned(), id.to_string()));
    StateChange { study: uid(1), state, at: Some(at), event, by: None }
}

/// The same as it was received.
async fn received(store: &Store, source: &str, id: u32, clock: i64, state: StudyState) -> StateChanged {
    store.set_study_state(&sent(source, id, clock, state)).await.unwrap()
}

#[tokio::test]
async fn no_senders_clock_freezes_a_study() {
    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;
    // the clocks of the first and the second event, and whether the same source said both
    let table = [
        ("a clock that is right", 0, 0, true),
        ("a day ahead, then right", DAY, 0, true),
        ("400 days ahead, then right", 400 * DAY, 0, true),
        ("always a day ahead", DAY, DAY, true),
        ("local time sent as UTC, eight hours ahead, then right", 8 * HOUR, 0, true),
        ("local time sent as UTC, eight hours behind, after a right one", 0, -8 * HOUR, true),
        ("always eight hours behind", -8 * HOUR, -8 * HOUR, true),
        ("another source ten minutes behind", 0, -10, false),
        ("another source eight hours behind", 8 * HOUR, 0, false),
        ("another source's clock stands at 1970", 0, -20_000 * DAY, false),
    ];
    for (what, first, second, same) in table {
        let db = Database::create().await;
        db.store.register_arrival(&arrival(1, 1)).await.unwrap();
        let other = if same { "/ris" } else { "/viewer" };
        let reading = sent("/ris", 1, first, Reading);
        assert_eq!(db.store.set_study_state(&reading).await.unwrap(), Changed { from: Open }, "{what}");
        assert_eq!(received(&db.store, other, 2, second, Finished).await, Changed { from: Reading }, "{what}");
        // a duplicate, however late, changes nothing
        assert_eq!(db.store.set_study_state(&reading).await.unwrap(), Stale, "{what}");
        let told: OffsetDateTime =
            sqlx::query_scalar("select state_event_at from studies").fetch_one(db.store.pool()).await.unwrap();
        assert!(
            told <= OffsetDateTime::now_utc() + Duration::seconds(5),
            "{what}: no time from outside is later than now"
        );
        assert_eq!(set(&db.store, 1, Open).await, Changed { from: Finished }, "{what}: a person's word counts");
    }
}

#[tokio::test]
async fn of_one_source_the_later_event_counts_in_whatever_order_they_come() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    assert_eq!(received(&db.store, "/ris", 2, -5, Finished).await, Changed { from: Open });
    assert_eq!(received(&db.store, "/ris", 1, -20, Reading).await, Stale, "it was held up on the way");
    assert!(find(&db.store, 1).await.is_none());
}

/// Makes the last word that a study is being read this many minutes old.
async fn silent_for(store: &Store, study: u32, minutes: i32) {
    sqlx::query(
        "update studies set reading_heard_at = now() - make_interval(mins => $2),
                            state_changed_at = least(state_changed_at, now() - make_interval(mins => $2))
          where study_instance_uid = $1",
    )
    .bind(uid(study).as_str())
    .bind(minutes)
    .execute(store.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn a_reading_that_nobody_ends_lapses_and_one_that_is_said_again_does_not() {
    let db = Database::create().await;
    for study in 1..=2 {
        db.store.register_arrival(&arrival(study, study)).await.unwrap();
        set(&db.store, study, Reading).await;
        silent_for(&db.store, study, 61).await;
    }
    assert_eq!(set(&db.store, 2, Reading).await, Unchanged); // its viewer is still there
    assert_eq!((listed(&db.store, 1).await.state, listed(&db.store, 2).await.state), (Open, Reading), "swept or not");
    record(&db.store, arrival(1, 10), DISLOCATION).await;
    db.store.sweep().await.unwrap();
    let row = listed(&db.store, 1).await;
    assert_eq!((row.state, row.level, row.position, row.flagged_since_reading), (Open, 0, 1, false));
    assert_eq!(changes(&db.store, 1).await, ["status"]);
    let states: Vec<String> = sqlx::query_scalar("select state from studies order by study_instance_uid")
        .fetch_all(db.store.pool())
        .await
        .unwrap();
    assert_eq!(states, ["open", "reading"], "written by the sweep");
    // the time is the site's to set
    sqlx::query("update list_settings set reading_lapses_after = interval '3 hours'")
        .execute(db.store.pool())
        .await
        .unwrap();
    silent_for(&db.store, 2, 170).await;
    assert_eq!(listed(&db.store, 2).await.state, Reading);
    silent_for(&db.store, 2, 181).await;
    assert_eq!(listed(&db.store, 2).await.state, Open);
}

#[tokio::test]
async fn a_flag_set_while_a_study_is_read_is_shown_until_that_ends() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), FRACTURE).await;
    set(&db.store, 1, Reading).await;
    assert!(!listed(&db.store, 1).await.flagged_since_reading, "what was there before is no news");
    record(&db.store, arrival(1, 2), NORMAL).await;
    assert!(!listed(&db.store, 1).await.flagged_since_reading);
    record(&db.store, arrival(1, 3), DISLOCATION).await;
    let row = listed(&db.store, 1).await;
    assert_eq!(
        (row.flagged_since_reading, row.level, row.state),
        (true, 1, Reading),
        "it keeps its place, and is marked"
    );
    assert_eq!(set(&db.store, 1, Reading).await, Unchanged);
    assert!(listed(&db.store, 1).await.flagged_since_reading, "a heartbeat has seen nothing");
    set(&db.store, 1, Open).await;
    let row = listed(&db.store, 1).await;
    assert_eq!((row.flagged_since_reading, row.level), (false, 0));
    set(&db.store, 1, Reading).await;
    assert!(!listed(&db.store, 1).await.flagged_since_reading);
}

#[tokio::test]
async fn a_study_flagged_while_it_was_read_is_finished_by_the_second_word_only() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    set(&db.store, 1, Reading).await;
    record(&db.store, arrival(1, 2), DISLOCATION).await;
    assert_eq!(set(&db.store, 1, Finished).await, FlaggedSince);
    let row = listed(&db.store, 1).await;
    assert_eq!((row.state, row.level, row.flagged, row.flagged_since_reading), (Open, 0, true, false));
    assert_eq!(changes(&db.store, 1).await, ["status"]);
    assert_eq!(set(&db.store, 1, Finished).await, Changed { from: Open });
    assert!(find(&db.store, 1).await.is_none());
}

#[tokio::test]
async fn a_study_being_read_keeps_its_row_and_does_not_move() {
    let db = Database::create().await;
    for study in 1..=3 {
        db.store.register_arrival(&arrival(study, study)).await.unwrap();
    }
    set(&db.store, 2, Reading).await;
    record(&db.store, ordered(Stat, arrival(2, 20)), DISLOCATION).await;
    age(&db.store, 3, 10).await; // arrival counts: study 3 is now first
    db.store.sweep().await.unwrap();
    let row = listed(&db.store, 2).await;
    assert_eq!((row.level, row.position), (3, 3), "it stands where it stood");
    assert!(row.flagged, "but what was found is shown");
    assert!(changes(&db.store, 2).await.is_empty());

    set(&db.store, 2, Open).await;
    let row = listed(&db.store, 2).await;
    assert_eq!((row.level, row.position), (0, 1));
    assert_eq!(changes(&db.store, 2).await, ["status"]);
}

#[tokio::test]
async fn ageing_up_to_the_moment_of_reading_counts_and_none_after_it() {
    let db = Database::create().await;
    db.store.register_arrival(&ordered(Urgent, arrival(1, 1))).await.unwrap();
    db.store.register_arrival(&arrival(2, 2)).await.unwrap();
    age(&db.store, 1, 61).await;
    set(&db.store, 1, Reading).await;
    set(&db.store, 2, Reading).await;
    age(&db.store, 2, 1000).await;
    assert_eq!(db.store.sweep().await.unwrap(), 0);
    assert_eq!((listed(&db.store, 1).await.level, listed(&db.store, 2).await.level), (1, 3));
    assert_eq!(changes(&db.store, 1).await, ["ageing"]);
}

#[tokio::test]
async fn only_a_new_flagged_image_reopens_a_finished_study() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), DISLOCATION).await;
    set(&db.store, 1, Finished).await;
    record(&db.store, arrival(1, 2), NORMAL).await;
    db.store.register_arrival(&ordered(Stat, arrival(1, 3))).await.unwrap();
    assert!(find(&db.store, 1).await.is_none());
    // the level is what it was, yet the study is back: that is a change
    let recorded = db.store.record_finding(&finding(arrival(1, 4), FRACTURE)).await.unwrap();
    assert!(matches!(recorded, Recorded::Created { level: 0, raised: true, reopened: true, .. }), "{recorded:?}");
    assert_eq!(listed(&db.store, 1).await.state, Open);
    assert_eq!(changes(&db.store, 1).await, ["flagged_dislocation", "new_image"]);
}

#[tokio::test]
async fn a_duplicate_of_a_flagged_image_does_not_reopen() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), DISLOCATION).await;
    set(&db.store, 1, Finished).await;
    let again = db.store.record_finding(&finding(arrival(1, 1), DISLOCATION)).await.unwrap();
    assert_eq!(again, Recorded::AlreadyThere);
    assert!(find(&db.store, 1).await.is_none());
}
