//! Every arrival becomes a study and an image row at once, before anything is inferred.

use cspine_wire::{Delivery, Event, ImageArrived};

use crate::arrival;
use crate::failure::Failure;
use crate::service::Service;
use crate::settle::settle;

/// Registers one arrival.
///
/// # Errors
/// None: every failure is settled.
pub async fn handle(service: Service, delivery: Delivery) -> anyhow::Result<()> {
    match arrival::read(&delivery.body) {
        Ok(event) => register(&service, delivery, &event).await,
        Err(error) => settle(&service, delivery, None, error.into()).await,
    }
    Ok(())
}

/// Writes the rows, then acknowledges.
pub async fn register(service: &Service, delivery: Delivery, event: &Event<ImageArrived>) {
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
            service.ack(delivery).await;
        }
        Err(failure) => settle(service, delivery, Some(row), failure).await,
    }
}
