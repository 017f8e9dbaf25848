//! Following the registry: the champion that serves and the shadow beside it, fetched, verified and swapped as they change.
//!
//! One loop looks at the registry, one follows the champion, one the shadow: a fetch that takes long hides no change, keeps
//! the other role from nothing, and gives way when its model is not wanted any more. Whatever was loaded is swapped in only
//! if the registry, asked once more, still says so.
//!
//! A model that cannot be served changes nothing: the one before goes on, `/readyz` names the fault, and it is tried again.
//! Readiness is not lost by that, since every image is answered; only a worker that has no model at all is not ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cspine_domain::Sha256;
use cspine_store::{Served, Serving, StoreError};
use cspine_wire::Backoff;
use tokio::sync::{Notify, watch};

use crate::failure::Failure;
use crate::metrics::Role;
use crate::model::{self, LoadError};
use crate::network::{InService, Network, Usage};
use crate::service::Service;
use crate::shadow::{Challenger, Shadow};

/// The longest wait before a model that could not be served is tried again.
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// What following needs beside the service.
#[derive(Debug, Clone)]
pub struct Follower {
    /// What serves.
    pub in_service: InService,
    /// What is tried beside it.
    pub shadow: Arc<Shadow>,
    /// How either is used.
    pub usage: Usage,
    /// How often the registry is looked at when nothing hints at a change.
    pub poll_every: Duration,
    /// Bytes of a model's file.
    pub max_bytes: u64,
    /// How long fetching one may take.
    pub fetch_timeout: Duration,
}

/// The registry as it was seen last; none before the first look.
type Registry = watch::Receiver<Option<Serving>>;

/// Follows until stopped.
pub async fn follow(service: Service, follower: Follower) {
    let hint = Arc::new(Notify::new());
    let listening = tokio::spawn(listen(service.clone(), hint.clone()));
    let (looks, registry) = watch::channel(None);
    tokio::select! {
        // In this order: a shadow that is promoted is taken out of memory before it leaves the shadow's place.
        biased;
        // What is dropped half-way has swapped nothing: its steps on the database are tasks of their own.
        () = service.stop.cancelled() => {}
        () = look(&service, &hint, follower.poll_every, looks) => {}
        () = follow_role(&service, &follower, Role::Champion, registry.clone()) => {}
        () = follow_role(&service, &follower, Role::Shadow, registry) => {}
    }
    listening.abort();
}

/// Notes hints, on a connection that is made again when it breaks.
async fn listen(service: Service, hint: Arc<Notify>) {
    let mut backoff = Backoff::default();
    loop {
        if let Err(error) = heed(&service, &hint, &mut backoff).await {
            tracing::debug!(%error, "hints of promotions; polling goes on");
        }
        backoff.wait().await;
    }
}

async fn heed(service: &Service, hint: &Notify, backoff: &mut Backoff) -> Result<(), StoreError> {
    let mut hints = service.store.serving_hints().await?;
    loop {
        // The first time for what moved before it listened.
        hint.notify_one();
        backoff.reset();
        hints.next().await?;
    }
}

/// Looks again and again, and tells what it saw, also when that is nothing new: what failed is tried again then.
async fn look(service: &Service, hint: &Notify, poll_every: Duration, looks: watch::Sender<Option<Serving>>) {
    const PART: &str = "registry";
    loop {
        match read(service).await {
            Ok(serving) => {
                service.health.mended(PART);
                looks.send_replace(Some(serving));
            }
            Err(Failure::Stopping) => return,
            Err(failure) => {
                service.metrics.registry_failures.inc();
                service.health.fault(PART, &failure.to_string());
            }
        }
        tokio::select! {
            () = tokio::time::sleep(poll_every) => {}
            () = hint.notified() => {}
        }
    }
}

/// Waits while Postgres is away. Where it answers and the registry alone cannot be read, waiting heals nothing: what serves
/// goes on, and `/readyz` says why.
async fn read(service: &Service) -> Result<Serving, Failure> {
    let read = service.hold(|| {
        let store = service.store.clone();
        async move {
            match store.serving().await {
                Err(error) if store.ping().await.is_err() => Err(error.into()),
                read => Ok(read),
            }
        }
    });
    Ok(read.await??)
}

/// Does what each look asks for in one role.
async fn follow_role(service: &Service, follower: &Follower, role: Role, mut registry: Registry) {
    let mut tries = Tries::default();
    while registry.changed().await.is_ok() {
        let Some(serving) = registry.borrow_and_update().clone() else { continue };
        match role {
            Role::Champion => follow_champion(service, follower, &serving, &registry, &mut tries).await,
            Role::Shadow => follow_shadow(service, follower, &serving, &registry, &mut tries).await,
        }
    }
}

async fn follow_champion(
    service: &Service,
    follower: &Follower,
    serving: &Serving,
    registry: &Registry,
    tries: &mut Tries,
) {
    const PART: &str = "model";
    // Its name alone: the network goes with its last image.
    let current = follower.in_service.current().map(|network| network.sha256());
    let Some(served) = &serving.champion else {
        if current.is_none() {
            service.health.down(PART, "the registry has no champion: `cspine-trainer models promote` makes one");
        }
        return;
    };
    if current == Some(served.sha256) {
        *tries = Tries::default();
        return service.health.mended(PART);
    }
    if !tries.may_try(served.sha256) {
        return;
    }
    let begin = Instant::now();
    match load(service, follower, Role::Champion, served, registry).await {
        Ok(None) => {}
        Ok(Some(network)) => {
            follower.in_service.replace(network);
            service.metrics.serves(Role::Champion, Some(served.sha256));
            service.health.up(PART);
            service.health.mended(PART);
            let took_ms = begin.elapsed().as_millis();
            tracing::info!(model = %served.sha256, epoch = serving.epoch, took_ms, "the champion serves");
        }
        Err(error) => {
            tries.failed(follower.poll_every);
            service.metrics.load_failed(Role::Champion);
            let what = format!("the champion {}: {error}", served.sha256);
            match current {
                Some(current) => service.health.fault(PART, &format!("{what}; {current} goes on serving")),
                None => service.health.down(PART, &what),
            }
        }
    }
}

async fn follow_shadow(
    service: &Service,
    follower: &Follower,
    serving: &Serving,
    registry: &Registry,
    tries: &mut Tries,
) {
    const PART: &str = "shadow";
    let share = serving.shadow_share;
    let wanted = serving.shadow.as_ref();
    let current = follower.shadow.challenger();
    if let Some(challenger) = current.filter(|current| wanted.is_some_and(|w| w.sha256 == current.network.sha256())) {
        if challenger.share != share {
            follower.shadow.set(Some(Challenger { share, ..challenger }));
        }
        *tries = Tries::default();
        return service.health.mended(PART);
    }
    // Whatever comes of the new one, the old one is the shadow no more.
    follower.shadow.set(None);
    service.metrics.serves(Role::Shadow, None);
    let Some(served) = wanted else {
        *tries = Tries::default();
        return service.health.mended(PART);
    };
    if !tries.may_try(served.sha256) {
        return;
    }
    match load(service, follower, Role::Shadow, served, registry).await {
        Ok(None) => {}
        Ok(Some(network)) => {
            follower.shadow.set(Some(Challenger { network, share }));
            service.metrics.serves(Role::Shadow, Some(served.sha256));
            service.health.mended(PART);
            tracing::info!(model = %served.sha256, epoch = serving.epoch, share, "a shadow is tried");
        }
        Err(error) => {
            tries.failed(follower.poll_every);
            service.metrics.load_failed(Role::Shadow);
            service.health.fault(PART, &format!("the shadow {}: {error}", served.sha256));
        }
    }
}

/// The model for a role; none when the registry has another one for it by the time it is there.
async fn load(
    service: &Service,
    follower: &Follower,
    role: Role,
    served: &Served,
    registry: &Registry,
) -> Result<Option<Arc<Network>>, LoadError> {
    let is_wanted = |serving: &Serving| in_role(serving, role) == Some(served);
    let network = match in_memory(follower, served.sha256) {
        Some(network) => network,
        None => {
            // Of its own, so that what it sees is still to be seen by who follows.
            let mut looks = registry.clone();
            let given_up = async {
                let _ = looks.wait_for(|seen| seen.as_ref().is_some_and(|serving| !is_wanted(serving))).await;
            };
            let bytes = tokio::select! {
                bytes = model::fetch(&service.objects, served, follower.max_bytes, follower.fetch_timeout) => bytes?,
                () = given_up => return Ok(None),
            };
            // A second's work, and never two at once in a role: it is not left half done.
            let classifier = model::verify(bytes, served.sha256).await?;
            Arc::new(Network::new(classifier, follower.usage.clone()))
        }
    };
    let still_wanted = read(service).await.is_ok_and(|serving| is_wanted(&serving));
    Ok(still_wanted.then_some(network))
}

fn in_role(serving: &Serving, role: Role) -> Option<&Served> {
    match role {
        Role::Champion => serving.champion.as_ref(),
        Role::Shadow => serving.shadow.as_ref(),
    }
}

/// A model that is there already: a shadow that was promoted, or a champion that was.
fn in_memory(follower: &Follower, model: Sha256) -> Option<Arc<Network>> {
    let shadow = follower.shadow.challenger().map(|challenger| challenger.network);
    let there = [follower.in_service.current(), shadow].into_iter().flatten();
    there.into_iter().find(|network| network.sha256() == model)
}

/// What keeps a model that cannot be served from being fetched with every look. Another one is tried at once.
#[derive(Debug, Default)]
struct Tries {
    model: Option<Sha256>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Tries {
    fn may_try(&mut self, model: Sha256) -> bool {
        if self.model != Some(model) {
            *self = Self { model: Some(model), ..Self::default() };
        }
        self.not_before.is_none_or(|at| at <= Instant::now())
    }

    fn failed(&mut self, first: Duration) {
        let wait = first.saturating_mul(1 << self.failures.min(16)).min(AGAIN_AT_MOST);
        self.failures += 1;
        self.not_before = Some(Instant::now() + wait);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use cspine_domain::Sha256;

    use super::{AGAIN_AT_MOST, Tries};

    #[test]
    fn a_model_that_failed_is_tried_ever_more_rarely_and_another_one_at_once() {
        let (bad, good) = (Sha256::of(b"bad"), Sha256::of(b"good"));
        let mut tries = Tries::default();
        assert!(tries.may_try(bad));
        let mut waits = Vec::new();
        for _ in 0..100 {
            tries.failed(Duration::from_secs(2));
            assert!(!tries.may_try(bad));
            waits.push(tries.not_before.unwrap() - Instant::now());
        }
        assert!(waits[0] <= Duration::from_secs(2) && waits[1] > Duration::from_secs(3));
        assert!(waits.iter().all(|wait| *wait <= AGAIN_AT_MOST) && waits[99] > Duration::from_secs(50));
        assert!(tries.may_try(good));
        assert!(tries.may_try(bad), "promoted again, it is tried again");
    }
}
