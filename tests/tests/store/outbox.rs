use std::collections::HashSet;
use std::time::Duration;

use cspine_store::Destination;
use cspine_tests::database::Database;
use cspine_wire::AnyEvent;
use serde_json::{Value, json};

use crate::samples::{DISLOCATION, NORMAL, arrival, record};

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_happened_is_told_as_cloud_events() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), DISLOCATION).await;
    let messages = db.store.outbox_claim(10, LEASE).await.unwrap();
    let events: Vec<Value> = messages.iter().map(|m| serde_json::from_slice(&m.payload).unwrap()).collect();
    let told: HashSet<&str> = messages.iter().map(|m| m.routing_key.as_str()).collect();
    assert_eq!(told, HashSet::from(["finding.created", "study.reprioritised"]));
    for (message, event) in messages.iter().zip(&events) {
        AnyEvent::parse(&message.payload).expect("a subscriber can read it");
        assert_eq!((&event["specversion"], &event["id"]), (&json!("1.0"), &json!(message.event_id)));
        assert_eq!(event["type"], json!(message.event_type));
        let study = arrival(1, 1).study.to_string();
        assert_eq!((&event["data"]["study_instance_uid"], &event["data"]["flagged"]), (&json!(study), &json!(true)));
    }
    let moved = events.iter().find(|e| e["type"] == "org.cspine.study.reprioritised.v1").unwrap();
    assert_eq!((&moved["data"]["previous_level"], &moved["data"]["level"]), (&json!(3), &json!(0)));
    assert_eq!(moved["data"]["reason"], json!("flagged_dislocation"));
    let found = events.iter().find(|e| e["type"] == "org.cspine.finding.created.v1").unwrap();
    assert_eq!(found["subject"], json!(arrival(1, 1).sop.to_string()));
    assert_eq!(found["data"]["probabilities"], json!({"dislocation": 0.75, "fracture": 0.125, "normal": 0.125}));
    assert_eq!(found["data"]["arrival"], json!({"source": "/test", "id": "event-1-1"}));
}

#[tokio::test]
async fn two_relays_never_hold_the_same_event() {
    let db = Database::create().await;
    for image in 0..40 {
        record(&db.store, arrival(image, image), NORMAL).await;
    }
    let relays: Vec<_> = (0..8)
        .map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move { store.outbox_claim(5, LEASE).await.unwrap() })
        })
        .collect();
    let mut seen = HashSet::new();
    for relay in relays {
        for message in relay.await.unwrap() {
            assert!(seen.insert(message.id), "claimed twice");
        }
    }
    // SKIP LOCKED may give a relay fewer than there are, never one twice; nothing is left behind
    while let [first, rest @ ..] = &db.store.outbox_claim(5, LEASE).await.unwrap()[..] {
        assert!(seen.insert(first.id) && rest.iter().all(|message| seen.insert(message.id)));
    }
    assert_eq!(seen.len(), 40);
}

#[tokio::test]
async fn an_event_comes_again_until_it_is_marked_as_sent() {
    let db = Database::create().await;
    assert_eq!(db.store.outbox_age().await.unwrap(), None);
    record(&db.store, arrival(1, 1), NORMAL).await;
    assert!(db.store.outbox_age().await.unwrap().is_some());
    let first = db.store.outbox_claim(10, Duration::ZERO).await.unwrap();
    let again = db.store.outbox_claim(10, LEASE).await.unwrap();
    assert_eq!(first, again, "the relay that held it died");
    assert!(db.store.outbox_claim(10, LEASE).await.unwrap().is_empty());

    db.store.outbox_mark_sent(&[again[0].id]).await.unwrap();
    assert_eq!(db.store.outbox_age().await.unwrap(), None);
}

#[tokio::test]
async fn an_event_that_was_refused_is_put_off_longer_each_time_and_is_in_nobodys_way() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    let refused = db.store.outbox_claim(10, LEASE).await.unwrap();
    let ids: Vec<i64> = refused.iter().map(|message| message.id).collect();
    for expected in [5, 20, 80, 320, 600, 600, 600] {
        db.store.outbox_put_off(&ids).await.unwrap();
        let seconds: f64 = sqlx::query_scalar(
            "select extract(epoch from max(next_attempt_at) - now())::double precision from outbox where sent_at is null",
        )
        .fetch_one(db.store.pool())
        .await
        .unwrap();
        assert!(seconds <= f64::from(expected), "{seconds} of {expected}");
        // The short ones may be over by now on a busy machine.
        if expected >= 80 {
            assert!(seconds > f64::from(expected) / 2.0, "{seconds} of {expected}");
            assert!(db.store.outbox_claim(10, LEASE).await.unwrap().is_empty(), "not before its time");
        }
    }
    assert_eq!(db.store.outbox_refused().await.unwrap(), ids.len() as i64);

    // Others go on beside them.
    record(&db.store, arrival(2, 2), NORMAL).await;
    let others = db.store.outbox_claim(10, LEASE).await.unwrap();
    assert!(!others.is_empty() && others.iter().all(|message| !ids.contains(&message.id)));

    let due = "update outbox set next_attempt_at = now() where sent_at is null";
    sqlx::query(due).execute(db.store.pool()).await.unwrap();
    let again = db.store.outbox_claim(10, LEASE).await.unwrap();
    assert_eq!(again, refused, "the same events once their time has come");
    db.store.outbox_mark_sent(&ids).await.unwrap();
    assert_eq!(db.store.outbox_refused().await.unwrap(), 0);
}

#[tokio::test]
async fn events_that_were_claimed_and_not_published_are_given_out_again_at_once() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    let claimed = db.store.outbox_claim(10, LEASE).await.unwrap();
    assert!(db.store.outbox_claim(10, LEASE).await.unwrap().is_empty());
    let ids: Vec<i64> = claimed.iter().map(|message| message.id).collect();
    db.store.outbox_release(&ids).await.unwrap();
    assert_eq!(db.store.outbox_claim(10, LEASE).await.unwrap(), claimed);
}

#[tokio::test]
async fn results_go_to_listeners_and_a_parked_result_of_a_strangers_does_not() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    let results = db.store.outbox_claim(10, LEASE).await.unwrap();
    assert!(!results.is_empty() && results.iter().all(|message| message.destination == Destination::Results));

    let forged = results[0].payload.clone();
    let parked = cspine_store::Parked {
        source: Some("/stranger".into()),
        event_id: Some("forged".into()),
        routing_key: "finding.created".into(),
        body: forged.clone(),
        headers: json!({}),
        reason: cspine_domain::Reason::DeadLettered,
        detail: "no queue takes it".into(),
        attempts: 1,
        studies: Vec::new(),
        arrival: None,
    };
    let row = db.store.park(&parked).await.unwrap();
    db.store.parked_resend(row, "tester", "a test").await.unwrap();
    let again = db.store.outbox_claim(10, LEASE).await.unwrap();
    let told: Vec<_> = again.iter().map(|m| (m.destination, m.routing_key.as_str(), m.payload.as_slice())).collect();
    assert_eq!(told, [(Destination::Events, "finding.created", forged.as_slice())]);
}
