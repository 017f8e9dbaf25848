//! What somebody deleted at the broker is declared again, and what waits there is counted.

use std::time::Duration;

use cspine_wire::{Depths, Queue, WireError};

use crate::failure::Failure;
use crate::relay::each;
use crate::service::Service;

/// Declares everything by the clock, until stopped. What publishes and finds its queue gone does not wait for it.
pub async fn keep(service: Service, every: Duration) {
    tokio::join!(each(service.clone(), "topology", every, declare), each(service, "alarms", every, watch_alarm));
}

async fn declare(service: Service) -> Result<(), Failure> {
    match service.publisher.ensure_topology().await {
        Ok(depths) => {
            service.health.mended("topology");
            count(&service, &depths);
        }
        Err(error @ WireError::Denied(_)) => service.health.fault("topology", &error.to_string()),
        // Away: whoever publishes or consumes says so.
        Err(_) => {}
    }
    Ok(())
}

fn count(service: &Service, depths: &Depths) {
    let topology = &service.publisher.broker().topology;
    for queue in Queue::ALL {
        service.metrics.queue(topology.queue(queue), depths.get(queue));
    }
    match depths.get(Queue::Undeliverable) {
        0 => service.health.mended("undeliverable"),
        waiting => {
            let queue = topology.queue(Queue::Undeliverable);
            service.health.fault("undeliverable", &format!("{waiting} messages that ended workers wait in {queue}"));
        }
    }
}

async fn watch_alarm(service: Service) -> Result<(), Failure> {
    let blocked = service.publisher.is_blocked().await;
    service.metrics.broker_blocked.set(blocked.into());
    if blocked {
        service.health.fault("broker", "RabbitMQ blocks publishing: its memory or disk is nearly used up");
    } else {
        service.health.mended("broker");
    }
    Ok(())
}
