//! Every arrival becomes a study and an image row at once, before anything is inferred; then it goes to its lane.

use std::sync::Arc;

use cspine_wire::{Delivery, Event, ImageArrived, Message};

use crate::arrival;
use crate::failure::Failure;
use crate::service::Service;
use crate::settle::{park_misdirected, settle};

/// Registers one arrival.
///
/// # Errors
/// None: every failure is settled.
pub async fn handle(service: Service, delivery: Arc<Delivery>) -> anyhow::Result<()> {
    if !delivery.is_addressed() {
        park_misdirected(&service, &delivery).await;
        return Ok(());
    }
    match arrival::read(&delivery.body) {
        Ok(event) => register(&service, &delivery, &event).await,
        Err(error) => settle(&service, &delivery, None, error.into()).await,
    }
    Ok(())
}

/// Writes the rows, puts the event into the lane of its order, then acknowledges.
///
/// The lane gets a message of ours and never the sender's own: RabbitMQ 4.x delivers by a sender's message priority.
pub async fn register(service: &Service, delivery: &Delivery, event: &Event<ImageArrived>) {
    let row = arrival::row(event);
    let registered = service
        .hold(|| {
            let (store, row) = (service.store.clone(), row.clone());
            async move { Ok::<_, Failure>(store.register_arrival(&row).await?) }
        })
        .await;
    match registered {
        Ok(registered) => {
            tracing::info!(
                event_id = event.id,
                study = %row.study,
                new_study = registered.new_study,
                new_image = registered.new_image,
                conflict = registered.conflict,
                "registered"
            );
            service.outbox.notify_one();
            to_lane(service, delivery, event).await;
        }
        Err(failure) => settle(service, delivery, Some(row), failure).await,
    }
}

async fn to_lane(service: &Service, delivery: &Delivery, event: &Event<ImageArrived>) {
    let topology = &service.publisher.broker().topology;
    let message = Message::to_lane(topology, event.data.order_priority, delivery.body.clone());
    match service.publish(message).await {
        Ok(()) => service.ack(delivery).await,
        Err(failure) => settle(service, delivery, Some(arrival::row(event)), failure).await,
    }
}
