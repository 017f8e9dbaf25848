//! What was lost with a queue or an exchange is found: nothing waits for ever.

use std::process::{Command, Output};

use cspine_domain::{Note, Notes, OrderPriority, Reason};
use cspine_tests::python::Stranger;
use cspine_wire::{Event, ImageArrived, Lane, Message, Queue};
use cspine_worker::arrival::row;
use serde_json::Value;

use crate::site::{PROGRAM, Site, eventually, flagging, png};

impl Site {
    fn stranger(&self) -> Stranger {
        Stranger { amqp_url: std::env::var("AMQP_URL").unwrap(), prefix: self.broker.topology.prefix.clone() }
    }

    /// `cspine-worker reconcile` with a minute's patience.
    fn reconcile(&self, more: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(["reconcile", "--reconcile-after", "1m", "--topology-prefix", &self.broker.topology.prefix]);
        command.args(more).env("DATABASE_URL", &self.database.url).env("RUST_LOG", "off");
        command.env("CSPINE_STORE_URL", format!("file://{}", self.objects().display())).output().unwrap()
    }

    /// The last line that the command prints.
    fn reconciled(&self, more: &[&str]) -> String {
        let output = self.reconcile(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    /// As if the image's message had been on its way for so many minutes.
    async fn has_waited(&self, event: &Event<ImageArrived>, minutes: i32) {
        let aged = "update awaited_answers set expected_at = now() - make_interval(mins => $2), claimed_until = null
                     where sop_instance_uid = $1";
        let aged = sqlx::query(aged).bind(event.data.sop_instance_uid.as_str()).bind(minutes);
        assert_eq!(aged.execute(self.store().pool()).await.unwrap().rows_affected(), 1);
    }

    /// Registered, and its message is nowhere.
    async fn lost(&self) -> Event<ImageArrived> {
        let event = self.image(&png(128, 128));
        self.store().register_arrival(&row(&event)).await.unwrap();
        self.has_waited(&event, 2).await;
        event
    }
}

async fn registered(site: &Site, images: i64) {
    eventually("the images are registered", async || {
        let count: i64 = sqlx::query_scalar("select count(*) from images").fetch_one(site.store().pool()).await.ok()?;
        (count == images).then_some(())
    })
    .await;
}

#[tokio::test]
async fn images_whose_lane_was_deleted_with_their_messages_are_answered() {
    let site = Site::new().await;
    // It has no model yet: the lanes keep what arrives.
    let worker = site.start_following(&["--reconcile-every", "1s", "--reconcile-after", "1s"]);
    let mut events = Vec::new();
    eventually("the topology is there", async || site.publisher.connect().await.ok()).await;
    for priority in [OrderPriority::Stat, OrderPriority::Urgent, OrderPriority::Routine, OrderPriority::Routine] {
        let mut event = site.image(&png(128, 128));
        event.data.order_priority = priority;
        site.publish(&event).await;
        events.push(event);
    }
    registered(&site, 4).await;
    let mut lanes = [Lane::Stat, Lane::Routine].map(|lane| site.broker.topology.queue(Queue::Lane(lane))).to_vec();
    let prefix = format!("{}.", site.broker.topology.prefix);
    lanes.iter_mut().for_each(|lane| *lane = lane.strip_prefix(&prefix).unwrap().to_owned());
    site.stranger().delete("queue", &lanes.iter().map(String::as_str).collect::<Vec<_>>());
    let model = site.register(&flagging(1, false)).await;
    site.promote(model).await;
    for event in &events {
        site.finding(event).await;
    }
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn an_image_that_rested_in_a_deleted_retry_queue_is_answered() {
    for what in ["queue", "exchange"] {
        let site = Site::new().await;
        let flags = ["--retry-delays", "5s", "--reconcile-every", "1s", "--reconcile-after", "1s"];
        let worker = site.start(&flags);
        let event = site.image(&png(128, 128));
        let file = site.objects().join(event.data.image.key.as_str());
        let away = site.folder.join("away.png");
        std::fs::rename(&file, &away).unwrap();
        eventually("the topology is there", async || site.publisher.connect().await.ok()).await;
        site.publish(&event).await;
        let resting = "select exists (select from awaited_answers where expected_at > now())";
        eventually("it is on the ladder", async || {
            sqlx::query_scalar::<_, bool>(resting).fetch_one(site.store().pool()).await.ok()?.then_some(())
        })
        .await;
        site.stranger().delete(what, &["retry.5000"]);
        std::fs::rename(&away, &file).unwrap();
        site.finding(&event).await;
        assert_eq!(site.store().parked_count().await.unwrap(), 0, "{what}");
        worker.stop().await;
        site.stranger().delete("queue", &["retry.5000"]);
        site.stranger().delete("exchange", &["retry.5000"]);
        site.remove().await;
    }
}

#[tokio::test]
async fn under_a_running_worker_every_exchange_may_go_and_what_is_then_published_ends() {
    let site = Site::new().await;
    let worker = site.start(&["--reconcile-every", "1s", "--reconcile-after", "2s"]);
    let first = site.image(&png(128, 128));
    eventually("the topology is there", async || site.publisher.connect().await.ok()).await;
    site.publish(&first).await;
    site.finding(&first).await;
    for exchange in ["infer", "dead", "results", "unrouted", "events"] {
        site.stranger().delete("exchange", &[exchange]);
        // The exchange is missing until somebody declares it: a publisher is told so, and publishes again.
        let event = site.image(&png(128, 128));
        let topology = &site.broker.topology;
        let message = Message {
            exchange: topology.events(),
            routing_key: event.data.routing_key().into(),
            body: event.to_json(),
            attempt: 0,
        };
        eventually("it is published", async || site.publisher.publish(&message).await.ok()).await;
        site.finding(&event).await;
    }
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn an_image_that_is_published_again_keeps_the_notes_of_its_event() {
    let site = Site::new().await;
    let mut event = site.image(&png(128, 128));
    event.data.notes = Notes::from([Note::EventSite]);
    site.store().register_arrival(&row(&event)).await.unwrap();
    site.has_waited(&event, 2).await;
    site.publisher.connect().await.unwrap();
    assert!(site.reconciled(&[]).starts_with("1 found, 1 republished"));
    let worker = site.start(&[]);
    assert_eq!(site.finding(&event).await.notes, ["event_site"]);
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn an_image_that_is_lost_again_and_again_is_parked_for_a_person() {
    let site = Site::new().await;
    let event = site.lost().await;
    site.publisher.connect().await.unwrap();
    // Whoever takes its messages away.
    let mut lane = site.consume(&[Queue::Lane(Lane::Routine)]);
    assert_eq!(site.reconciled(&["--dry-run"]), "1 found, 0 republished, 0 parked; 1 images wait for an answer");
    for before in 0..2 {
        let found: Value = serde_json::from_str(&site.reconciled(&["--reconcile-max", "2", "--json"])).unwrap();
        assert_eq!((&found["republished_before"], &found["action"]), (&before.into(), &"republished".into()));
        let delivery = lane.next().await.unwrap();
        let again: Value = serde_json::from_slice(&delivery.body).unwrap();
        assert_eq!(again, serde_json::from_slice::<Value>(&event.to_json()).unwrap(), "the event as it was");
        delivery.ack().await.unwrap();
        assert!(site.reconciled(&[]).starts_with("0 found"), "it has its time again");
        site.has_waited(&event, 2).await;
    }
    let summary = site.reconciled(&["--reconcile-max", "2"]);
    assert_eq!(summary, "1 found, 0 republished, 1 parked; 0 images wait for an answer");
    let row = site.parked(&event.id).await;
    assert_eq!((row.reason, row.attempts), (Reason::Unanswered, 2), "{}", row.detail);
    // A person sends it again: it is awaited anew, and answered.
    site.store().parked_resend(row.id, "tester", "nobody takes it away any more").await.unwrap();
    drop(lane);
    let worker = site.start(&[]);
    site.finding(&event).await;
    assert!(site.reconciled(&[]).ends_with("0 images wait for an answer"));
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn an_image_that_waits_its_turn_in_a_full_lane_is_left_there() {
    let site = Site::new().await;
    let event = site.lost().await;
    site.publisher.connect().await.unwrap();
    let topology = &site.broker.topology;
    let message = Message::to_lane(topology, event.data.order_priority, event.to_json());
    site.publisher.publish(&message).await.unwrap();
    eventually("the lane tells that it holds it", async || {
        let depths = site.publisher.ensure_topology().await.unwrap();
        (depths.get(Queue::Lane(Lane::Routine)) == 1).then_some(())
    })
    .await;
    assert!(site.reconciled(&[]).starts_with("0 found"));
    // Nobody comes for hours: it may have been lost before those that are there now.
    site.has_waited(&event, 7).await;
    assert!(site.reconciled(&["--reconcile-max", "0"]).starts_with("1 found, 1 republished, 0 parked"));
    let worker = site.start(&[]);
    site.finding(&event).await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn while_the_object_store_is_away_nothing_is_reconciled() {
    let site = Site::new().await;
    site.lost().await;
    std::fs::rename(site.objects(), site.folder.join("unmounted")).unwrap();
    let output = site.reconcile(&[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("the object store is away"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    site.remove().await;
}
