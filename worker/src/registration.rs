//! Every arrival becomes a study and an image row at once, before anything is inferred.

use cspine_wire::Delivery;

use crate::arrival;
use crate::failure::Failure;
use crate::service::Service;
use crate::settle::settle;

/// Registers one arrival.
pub async fn handle(service: Service, delivery: Delivery) {
    let event = match arrival::read(&delivery.body) {
        Ok(event) => event,
        Err(error) => return settle(&service, delivery, None, error.into()).await,
    };
    let row = arrival::row(&event);
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
        Err(failure) => settle(&service, delivery, Some(row), failure).await,
    }
}
