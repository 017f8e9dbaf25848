use cspine_domain::OrderPriority::{Routine, Stat, Urgent};
use cspine_domain::Reason;
use cspine_store::{Arrival, Fault, Registered, StoreError};
use cspine_tests::database::Database;
use cspine_tests::random::Random;

use crate::samples::{NORMAL, arrival, count, find, listed, ordered, other_bytes, record};

#[tokio::test]
async fn a_study_is_on_the_list_before_anything_was_inferred() {
    let db = Database::create().await;
    let registered = db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    assert_eq!(registered, Registered { new_study: true, new_image: true, conflict: false });
    let row = listed(&db.store, 1).await;
    assert_eq!((row.position, row.level, row.status.as_str(), row.verdict), (1, 3, "waiting", None));
    assert_eq!((row.images, row.images_assessed), (1, 0));
}

#[tokio::test]
async fn a_duplicate_changes_nothing() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    let again = db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    assert_eq!(again, Registered { new_study: false, new_image: false, conflict: false });
    assert_eq!((count(&db.store, "studies").await, count(&db.store, "images").await), (1, 1));
    assert_eq!(count(&db.store, "outbox").await, 0);
}

#[tokio::test]
async fn what_is_known_does_not_depend_on_the_order_of_events() {
    let db = Database::create().await;
    let events = |study: u32| {
        let a = Arrival { accession_number: Some("A1".into()), ..ordered(Routine, arrival(study, 10 * study)) };
        let b = Arrival { site: Some("ed-1".into()), ..ordered(Stat, arrival(study, 10 * study + 1)) };
        let c = Arrival { accession_number: Some("A2".into()), ..ordered(Urgent, arrival(study, 10 * study + 2)) };
        vec![a, b, c]
    };
    for study in 1..=6 {
        let mut events = events(study);
        Random::new(u64::from(study)).shuffle(&mut events);
        for event in &events {
            db.store.register_arrival(event).await.unwrap();
        }
        let row = listed(&db.store, study).await;
        assert_eq!((row.order_priority, row.level, row.images), (Stat, 0, 3));
        assert_eq!(row.accession_number.as_deref(), Some("A1"));
    }
}

#[tokio::test]
async fn eight_tasks_registering_one_study_make_one() {
    let db = Database::create().await;
    let tasks: Vec<_> = (0..8)
        .map(|image| {
            let store = db.store.clone();
            tokio::spawn(async move { store.register_arrival(&arrival(1, image % 4)).await })
        })
        .collect();
    let mut new_studies = 0;
    for task in tasks {
        new_studies += u32::from(task.await.unwrap().unwrap().new_study);
    }
    assert_eq!(new_studies, 1);
    assert_eq!(listed(&db.store, 1).await.images, 4);
}

#[tokio::test]
async fn other_bytes_under_one_uid_are_a_second_image_and_mark_the_study() {
    let db = Database::create().await;
    assert!(!db.store.register_arrival(&arrival(1, 1)).await.unwrap().conflict);
    let second = db.store.register_arrival(&other_bytes(arrival(1, 1))).await.unwrap();
    assert_eq!(second, Registered { new_study: false, new_image: true, conflict: true });
    let row = listed(&db.store, 1).await;
    assert_eq!((row.images, row.conflict, row.reason), (2, true, Some(Reason::Conflict)));
}

#[tokio::test]
async fn a_conflict_between_two_studies_marks_both() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    let elsewhere = Arrival { study: arrival(2, 1).study, ..other_bytes(arrival(1, 1)) };
    assert!(db.store.register_arrival(&elsewhere).await.unwrap().conflict);
    assert!(listed(&db.store, 1).await.conflict && listed(&db.store, 2).await.conflict);
}

#[tokio::test]
async fn an_image_of_one_study_is_not_taken_for_another() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    let claimed = Arrival { study: arrival(2, 1).study, ..arrival(1, 1) };
    let refused = db.store.register_arrival(&claimed).await.unwrap_err();
    assert!(matches!(refused, StoreError::OtherStudy));
    assert_eq!(refused.fault(), Fault::Message(Reason::IdentityMismatch));
    assert!(find(&db.store, 2).await.is_none());
}
