//! The end of a message: what its failure's disposition means at the broker and in the database.

use std::sync::Arc;
use std::time::Duration;

use cspine_domain::Reason;
use cspine_store::{Arrival, Parked};
use cspine_wire::{Delivery, Message, identity};
use serde_json::Value;

use crate::failure::{Disposition, Failure};
use crate::service::Service;

/// Before a message goes back to its queue: it must not spin.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(1);

/// Settles a message that failed. `arrival` where the event could be read: then its study is on the list.
pub async fn settle(service: &Service, delivery: Delivery, arrival: Option<Arrival>, failure: Failure) {
    match failure.disposition() {
        Disposition::Retry(reason) => retry(service, delivery, arrival, reason, failure).await,
        Disposition::Park(reason) => park(service, delivery, arrival, reason, failure.to_string()).await,
        Disposition::GiveBack => {
            tracing::error!(failure = %failure, queue = ?delivery.queue, "giving the message back");
            tokio::time::sleep(GIVE_BACK_AFTER).await;
            // Lost or not, it comes again.
            let _ = delivery.requeue().await;
        }
        // A step that waits has waited already, or the worker stops.
        Disposition::Hold(_) | Disposition::Leave => {}
    }
}

async fn retry(service: &Service, delivery: Delivery, arrival: Option<Arrival>, reason: Reason, failure: Failure) {
    let step = usize::try_from(delivery.attempt).unwrap_or(usize::MAX);
    let Some(exchange) = service.publisher.broker().topology.retry(step) else {
        return park(service, delivery, arrival, reason, failure.to_string()).await;
    };
    let again = Message {
        exchange,
        routing_key: delivery.routing_key.clone(),
        body: delivery.body.clone(),
        attempt: delivery.attempt.saturating_add(1),
    };
    // Confirmed first, then acknowledged: at worst it comes twice.
    if service.publish(again).await.is_ok() {
        let event_id = identity(&delivery.body).map(|(_, id)| id);
        tracing::info!(event_id, attempt = delivery.attempt, failure = %failure, "to be tried again");
        service.metrics.retried(reason);
        service.ack(delivery).await;
    }
}

/// Parks a message, and acknowledges it once the row is committed.
pub async fn park(service: &Service, delivery: Delivery, arrival: Option<Arrival>, reason: Reason, detail: String) {
    let (source, event_id) = identity(&delivery.body).unzip();
    let parked = Arc::new(Parked {
        routing_key: delivery.routing_key.clone(),
        body: delivery.body.clone(),
        headers: delivery.headers.clone(),
        attempts: delivery.attempt.saturating_add(1),
        source: source.clone(),
        event_id: event_id.clone(),
        reason,
        detail,
        arrival,
    });
    let written = service
        .hold(|| {
            let (store, parked) = (service.store.clone(), parked.clone());
            async move { Ok(store.park(&parked).await?) }
        })
        .await;
    match written {
        Ok(row) => {
            tracing::warn!(row, source, event_id, %reason, detail = parked.detail, "parked");
            service.metrics.parked(reason);
            service.ack(delivery).await;
        }
        Err(Failure::Stopping) => {}
        Err(failure) => {
            tracing::error!(event_id, failure = %failure, "cannot park; giving the message back");
            tokio::time::sleep(GIVE_BACK_AFTER).await;
            let _ = delivery.requeue().await;
        }
    }
}

/// A header as text, where it is one.
pub fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    delivery.headers.get(name).and_then(Value::as_str)
}
