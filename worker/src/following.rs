//! Following the registry: the champion that serves and the shadow beside it, fetched, verified and swapped as they change.
//!
//! A model that cannot be served changes nothing: the one before goes on, `/readyz` names the fault, and it is tried again.
//! Readiness is not lost by that, since every image is answered; only a worker that has no model at all is not ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cspine_domain::Sha256;
use cspine_store::{Served, Serving, StoreError};
use cspine_wire::Backoff;
use tokio::sync::Notify;

use crate::failure::Failure;
use crate::metrics::Role;
use crate::model;
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
}

/// Follows until stopped.
pub async fn follow(service: Service, follower: Follower) {
    let hint = Arc::new(Notify::new());
    let listening = tokio::spawn(listen(service.clone(), hint.clone()));
    let mut tries = [Tries::default(), Tries::default()];
    while !service.stop.is_cancelled() {
        tokio::select! {
            // Dropped half-way it has swapped nothing: its steps on the database are tasks of their own.
            done = turn(&service, &follower, &mut tries) => match done {
                Ok(()) | Err(Failure::Stopping) => {}
                Err(failure) => tracing::error!(failure = %failure, "the registry"),
            },
            () = service.stop.cancelled() => break,
        }
        tokio::select! {
            () = tokio::time::sleep(follower.poll_every) => {}
            () = hint.notified() => {}
            () = service.stop.cancelled() => {}
        }
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

/// Looks once, and takes what has changed.
async fn turn(service: &Service, follower: &Follower, tries: &mut [Tries; 2]) -> Result<(), Failure> {
    let serving = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.serving().await?) }
        })
        .await?;
    let [champion, shadow] = tries;
    follow_champion(service, follower, &serving, champion).await;
    follow_shadow(service, follower, &serving, shadow).await;
    Ok(())
}

async fn follow_champion(service: &Service, follower: &Follower, serving: &Serving, tries: &mut Tries) {
    const PART: &str = "model";
    let current = follower.in_service.current();
    let Some(served) = &serving.champion else {
        if current.is_none() {
            service.health.down(PART, "the registry has no champion: `cspine-trainer models promote` makes one");
        }
        return;
    };
    if current.as_ref().is_some_and(|network| network.sha256() == served.sha256) {
        return service.health.mended(PART);
    }
    if !tries.may_try(served.sha256) {
        return;
    }
    let begin = Instant::now();
    match load(service, follower, served).await {
        Ok(network) => {
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
                Some(network) => {
                    service.health.fault(PART, &format!("{what}; {} goes on serving", network.sha256()));
                }
                None => service.health.down(PART, &what),
            }
        }
    }
}

async fn follow_shadow(service: &Service, follower: &Follower, serving: &Serving, tries: &mut Tries) {
    const PART: &str = "shadow";
    let share = serving.shadow_share;
    let current = follower.shadow.challenger();
    let Some(served) = &serving.shadow else {
        follower.shadow.set(None);
        service.metrics.serves(Role::Shadow, None);
        return service.health.mended(PART);
    };
    if let Some(challenger) = current.filter(|challenger| challenger.network.sha256() == served.sha256) {
        if challenger.share != share {
            follower.shadow.set(Some(Challenger { share, ..challenger }));
        }
        return service.health.mended(PART);
    }
    // Whatever comes of the new one, the old one is the shadow no more.
    follower.shadow.set(None);
    if !tries.may_try(served.sha256) {
        return;
    }
    match load(service, follower, served).await {
        Ok(network) => {
            follower.shadow.set(Some(Challenger { network, share }));
            service.metrics.serves(Role::Shadow, Some(served.sha256));
            service.health.mended(PART);
            tracing::info!(model = %served.sha256, epoch = serving.epoch, share, "a shadow is tried");
        }
        Err(error) => {
            tries.failed(follower.poll_every);
            service.metrics.load_failed(Role::Shadow);
            service.metrics.serves(Role::Shadow, None);
            service.health.fault(PART, &format!("the shadow {}: {error}", served.sha256));
        }
    }
}

/// The model, out of memory where it is there already: a shadow that was promoted, or a champion that was.
async fn load(service: &Service, follower: &Follower, served: &Served) -> Result<Arc<Network>, model::LoadError> {
    let shadow = follower.shadow.challenger().map(|challenger| challenger.network);
    let there = [follower.in_service.current(), shadow].into_iter().flatten();
    if let Some(network) = there.into_iter().find(|network| network.sha256() == served.sha256) {
        return Ok(network);
    }
    let classifier = model::fetch(&service.objects, served, follower.max_bytes).await?;
    Ok(Arc::new(Network::new(classifier, follower.usage.clone())))
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
