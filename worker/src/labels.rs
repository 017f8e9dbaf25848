//! Labels: what people say of images, kept for the trainer. A label may come before its image does.

use std::sync::Arc;

use cspine_store::NewReview;
use cspine_wire::{AnyEvent, Delivery, Event, ImageConfirmed};

use crate::service::Service;
use crate::settle::settle;

/// Records one label, then acknowledges.
pub async fn record(service: &Service, delivery: &Delivery) {
    let event = match AnyEvent::parse(&delivery.body).and_then(AnyEvent::into_confirmed) {
        Ok(event) => event,
        Err(error) => return settle(service, delivery, None, error.into()).await,
    };
    let review = Arc::new(review(&event));
    let recorded = service
        .hold(|| {
            let (store, review) = (service.store.clone(), review.clone());
            async move { Ok(store.record_review(&review).await?) }
        })
        .await;
    match recorded {
        Ok(new) => {
            tracing::info!(event_id = event.id, source = event.source, new, "label");
            service.ack(delivery).await;
        }
        Err(failure) => settle(service, delivery, None, failure).await,
    }
}

fn review(event: &Event<ImageConfirmed>) -> NewReview {
    let data = &event.data;
    NewReview {
        source: event.source.clone(),
        event_id: event.id.clone(),
        sop: data.sop_instance_uid.clone(),
        content: data.content_sha256,
        label: data.label,
        reviewer: data.reviewer.clone(),
        label_source: data.source,
        answer_seen: data.answer_seen,
        confirmed_at: data.confirmed_at,
        supersedes: data.supersedes.clone(),
    }
}
