//! Who gets what.

use std::time::Duration;

use cspine_domain::OrderPriority;
use cspine_wire::{Heard, Lane, Message, Publisher, Queue, WireError};

use crate::broker::{broker, consume, event, next, nothing_comes, topology, url};

#[tokio::test]
async fn an_arrival_reaches_registration_and_no_lane() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    for lane in Lane::ALL {
        publisher.publish(&event(&broker, lane.routing_key())).await.unwrap();
        let delivery = next(&mut consume(&broker, &[Queue::Arrivals(lane)])).await;
        assert_eq!((delivery.routing_key.as_str(), delivery.attempt), (lane.routing_key(), 0));
        delivery.ack().await.unwrap();
    }
    let others: Vec<_> = Queue::ALL.into_iter().filter(|queue| !matches!(queue, Queue::Arrivals(_))).collect();
    nothing_comes(&mut consume(&broker, &others)).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn what_registration_hands_on_reaches_the_lane_of_its_order_and_nobody_else() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    for order in [OrderPriority::Stat, OrderPriority::Urgent, OrderPriority::Routine] {
        publisher.publish(&Message::to_lane(&broker.topology, order, b"{}".to_vec())).await.unwrap();
        let delivery = next(&mut consume(&broker, &[Queue::Lane(Lane::of(order))])).await;
        assert_eq!(delivery.exchange, broker.topology.infer());
        delivery.ack().await.unwrap();
    }
    nothing_comes(&mut consume(&broker, &Queue::ALL)).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn what_no_binding_takes_is_kept_and_results_nobody_hears_are_not() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    let mut unrouted = consume(&broker, &[Queue::Unrouted]);
    // A result in the senders' exchange is none: listeners hear only what workers publish.
    for key in ["image.arrived", "image.arrived.soon", "nonsense", "finding.created", "study.reprioritised"] {
        publisher.publish(&event(&broker, key)).await.unwrap();
        let delivery = next(&mut unrouted).await;
        assert_eq!(delivery.routing_key, key);
        delivery.ack().await.unwrap();
    }
    for key in ["finding.created", "study.reprioritised", "model.drifted"] {
        let result = Message { exchange: broker.topology.results(), ..event(&broker, key) };
        assert_eq!(publisher.tell(&result).await.unwrap(), Heard::ByNobody);
        // The same as a message that must not be lost: an error, whatever else is done about it.
        assert!(matches!(publisher.publish(&result).await, Err(WireError::Unroutable)));
    }
    nothing_comes(&mut unrouted).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_retry_comes_back_to_its_lane_after_its_delay_and_to_nobody_else() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    let mut lane = consume(&broker, &[Queue::Lane(Lane::Routine)]);
    let mut others = consume(&broker, &[Queue::Arrivals(Lane::Routine), Queue::Unrouted, Queue::DeadLetters]);
    let again =
        Message { exchange: broker.topology.retry(0).unwrap(), attempt: 1, ..event(&broker, "image.arrived.routine") };
    let before = std::time::Instant::now();
    publisher.publish(&again).await.unwrap();
    let delivery = next(&mut lane).await;
    assert!(before.elapsed() >= Duration::from_millis(200));
    assert_eq!((delivery.routing_key.as_str(), delivery.attempt), ("image.arrived.routine", 1));
    delivery.ack().await.unwrap();
    nothing_comes(&mut others).await;
    broker.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_message_over_the_delivery_limit_becomes_a_dead_letter_and_over_it_again_rests() {
    let broker = broker(&url(), topology());
    let publisher = Publisher::new(broker.clone());
    let worked = [Queue::Arrivals(Lane::Stat), Queue::Lane(Lane::Stat), Queue::Status, Queue::Labels, Queue::Unrouted];
    for queue in worked {
        let (events, infer) = (broker.topology.events(), broker.topology.infer());
        let (exchange, key) = match queue {
            Queue::Arrivals(_) => (events, "image.arrived.stat"),
            Queue::Lane(_) => (infer, "image.arrived.stat"),
            Queue::Status => (events, "study.status"),
            Queue::Labels => (events, "image.confirmed"),
            _ => (events, "nonsense"),
        };
        publisher.publish(&Message { exchange, ..event(&broker, key) }).await.unwrap();
        for limited in [queue, Queue::DeadLetters] {
            let mut consumer = consume(&broker, &[limited]);
            for deliveries_before in 0..=2 {
                let delivery = next(&mut consumer).await;
                assert_eq!((delivery.queue, delivery.deliveries_before), (limited, deliveries_before), "{queue:?}");
                assert_eq!(delivery.routing_key, key);
                if limited == Queue::DeadLetters {
                    assert_eq!(delivery.headers["x-first-death-reason"], "delivery_limit");
                    assert_eq!(delivery.headers["x-first-death-queue"], broker.topology.queue(queue));
                }
                delivery.requeue().await.unwrap();
            }
        }
        let at_rest = next(&mut consume(&broker, &[Queue::Undeliverable])).await;
        assert_eq!(at_rest.routing_key, key);
        at_rest.ack().await.unwrap();
    }
    nothing_comes(&mut consume(&broker, &Queue::ALL)).await;
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
    publisher.publish(&event(&broker, "study.status")).await.expect("others go on");
    broker.delete_topology().await.unwrap();
}
