//! Images that wait for their answers: which there are, and who looks after them.

use std::time::Duration;

use cspine_domain::{Note, Notes, OrderPriority};
use cspine_store::{Arrival, Awaited, NewFinding, Parked, Purpose};
use cspine_tests::database::Database;

use crate::parked::parked;
use crate::samples::{COLOUR, NORMAL, arrival, finding, ordered, record};

const MINUTE: Duration = Duration::from_secs(60);
const STAT: OrderPriority = OrderPriority::Stat;
const ROUTINE: OrderPriority = OrderPriority::Routine;

async fn waiting(db: &Database) -> u64 {
    db.store.awaited(MINUTE).await.unwrap().waiting
}

/// As if every image had been waiting for so many minutes.
async fn all_have_waited(db: &Database, minutes: i32) {
    let aged = sqlx::query("update awaited_answers set expected_at = now() - make_interval(mins => $1)").bind(minutes);
    aged.execute(db.store.pool()).await.unwrap();
}

#[tokio::test]
async fn an_image_is_awaited_until_it_is_answered_or_parked_and_again_when_it_is_sent_again() {
    let db = Database::create().await;
    for image in 1..=3 {
        // Twice: it is the same image.
        db.store.register_arrival(&arrival(1, image)).await.unwrap();
        db.store.register_arrival(&arrival(1, image)).await.unwrap();
    }
    assert_eq!(waiting(&db).await, 3);
    let shadow = NewFinding { purpose: Purpose::Shadow, ..finding(arrival(1, 1), NORMAL) };
    db.store.record_finding(&shadow).await.unwrap();
    assert_eq!(waiting(&db).await, 3, "what the shadow says is no answer");
    record(&db.store, arrival(1, 1), NORMAL).await;
    record(&db.store, arrival(1, 2), COLOUR).await;
    assert_eq!(waiting(&db).await, 1, "not assessable is an answer");
    let row = db.store.park(&Parked { arrival: Some(arrival(1, 3)), ..parked("1") }).await.unwrap();
    assert_eq!(waiting(&db).await, 0);
    db.store.parked_resend(row, "qa-7", "the file is mended").await.unwrap();
    assert_eq!(waiting(&db).await, 1);
    // It was parked first and answered all the same: nothing is left behind.
    db.store.park(&Parked { arrival: Some(arrival(1, 3)), ..parked("1") }).await.unwrap();
    record(&db.store, arrival(1, 3), NORMAL).await;
    // Never registered before it was answered, or parked.
    record(&db.store, arrival(2, 4), NORMAL).await;
    db.store.park(&Parked { arrival: Some(arrival(2, 5)), ..parked("2") }).await.unwrap();
    // Answered, and its duplicate parked and sent again.
    let row = db.store.park(&Parked { arrival: Some(arrival(2, 4)), ..parked("3") }).await.unwrap();
    db.store.parked_resend(row, "qa-7", "to be sure").await.unwrap();
    assert_eq!(waiting(&db).await, 0);
}

#[tokio::test]
async fn what_is_overdue_is_given_out_by_order_priority_once_at_a_time_with_all_that_its_event_said() {
    let db = Database::create().await;
    let stat = Arrival { notes: Notes::from([Note::EventSite, Note::EventView]), ..ordered(STAT, arrival(1, 1)) };
    for arrival in [&stat, &arrival(2, 2), &arrival(3, 3)] {
        db.store.register_arrival(arrival).await.unwrap();
    }
    assert!(db.store.overdue(ROUTINE, MINUTE, 10).await.unwrap().is_empty(), "they have just come");
    all_have_waited(&db, 2).await;
    assert_eq!(db.store.awaited(MINUTE).await.unwrap(), Awaited { waiting: 3, overdue: 3 });
    let [found] = &db.store.overdue(STAT, MINUTE, 10).await.unwrap()[..] else { panic!("one is STAT") };
    assert_eq!(format!("{:?}", found.arrival), format!("{stat:?}"));
    let claim = async || db.store.claim_overdue(ROUTINE, MINUTE, 1, MINUTE).await.unwrap();
    let (first, second) = (claim().await, claim().await);
    assert_eq!((first.len(), second.len(), claim().await.len()), (1, 1, 0));
    let (first, second) = (&first[0].arrival, &second[0].arrival);
    assert_ne!(first.sop, second.sop, "two reconcilers take different images");

    db.store.mark_republished(&first.sop, first.content).await.unwrap();
    assert!(claim().await.is_empty(), "it has its time again");
    all_have_waited(&db, 2).await;
    let [again] = &claim().await[..] else { panic!("the other one is still another reconciler's") };
    assert_eq!((&again.arrival.sop, again.republished), (&first.sop, 1));
}

#[tokio::test]
async fn an_image_on_the_retry_ladder_is_not_overdue_until_it_should_be_back() {
    let db = Database::create().await;
    let image = arrival(1, 1);
    db.store.register_arrival(&image).await.unwrap();
    all_have_waited(&db, 5).await;
    db.store.expect_answer_after(&image.sop, image.content, 15 * MINUTE).await.unwrap();
    assert!(db.store.overdue(ROUTINE, MINUTE, 10).await.unwrap().is_empty());
    let expected: f64 =
        sqlx::query_scalar("select extract(epoch from expected_at - now())::double precision from awaited_answers")
            .fetch_one(db.store.pool())
            .await
            .unwrap();
    assert!((840.0..=900.0).contains(&expected), "{expected}");
}

#[tokio::test]
async fn looking_for_overdue_images_reads_none_of_those_that_were_answered() {
    let db = Database::create().await;
    for image in 1..=20 {
        record(&db.store, arrival(image, image), NORMAL).await;
    }
    db.store.register_arrival(&arrival(100, 100)).await.unwrap();
    all_have_waited(&db, 2).await;
    assert_eq!(db.store.overdue(ROUTINE, MINUTE, 10).await.unwrap().len(), 1);
    let held: i64 =
        sqlx::query_scalar("select count(*) from awaited_answers").fetch_one(db.store.pool()).await.unwrap();
    assert_eq!(held, 1, "the table that is searched holds what waits and nothing else");
}
