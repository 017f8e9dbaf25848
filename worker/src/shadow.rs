//! A challenger tried in the shadow: it too scores a share of the live images, once each has its answer, and nobody acts
//! on what it says. It has one thread, of the lowest priority, and a queue with an end; whatever fails here harms no image.

use std::sync::Arc;

use cspine_domain::{Sha256, Uid};
use cspine_store::{NewFinding, Purpose, Recorded};
use cspine_wire::{Event, ImageArrived};
use tokio::sync::{mpsc, watch};

use crate::arrival;
use crate::assess::{Rows, assess};
use crate::failure::Failure;
use crate::metrics::{Metrics, Sampled};
use crate::network::Network;
use crate::prepare::{Declared, prepare};
use crate::service::Service;
use crate::slots::Slots;

/// A model that is tried, and on which share of the images.
#[derive(Debug, Clone)]
pub struct Challenger {
    /// The model.
    pub network: Arc<Network>,
    /// From 0 to 1.
    pub share: f32,
}

/// The challenger there is, and the way of images to it.
#[derive(Debug)]
pub struct Shadow {
    challenger: watch::Sender<Option<Challenger>>,
    samples: mpsc::Sender<Sample>,
}

/// An image to be scored by the challenger of its time. Its bytes stay in the object store: they are not held for it.
#[derive(Debug)]
pub struct Sample {
    network: Arc<Network>,
    event: Event<ImageArrived>,
}

impl Shadow {
    /// Without a challenger yet; the receiver is [`score`]'s. At most `queue` images wait.
    pub fn new(queue: usize) -> (Self, mpsc::Receiver<Sample>) {
        let (samples, receiver) = mpsc::channel(queue.max(1));
        (Self { challenger: watch::Sender::new(None), samples }, receiver)
    }

    /// The challenger there is.
    pub fn challenger(&self) -> Option<Challenger> {
        self.challenger.borrow().clone()
    }

    /// Another one, or none.
    pub fn set(&self, challenger: Option<Challenger>) {
        self.challenger.send_replace(challenger);
    }

    /// Offers an image that has its answer. Never waits: where there is no room it is left out and counted.
    pub fn offer(&self, event: Event<ImageArrived>, metrics: &Metrics) {
        let Some(Challenger { network, share }) = self.challenger() else { return };
        if is_sampled(&event.data.sop_instance_uid, share) && self.samples.try_send(Sample { network, event }).is_err()
        {
            metrics.shadowed(Sampled::LeftOut);
        }
    }
}

/// Whether an image is of the share: by its UID, so that all workers choose alike.
fn is_sampled(sop: &Uid, share: f32) -> bool {
    let digest = Sha256::of(sop.as_str().as_bytes());
    let place = u32::from_be_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]]);
    f64::from(place) < f64::from(share) * 2f64.powi(32)
}

/// Scores samples one after the other until stopped; what then waits is forgotten.
pub async fn score(service: Service, mut samples: mpsc::Receiver<Sample>, slots: Slots) {
    loop {
        let sample = tokio::select! {
            sample = samples.recv() => sample,
            () = service.stop.cancelled() => return,
        };
        let Some(Sample { network, event }) = sample else { return };
        let (event_id, model) = (event.id.clone(), network.sha256());
        match score_one(&service, &slots, network, event).await {
            // That its image came again is no news.
            Ok(Recorded::Created { .. } | Recorded::AlreadyThere) => service.metrics.shadowed(Sampled::Scored),
            Err(Failure::Stopping) => return,
            Err(failure) => {
                tracing::warn!(event_id, %model, failure = %failure, "the shadow did not score an image");
                service.metrics.shadowed(Sampled::Failed);
                if matches!(failure, Failure::Stuck) {
                    // Not of the part that is mended as soon as the next model is loaded.
                    let what = "an image took too long: nothing more is scored until a restart";
                    service.health.fault("shadow.scoring", what);
                    return;
                }
            }
        }
    }
}

async fn score_one(
    service: &Service,
    slots: &Slots,
    network: Arc<Network>,
    event: Event<ImageArrived>,
) -> Result<Recorded, Failure> {
    let max_bytes = network.rules.limits.max_bytes;
    let fetched = service.hold(|| {
        let (objects, image) = (service.objects.clone(), event.data.image.clone());
        async move { Ok(objects.get(&image.key, max_bytes, image.size_bytes).await?) }
    });
    let bytes = fetched.await?;
    let (model, method) = (network.sha256(), network.usage.saliency);
    let arrival = arrival::row(&event);
    let declared = Declared::of(&arrival);
    let assessed = slots.run(move || {
        let prepared = prepare(&bytes, &declared, &network.rules)?;
        // Nobody looks at its heatmap.
        assess(&network.classifier, prepared, None)
    });
    let Rows { answer, saliency, features, notes } = assessed.await??.into_rows(method);
    let finding = Arc::new(NewFinding { arrival, purpose: Purpose::Shadow, model, answer, saliency, features, notes });
    service
        .hold(|| {
            let (store, finding) = (service.store.clone(), finding.clone());
            async move { Ok(store.record_finding(&finding).await?) }
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use cspine_domain::{Notes, OrderPriority, Sha256, Uid};
    use cspine_imaging::{Limits, Preprocessing, ScopeWords};
    use cspine_nets::{Architecture, Checkpoint, Classifier, ModelCard, SaliencyMethod, init};
    use cspine_wire::{Event, ImageArrived, ImageObject};

    use super::{Challenger, Shadow, is_sampled};
    use crate::alone::AloneLimits;
    use crate::metrics::Metrics;
    use crate::network::{Network, Usage};

    fn network() -> Arc<Network> {
        let preprocessing = Preprocessing { size: 32, ..Preprocessing::default() };
        let card = ModelCard::uncalibrated(Architecture::GoogLeNet, preprocessing, "random weights");
        let checkpoint = Checkpoint { card, state: init::network(Architecture::GoogLeNet, 7, 3).unwrap() };
        let usage = Usage {
            limits: Limits::default(),
            strict_scope: false,
            scope_words: ScopeWords::default(),
            saliency: SaliencyMethod::default(),
            program: "none".into(),
            alone: AloneLimits { memory_bytes: 0, cpu: Duration::ZERO, wall: Duration::ZERO },
        };
        Arc::new(Network::new(Classifier::new(&checkpoint, Sha256::of(b"a model")).unwrap(), usage))
    }

    fn event(number: u32) -> Event<ImageArrived> {
        let uid = |which: u32| Uid::parse(&format!("1.2.{number}.{which}")).unwrap();
        let image = ImageObject {
            key: "a.png".parse().unwrap(),
            media_type: "image/png".into(),
            sha256: Sha256::of(b"a"),
            size_bytes: None,
        };
        let data = ImageArrived {
            study_instance_uid: uid(1),
            series_instance_uid: uid(2),
            sop_instance_uid: uid(3),
            accession_number: None,
            patient_key: None,
            site: None,
            order_priority: OrderPriority::Routine,
            acquired_at: None,
            modality: None,
            body_part: None,
            view: None,
            image,
            notes: Notes::new(),
        };
        let time = time::OffsetDateTime::UNIX_EPOCH;
        Event { id: number.to_string(), source: "/test".into(), subject: None, time, data }
    }

    #[test]
    fn what_has_no_room_is_left_out_and_counted_and_nothing_is_offered_to_nobody() {
        let metrics = Metrics::new();
        let (shadow, mut samples) = Shadow::new(2);
        shadow.offer(event(0), &metrics);
        assert!(samples.try_recv().is_err(), "there is no challenger yet");
        shadow.set(Some(Challenger { network: network(), share: 1.0 }));
        (1..=5).for_each(|number| shadow.offer(event(number), &metrics));
        let text = metrics.encode();
        assert!(text.contains("cspine_shadow_images_total{outcome=\"left_out\"} 3"), "{text}");
        let waiting: Vec<String> = std::iter::from_fn(|| samples.try_recv().ok()).map(|s| s.event.id).collect();
        assert_eq!(waiting, ["1", "2"]);
    }

    #[test]
    fn a_share_is_its_share_of_the_images_and_a_larger_one_holds_the_smaller() {
        let uids: Vec<Uid> = (0..4000).map(|n| Uid::parse(&format!("1.2.826.0.1.{n}")).unwrap()).collect();
        let sampled = |share: f32| uids.iter().filter(|uid| is_sampled(uid, share)).count();
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 4000));
        let quarter = sampled(0.25);
        // Four standard deviations of a quarter of 4000.
        assert!((890..=1110).contains(&quarter), "{quarter}");
        assert!(uids.iter().all(|uid| !is_sampled(uid, 0.25) || is_sampled(uid, 0.5)));
    }
}
