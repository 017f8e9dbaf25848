//! Who waits behind whom.

use std::time::{Duration, Instant};

use cspine_store::Store;
use cspine_tests::python::Message;
use cspine_tests::wait;

use crate::accounting::{check_queues, drained};
use crate::files::{Object, pngs, store};
use crate::operations::{arrived, site};

const SOON: Duration = Duration::from_secs(60);
const BACKLOG: usize = 300;
const STATS: usize = 20;

/// The event of an order of this priority.
fn ordered(priority: &str, id: &str, study: &str, object: &Object) -> Message {
    let routine = arrived(id, study, object);
    let body = String::from_utf8(routine.body).expect("JSON").replace("\"routine\"", &format!("\"{priority}\""));
    Message { routing_key: format!("image.arrived.{priority}"), body: body.into_bytes() }
}

async fn answered(store: &Store, studies: &str) -> i64 {
    let count = sqlx::query_scalar("select count(*) from findings where sop_instance_uid like $1").bind(studies);
    count.fetch_one(store.pool()).await.expect("a count")
}

#[tokio::test]
async fn stat_does_not_wait_behind_three_hundred_urgent_images() {
    let (db, site) = site("urgent-backlog").await;
    let worker = site.start_worker("worker");
    worker.ready().await;
    let object = store(&site.objects(), "images/1.png", &pngs()[3]);
    let backlog = (0..BACKLOG).map(|n| ordered("urgent", &format!("u-{n}"), &format!("1.2.{n}"), &object));
    site.stranger.publish(&backlog.collect::<Vec<_>>());
    let (mut ahead, mut times) = (Vec::new(), Vec::new());
    for number in 0..STATS {
        let before = answered(&db.store, "1.2.%").await;
        assert!(before < BACKLOG as i64, "the backlog was gone before STAT {number}");
        let stat = ordered("stat", &format!("s-{number}"), &format!("1.3.{number}"), &object);
        site.stranger.publish(&[stat]);
        let began = Instant::now();
        let sop = format!("1.3.{number}.2");
        wait::until("the STAT is answered", SOON, async || (answered(&db.store, &sop).await == 1).then_some(())).await;
        times.push(began.elapsed());
        let earlier = "select count(*) from findings where sop_instance_uid like '1.2.%'
                          and id < (select id from findings where sop_instance_uid = $1)";
        let earlier: i64 = sqlx::query_scalar(earlier).bind(&sop).fetch_one(db.store.pool()).await.expect("a count");
        ahead.push(earlier - before);
    }
    times.sort_unstable();
    println!("STAT behind {BACKLOG} urgent: median {:?}, longest of {STATS} {:?}", times[STATS / 2], times[STATS - 1]);
    println!("urgent answers that came first: {ahead:?}");
    // With slots of its own it competes for the processors only: of the whole backlog a handful come first.
    assert!(ahead.iter().all(|&ahead| ahead < 30), "{ahead:?}");
    worker.stop().await;
    site.clean_up();
}

#[tokio::test]
async fn a_senders_message_priority_reorders_no_lane() {
    let (db, site) = site("priorities").await;
    // Without a champion it registers, and takes nothing out of the lanes.
    let worker = site.start_following_worker("worker");
    let object = store(&site.objects(), "images/1.png", &pngs()[3]);
    let events: Vec<_> = (0..20).map(|n| arrived(&format!("a-{n}"), &format!("1.2.{n}"), &object)).collect();
    wait::until("queues are declared", SOON, async || {
        worker.get("/metrics")?.1.contains("cspine_queue_messages{").then_some(())
    })
    .await;
    site.stranger.publish_with(&events, |place| serde_json::json!({"priority": if place % 2 == 0 { 0 } else { 255 }}));
    wait::until("all wait in the lane", SOON, async || (site.stranger.depth(&["infer.routine"]) == 20).then_some(()))
        .await;
    let properties = site.stranger.properties("infer.routine");
    assert!(properties.get("priority").is_none(), "{properties}");
    // In the order in which they were registered: no priority acts within the lane.
    let lane: Vec<String> = site.stranger.drain("infer.routine").iter().map(study_of).collect();
    let registered = "select study_instance_uid::text from studies order by arrived_at";
    let registered: Vec<String> = sqlx::query_scalar(registered).fetch_all(db.store.pool()).await.expect("studies");
    let late = |study: &String| registered.iter().position(|known| known == study).expect("registered") as i64;
    // Four are registered at once, so neighbours may swap; the broker's levels would put all of one before the other.
    for (place, study) in lane.iter().enumerate() {
        assert!((late(study) - place as i64 - 1).abs() <= 8, "{lane:?} was registered as {registered:?}");
    }
    worker.stop().await;
    drained(&site).await;
    check_queues(&site);
    site.clean_up();
}

fn study_of(message: &Message) -> String {
    let event: serde_json::Value = serde_json::from_slice(&message.body).expect("JSON");
    event["data"]["study_instance_uid"].as_str().expect("a UID").to_owned()
}
