use cspine_domain::OrderPriority::{Stat, Urgent};
use cspine_store::StateChanged::{Changed, Stale, Unchanged, UnknownStudy};
use cspine_store::StudyState::{self, Finished, Open, Reading};
use cspine_store::{Recorded, StateChange, StateChanged, Store};
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
