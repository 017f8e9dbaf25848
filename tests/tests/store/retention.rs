//! What is kept for a time only goes, all of it and nothing else.

use std::time::Duration;

use cspine_domain::{Class, Pose, Reason};
use cspine_store::{Cleared, Move, NewFinding, Retention, Saliency, StateChange, Store, StudyState};
use cspine_tests::database::Database;
use time::OffsetDateTime;

use crate::samples::{DISLOCATION, arrival, count, finding, registered, uid};

const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(400 * 24 * 3600);
const ALL_A_YEAR: Retention =
    Retention { events: YEAR, parked: YEAR, priority_changes: YEAR, heatmaps: YEAR, features: YEAR };

/// A flagged image with its heatmap and features, by a model, in a study that was finished.
async fn answered(store: &Store, number: u32, model: cspine_domain::Sha256) {
    let (class, pose) = (Class::Dislocation, Pose::default());
    let saliency = Some(Saliency { class, method: "gradcam".into(), heatmap_png: vec![1, 2, 3], pose });
    let finding =
        NewFinding { model, saliency, features: Some(vec![1.0]), ..finding(arrival(number, number), DISLOCATION) };
    store.record_finding(&finding).await.unwrap();
    let event = Some(("/ris".to_owned(), format!("{number}")));
    let change = StateChange {
        study: uid(number),
        state: StudyState::Finished,
        at: Some(OffsetDateTime::now_utc()),
        event,
        by: None,
    };
    store.set_study_state(&change).await.unwrap();
}

async fn everything_two_years_ago(store: &Store) {
    sqlx::raw_sql(
        "update findings set created_at = created_at - interval '2 years';
         update priority_changes set changed_at = changed_at - interval '2 years';
         update status_events set received_at = received_at - interval '2 years';
         update parked_messages set parked_at = parked_at - interval '2 years', resolved_at = resolved_at - interval '2 years';
         update outbox set created_at = created_at - interval '2 years', sent_at = sent_at - interval '2 years'",
    )
    .execute(store.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_old_goes_and_the_record_stays() {
    let db = Database::create().await;
    let model = registered(&db.store, "retired").await;
    for number in 1..=3 {
        answered(&db.store, number, model).await;
    }
    let settled = db.store.park(&crate::parked::of(arrival(8, 8), Reason::Undecodable)).await.unwrap();
    db.store.parked_dismiss(settled, "it", "a test").await.unwrap();
    db.store.park(&crate::parked::of(arrival(9, 9), Reason::Undecodable)).await.unwrap();
    let sent: Vec<i64> = db.store.outbox_claim(5, DAY).await.unwrap().into_iter().map(|message| message.id).collect();
    db.store.outbox_mark_sent(&sent).await.unwrap();
    assert_eq!(db.store.clear(&ALL_A_YEAR).await.unwrap(), Cleared::default(), "all of it is young");
    everything_two_years_ago(&db.store).await;
    let cleared = db.store.clear(&ALL_A_YEAR).await.unwrap();
    let expected = Cleared { outbox: 5, status_events: 3, parked: 1, priority_changes: 3, heatmaps: 3, features: 3 };
    assert_eq!(cleared, expected);
    for (table, rows) in [("findings", 3), ("images", 5), ("studies", 5), ("parked_messages", 1), ("outbox", 1)] {
        assert_eq!(count(&db.store, table).await, rows, "{table}");
    }
    let image = &db.store.study_images(&uid(1)).await.unwrap()[0];
    let shown = image.finding.as_ref().unwrap();
    assert!(shown.saliency.is_none() && shown.flagged && shown.probabilities.is_some(), "{shown:?}");
    assert_eq!(db.store.clear(&ALL_A_YEAR).await.unwrap(), Cleared::default(), "nothing is left to clear");
}

#[tokio::test]
async fn moves_of_a_study_on_the_list_and_features_of_a_model_in_service_stay() {
    let db = Database::create().await;
    let model = registered(&db.store, "champion").await;
    let wish = Move { model, epoch: 0, by: "owner", why: "a test", fence: None };
    db.store.promote(&wish).await.unwrap();
    answered(&db.store, 1, model).await;
    let again = StateChange { study: uid(1), state: StudyState::Open, at: None, event: None, by: None };
    db.store.set_study_state(&again).await.unwrap();
    everything_two_years_ago(&db.store).await;
    let cleared = db.store.clear(&ALL_A_YEAR).await.unwrap();
    assert_eq!((cleared.priority_changes, cleared.features, cleared.heatmaps), (0, 0, 1));
}

#[tokio::test]
async fn more_than_a_batch_goes_in_one_call_also_beside_others() {
    let db = Database::create().await;
    sqlx::query(
        "insert into outbox (event_id, event_type, routing_key, payload, sent_at)
         select n, 'test', 'test', '{}', now() - interval '8 days' from generate_series(1, 25000) as n",
    )
    .execute(db.store.pool())
    .await
    .unwrap();
    let keep = Retention { events: 7 * DAY, ..ALL_A_YEAR };
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move { store.clear(&keep).await.unwrap().outbox })
        })
        .collect();
    let mut gone = 0;
    for worker in workers {
        gone += worker.await.unwrap();
    }
    gone += db.store.clear(&keep).await.unwrap().outbox; // what one held, the others left
    assert_eq!((gone, count(&db.store, "outbox").await), (25_000, 0));
}
