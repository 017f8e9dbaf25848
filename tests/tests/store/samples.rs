//! Arrivals and answers to test with.

use cspine_domain::{OrderPriority, Reason, Sha256, Uid};
use cspine_store::{Answer, Arrival, NewFinding, Purpose, Recorded, Store, WorklistRow};
use time::OffsetDateTime;

/// The UID of a number.
pub fn uid(number: u32) -> Uid {
    Uid::parse(&format!("1.2.826.0.1.3680043.8.498.{number}")).expect("a UID")
}

/// The routine arrival of image `image` of study `study`; images are numbered through all studies.
pub fn arrival(study: u32, image: u32) -> Arrival {
    let sop = uid(10_000 + image);
    Arrival {
        source: "/test".into(),
        event_id: format!("event-{study}-{image}"),
        event_time: OffsetDateTime::UNIX_EPOCH,
        study: uid(study),
        series: uid(5_000 + study),
        content: Sha256::of(sop.as_str().as_bytes()),
        object_key: format!("images/{sop}.png"),
        sop,
        accession_number: None,
        patient_key: None,
        site: None,
        order_priority: OrderPriority::Routine,
        acquired_at: None,
        modality: None,
        body_part: None,
        view: None,
        media_type: "image/png".into(),
        size_bytes: Some(7),
    }
}

/// The same with an order.
pub fn ordered(order_priority: OrderPriority, arrival: Arrival) -> Arrival {
    Arrival { order_priority, ..arrival }
}

/// The same image under the same UID with other bytes.
pub fn other_bytes(arrival: Arrival) -> Arrival {
    Arrival { content: Sha256::of(b"other"), event_id: format!("{}-other", arrival.event_id), ..arrival }
}

pub const NORMAL: Answer = Answer::Assessed { probabilities: [0.125, 0.125, 0.75], flagged: false, mark: None };
pub const FRACTURE: Answer = Answer::Assessed { probabilities: [0.125, 0.75, 0.125], flagged: true, mark: None };
pub const DISLOCATION: Answer = Answer::Assessed { probabilities: [0.75, 0.125, 0.125], flagged: true, mark: None };
pub const COLOUR: Answer = Answer::NotAssessable(Reason::Colour);

/// The primary finding of an arrival.
pub fn finding(arrival: Arrival, answer: Answer) -> NewFinding {
    NewFinding { arrival, purpose: Purpose::Primary, model: Sha256::of(b"model"), answer, saliency: None }
}

/// Records it and expects that it was new.
pub async fn record(store: &Store, arrival: Arrival, answer: Answer) -> (i16, bool) {
    match store.record_finding(&finding(arrival, answer)).await.expect("recorded") {
        Recorded::Created { level, raised, .. } => (level, raised),
        Recorded::AlreadyThere => panic!("there was a finding already"),
    }
}

/// The study's row on the list.
pub async fn listed(store: &Store, study: u32) -> WorklistRow {
    find(store, study).await.expect("the study is on the list")
}

/// The study's row, if it is on the list.
pub async fn find(store: &Store, study: u32) -> Option<WorklistRow> {
    store.worklist(1000).await.expect("the list").into_iter().find(|row| row.study == uid(study))
}

/// Sets a study's arrival this far back.
pub async fn age(store: &Store, study: u32, minutes: i32) {
    sqlx::query("update studies set arrived_at = now() - make_interval(mins => $2) where study_instance_uid = $1")
        .bind(uid(study).as_str())
        .bind(minutes)
        .execute(store.pool())
        .await
        .expect("aged");
}

/// How many rows a query counts.
pub async fn count(store: &Store, what: &'static str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {what}")))
        .fetch_one(store.pool())
        .await
        .expect("counted")
}

/// The reasons of a study's priority changes, in order.
pub async fn changes(store: &Store, study: u32) -> Vec<String> {
    sqlx::query_scalar("select reason from priority_changes where study_instance_uid = $1 order by id")
        .bind(uid(study).as_str())
        .fetch_all(store.pool())
        .await
        .expect("changes")
}
