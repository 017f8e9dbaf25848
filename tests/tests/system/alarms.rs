//! The broker's memory or disk is nearly used up, and it blocks whoever publishes.

use std::collections::BTreeSet;
use std::time::Duration;

use cspine_tests::database::Database;
use cspine_tests::stack::Stack;
use cspine_tests::wait;
use cspine_tests::worker::{Site, Worker};
use cspine_wire::AnyEvent;
use serde_json::json;

const EVENTS: usize = 150;

#[tokio::test]
async fn while_an_alarm_blocks_publishing_nothing_piles_up_and_afterwards_each_event_is_sent_once() {
    let stack = Stack::start("alarm");
    let db = Database::create_on(&stack.database_url).await.expect("a database");
    let site = Site::new("alarm-site", &db.url, &stack.amqp_url);
    // A confirm that takes over a second counts as lost: during the alarm none may.
    let flags = ["--broker-timeout", "1s", "--topology-every", "500ms"];
    let workers = ["one", "two"].map(|name| site.start_worker_with(name, &flags));
    for worker in &workers {
        worker.ready().await;
    }
    site.stranger.listen("results-of-the-test", &["model.drifted"]);
    let connections = || stack.rabbitmqctl(&["-q", "list_connections", "name"]).lines().count();
    let before = (connections(), workers.each_ref().map(Worker::open_files));

    for alarm in [["set_vm_memory_high_watermark", "0.0000001"], ["set_disk_free_limit", "900000GB"]] {
        stack.rabbitmqctl(&alarm);
        enqueue(&db).await;
        wait::until("the workers name the alarm and stay ready", Duration::from_secs(60), async || {
            let pages = workers.each_ref().map(|worker| worker.get("/readyz"));
            let named = |page: &Option<(u16, String)>| {
                page.as_ref().is_some_and(|(_, body)| body.contains("blocks publishing"))
            };
            // Whoever claimed nothing does not know.
            pages.iter().any(named).then_some(())
        })
        .await;
        // Not luck but the time in which confirms would be given up and connections made anew, five times over.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let during = (connections(), workers.each_ref().map(Worker::open_files));
        assert!(during.0 <= before.0, "connections: {before:?}, then {during:?}");
        for (before, during) in before.1.iter().zip(during.1) {
            assert!(during <= before + 4, "open files: {before}, then {during}");
        }
        stack.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]);
        stack.rabbitmqctl(&["set_disk_free_limit", "50MB"]);
        wait::until("the outbox is empty", Duration::from_secs(60), async || {
            db.store.outbox_age().await.ok()?.is_none().then_some(())
        })
        .await;
        let messages = site.stranger.drain("results-of-the-test");
        let ids: BTreeSet<String> = messages
            .iter()
            .map(|message| match AnyEvent::parse(&message.body).expect("an event") {
                AnyEvent::ModelDrifted(event) => event.id,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids.len(), EVENTS, "each was sent");
        assert!(messages.len() <= EVENTS + workers.len(), "{} messages for {EVENTS} events", messages.len());
    }
    for worker in workers {
        worker.stop().await;
    }
}

/// Events of no image: while senders are blocked none arrives.
async fn enqueue(db: &Database) {
    let example = include_str!("../../../docs/events/examples/model.drifted.v1.json");
    let mut event: serde_json::Value = serde_json::from_str(example).expect("JSON");
    for _ in 0..EVENTS {
        let id: String =
            sqlx::query_scalar("select gen_random_uuid()::text").fetch_one(db.store.pool()).await.expect("an id");
        event["id"] = json!(id);
        sqlx::query("insert into outbox (event_id, event_type, routing_key, payload) values ($1, $2, $3, $4::json)")
            .bind(&id)
            .bind("org.cspine.model.drifted.v1")
            .bind("model.drifted")
            .bind(event.to_string())
            .execute(db.store.pool())
            .await
            .expect("a row");
    }
}
