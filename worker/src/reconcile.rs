//! The reconciler: finds images that are neither answered nor parked though their time is over, and publishes their
//! arrivals again. So what was lost with a queue is found, and nothing waits for ever. A finding happens once, so an image
//! that was not lost is answered no second time.

use std::time::Duration;

use cspine_domain::{OrderPriority, Reason};
use cspine_store::{Overdue, Parked};
use cspine_wire::{Depths, Lane, Message, Queue};

use crate::arrival;
use crate::config::ReconcileArgs;
use crate::failure::Failure;
use crate::service::Service;

/// Images that are looked at in one transaction.
const BATCH: u32 = 200;
/// Another reconciler may take what this one claimed and did not settle after so long.
const LEASE: Duration = Duration::from_secs(120);
/// While messages wait in its lane an image may be among them: then it is overdue only after so many times as long.
const BEHIND: u32 = 6;

/// What was done about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Its arrival is in its lane again.
    Republished,
    /// It was published again too often: a person must look.
    Parked,
    /// Nothing, for it was only asked what would be done.
    None,
}

impl Action {
    /// Its word in what is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Republished => "republished",
            Action::Parked => "parked",
            Action::None => "none",
        }
    }
}

/// Looks once at every lane and settles what is overdue, telling `each` of it.
///
/// # Errors
/// [`Failure`]: what is left is found the next time.
pub async fn reconcile(
    service: &Service,
    args: &ReconcileArgs,
    mut each: impl FnMut(&Overdue, Action),
) -> Result<(), Failure> {
    let depths = ensure_topology(service).await?;
    for priority in [OrderPriority::Stat, OrderPriority::Urgent, OrderPriority::Routine] {
        let lane_is_empty = depths.get(Queue::Lane(Lane::of(priority))) == 0;
        let after = overdue_after(args, &depths, priority);
        loop {
            let claimed = claim(service, priority, after).await?;
            for image in &claimed {
                // Only an empty lane shows that what was published is not there any more.
                let action = if image.republished >= args.reconcile_max && lane_is_empty {
                    park(service, image).await?;
                    Action::Parked
                } else {
                    republish(service, image).await?;
                    Action::Republished
                };
                each(image, action);
            }
            if claimed.len() < BATCH as usize {
                break;
            }
        }
    }
    Ok(())
}

/// What is overdue now, at most [`BATCH`] of each order priority; changes nothing.
///
/// # Errors
/// [`Failure`]
pub async fn look(service: &Service, args: &ReconcileArgs) -> Result<Vec<Overdue>, Failure> {
    let depths = ensure_topology(service).await?;
    let mut found = Vec::new();
    for priority in [OrderPriority::Stat, OrderPriority::Urgent, OrderPriority::Routine] {
        found.extend(service.store.overdue(priority, overdue_after(args, &depths, priority), BATCH).await?);
    }
    Ok(found)
}

/// Reconciles by the clock. While something is away images wait for it, and are not lost.
pub async fn by_the_clock(service: Service, args: ReconcileArgs) -> Result<(), Failure> {
    let awaited = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.awaited(args.reconcile_after).await?) }
        })
        .await?;
    service.metrics.images_waiting.set(i64::try_from(awaited.waiting).unwrap_or(i64::MAX));
    service.metrics.images_overdue.set(i64::try_from(awaited.overdue).unwrap_or(i64::MAX));
    if awaited.overdue == 0 || !service.health.missing().is_empty() {
        return Ok(());
    }
    reconcile(&service, &args, |image, action| {
        let (event_id, study) = (&image.arrival.event_id, image.arrival.study.as_str());
        let (waited_s, republished) = (image.waited.as_secs(), image.republished);
        tracing::warn!(event_id, study, waited_s, republished, action = action.as_str(), "an image without an answer");
    })
    .await
}

fn overdue_after(args: &ReconcileArgs, depths: &Depths, priority: OrderPriority) -> Duration {
    let behind = depths.get(Queue::Lane(Lane::of(priority))) > 0;
    args.reconcile_after.saturating_mul(if behind { BEHIND } else { 1 })
}

async fn ensure_topology(service: &Service) -> Result<Depths, Failure> {
    service
        .hold(|| {
            let publisher = service.publisher.clone();
            async move { Ok(publisher.ensure_topology().await?) }
        })
        .await
}

async fn claim(service: &Service, priority: OrderPriority, after: Duration) -> Result<Vec<Overdue>, Failure> {
    service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.claim_overdue(priority, after, BATCH, LEASE).await?) }
        })
        .await
}

async fn republish(service: &Service, image: &Overdue) -> Result<(), Failure> {
    let (topology, arrival) = (&service.publisher.broker().topology, &image.arrival);
    let message = Message::to_lane(topology, arrival.order_priority, arrival::event(arrival)?.to_json());
    service.publish(message).await?;
    service.metrics.images_republished.inc();
    service
        .hold(|| {
            let (store, sop, content) = (service.store.clone(), arrival.sop.clone(), arrival.content);
            async move { Ok(store.mark_republished(&sop, content).await?) }
        })
        .await
}

async fn park(service: &Service, image: &Overdue) -> Result<(), Failure> {
    let arrival = &image.arrival;
    let parked = Parked {
        routing_key: Lane::of(arrival.order_priority).routing_key().into(),
        body: arrival::event(arrival)?.to_json(),
        headers: serde_json::json!({}),
        attempts: image.republished,
        source: Some(arrival.source.clone()),
        event_id: Some(arrival.event_id.clone()),
        reason: Reason::Unanswered,
        detail: format!(
            "no answer within {} min, though its arrival was published again {} times: something takes this image's \
             messages away, or ends the workers that take them",
            image.waited.as_secs() / 60,
            image.republished
        ),
        studies: Vec::new(),
        arrival: Some(arrival.clone()),
    };
    service
        .hold(|| {
            let (store, parked) = (service.store.clone(), parked.clone());
            async move { Ok(store.park(&parked).await.map(drop)?) }
        })
        .await?;
    service.metrics.parked(Reason::Unanswered);
    Ok(())
}
