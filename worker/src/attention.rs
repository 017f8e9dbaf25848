//! What needs no network: changes of a study's state, labels, dead letters, messages that no binding took.

use std::sync::Arc;

use cspine_domain::Reason;
use cspine_store::{StateChange, StateChanged, StudyState};
use cspine_wire::{AnyEvent, Delivery, Event, Message, Queue, StudyStatus};

use crate::arrival;
use crate::failure::Failure;
use crate::labels;
use crate::registration::register;
use crate::service::Service;
use crate::settle::{header, park, park_misdirected, settle};

/// How often a dead letter may come back before it is parked for its body alone, whatever it says.
const DEAD_LETTER_TRIES: u32 = 2;

/// Handles one message of the status, label, dead-letter or unrouted queue.
///
/// # Errors
/// None: every failure is settled.
pub async fn handle(service: Service, delivery: Arc<Delivery>) -> anyhow::Result<()> {
    match delivery.queue {
        _ if !delivery.is_addressed() => park_misdirected(&service, &delivery).await,
        Queue::Status => status(&service, &delivery).await,
        Queue::Labels => labels::record(&service, &delivery).await,
        Queue::DeadLetters => dead_letter(&service, &delivery).await,
        _ => unrouted(&service, &delivery).await,
    }
    Ok(())
}

/// A message that no queue took. Where one should have, it was deleted: then it is declared again, and gets the message.
async fn unrouted(service: &Service, delivery: &Delivery) {
    let topology = &service.publisher.broker().topology;
    if !topology.routes(&delivery.exchange, &delivery.routing_key) {
        let arrival = arrival::read(&delivery.body).ok().map(|event| arrival::row(&event));
        let detail = format!("no queue takes the routing key {:.100}", delivery.routing_key);
        return park(service, delivery, arrival, Reason::DeadLettered, detail).await;
    }
    let again = Message {
        exchange: delivery.exchange.clone(),
        routing_key: delivery.routing_key.clone(),
        body: delivery.body.clone(),
        attempt: delivery.attempt,
    };
    match declare_and_publish(service, again).await {
        Ok(()) => {
            tracing::warn!(
                exchange = delivery.exchange,
                routing_key = delivery.routing_key,
                "a queue was gone; declared"
            );
            service.ack(delivery).await;
        }
        Err(failure) => settle(service, delivery, None, failure).await,
    }
}

async fn declare_and_publish(service: &Service, message: Message) -> Result<(), Failure> {
    service
        .hold(|| {
            let publisher = service.publisher.clone();
            async move { Ok(publisher.ensure_topology().await?) }
        })
        .await?;
    service.publish(message).await
}

async fn status(service: &Service, delivery: &Delivery) {
    let event = match AnyEvent::parse(&delivery.body).and_then(AnyEvent::into_status) {
        Ok(event) => event,
        Err(error) => return settle(service, delivery, None, error.into()).await,
    };
    let change = change(&event);
    let changed = service
        .hold(|| {
            let (store, change) = (service.store.clone(), change.clone());
            async move { Ok(store.set_study_state(&change).await?) }
        })
        .await;
    let (event_id, study) = (event.id, change.study.to_string());
    match changed {
        Ok(StateChanged::UnknownStudy) => settle(service, delivery, None, Failure::UnknownStudy).await,
        Ok(changed) => {
            tracing::info!(event_id, study, state = change.state.as_str(), outcome = ?changed, "study state");
            service.outbox.notify_one();
            service.ack(delivery).await;
        }
        Err(failure) => settle(service, delivery, None, failure).await,
    }
}

fn change(event: &Event<StudyStatus>) -> StateChange {
    StateChange {
        study: event.data.study_instance_uid.clone(),
        state: match event.data.state {
            cspine_wire::StudyState::Open => StudyState::Open,
            cspine_wire::StudyState::Reading => StudyState::Reading,
            cspine_wire::StudyState::Finished => StudyState::Finished,
        },
        at: Some(event.time),
        event: Some((event.source.clone(), event.id.clone())),
        by: event.data.by.clone(),
    }
}

/// A message that the broker gave up. One that was answered all the same, by a worker whose acknowledgement was lost,
/// needs nobody.
async fn dead_letter(service: &Service, delivery: &Delivery) {
    let event = arrival::read(&delivery.body).ok();
    let queue = header(delivery, "x-first-death-queue").unwrap_or("unknown").to_owned();
    if delivery.deliveries_before >= DEAD_LETTER_TRIES {
        let detail = format!("given up by the queue {queue}, and again as a dead letter");
        return park(service, delivery, None, Reason::DeadLettered, detail).await;
    }
    let topology = &service.publisher.broker().topology;
    // What came into its queue by a CC header, its sender may have had no right to publish there.
    let from = Queue::ALL.into_iter().find(|from| queue == topology.queue(*from) && delivery.is_addressed_to(*from));
    if let (Some(Queue::Arrivals(_)), Some(event)) = (from, &event) {
        // Only its registration was given up, which puts it into its lane.
        return register(service, delivery, event).await;
    }
    if let Some(event) = &event {
        let answered = service
            .hold(|| {
                let (store, sop) = (service.store.clone(), event.data.sop_instance_uid.clone());
                let content = event.data.image.sha256;
                async move { Ok::<_, Failure>(store.already_answered(&sop, content).await?) }
            })
            .await;
        match answered {
            Ok(true) => return service.ack(delivery).await,
            Ok(false) => {}
            Err(failure) => return settle(service, delivery, None, failure).await,
        }
    }
    let why = header(delivery, "x-first-death-reason").unwrap_or("unknown");
    match from {
        // No sender's time limit takes back what was confirmed to it.
        Some(Queue::Status) if why == "expired" => return status(service, delivery).await,
        Some(Queue::Labels) if why == "expired" => return labels::record(service, delivery).await,
        _ => {}
    }
    let detail = format!("given up by the queue {queue}: {why}");
    let arrival = event.as_ref().map(arrival::row);
    park(service, delivery, arrival, Reason::DeadLettered, detail).await;
}
