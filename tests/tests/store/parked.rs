use cspine_domain::{OrderPriority, Reason};
use cspine_store::{Arrival, Fault, NamedStudy, Parked, StoreError};
use cspine_tests::database::Database;
use std::time::Duration;

use crate::samples::{NORMAL, arrival, count, find, listed, record, uid};

/// A message of this id whose image could not be decoded.
pub fn parked(event_id: &str) -> Parked {
    Parked {
        source: Some("/test".into()),
        event_id: Some(event_id.into()),
        routing_key: "image.arrived.routine".into(),
        body: br#"{"id": "as it came"}"#.to_vec(),
        headers: serde_json::json!({"attempt": 1}),
        reason: Reason::Undecodable,
        detail: "no decoder".into(),
        attempts: 1,
        arrival: None,
        studies: Vec::new(),
    }
}

/// A message that tells of this image, parked for this reason.
pub fn of(arrival: Arrival, reason: Reason) -> Parked {
    Parked { reason, arrival: Some(arrival.clone()), ..parked(&arrival.event_id) }
}

#[tokio::test]
async fn there_is_one_row_a_message_or_else_a_body() {
    let db = Database::create().await;
    let first = db.store.park(&parked("1")).await.unwrap();
    let later = Parked { reason: Reason::DeadLettered, attempts: 7, ..parked("1") };
    assert_eq!(db.store.park(&later).await.unwrap(), first);
    let row = db.store.parked_get(first).await.unwrap().unwrap();
    assert_eq!((row.reason, row.attempts), (Reason::Undecodable, 7), "the first reason says more");
    // a sender gave one id to two messages: both are kept
    let other = db.store.park(&Parked { body: b"another body".to_vec(), ..parked("1") }).await.unwrap();
    assert_ne!(other, first);
    assert_eq!(db.store.parked_get(other).await.unwrap().unwrap().body.as_deref(), Some(&b"another body"[..]));
    assert_eq!(db.store.parked_get(first).await.unwrap().unwrap().body, Some(parked("1").body));

    let nameless = Parked { event_id: None, ..parked("") };
    let second = db.store.park(&nameless).await.unwrap();
    assert!(second != first && second != other);
    assert_eq!(db.store.park(&Parked { source: None, ..nameless.clone() }).await.unwrap(), second);
    assert_ne!(db.store.park(&Parked { body: b"x".to_vec(), ..nameless }).await.unwrap(), second);
    assert_eq!(db.store.parked_count().await.unwrap(), 4);
}

#[tokio::test]
async fn eight_tasks_parking_one_message_make_one_row() {
    let db = Database::create().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move { store.park(&Parked { arrival: Some(arrival(1, 1)), ..parked("1") }).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(db.store.parked_count().await.unwrap(), 1);
    assert_eq!(listed(&db.store, 1).await.status, "failed");
}

#[tokio::test]
async fn whatever_a_message_holds_it_can_be_parked() {
    let db = Database::create().await;
    let hostile = Parked {
        source: Some("a\0b".into()),
        event_id: Some("x".repeat(100_000)),
        routing_key: "k\0".repeat(1000),
        body: vec![0xff; 70_000],
        headers: serde_json::json!({"nul\u{0}": "\u{0}"}),
        detail: "\0".repeat(10_000),
        attempts: u32::MAX,
        arrival: Some(Arrival { accession_number: Some("n\0".repeat(5_000)), ..arrival(1, 1) }),
        ..parked("1")
    };
    let id = db.store.park(&hostile).await.unwrap();
    let row = db.store.parked_get(id).await.unwrap().unwrap();
    assert_eq!((row.source, row.event_id, row.body, row.body_size_bytes), (None, None, None, 70_000));
    assert!(matches!(db.store.parked_resend(id, "me", "try").await, Err(StoreError::NotResendable(_))));
    assert!(db.store.parked_get(id).await.unwrap().unwrap().resolved_at.is_none(), "a refused resend resolves nothing");
}

#[tokio::test]
async fn an_event_no_table_takes_is_the_events_fault() {
    let db = Database::create().await;
    let empty = Arrival { object_key: String::new(), ..arrival(1, 1) };
    let refused = db.store.register_arrival(&empty).await.unwrap_err();
    assert_eq!((refused.fault(), refused.is_transient()), (Fault::Message(Reason::BadSchema), false));
    assert!(find(&db.store, 1).await.is_none());
}

#[tokio::test]
async fn sending_again_writes_the_same_bytes_to_the_outbox_and_resolves_the_row() {
    let db = Database::create().await;
    let broken = Parked { arrival: Some(arrival(1, 1)), ..parked("1") };
    let id = db.store.park(&broken).await.unwrap();
    db.store.parked_resend(id, "qa-7", "file restored").await.unwrap();
    let sent = db.store.outbox_claim(10, Duration::from_secs(60)).await.unwrap();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].payload.as_slice(), sent[0].routing_key.as_str()), (&broken.body[..], "image.arrived.routine"));
    let row = db.store.parked_get(id).await.unwrap().unwrap();
    assert_eq!(row.resolution.as_deref(), Some("resent"));
    assert_eq!((row.resolved_by.as_deref(), row.resolved_why.as_deref()), (Some("qa-7"), Some("file restored")));
    assert_eq!(listed(&db.store, 1).await.status, "waiting");
    assert!(matches!(db.store.parked_resend(id, "qa-7", "again").await, Err(StoreError::AlreadyResolved(_))));

    // it failed again: the row is open again, still one
    let failed = Parked { reason: Reason::ObjectMissing, ..broken };
    assert_eq!(db.store.park(&failed).await.unwrap(), id);
    let row = db.store.parked_get(id).await.unwrap().unwrap();
    assert_eq!((row.reason, row.resolved_at, row.resolution), (Reason::ObjectMissing, None, None));
    assert_eq!(listed(&db.store, 1).await.status, "failed");
}

#[tokio::test]
async fn a_dismissed_message_stays_on_record_and_its_image_failed() {
    let db = Database::create().await;
    let id = db.store.park(&Parked { arrival: Some(arrival(1, 1)), ..parked("1") }).await.unwrap();
    db.store.parked_dismiss(id, "qa-7", "test image").await.unwrap();
    assert_eq!(db.store.parked_count().await.unwrap(), 0);
    assert_eq!(
        (db.store.parked_list(false, 10).await.unwrap().len(), db.store.parked_list(true, 10).await.unwrap().len()),
        (0, 1)
    );
    assert_eq!(listed(&db.store, 1).await.status, "failed");
    assert_eq!(count(&db.store, "outbox").await, 0);
    assert!(matches!(db.store.parked_dismiss(99, "qa-7", "?").await, Err(StoreError::NoSuchParkedMessage(99))));
}

#[tokio::test]
async fn a_duplicates_failure_takes_nothing_back() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    db.store.park(&Parked { arrival: Some(arrival(1, 1)), ..parked("1") }).await.unwrap();
    assert_eq!(listed(&db.store, 1).await.status, "scored");
}

fn named(study: u32, order_priority: OrderPriority) -> NamedStudy {
    NamedStudy {
        study: uid(study),
        accession_number: Some(format!("A{study}")),
        patient_key: None,
        site: None,
        order_priority,
    }
}

fn unreadable(event_id: &str, studies: Vec<NamedStudy>) -> Parked {
    Parked { reason: Reason::BadSchema, studies, ..parked(event_id) }
}

#[tokio::test]
async fn a_message_that_names_no_image_keeps_its_study_on_the_list() {
    let db = Database::create().await;
    let studies = vec![named(2, OrderPriority::Routine), named(1, OrderPriority::Stat)];
    let id = db.store.park(&unreadable("1", studies)).await.unwrap();
    for (study, level) in [(1, 0), (2, 3)] {
        let row = listed(&db.store, study).await;
        assert_eq!((row.status.as_str(), row.reason), ("failed", Some(Reason::BadSchema)));
        assert_eq!((row.level, row.images, row.verdict), (level, 0, None));
        assert_eq!(row.accession_number, Some(format!("A{study}")));
    }
    assert_eq!(db.store.parked_get(id).await.unwrap().unwrap().study, Some(uid(1)));

    // An image of it comes in another message: it waits to be read, and then the mark says that there is one more.
    let status = async || {
        let row = listed(&db.store, 1).await;
        (row.status, row.reason)
    };
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    assert_eq!(status().await, ("waiting".into(), None));
    record(&db.store, arrival(1, 1), NORMAL).await;
    assert_eq!(status().await, ("scored".into(), Some(Reason::BadSchema)));

    // Sent again it waits; when it fails again, so does the study.
    let second = db.store.park(&unreadable("2", vec![named(1, OrderPriority::Stat)])).await.unwrap();
    db.store.parked_resend(id, "qa-7", "the gateway was mended").await.unwrap();
    assert_eq!(status().await, ("scored".into(), Some(Reason::BadSchema)), "the other one still waits");
    db.store.parked_resend(second, "qa-7", "the gateway was mended").await.unwrap();
    assert_eq!(status().await, ("scored".into(), None));
    db.store.park(&unreadable("2", vec![named(1, OrderPriority::Stat)])).await.unwrap();
    assert_eq!(status().await, ("scored".into(), Some(Reason::BadSchema)));
}

#[tokio::test]
async fn a_study_whose_message_no_table_takes_is_on_the_list() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    // The image belongs to study 1, and this message says that it is of study 2.
    let claimed = Arrival { study: uid(2), order_priority: OrderPriority::Urgent, ..arrival(1, 1) };
    db.store.park(&Parked { arrival: Some(claimed), reason: Reason::IdentityMismatch, ..parked("1") }).await.unwrap();
    let row = listed(&db.store, 2).await;
    assert_eq!((row.status.as_str(), row.reason, row.level), ("failed", Some(Reason::IdentityMismatch), 2));
    // Nor one with a text that cannot be stored.
    let unkept = Arrival { accession_number: Some("\0".into()), ..arrival(3, 3) };
    db.store.park(&Parked { arrival: Some(unkept), ..parked("2") }).await.unwrap();
    assert_eq!(listed(&db.store, 3).await.status, "failed");
}

#[tokio::test]
async fn uids_are_kept_as_a_device_writes_them() {
    let db = Database::create().await;
    let padded = Arrival { study: "1.02.03".parse().unwrap(), sop: "1.02.03.00".parse().unwrap(), ..arrival(1, 1) };
    record(&db.store, padded, NORMAL).await;
    let row = db.store.worklist(10).await.unwrap().remove(0);
    assert_eq!((row.study.as_str(), row.status.as_str()), ("1.02.03", "scored"));
}
