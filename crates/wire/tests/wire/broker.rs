//! A real RabbitMQ (`eval "$(deploy/stack up)"`), a prefix a test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cspine_wire::{Broker, Consumer, ConsumerOptions, Delivery, LinkState, Message, Queue, Topology};
use tokio_util::sync::CancellationToken;

pub const DEADLINE: Duration = Duration::from_secs(300);

pub fn url() -> String {
    std::env::var("AMQP_URL").expect("AMQP_URL: a RabbitMQ for the tests, as `deploy/stack up` starts one")
}

pub fn topology() -> Topology {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("test-wire-{}-{number}", std::process::id());
    let retry_delays = vec![Duration::from_millis(200)];
    Topology { prefix, retry_delays, delivery_limit: 2, labels_max: 1, undeliverable_max: 10 }
}

pub fn broker(url: &str, topology: Topology) -> Broker {
    Broker::new(url, topology, Duration::from_secs(10)).unwrap()
}

pub fn event(broker: &Broker, routing_key: &str) -> Message {
    let exchange = broker.topology.events();
    Message { exchange, routing_key: routing_key.into(), body: b"{}".to_vec(), attempt: 0 }
}

pub fn consume(broker: &Broker, queues: &[Queue]) -> Consumer {
    let options = ConsumerOptions { purpose: "test".into(), queues: queues.to_vec(), prefetch: 3 };
    Consumer::start(broker.clone(), options, CancellationToken::new())
}

pub async fn next(consumer: &mut Consumer) -> Delivery {
    tokio::time::timeout(DEADLINE, consumer.next()).await.expect("a message in time").expect("not stopped")
}

pub async fn nothing_comes(consumer: &mut Consumer) {
    let came = tokio::time::timeout(Duration::from_millis(500), consumer.next()).await;
    assert!(came.is_err(), "{came:?}");
}

pub async fn up(consumer: &Consumer) {
    let mut state = consumer.state();
    tokio::time::timeout(DEADLINE, state.wait_for(|state| *state == LinkState::Up)).await.unwrap().unwrap();
}
