//! Whoever listens to results, well or badly.

use std::collections::BTreeMap;
use std::time::Duration;

use cspine_tests::python::Message;
use cspine_tests::wait;
use cspine_wire::AnyEvent;
use sqlx::Row as _;

use crate::accounting::{check_queues, drained};
use crate::files::{pngs, store};
use crate::operations::{arrived, site};

const IMAGES: usize = 46;

#[tokio::test]
async fn a_listener_whose_queue_is_full_holds_up_nobody_and_gets_its_events_once_there_is_room() {
    let (db, site) = site("full-listener").await;
    let worker = site.start_worker("worker");
    worker.ready().await;
    site.stranger.listen_refusing("full", &["finding.created"]);
    site.stranger.listen("good", &["finding.created"]);
    let object = store(&site.objects(), "images/1.png", &pngs()[0]);
    let image = |number: usize| arrived(&format!("a-{number}"), &format!("1.2.{number}"), &object);
    site.stranger.publish(&(0..IMAGES).map(image).collect::<Vec<_>>());

    // The good one gets each, and the worker stays ready all the while.
    let mut copies: BTreeMap<String, u64> = BTreeMap::new();
    wait::until("the good listener has every event", Duration::from_secs(120), async || {
        let (status, body) = worker.get("/readyz")?;
        assert_eq!(status, 200, "{body}");
        count(&mut copies, site.stranger.drain("good"));
        (copies.len() == IMAGES).then_some(())
    })
    .await;
    wait::until("the worker names the fault and stays ready", Duration::from_secs(30), async || {
        let (status, body) = worker.get("/readyz")?;
        assert_eq!(status, 200, "{body}");
        body.contains("a listener's queue is full").then_some(())
    })
    .await;

    // Each attempt is one copy for the good one, and attempts come ever more seldom.
    let waiting =
        "select event_id, attempts, sent_at is not null as sent from outbox where routing_key = 'finding.created'";
    let rows = sqlx::query(waiting).fetch_all(db.store.pool()).await.expect("the outbox");
    count(&mut copies, site.stranger.drain("good"));
    for row in &rows {
        let (event, attempts): (String, i32) = (row.get("event_id"), row.get("attempts"));
        let sent = i32::from(row.get::<bool, _>("sent"));
        // one more may be on its way
        assert!(
            copies[&event] <= (attempts + sent + 1) as u64,
            "{event}: {} copies, {attempts} attempts",
            copies[&event]
        );
    }
    assert!(rows.iter().any(|row| row.get::<i32, _>("attempts") > 0), "the full one refused some");

    let full = site.stranger.drain("full");
    site.stranger.delete("queue", &["full"]);
    site.stranger.listen("full", &["finding.created"]);
    // By now some wait for minutes; an operator who made room may hurry them.
    let hurry = "update outbox set next_attempt_at = now() where sent_at is null";
    sqlx::query(hurry).execute(db.store.pool()).await.expect("hurried");
    let mut late: BTreeMap<String, u64> = BTreeMap::new();
    count(&mut late, full);
    wait::until("the other one has every event too", Duration::from_secs(120), async || {
        count(&mut late, site.stranger.drain("full"));
        (late.len() == IMAGES).then_some(())
    })
    .await;
    drained(&site).await;
    worker.stop().await;
    check_queues(&site);
    site.stranger.delete("queue", &["full", "good"]);
    site.clean_up();
}

fn count(copies: &mut BTreeMap<String, u64>, messages: Vec<Message>) {
    for message in messages {
        let AnyEvent::FindingCreated(event) = AnyEvent::parse(&message.body).expect("an event") else {
            panic!("a finding")
        };
        *copies.entry(event.id).or_default() += 1;
    }
}
