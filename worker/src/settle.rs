//! The end of a message: what its failure's disposition means at the broker and in the database.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use cspine_domain::Reason;
use cspine_store::{Arrival, NamedStudy, Parked};
use cspine_wire::{Delivery, Lane, Message, Queue, Sighting, identity, studies_in};
use serde_json::Value;

use crate::arrival;
use crate::failure::{Disposition, Failure};
use crate::service::Service;

/// Before a message goes back to its queue because of something else than itself: it must not spin.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(1);
/// A message that makes its consumer panic is parked at this delivery: the third is decoded alone, and nothing more is
/// tried after that.
const PANICS_AT_DELIVERY: u32 = 3;

/// Settles a message that failed. `arrival` where the event could be read: then its study is on the list.
pub async fn settle(service: &Service, delivery: &Delivery, arrival: Option<Arrival>, failure: Failure) {
    match failure.disposition() {
        Disposition::Retry(reason) if comes_back(delivery.queue, arrival.as_ref()) => {
            retry(service, delivery, arrival, reason, failure).await;
        }
        Disposition::Park(reason) => park(service, delivery, arrival, reason, failure.to_string()).await,
        Disposition::GiveBack if matches!(failure, Failure::Panicked) => panicked(service, delivery, arrival).await,
        Disposition::GiveBack | Disposition::Retry(_) => {
            tracing::error!(failure = %failure, queue = ?delivery.queue, "giving the message back");
            give_back(delivery).await;
        }
        // A step that waits has waited already, or the worker stops.
        Disposition::Hold(_) | Disposition::Leave => {}
    }
}

/// Parks what came into its queue by a `CC` header: its sender may have no right to publish there.
pub async fn park_misdirected(service: &Service, delivery: &Delivery) {
    let detail =
        format!("came into {:?} by a CC header; its routing key is {:.100}", delivery.queue, delivery.routing_key);
    park(service, delivery, None, Reason::BadSchema, detail).await;
}

/// Whether the retry ladder's end, the private exchange, leads back to this queue, or from an arrival's registration on to
/// its lane, which registers it too. From any other queue the message would come back to nobody.
fn comes_back(queue: Queue, arrival: Option<&Arrival>) -> bool {
    matches!(queue, Queue::Lane(_) | Queue::Status) || matches!(queue, Queue::Arrivals(_)) && arrival.is_some()
}

async fn retry(service: &Service, delivery: &Delivery, arrival: Option<Arrival>, reason: Reason, failure: Failure) {
    let topology = &service.publisher.broker().topology;
    let step = usize::try_from(delivery.attempt).unwrap_or(usize::MAX);
    let Some((exchange, wait)) = topology.retry(step).zip(topology.retry_delays.get(step)) else {
        return park(service, delivery, arrival, reason, failure.to_string()).await;
    };
    // A sender spells its routing key as it likes.
    let lane = arrival.as_ref().map(|arrival| Lane::of(arrival.order_priority).routing_key());
    let routing_key = lane.map_or_else(|| delivery.routing_key.clone(), str::to_owned);
    if let Some(arrival) = arrival
        && expect_later(service, arrival, *wait).await.is_err()
    {
        return;
    }
    let again =
        Message { exchange, routing_key, body: delivery.body.clone(), attempt: delivery.attempt.saturating_add(1) };
    // On disk first, then acknowledged: at worst it comes twice. Otherwise the worker stops, and it comes again.
    if let Ok(()) = service.publish(again).await {
        let event_id = identity(&delivery.body).map(|(_, id)| id);
        tracing::info!(event_id, attempt = delivery.attempt, failure = %failure, "to be tried again");
        service.metrics.retried(reason);
        service.ack(delivery).await;
    }
}

/// The reconciler is not to take an image on the ladder for a lost one.
async fn expect_later(service: &Service, arrival: Arrival, wait: Duration) -> Result<(), Failure> {
    let arrival = Arc::new(arrival);
    service
        .hold(|| {
            let (store, arrival) = (service.store.clone(), arrival.clone());
            async move { Ok(store.expect_answer_after(&arrival.sop, arrival.content, wait).await?) }
        })
        .await
}

/// A message that makes its consumer panic: given back while another delivery may do better, then parked with whatever of
/// it can be read. Where the broker never gives a message up, it is parked at once.
async fn panicked(service: &Service, delivery: &Delivery, arrival: Option<Arrival>) {
    service.metrics.panics.inc();
    let last_resort = matches!(delivery.queue, Queue::DeadLetters | Queue::Unrouted);
    let deliveries = delivery.deliveries_before.saturating_add(1);
    if deliveries < PANICS_AT_DELIVERY && !last_resort {
        tracing::error!(queue = ?delivery.queue, deliveries, "the message's consumer panicked; giving it back");
        // Lost or not, it comes again.
        let _ = delivery.requeue().await;
        return;
    }
    // Reading it may be what panics.
    let read = || arrival::read(&delivery.body).ok().map(|event| arrival::row(&event));
    let arrival = arrival.or_else(|| catch_unwind(AssertUnwindSafe(read)).ok().flatten());
    let detail = format!("its consumer panicked at delivery {deliveries}: a fault of this program");
    park(service, delivery, arrival, Reason::Poison, detail).await;
}

/// Parks a message, and acknowledges it once the row is committed.
pub async fn park(service: &Service, delivery: &Delivery, arrival: Option<Arrival>, reason: Reason, detail: String) {
    let known = catch_unwind(AssertUnwindSafe(|| identity(&delivery.body))).ok().flatten();
    let (source, event_id) = known.unzip();
    let mut parked = Parked {
        routing_key: delivery.routing_key.clone(),
        body: delivery.body.clone(),
        headers: delivery.headers.clone(),
        attempts: delivery.attempt.saturating_add(1),
        source,
        event_id,
        reason,
        detail,
        studies: if arrival.is_none() { named_studies(delivery) } else { Vec::new() },
        arrival,
    };
    let mut written = write(service, &parked).await;
    if matches!(written, Err(Failure::Panicked)) && parked.arrival.take().is_some() {
        // What it says of its image cannot be computed with: keep at least the message.
        written = write(service, &parked).await;
    }
    match written {
        Ok(row) => {
            let Parked { source, event_id, detail, .. } = &parked;
            tracing::warn!(row, source, event_id, %reason, detail, "parked");
            service.metrics.parked(reason);
            service.ack(delivery).await;
        }
        Err(Failure::Stopping) => {}
        Err(failure) => {
            let event_id = &parked.event_id;
            tracing::error!(event_id, failure = %failure, "cannot park; giving the message back");
            give_back(delivery).await;
        }
    }
}

/// What is parked on an arrival's way keeps no study off the list that can be read in it.
fn named_studies(delivery: &Delivery) -> Vec<NamedStudy> {
    if matches!(delivery.queue, Queue::Status | Queue::Labels) {
        return Vec::new();
    }
    let named = |sighting: Sighting| NamedStudy {
        study: sighting.study_instance_uid,
        accession_number: sighting.accession_number,
        patient_key: sighting.patient_key,
        site: sighting.site,
        order_priority: sighting.order_priority,
    };
    studies_in(&delivery.body).into_iter().map(named).collect()
}

async fn write(service: &Service, parked: &Parked) -> Result<i64, Failure> {
    let parked = Arc::new(parked.clone());
    service
        .hold(|| {
            let (store, parked) = (service.store.clone(), parked.clone());
            async move { Ok(store.park(&parked).await?) }
        })
        .await
}

async fn give_back(delivery: &Delivery) {
    tokio::time::sleep(GIVE_BACK_AFTER).await;
    // Lost or not, it comes again.
    let _ = delivery.requeue().await;
}

/// A header as text, where it is one.
pub fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    delivery.headers.get(name).and_then(Value::as_str)
}
