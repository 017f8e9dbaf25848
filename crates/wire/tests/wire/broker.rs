//! Against a real RabbitMQ (`eval "$(deploy/stack up)"`), a prefix a test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cspine_wire::{
    Broker, Consumer, ConsumerOptions, Delivery, Lane, LinkState, Message, Published, Publisher, Queue, Topology,
    WireError,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);

fn url() -> String {
    std::env::var("AMQP_URL").expect("AMQP_URL: a RabbitMQ for the tests, as `deploy/stack up` starts one")
}

fn topology() -> Topology {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("test-wire-{}-{number}", std::process::id());
    Topology { prefix, retry_delays: vec![Duration::from_millis(200)], delivery_limit: 2, labels_max: 1 }
}

fn broker(url: &str, topology: Topology) -> Broker {
    Broker::new(url, topology, Duration::from_secs(10)).unwrap()
}

fn event(broker: &Broker, routing_key: &str) -> Message {
    let exchange = broker.topology.events();
    Message { exchange, routing_key: routing_key.into(), body: b"{}".to_vec(), attempt: 0 }
}

fn consume(broker: &Broker, queues: &[Queue]) -> Consumer {
    let options = ConsumerOptions { purpose: "test".into(), queues: queues.to_vec(), prefetch: 3 };
    Consumer::start(broker.clone(), options, CancellationToken::new())
}

async fn next(consumer: &mut Consumer) -> Delivery {
    tokio::time::timeout(DEADLINE, consumer.next()).await.expect("a message in time").expect("not stopped")
}

async fn nothing_comes(consumer: &mut Consumer) {
    let came = tokio::time::timeout(Duration::from_millis(500), consumer.next()).await;
    assert!(came.is_err(), "{came:?}");
}

async fn up(consumer: &Consumer) {
    let mut state = consumer.state();
    tokio::time::timeout(DEADLINE, state.wait_for(|state| *state == LinkState::Up)).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_arrival_reaches_registration_and_its_lane_and_no_other() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    for (key, lane) in [("image.arrived.urgent", Lane::Stat), ("image.arrived.routine", Lane::Routine)] {
        assert_eq!(publisher.publish(&event(&broker, key)).await.unwrap(), Published::Stored);
        for queue in [Queue::Arrivals, Queue::Lane(lane)] {
            let mut consumer = consume(&broker, &[queue]);
            let delivery = next(&mut consumer).await;
            assert_eq!((delivery.queue, delivery.routing_key.as_str(), delivery.attempt), (queue, key, 0));
            delivery.ack().await.unwrap();
        }
    }
    nothing_comes(&mut consume(&broker, &[Queue::Lane(Lane::Stat), Queue::Lane(Lane::Routine), Queue::Unrouted])).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn what_no_binding_takes_is_kept_and_results_nobody_hears_are_not() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    let mut unrouted = consume(&broker, &[Queue::Unrouted]);
    for key in ["image.arrived", "image.arrived.soon", "nonsense"] {
        assert_eq!(publisher.publish(&event(&broker, key)).await.unwrap(), Published::Stored);
        let delivery = next(&mut unrouted).await;
        assert_eq!(delivery.routing_key, key);
        delivery.ack().await.unwrap();
    }
    for key in ["finding.created", "study.reprioritised", "model.drifted"] {
        assert_eq!(publisher.publish(&event(&broker, key)).await.unwrap(), Published::Unroutable);
    }
    nothing_comes(&mut unrouted).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_retry_comes_back_to_its_lane_after_its_delay_and_to_nobody_else() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    let mut lane = consume(&broker, &[Queue::Lane(Lane::Routine)]);
    let mut others = consume(&broker, &[Queue::Arrivals, Queue::Unrouted, Queue::DeadLetters]);
    let again =
        Message { exchange: broker.topology.retry(0).unwrap(), attempt: 1, ..event(&broker, "image.arrived.routine") };
    let before = std::time::Instant::now();
    assert_eq!(publisher.publish(&again).await.unwrap(), Published::Stored);
    let delivery = next(&mut lane).await;
    assert!(before.elapsed() >= Duration::from_millis(200));
    assert_eq!((delivery.routing_key.as_str(), delivery.attempt), ("image.arrived.routine", 1));
    delivery.ack().await.unwrap();
    nothing_comes(&mut others).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_message_over_the_delivery_limit_becomes_a_dead_letter() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    let mut lane = consume(&broker, &[Queue::Lane(Lane::Stat)]);
    let mut dead = consume(&broker, &[Queue::DeadLetters]);
    assert_eq!(publisher.publish(&event(&broker, "image.arrived.stat")).await.unwrap(), Published::Stored);
    for deliveries_before in 0..=2 {
        let delivery = next(&mut lane).await;
        assert_eq!(delivery.deliveries_before, deliveries_before);
        delivery.requeue().await.unwrap();
    }
    let delivery = next(&mut dead).await;
    assert_eq!(delivery.routing_key, "image.arrived.stat");
    assert_eq!(delivery.headers["x-first-death-reason"], "delivery_limit");
    delivery.ack().await.unwrap();
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_and_says_so() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    let label = event(&broker, "image.confirmed");
    let mut refused = false;
    // A quorum queue may take a few over its bound before it refuses.
    for _ in 0..20 {
        refused |= matches!(publisher.publish(&label).await, Err(WireError::Refused));
    }
    assert!(refused);
    assert_eq!(publisher.publish(&event(&broker, "study.status")).await.unwrap(), Published::Stored, "others go on");
    broker.delete_topology().await.unwrap();
}

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
    assert_eq!(
        Publisher::new(broker.clone()).publish(&event(&broker, "study.status")).await.unwrap(),
        Published::Stored
    );
    next(&mut consumer).await.ack().await.unwrap();
    broker.delete_topology().await.unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    Open,
    Silent,
    Cut,
}

/// A proxy before the broker whose line can be cut, or go silent without a word.
async fn proxy() -> (String, watch::Sender<Line>) {
    let target = url();
    let (before, rest) = target.rsplit_once('@').unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let (listener, address) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), address.to_owned());
    let through = format!("{before}@{}/{path}?heartbeat=1", listener.local_addr().unwrap());
    let (line, state) = watch::channel(Line::Open);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&address).await else { continue };
            let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
            tokio::spawn(pump(client_in, server_out, state.clone()));
            tokio::spawn(pump(server_in, client_out, state.clone()));
        }
    });
    (through, line)
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            changed = line.changed() => { if changed.is_err() || *line.borrow() == Line::Cut { return } continue }
        };
        let Ok(length @ 1..) = read else { return };
        let now = *line.borrow();
        match now {
            Line::Open if to.write_all(&buffer[..length]).await.is_err() => return,
            Line::Cut => return,
            _ => {}
        }
    }
}

/// Consumes one message before and one after the line breaks; the held one comes again.
async fn consumer_survives(broken: Line) {
    let topology = topology();
    let (through, line) = proxy().await;
    let direct = broker(&url(), topology.clone());
    let publisher = Publisher::new(direct.clone());
    let mut consumer = consume(&broker(&through, topology), &[Queue::Lane(Lane::Routine)]);
    assert_eq!(publisher.publish(&event(&direct, "image.arrived.routine")).await.unwrap(), Published::Stored);
    let held = next(&mut consumer).await;

    let mut state = consumer.state();
    state.borrow_and_update();
    line.send_replace(broken);
    tokio::time::timeout(DEADLINE, state.wait_for(|state| *state != LinkState::Up)).await.unwrap().unwrap();
    assert!(held.ack().await.is_err(), "an acknowledgement on a lost connection is not taken for one");

    line.send_replace(Line::Open);
    let again = next(&mut consumer).await;
    assert!(again.deliveries_before >= 1);
    again.ack().await.unwrap();
    direct.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_consumer_goes_on_after_its_connection_was_cut() {
    consumer_survives(Line::Cut).await;
}

#[tokio::test]
async fn a_consumer_notices_a_half_open_connection_by_its_heartbeat() {
    consumer_survives(Line::Silent).await;
}

#[tokio::test]
async fn a_publisher_says_that_no_confirm_came_and_works_again_once_the_line_does() {
    let topology = topology();
    let (through, line) = proxy().await;
    let direct = broker(&url(), topology.clone());
    let publisher = Publisher::new(Broker::new(&through, topology, Duration::from_secs(2)).unwrap());
    let message = event(&direct, "study.status");
    assert_eq!(publisher.publish(&message).await.unwrap(), Published::Stored);
    line.send_replace(Line::Silent);
    assert!(publisher.publish(&message).await.is_err());
    line.send_replace(Line::Open);
    let mut stored = false;
    for _ in 0..20 {
        stored |= publisher.publish(&message).await.is_ok();
    }
    assert!(stored);
    direct.delete_topology().await.unwrap();
}
