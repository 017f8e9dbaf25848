//! What a later model is asked again.

use cspine_domain::{OrderPriority, Reason, Sha256};
use cspine_store::{Arrival, NewFinding, Parked, Purpose, Recorded, StateChange, Store, StudyState, ToRescore};
use cspine_tests::database::Database;
use time::OffsetDateTime;

use crate::samples::{
    COLOUR, FRACTURE, NORMAL, arrival, changes, count, find, finding, ordered, other_bytes, record, uid,
};

fn later() -> Sha256 {
    Sha256::of(b"later model")
}

async fn listed(store: &Store) -> Vec<Arrival> {
    let ToRescore { images, left } = store.to_rescore(later(), None, 100).await.unwrap();
    assert_eq!(left, 0);
    images
}

async fn events(store: &Store) -> Vec<String> {
    listed(store).await.into_iter().map(|arrival| arrival.event_id).collect()
}

async fn answer_again(store: &Store, arrival: Arrival, purpose: Purpose, model: Sha256) {
    store.record_finding(&NewFinding { purpose, model, ..finding(arrival, NORMAL) }).await.unwrap();
}

async fn set_state(store: &Store, study: u32, state: StudyState) {
    let change = StateChange { study: uid(study), state, at: None, event: None, by: None };
    store.set_study_state(&change).await.unwrap();
}

#[tokio::test]
async fn an_image_that_another_model_answered_for_is_listed_as_it_arrived() {
    let db = Database::create().await;
    let arrived = Arrival {
        accession_number: Some("A1".into()),
        patient_key: Some("patient-1".into()),
        site: Some("ed-1".into()),
        order_priority: OrderPriority::Urgent,
        acquired_at: Some(OffsetDateTime::UNIX_EPOCH),
        modality: Some("DX".into()),
        body_part: Some("CSPINE".into()),
        view: Some("LL".into()),
        ..arrival(1, 1)
    };
    record(&db.store, arrived.clone(), NORMAL).await;
    let [listed] = &listed(&db.store).await[..] else { panic!("one image") };
    assert_eq!(format!("{listed:?}"), format!("{arrived:?}"));
}

#[tokio::test]
async fn only_what_a_later_model_has_not_answered_for_is_listed() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    // not answered for at all: its message is still to come
    db.store.register_arrival(&arrival(2, 2)).await.unwrap();
    // answered for by this very model
    answer_again(&db.store, arrival(3, 3), Purpose::Primary, later()).await;
    // rescored by it
    record(&db.store, arrival(4, 4), NORMAL).await;
    answer_again(&db.store, arrival(4, 4), Purpose::Rescore, later()).await;
    // rescored by another one, and tried by this one as a shadow
    record(&db.store, arrival(5, 5), NORMAL).await;
    answer_again(&db.store, arrival(5, 5), Purpose::Rescore, Sha256::of(b"between")).await;
    answer_again(&db.store, arrival(5, 5), Purpose::Shadow, later()).await;
    // not assessable to the other model, which says nothing of this one
    record(&db.store, arrival(6, 6), COLOUR).await;
    // failed: its message is parked
    park(&db.store, arrival(7, 7)).await;
    // other bytes under one UID are another image
    record(&db.store, other_bytes(arrival(1, 1)), FRACTURE).await;
    let mut events = events(&db.store).await;
    events.sort();
    assert_eq!(events, ["event-1-1", "event-1-1-other", "event-5-5", "event-6-6"]);
}

#[tokio::test]
async fn a_finished_study_is_not_asked_again_until_it_is_back_on_the_list() {
    let db = Database::create().await;
    for study in 1..=3 {
        record(&db.store, arrival(study, study), NORMAL).await;
    }
    set_state(&db.store, 1, StudyState::Finished).await;
    set_state(&db.store, 2, StudyState::Reading).await;
    assert_eq!(events(&db.store).await, ["event-2-2", "event-3-3"], "what is being read may come back");
    set_state(&db.store, 1, StudyState::Open).await;
    assert_eq!(events(&db.store).await.len(), 3);
}

#[tokio::test]
async fn a_study_that_was_finished_since_it_was_listed_stays_finished_whatever_a_rescore_says() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    let listed = listed(&db.store).await.remove(0);
    set_state(&db.store, 1, StudyState::Finished).await;
    let told = count(&db.store, "outbox where payload->>'type' like '%reprioritised%'").await;
    let rescore = NewFinding { purpose: Purpose::Rescore, model: later(), ..finding(listed, FRACTURE) };
    let recorded = db.store.record_finding(&rescore).await.unwrap();
    assert!(matches!(recorded, Recorded::Created { raised: false, reopened: false, .. }), "{recorded:?}");
    assert!(find(&db.store, 1).await.is_none(), "it is not on the list");
    assert_eq!(changes(&db.store, 1).await, Vec::<String>::new());
    assert_eq!(count(&db.store, "outbox where payload->>'type' like '%reprioritised%'").await, told);
    // an image that is new brings it back, with what was found meanwhile
    assert_eq!(record(&db.store, arrival(1, 2), FRACTURE).await, (1, true));
    assert_eq!(changes(&db.store, 1).await, ["new_image"]);
}

#[tokio::test]
async fn the_study_that_is_read_next_comes_first_and_one_can_be_asked_for() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    record(&db.store, ordered(OrderPriority::Stat, arrival(2, 2)), NORMAL).await;
    record(&db.store, arrival(3, 3), FRACTURE).await;
    record(&db.store, arrival(3, 4), NORMAL).await;
    assert_eq!(events(&db.store).await, ["event-2-2", "event-3-3", "event-3-4", "event-1-1"]);
    let one = db.store.to_rescore(later(), Some(&uid(3)), 100).await.unwrap().images;
    assert_eq!(one.iter().map(|arrival| arrival.event_id.as_str()).collect::<Vec<_>>(), ["event-3-3", "event-3-4"]);
    let three = db.store.to_rescore(later(), None, 3).await.unwrap();
    assert_eq!((three.images.len(), three.left), (3, 1));
    assert!(db.store.to_rescore(later(), Some(&uid(9)), 100).await.unwrap().images.is_empty());
}

async fn park(store: &Store, arrival: Arrival) {
    let parked = Parked {
        source: Some(arrival.source.clone()),
        event_id: Some(arrival.event_id.clone()),
        routing_key: "image.arrived.routine".into(),
        body: b"{}".to_vec(),
        headers: serde_json::json!({}),
        reason: Reason::ObjectMissing,
        detail: "it never came".into(),
        attempts: 3,
        arrival: Some(arrival),
        studies: Vec::new(),
    };
    store.park(&parked).await.unwrap();
}
