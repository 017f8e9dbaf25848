//! What needs no network: changes of a study's state, labels, dead letters, messages that no binding took.

use cspine_domain::Reason;
use cspine_store::{StateChange, StateChanged, StudyState};
use cspine_wire::{AnyEvent, Delivery, Event, Queue, StudyStatus};

use crate::arrival;
use crate::failure::Failure;
use crate::labels;
use crate::registration::register;
use crate::service::Service;
use crate::settle::{header, park, settle};

/// Handles one message of the status, label, dead-letter or unrouted queue.
///
/// # Errors
/// None: every failure is settled.
pub async fn handle(service: Service, delivery: Delivery) -> anyhow::Result<()> {
    match delivery.queue {
        Queue::Status => status(&service, delivery).await,
        Queue::Labels => labels::record(&service, delivery).await,
        Queue::DeadLetters => dead_letter(&service, delivery).await,
        _ => {
            let arrival = arrival::read(&delivery.body).ok().map(|event| arrival::row(&event));
            let detail = format!("no queue takes the routing key {:.100}", delivery.routing_key);
            park(&service, delivery, arrival, Reason::DeadLettered, detail).await;
        }
    }
    Ok(())
}

async fn status(service: &Service, delivery: Delivery) {
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
async fn dead_letter(service: &Service, delivery: Delivery) {
    let event = arrival::read(&delivery.body).ok();
    let queue = header(&delivery, "x-first-death-queue").unwrap_or("unknown").to_owned();
    if let Some(event) = &event
        && queue == service.publisher.broker().topology.queue(Queue::Arrivals)
    {
        // Only its registration was given up: its lane answers for the image.
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
    let why = header(&delivery, "x-first-death-reason").unwrap_or("unknown");
    let detail = format!("given up by the queue {queue}: {why}");
    let arrival = event.as_ref().map(arrival::row);
    park(service, delivery, arrival, Reason::DeadLettered, detail).await;
}
