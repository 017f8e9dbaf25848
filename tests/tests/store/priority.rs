use std::sync::Arc;

use cspine_domain::OrderPriority::{self, Routine, Stat, Urgent};
use cspine_store::{Answer, StateChange, StateChanged, StudyState};
use cspine_tests::database::Database;
use tokio::sync::Barrier;

use crate::samples::{
    COLOUR, DISLOCATION, FRACTURE, NORMAL, age, arrival, changes, count, listed, ordered, record, uid,
};

#[tokio::test]
async fn the_level_is_the_more_urgent_of_order_and_answer() {
    let db = Database::create().await;
    let table: [(OrderPriority, Answer, i16); 12] = [
        (Stat, COLOUR, 0),
        (Stat, NORMAL, 0),
        (Stat, FRACTURE, 0),
        (Stat, DISLOCATION, 0),
        (Urgent, COLOUR, 2),
        (Urgent, NORMAL, 2),
        (Urgent, FRACTURE, 1),
        (Urgent, DISLOCATION, 0),
        (Routine, COLOUR, 3),
        (Routine, NORMAL, 3),
        (Routine, FRACTURE, 1),
        (Routine, DISLOCATION, 0),
    ];
    for (study, (order, answer, level)) in (1..).zip(table) {
        let flagged = answer.injury().is_some();
        record(&db.store, ordered(order, arrival(study, study)), answer).await;
        let row = listed(&db.store, study).await;
        assert_eq!((row.level, row.flagged), (level, flagged), "{order} order, case {study}");
        assert_eq!(changes(&db.store, study).await.len(), usize::from(flagged), "case {study}");
    }
}

#[tokio::test]
async fn ageing_takes_one_level_a_cap_and_never_goes_above_one() {
    let db = Database::create().await;
    let table = [
        (Routine, 239, 3),
        (Routine, 240, 2),
        (Routine, 479, 2),
        (Routine, 480, 1),
        (Routine, 100_000, 1),
        (Urgent, 59, 2),
        (Urgent, 60, 1),
        (Urgent, 100_000, 1),
        (Stat, 100_000, 0),
    ];
    for (study, (order, minutes, level)) in (1..).zip(table) {
        db.store.register_arrival(&ordered(order, arrival(study, study))).await.unwrap();
        age(&db.store, study, minutes).await;
        assert_eq!(listed(&db.store, study).await.level, level, "{order} after {minutes} min");
    }
    assert_eq!(db.store.sweep().await.unwrap(), 6);
    assert_eq!(db.store.sweep().await.unwrap(), 0, "what is written is written once");
    assert_eq!(changes(&db.store, 2).await, ["ageing"]);
    assert_eq!(count(&db.store, "outbox where routing_key = 'study.reprioritised'").await, 6);
}

#[tokio::test]
async fn the_caps_are_settings() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    age(&db.store, 1, 30).await;
    assert_eq!(listed(&db.store, 1).await.level, 3);
    sqlx::query("update ageing_caps set cap = '20 minutes' where order_priority = 'routine'")
        .execute(db.store.pool())
        .await
        .unwrap();
    assert_eq!(listed(&db.store, 1).await.level, 2);
}

#[tokio::test]
async fn a_cap_that_was_made_longer_takes_nothing_back_and_stops_no_sweep() {
    let db = Database::create().await;
    for study in 1..=2 {
        db.store.register_arrival(&arrival(study, study)).await.unwrap();
        age(&db.store, study, 250).await;
    }
    assert_eq!(db.store.sweep().await.unwrap(), 2);
    sqlx::query("update ageing_caps set cap = '24 hours'").execute(db.store.pool()).await.unwrap();
    age(&db.store, 2, 25 * 60).await;
    for state in [StudyState::Reading, StudyState::Open] {
        let change = StateChange { study: uid(1), state, at: None, event: None, by: None };
        assert!(matches!(db.store.set_study_state(&change).await.unwrap(), StateChanged::Changed { .. }));
    }
    db.store.sweep().await.unwrap();
    let levels: Vec<i16> = sqlx::query_scalar("select listed_level from studies order by study_instance_uid")
        .fetch_all(db.store.pool())
        .await
        .unwrap();
    assert_eq!(levels, [2, 2]);
}

#[tokio::test]
async fn eight_sweeps_at_once_raise_each_study_once() {
    let db = Database::create().await;
    for study in 1..=300 {
        db.store.register_arrival(&arrival(study, study)).await.unwrap();
    }
    sqlx::query("update studies set arrived_at = now() - interval '5 hours'").execute(db.store.pool()).await.unwrap();
    let start = Arc::new(Barrier::new(8));
    let sweeps: Vec<_> = (0..8)
        .map(|_| {
            let (store, start) = (db.store.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                store.sweep().await
            })
        })
        .collect();
    let mut raised = 0;
    for sweep in sweeps {
        raised += sweep.await.unwrap().unwrap();
    }
    // a sweep that found rows locked left them to the one that held them
    assert_eq!((raised, count(&db.store, "priority_changes").await), (300, 300));
    assert_eq!(count(&db.store, "studies where listed_level = 2").await, 300);
}

#[tokio::test]
async fn a_more_urgent_event_raises_and_a_less_urgent_one_does_not_lower() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    db.store.register_arrival(&ordered(Urgent, arrival(1, 2))).await.unwrap();
    assert_eq!(listed(&db.store, 1).await.level, 2);
    db.store.register_arrival(&ordered(Stat, arrival(1, 3))).await.unwrap();
    db.store.register_arrival(&arrival(1, 4)).await.unwrap();
    assert_eq!(listed(&db.store, 1).await.level, 0);
    assert_eq!(changes(&db.store, 1).await, ["order", "order"]);
}

#[tokio::test]
async fn a_flag_within_a_level_is_a_change_too() {
    let db = Database::create().await;
    record(&db.store, ordered(Stat, arrival(1, 1)), NORMAL).await;
    record(&db.store, ordered(Stat, arrival(2, 2)), FRACTURE).await;
    assert_eq!(changes(&db.store, 2).await, ["flagged_fracture"]);
    assert_eq!((listed(&db.store, 2).await.position, listed(&db.store, 1).await.position), (1, 2));
}
