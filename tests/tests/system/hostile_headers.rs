//! Messages whose AMQP headers are made to harm whoever reads them.

use std::time::Duration;

use cspine_tests::python::{Message, hostile_forms};
use cspine_tests::wait;
use cspine_wire::{Broker, Consumer, ConsumerOptions, Lane, Publisher, Queue, Topology};
use tokio_util::sync::CancellationToken;

use crate::accounting::{check_queues, drained};
use crate::files::{pngs, store};
use crate::operations::{arrived, site};

/// Each form with an image that is answered and with an event that no queue takes; delivered twice, so that the broker
/// writes its own headers beside the hostile ones.
#[tokio::test]
async fn no_header_ends_a_worker_or_keeps_an_image_from_its_answer() {
    let (db, site) = site("hostile").await;
    let retry_delays = [200, 500, 1000].map(Duration::from_millis).to_vec();
    let topology = Topology { prefix: site.stranger.prefix.clone(), retry_delays, ..Topology::default() };
    let broker = Broker::new(&site.stranger.amqp_url, topology, Duration::from_secs(10)).expect("a broker");
    Publisher::new(broker.clone()).connect().await.expect("declared");

    let object = store(&site.objects(), "images/1.png", &pngs()[0]);
    let form_and_event = |(number, form): (usize, String)| {
        let image = arrived(&format!("image-{number}"), &format!("1.2.{number}"), &object);
        let stray = arrived(&format!("stray-{number}"), &format!("1.3.{number}"), &object);
        [(form.clone(), image), (form, Message { routing_key: "nonsense".into(), ..stray })]
    };
    let messages: Vec<_> = hostile_forms().into_iter().enumerate().flat_map(form_and_event).collect();
    let accepted = site.stranger.publish_hostile(&messages);
    let forms = accepted.len() / 2;
    // What a broker refuses by itself is no worker's concern; the deep ones that fit into a frame it takes.
    for deep in ["tables 1000", "arrays 1000", "tables and arrays 20000", "name of no encoding", "nearly a frame"] {
        assert!(accepted.iter().any(|form| form == deep), "{deep} was not sent");
    }
    for queue in [Queue::Arrivals(Lane::Routine), Queue::Unrouted] {
        give_back_once(&broker, queue, forms).await;
    }

    let worker = site.start_worker("worker");
    wait::until("every image is answered, every stray event parked", Duration::from_secs(120), async || {
        let answered: i64 =
            sqlx::query_scalar("select count(*) from findings").fetch_one(db.store.pool()).await.ok()?;
        let parked = db.store.parked_count().await.ok()?;
        (answered == forms as i64 && parked == forms as i64).then_some(())
    })
    .await;
    drained(&site).await;
    // It panics if the worker had ended by itself.
    worker.stop().await;
    check_queues(&site);
    site.clean_up();
}

async fn give_back_once(broker: &Broker, queue: Queue, messages: usize) {
    let prefetch = u16::try_from(messages).expect("not so many forms");
    let options = ConsumerOptions { purpose: "test".into(), queues: vec![queue], prefetch };
    let mut consumer = Consumer::start(broker.clone(), options, CancellationToken::new());
    let mut held = Vec::new();
    while held.len() < messages {
        let delivery = tokio::time::timeout(Duration::from_secs(60), consumer.next()).await;
        held.push(delivery.expect("all of them come").expect("not stopped"));
    }
    for delivery in held {
        delivery.requeue().await.expect("still connected");
    }
}
