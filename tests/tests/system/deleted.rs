//! Somebody deletes queues, exchanges and bindings under a running worker.

use std::time::Duration;

use cspine_domain::Reason;
use cspine_tests::wait;

use crate::accounting::{check_queues, drained, outcomes};
use crate::files::{Object, pngs, store};
use crate::operations::{arrived, site};

const SOON: Duration = Duration::from_secs(60);

/// Which parts of the retry ladder go: its queues, its exchanges, or both.
const LADDER: [(&[&str], &[&str]); 3] = [
    (&["retry.200", "retry.500", "retry.1000"], &[]),
    (&[], &["retry.200", "retry.500", "retry.1000"]),
    (&["retry.200", "retry.500", "retry.1000"], &["retry.200", "retry.500", "retry.1000"]),
];

#[tokio::test]
async fn with_the_retry_ladder_deleted_every_event_is_still_tried_again_and_parked_at_its_end() {
    let (db, site) = site("no-ladder").await;
    // The clock does not help: whoever publishes notices by itself.
    let worker = site.start_worker_with("worker", &["--topology-every", "1h"]);
    worker.ready().await;
    let absent = store(site.folder.path(), "elsewhere.png", &pngs()[1]);
    for (round, (queues, exchanges)) in LADDER.iter().enumerate() {
        site.stranger.delete("queue", queues);
        site.stranger.delete("exchange", exchanges);
        let event = |number: usize| {
            let object = Object { key: format!("images/{round}-{number}.png"), ..absent.clone() };
            arrived(&format!("late-{round}-{number}"), &format!("1.{round}.{number}"), &object)
        };
        site.stranger.publish(&(0..5).map(event).collect::<Vec<_>>());
        let due = 5 * (round + 1);
        wait::until("all are parked", SOON, async || (outcomes(&db.store).await == due).then_some(())).await;
        for row in db.store.parked_list(false, 100).await.expect("parked") {
            assert_eq!((row.reason, row.attempts), (Reason::ObjectMissing, 4), "the first and the ladder's three");
        }
    }
    drained(&site).await;
    worker.stop().await;
    check_queues(&site);
    site.clean_up();
}

#[tokio::test]
async fn whatever_is_deleted_the_next_image_is_answered() {
    let (db, site) = site("deleted").await;
    let worker = site.start_worker_with("worker", &["--topology-every", "200ms"]);
    worker.ready().await;
    let object = store(&site.objects(), "images/1.png", &pngs()[2]);
    let mut published = 0;
    let queues = ["arrivals.routine", "infer.routine", "unrouted", "dead-letters", "undeliverable", "status", "labels"];
    let exchanges = ["infer", "results", "dead", "unrouted", "undeliverable"];
    let queues = queues.map(|name| ("queue", name));
    let all =
        queues.into_iter().chain(exchanges.map(|name| ("exchange", name))).chain([("binding", ""), ("binding", "")]);
    for (what, name) in all {
        match what {
            "binding" => {
                site.stranger.unbind("events", "arrivals.routine", "image.arrived.routine");
                site.stranger.unbind("infer", "infer.routine", "image.arrived.routine");
            }
            _ => site.stranger.delete(what, &[name]),
        }
        published += 1;
        site.stranger.publish(&[arrived(&format!("a-{published}"), &format!("1.2.{published}"), &object)]);
        let answered = format!("the image after {what} {name} was deleted is answered");
        wait::until(&answered, SOON, async || (outcomes(&db.store).await == published).then_some(())).await;
    }
    assert_eq!(db.store.parked_count().await.expect("a count"), 0);
    wait::until("it is ready", SOON, async || (worker.get("/readyz")?.0 == 200).then_some(())).await;
    worker.stop().await;
    site.clean_up();
}
