use cspine_domain::{OrderPriority, Reason};
use cspine_store::{Answer, Parked};
use cspine_tests::database::Database;
use cspine_tests::order::{self, Place, Study};
use cspine_tests::random::Random;
use time::{Duration, OffsetDateTime};

use crate::parked::parked;
use crate::samples::{COLOUR, NORMAL, age, arrival, listed, ordered, record, uid};

#[tokio::test]
async fn the_order_of_eighty_random_studies_is_the_designs() {
    for seed in 0..3 {
        let db = Database::create().await;
        let random = &mut Random::new(seed);
        let mut studies = Vec::new();
        for study in 1..=80 {
            studies.push(random_study(&db, random, study).await);
        }
        let now = OffsetDateTime::now_utc();
        let expected = order::expected(&studies, now);
        let rows = db.store.worklist(1000).await.unwrap();
        let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
        assert_eq!(positions, (1..=80).collect::<Vec<_>>());
        let list = |rows: Vec<cspine_store::WorklistRow>| -> Vec<Place> {
            rows.into_iter()
                .map(|row| Place { uid: row.study.to_string(), level: row.level, flagged: row.flagged })
                .collect()
        };
        assert_eq!(list(rows), expected, "seed {seed}");
        db.store.sweep().await.unwrap();
        assert_eq!(list(db.store.worklist(1000).await.unwrap()), expected, "the sweep moves nothing, seed {seed}");
    }
}

/// A study of one to four images with random orders, answers and waits, written in shuffled order.
async fn random_study(db: &Database, random: &mut Random, study: u32) -> Study {
    let mut order_priority = OrderPriority::Routine;
    let mut answers = Vec::new();
    for image in 0..=random.below(4) as u32 {
        let order = random.pick(OrderPriority::ALL);
        order_priority = order_priority.min(order);
        let arrival = ordered(order, arrival(study, 10 * study + image));
        match random.below(5) {
            0 => drop(db.store.register_arrival(&arrival).await.unwrap()),
            1 => drop(record(&db.store, arrival, COLOUR).await),
            _ => {
                let (answer, seen) = random_answer(random);
                record(&db.store, arrival, answer).await;
                answers.push(seen);
            }
        }
    }
    // half a minute off every cap, and no two alike
    let minutes = random.pick(&[0, 45, 75, 200, 300, 500, 3000]);
    let seconds = 60 * minutes + i64::from(study % 30);
    let arrived_at = OffsetDateTime::now_utc() - Duration::seconds(seconds) - Duration::milliseconds(i64::from(study));
    sqlx::query("update studies set arrived_at = $2 where study_instance_uid = $1")
        .bind(uid(study).as_str())
        .bind(arrived_at)
        .execute(db.store.pool())
        .await
        .unwrap();
    Study { uid: uid(study).to_string(), order_priority, arrived_at, answers }
}

fn random_answer(random: &mut Random) -> (Answer, order::Answer) {
    let raw = [random.unit() + 0.01, random.unit() + 0.01, 3.0 * random.unit() + 0.01];
    let sum: f32 = raw.iter().sum();
    let probabilities = raw.map(|p| p / sum);
    let flagged = probabilities[0] + probabilities[1] >= 0.6;
    let answer = Answer::Assessed { probabilities, flagged, mark: None };
    let seen =
        order::Answer { verdict: answer.verdict(), flagged, dislocation: probabilities[0], fracture: probabilities[1] };
    (answer, seen)
}

#[tokio::test]
async fn the_status_says_what_a_study_waits_for() {
    let db = Database::create().await;
    let broken = |study, image| Parked { arrival: Some(arrival(study, image)), ..parked(&format!("p-{image}")) };
    let status = async |study| {
        let row = listed(&db.store, study).await;
        (row.status, row.reason, row.verdict.is_some())
    };
    db.store.park(&broken(1, 1)).await.unwrap();
    assert_eq!(status(1).await, ("failed".into(), Some(Reason::Undecodable), false));
    // something is still to come
    db.store.register_arrival(&arrival(1, 2)).await.unwrap();
    assert_eq!(status(1).await, ("waiting".into(), None, false));
    // a person must look at the failed one, whatever the other is
    record(&db.store, arrival(1, 2), COLOUR).await;
    assert_eq!(status(1).await, ("failed".into(), Some(Reason::Undecodable), false));
    // an answer is an answer, and says that another image failed
    record(&db.store, arrival(1, 3), NORMAL).await;
    assert_eq!(status(1).await, ("scored".into(), Some(Reason::Undecodable), true));
    // the failed one was mended
    record(&db.store, arrival(1, 1), NORMAL).await;
    assert_eq!(status(1).await, ("scored".into(), None, true));
    record(&db.store, arrival(2, 21), COLOUR).await;
    assert_eq!(status(2).await, ("not_assessable".into(), Some(Reason::Colour), true));
}

#[tokio::test]
async fn waiting_is_counted_from_the_first_registration() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    age(&db.store, 1, 10).await;
    db.store.register_arrival(&arrival(1, 2)).await.unwrap();
    assert!((600..660).contains(&listed(&db.store, 1).await.waited_seconds));
}
