//! A lane: arrivals to be assessed, from the delivery to the acknowledgement.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cspine_nets::ModelError;
use cspine_store::{NewFinding, Purpose, Recorded};
use cspine_wire::{Delivery, Event, ImageArrived, Lane, Message};
use time::OffsetDateTime;

use crate::alone::prepare_alone;
use crate::arrival;
use crate::assess::{Assessment, Rows, assess};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::network::{InService, Network};
use crate::prepare::{Declared, Prepared, prepare};
use crate::service::Service;
use crate::settle::settle;
use crate::shadow::Shadow;
use crate::slots::Slots;

/// What a lane needs beside the service.
#[derive(Debug)]
pub struct Worker {
    /// Which lane.
    pub lane: Lane,
    /// Its threads.
    pub slots: Slots,
    /// The network; there is one before the lane begins.
    pub in_service: InService,
    /// What may score the image too, afterwards.
    pub shadow: Arc<Shadow>,
    /// How long a message is held while something is away.
    pub hold_max: Duration,
}

/// Outputs in a row that are not finite before the model is at fault rather than an image.
const NOT_FINITE_MAX: u32 = 3;
/// Deliveries without an answer before an image is decoded alone: the third is.
const TOGETHER_MAX: u32 = 2;

/// What became of a message that did not fail.
enum Done {
    /// This worker answered it.
    Answered(Recorded),
    /// It was answered before.
    AlreadyAnswered,
    /// It belongs to a more urgent lane, and is there now.
    HandedOver,
    /// It was held for long, and is published anew.
    HandedBack,
}

/// Works on one message, to its end.
///
/// # Errors
/// A thread is lost: only a new process has all its slots again.
pub async fn handle(service: Service, worker: Arc<Worker>, delivery: Arc<Delivery>) -> anyhow::Result<()> {
    let _in_flight = service.metrics.in_flight(worker.lane.as_str());
    let event = match arrival::read(&delivery.body) {
        Ok(event) => event,
        Err(error) => {
            settle(&service, &delivery, None, error.into()).await;
            return Ok(());
        }
    };
    let (event_id, study) = (event.id.clone(), event.data.study_instance_uid.to_string());
    let done = answer_or_hand_back(&service, &worker, &delivery, &event).await;
    match done {
        Ok(done) => {
            log(&event_id, &study, worker.lane, &done);
            // What could only be decoded alone is not decoded again in here.
            let sound = delivery.deliveries_before < TOGETHER_MAX;
            service.ack(&delivery).await;
            if sound && matches!(done, Done::Answered(Recorded::Created { .. })) {
                worker.shadow.offer(event, &service.metrics);
            }
        }
        Err(Failure::Stuck) => anyhow::bail!("event {event_id}: {}", Failure::Stuck),
        Err(failure) => {
            settle(&service, &delivery, Some(arrival::row(&event)), failure).await;
        }
    }
    Ok(())
}

/// While a dependency is away a message is held, but never so long that the broker would take it back and count it.
async fn answer_or_hand_back(
    service: &Service,
    worker: &Arc<Worker>,
    delivery: &Delivery,
    event: &Event<ImageArrived>,
) -> Result<Done, Failure> {
    let answering = answer(service, worker, delivery, event);
    tokio::pin!(answering);
    loop {
        tokio::select! {
            // Dropped half-way it harms nothing: its steps are tasks of their own, and each may happen twice.
            done = &mut answering => return done,
            () = tokio::time::sleep(worker.hold_max) => {
                if !service.health.missing().is_empty() {
                    return publish_to_lane(service, delivery, event).await.map(|()| Done::HandedBack);
                }
            }
        }
    }
}

async fn answer(
    service: &Service,
    worker: &Arc<Worker>,
    delivery: &Delivery,
    event: &Event<ImageArrived>,
) -> Result<Done, Failure> {
    if Lane::of(event.data.order_priority) < worker.lane {
        // Registration puts nothing into the wrong lane, but an operator may.
        return publish_to_lane(service, delivery, event).await.map(|()| Done::HandedOver);
    }
    let waited = (OffsetDateTime::now_utc() - event.time).try_into().unwrap_or_default();
    service.metrics.stage("queue_wait", waited);
    if already_answered(service, event).await? {
        return Ok(Done::AlreadyAnswered);
    }
    // From here to the commit one network, whichever serves by then.
    let network = worker.in_service.wait().await;
    let bytes = fetch(service, event, network.rules.limits.max_bytes).await?;
    let assessment = work(service, worker, &network, delivery, event, bytes).await;
    watch_finiteness(service, &worker.in_service, &network, &assessment);
    commit(service, &network, event, assessment?).await.map(Done::Answered)
}

async fn already_answered(service: &Service, event: &Event<ImageArrived>) -> Result<bool, Failure> {
    service
        .hold(|| {
            let (store, sop) = (service.store.clone(), event.data.sop_instance_uid.clone());
            let content = event.data.image.sha256;
            async move { Ok(store.already_answered(&sop, content).await?) }
        })
        .await
}

async fn fetch(service: &Service, event: &Event<ImageArrived>, max_bytes: u64) -> Result<Vec<u8>, Failure> {
    let fetched = service.hold(|| {
        let (objects, image) = (service.objects.clone(), event.data.image.clone());
        async move { Ok(objects.get(&image.key, max_bytes, image.size_bytes).await?) }
    });
    service.metrics.timed("fetch", fetched).await
}

/// Decodes, infers and explains in one of the lane's slots.
async fn work(
    service: &Service,
    worker: &Arc<Worker>,
    network: &Arc<Network>,
    delivery: &Delivery,
    event: &Event<ImageArrived>,
    bytes: Vec<u8>,
) -> Result<Assessment, Failure> {
    let (network, metrics) = (network.clone(), service.metrics.clone());
    let declared = Declared::of(&arrival::row(event));
    if delivery.deliveries_before >= TOGETHER_MAX {
        tracing::warn!(event_id = event.id, before = delivery.deliveries_before, "decoding alone");
        let (program, limits) = (&network.usage.program, network.usage.alone);
        let prepared = prepare_alone(program, &bytes, &declared, &network.rules, limits).await?;
        return worker.slots.run(move || infer(&network, &metrics, prepared)).await?;
    }
    let both = move || {
        let begin = Instant::now();
        let prepared = prepare(&bytes, &declared, &network.rules);
        metrics.stage("decode", begin.elapsed());
        infer(&network, &metrics, prepared?)
    };
    worker.slots.run(both).await?
}

fn infer(network: &Network, metrics: &Metrics, prepared: Prepared) -> Result<Assessment, Failure> {
    let assessment = assess(&network.classifier, prepared, Some(network.usage.saliency))?;
    if let Assessment::Scored { inference, .. } = &assessment {
        metrics.stage("infer", inference.forward_time);
        metrics.stage("explain", inference.explain_time);
    }
    Ok(assessment)
}

/// One transaction: finding, priority, outbox.
async fn commit(
    service: &Service,
    network: &Network,
    event: &Event<ImageArrived>,
    assessment: Assessment,
) -> Result<Recorded, Failure> {
    let rejection = assessment.rejection().cloned();
    let Rows { answer, saliency, features, notes } = assessment.into_rows(network.usage.saliency);
    let (arrival, model) = (arrival::row(event), network.sha256());
    let finding = Arc::new(NewFinding { arrival, purpose: Purpose::Primary, model, answer, saliency, features, notes });
    let recording = service.hold(|| {
        let (store, finding) = (service.store.clone(), finding.clone());
        async move { Ok(store.record_finding(&finding).await?) }
    });
    let recorded = service.metrics.timed("commit", recording).await?;
    if matches!(recorded, Recorded::Created { .. }) {
        let reason = match finding.answer {
            cspine_store::Answer::Assessed { mark, .. } => mark,
            cspine_store::Answer::NotAssessable(reason) => Some(reason),
        };
        service.metrics.answered(finding.answer.verdict(), reason, &finding.notes);
        if let Some(rejection) = rejection {
            service.metrics.rejected(rejection);
        }
        service.outbox.notify_one();
    }
    Ok(recorded)
}

fn log(event_id: &str, study: &str, lane: Lane, done: &Done) {
    let lane = lane.as_str();
    match done {
        Done::Answered(Recorded::Created { finding_id, level, raised, reopened, conflict }) => {
            tracing::info!(event_id, study, lane, finding_id, level, raised, reopened, conflict, "answered");
        }
        Done::Answered(Recorded::AlreadyThere) | Done::AlreadyAnswered => {
            tracing::info!(event_id, study, lane, "answered before");
        }
        Done::HandedOver => tracing::info!(event_id, study, lane, "handed to its lane"),
        Done::HandedBack => tracing::info!(event_id, study, lane, "held for long, published anew"),
    }
}

async fn publish_to_lane(service: &Service, delivery: &Delivery, event: &Event<ImageArrived>) -> Result<(), Failure> {
    let topology = &service.publisher.broker().topology;
    let message = Message::to_lane(topology, event.data.order_priority, delivery.body.clone());
    service.publish(Message { attempt: delivery.attempt, ..message }).await
}

/// One image may overflow the network; several in a row mean that the model is broken. Of a model that serves no longer
/// nothing follows.
fn watch_finiteness(
    service: &Service,
    in_service: &InService,
    network: &Arc<Network>,
    assessment: &Result<Assessment, Failure>,
) {
    if !in_service.is_current(network) {
        return;
    }
    match assessment {
        Err(Failure::Model(ModelError::NotFinite)) => {
            let in_a_row = network.not_finite.fetch_add(1, Ordering::Relaxed) + 1;
            if in_a_row >= NOT_FINITE_MAX {
                service.health.down("model", &format!("{NOT_FINITE_MAX} outputs or more in a row were not finite"));
            }
        }
        Ok(_) => {
            network.not_finite.store(0, Ordering::Relaxed);
            // Also when it was another network that was at fault.
            service.health.up("model");
        }
        _ => {}
    }
}
