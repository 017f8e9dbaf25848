use std::collections::HashSet;
use std::time::Duration;

use cspine_tests::database::Database;
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
    assert_eq!(db.store.outbox_discard_sent(LEASE).await.unwrap(), 0);
    assert_eq!(db.store.outbox_discard_sent(Duration::ZERO).await.unwrap(), 1);
}
