//! Somebody deletes what was declared.

use cspine_domain::OrderPriority;
use cspine_wire::{Broker, Lane, LinkState, Message, Publisher, Queue, Topology, WireError};

use crate::broker::{DEADLINE, broker, consume, event, next, nothing_comes, topology, up, url};

#[tokio::test]
async fn a_consumer_whose_queue_is_deleted_declares_it_again_and_goes_on() {
    let broker = broker(&url(), topology());
    let mut consumer = consume(&broker, &[Queue::Status]);
    up(&consumer).await;
    let mut state = consumer.state();
    state.borrow_and_update();
    broker.delete_topology().await.unwrap();
    tokio::time::timeout(DEADLINE, state.wait_for(|state| *state != LinkState::Up)).await.unwrap().unwrap();
    up(&consumer).await;
    Publisher::new(broker.clone()).publish(&event(&broker, "study.status")).await.unwrap();
    next(&mut consumer).await.ack().await.unwrap();
    broker.delete_topology().await.unwrap();
}

/// Someone else at the broker, who deletes.
async fn vandal() -> (lapin::Connection, lapin::Channel) {
    let connection = lapin::Connection::connect(&url(), lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Everything that is declared: (what, name).
fn declared(topology: &Topology) -> Vec<(&'static str, String)> {
    let retry = topology.retry(0).unwrap();
    let exchanges = ["events", "infer", "results", "dead", "unrouted", "undeliverable"];
    let exchanges = exchanges.map(|name| format!("{}.{name}", topology.prefix)).into_iter().chain([retry.clone()]);
    let queues = Queue::ALL.map(|queue| topology.queue(queue)).into_iter().chain([retry]);
    exchanges.map(|name| ("exchange", name)).chain(queues.map(|name| ("queue", name))).collect()
}

async fn delete(channel: &lapin::Channel, (what, name): &(&str, String)) {
    match *what {
        "exchange" => channel.exchange_delete(name.as_str().into(), Default::default()).await.unwrap(),
        _ => channel.queue_delete(name.as_str().into(), Default::default()).await.map(drop).unwrap(),
    }
}

/// Every way of ours, each with where it ends.
fn ways(broker: &Broker) -> Vec<(Message, Queue)> {
    let topology = &broker.topology;
    let retried = |key| Message { exchange: topology.retry(0).unwrap(), ..event(broker, key) };
    let mut ways = vec![
        (event(broker, "study.status"), Queue::Status),
        (retried("study.status"), Queue::Status),
        (event(broker, "image.confirmed"), Queue::Labels),
        (event(broker, "nonsense"), Queue::Unrouted),
    ];
    for order in [OrderPriority::Stat, OrderPriority::Urgent, OrderPriority::Routine] {
        let lane = Lane::of(order);
        ways.push((event(broker, lane.routing_key()), Queue::Arrivals(lane)));
        ways.push((Message::to_lane(topology, order, b"{}".to_vec()), Queue::Lane(lane)));
        ways.push((retried(lane.routing_key()), Queue::Lane(lane)));
    }
    ways
}

#[tokio::test]
async fn whatever_was_deleted_is_declared_again_and_every_way_leads_where_it_should() {
    let broker = broker(&url(), Topology { labels_max: 1000, ..topology() });
    let publisher = Publisher::new(broker.clone());
    publisher.connect().await.unwrap();
    let (_connection, channel) = vandal().await;
    for thing in declared(&broker.topology) {
        delete(&channel, &thing).await;
        publisher.ensure_topology().await.unwrap();
        let ways = ways(&broker);
        for (message, _) in &ways {
            publisher.publish(message).await.unwrap_or_else(|error| panic!("{thing:?}: {error}"));
        }
        let mut due: Vec<Queue> = ways.into_iter().map(|(_, queue)| queue).collect();
        let mut consumer = consume(&broker, &Queue::ALL);
        while !due.is_empty() {
            let delivery = next(&mut consumer).await;
            let at = due.iter().position(|queue| *queue == delivery.queue);
            due.swap_remove(at.unwrap_or_else(|| panic!("{thing:?}: {:?} is not due", delivery.queue)));
            delivery.ack().await.unwrap();
        }
    }
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_publish_that_finds_things_deleted_is_stored_somewhere_or_an_error() {
    let broker = broker(&url(), Topology { labels_max: 1000, ..topology() });
    let publisher = Publisher::new(broker.clone());
    let (_connection, channel) = vandal().await;
    for thing in declared(&broker.topology) {
        for (message, _) in ways(&broker) {
            let retried = message.exchange == broker.topology.retry(0).unwrap();
            if retried && thing == ("exchange", broker.topology.infer()) {
                // The broker keeps it in the ladder and tries again after three minutes: not lost, but no test.
                continue;
            }
            publisher.ensure_topology().await.unwrap();
            delete(&channel, &thing).await;
            let what = format!("{thing:?} deleted, then {} {}", message.exchange, message.routing_key);
            publisher.publish(&message).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            // Nowhere but in a queue: the ladder's step waits 200 ms, all others hold it at once.
            let mut consumer = consume(&broker, &Queue::ALL);
            let came = tokio::time::timeout(DEADLINE, consumer.next()).await.unwrap_or_else(|_| panic!("{what}: lost"));
            came.unwrap().ack().await.unwrap();
        }
    }
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn with_everything_deleted_a_workers_publish_declares_and_a_senders_says_what_is_missing() {
    let broker = broker(&url(), topology());
    let (worker, sender) = (Publisher::new(broker.clone()), Publisher::of_a_sender(broker.clone()));
    let message = event(&broker, "study.status");
    assert!(matches!(sender.publish(&message).await, Err(WireError::Missing(_))));
    worker.publish(&message).await.unwrap();
    sender.publish(&message).await.unwrap();
    broker.delete_topology().await.unwrap();
    assert!(matches!(sender.publish(&message).await, Err(WireError::Missing(_))));
    worker.publish(&message).await.unwrap();
    let mut status = consume(&broker, &[Queue::Status]);
    next(&mut status).await.ack().await.unwrap();
    nothing_comes(&mut status).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn depths_say_what_waits() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    for _ in 0..3 {
        publisher.publish(&event(&broker, "study.status")).await.unwrap();
    }
    // The count of a quorum queue follows its confirms within its own tick.
    let waiting = async {
        loop {
            let depths = publisher.ensure_topology().await.unwrap();
            if depths.get(Queue::Status) == 3 {
                return depths.get(Queue::Undeliverable);
            }
        }
    };
    assert_eq!(tokio::time::timeout(DEADLINE, waiting).await.unwrap(), 0);
    broker.delete_topology().await.unwrap();
}
