//! A message that makes its consumer panic, wherever that is, ends in a parked row and takes nothing else with it.

use std::sync::Arc;

use cspine_domain::Reason;
use cspine_service::Objects;
use cspine_wire::{Consumer, ConsumerOptions, Delivery, Lane, Message, Queue};
use cspine_worker::consume::consume;
use cspine_worker::service::Service;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::site::{Site, png};

/// A handler with a fault: it panics at what says so, and acknowledges the rest.
async fn handle(service: Service, delivery: Arc<Delivery>) -> anyhow::Result<()> {
    assert!(!String::from_utf8_lossy(&delivery.body).contains("fault"), "a fault of the handler's");
    service.ack(&delivery).await;
    Ok(())
}

/// Consumes these queues by it.
fn faulty(site: &Site, queues: &[Queue], stop: &CancellationToken) -> tokio::task::JoinHandle<anyhow::Result<()>> {
    let objects = Objects::open(&format!("file://{}", site.objects().display())).unwrap();
    let service = Service::new(site.store().clone(), site.broker.clone(), objects);
    let options = ConsumerOptions { purpose: "faulty".into(), queues: queues.to_vec(), prefetch: 2 };
    let consumer = Consumer::start(site.broker.clone(), options, stop.clone());
    tokio::spawn(consume(service, consumer, 2, handle))
}

#[tokio::test]
async fn in_every_queue_a_message_that_makes_its_consumer_panic_is_parked_and_the_others_are_handled() {
    let site = Site::new().await;
    site.publisher.connect().await.unwrap();
    let topology = site.broker.topology.clone();
    let event = |id: &str| {
        let mut event = serde_json::from_slice::<serde_json::Value>(&site.image(&png(64, 64)).to_json()).unwrap();
        event["id"] = json!(id);
        event.to_string().into_bytes()
    };
    let lane = topology.infer();
    let dead = format!("{}.dead", topology.prefix);
    let places = [
        (topology.events(), "image.arrived.routine", "arrivals-fault"),
        (lane, "image.arrived.stat", "lane-fault"),
        (topology.events(), "study.status", "status-fault"),
        (topology.events(), "image.confirmed", "label-fault"),
        (topology.events(), "nowhere", "unrouted-fault"),
        (dead, "image.arrived.routine", "dead-fault"),
    ];
    for (exchange, key, id) in &places {
        for body in [event(id), event(&id.replace("fault", "sound"))] {
            let message = Message { exchange: exchange.clone(), routing_key: (*key).into(), body, attempt: 0 };
            site.publisher.publish(&message).await.unwrap();
        }
    }
    let stop = CancellationToken::new();
    let mut queues = vec![Queue::Status, Queue::Labels, Queue::DeadLetters, Queue::Unrouted];
    queues.extend(Lane::ALL.map(Queue::Arrivals));
    queues.extend(Lane::ALL.map(Queue::Lane));
    let consuming = faulty(&site, &queues, &stop);
    for (_, _, id) in &places {
        let row = site.parked(id).await;
        assert_eq!(row.reason, Reason::Poison, "{id}: {}", row.detail);
        assert!(row.study.is_some(), "{id}: its study is on the list");
    }
    assert_eq!(site.store().parked_count().await.unwrap(), 6, "and nothing else was parked");
    stop.cancel();
    consuming.await.unwrap().unwrap();
    site.assert_drained().await;
}

#[tokio::test]
async fn an_event_whose_time_no_clock_can_hold_comes_to_an_end_in_every_queue() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let sound = site.image(&png(128, 128));
    site.publisher.connect().await.unwrap();
    for (key, kind) in [
        ("image.arrived.routine", "arrived"),
        ("study.status", "study.status"),
        ("image.confirmed", "image.confirmed"),
        ("nowhere", "arrived"),
    ] {
        let mut event: serde_json::Value = serde_json::from_slice(&site.image(&png(64, 64)).to_json()).unwrap();
        let far = "9999-12-31T23:59:59-01:00";
        event["time"] = json!(far);
        event["id"] = json!(format!("far-{key}"));
        match kind {
            "study.status" => {
                event["type"] = json!("org.cspine.study.status.v1");
                event["data"] = json!({ "study_instance_uid": "1.2.3", "state": "open" });
            }
            "image.confirmed" => {
                event["type"] = json!("org.cspine.image.confirmed.v1");
                event["data"] = json!({
                    "sop_instance_uid": "1.2.3", "content_sha256": "ab".repeat(32), "label": "normal",
                    "reviewer": "r", "source": "qa", "answer_seen": false, "confirmed_at": far,
                });
            }
            _ => {}
        }
        site.send(key, event.to_string().into_bytes()).await;
    }
    site.publish(&sound).await;
    site.finding(&sound).await;
    for key in ["image.arrived.routine", "study.status", "image.confirmed", "nowhere"] {
        let ended = "select exists (select from parked_messages where event_id = $1)
                         or exists (select from findings join images using (sop_instance_uid) where event_id = $1)
                         or exists (select from reviews where event_id = $1)";
        let id = format!("far-{key}");
        crate::site::eventually(&format!("{id} has ended"), async || {
            sqlx::query_scalar::<_, bool>(ended).bind(&id).fetch_one(site.store().pool()).await.ok()?.then_some(())
        })
        .await;
    }
    site.assert_all_told(worker).await;
}
