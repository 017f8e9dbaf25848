//! Arrivals and answers to test with.

use cspine_domain::{ConfirmationSource, Label, Notes, OrderPriority, Reason, Sha256, Uid};
use cspine_store::{
    Answer, Arrival, LabelledImage, LearningSet, NewFinding, NewModel, NewReview, Purpose, Recorded, Store, WorklistRow,
};
use cspine_tests::database::Database;
use serde_json::json;
use time::{Duration, OffsetDateTime};

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
        notes: Notes::new(),
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
    NewFinding {
        arrival,
        purpose: Purpose::Primary,
        model: Sha256::of(b"model"),
        answer,
        saliency: None,
        features: None,
        notes: Notes::new(),
    }
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

/// The constraint that refuses the statement, or the trigger's words.
pub async fn refused_by(db: &Database, statement: String) -> String {
    let refused = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(db.store.pool()).await;
    match refused {
        Err(sqlx::Error::Database(e)) => e.constraint().unwrap_or_else(|| e.message()).to_owned(),
        other => panic!("not refused: {statement}: {other:?}"),
    }
}

/// Puts a model on record whose file is in the object store.
pub async fn registered(store: &Store, name: &str) -> Sha256 {
    let sha256 = Sha256::of(name.as_bytes());
    let model = NewModel {
        sha256,
        architecture: "alexnet".into(),
        size_bytes: 7,
        card: json!({"architecture": "alexnet", "gate": {}}),
        object_key: Some(format!("models/{sha256}.safetensors")),
        registered_by: "qa-7".into(),
        forced_reason: None,
    };
    store.register_model(&model).await.expect("registered");
    sha256
}

/// Puts the lease's end into the past, as if its holder had been stopped for long.
pub async fn expire_lease(store: &Store) {
    sqlx::query("update trainer_lease set expires_at = now() - interval '1 second'")
        .execute(store.pool())
        .await
        .expect("expired");
}

/// A radiologist's word on an image, said so many minutes after the epoch.
pub fn review(event_id: &str, image: &Arrival, label: impl Into<Label>, reviewer: &str, minute: i64) -> NewReview {
    NewReview {
        source: "/reading-room".into(),
        event_id: event_id.into(),
        sop: image.sop.clone(),
        content: image.content,
        label: label.into(),
        reviewer: reviewer.into(),
        label_source: ConfirmationSource::Radiologist,
        answer_seen: false,
        confirmed_at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute),
        supersedes: None,
    }
}

/// The same by another source.
pub fn by(label_source: ConfirmationSource, review: NewReview) -> NewReview {
    NewReview { label_source, ..review }
}

/// The same as a correction of an earlier event.
pub fn correcting(event_id: &str, review: NewReview) -> NewReview {
    NewReview { supersedes: Some(event_id.into()), ..review }
}

/// An arrival of this patient's.
pub fn of_patient(patient: &str, arrival: Arrival) -> Arrival {
    Arrival { patient_key: Some(patient.into()), ..arrival }
}

/// Deals a patient this side.
pub async fn deal(store: &Store, patient: &str, set: LearningSet) {
    sqlx::query("insert into patient_sets (patient, set) values ($1, $2)")
        .bind(patient)
        .bind(set.as_str())
        .execute(store.pool())
        .await
        .expect("dealt");
}

/// The labelled image of an arrival, by all that was said.
pub async fn labelled(store: &Store, image: &Arrival) -> Option<LabelledImage> {
    let images = store.labelled_images(i64::MAX).await.expect("labelled images");
    images.into_iter().find(|labelled| (&labelled.sop, labelled.content) == (&image.sop, image.content))
}
