//! What every part of a running worker shares, and how a step waits for what is away.

use std::sync::Arc;
use std::time::Duration;

use cspine_service::{Health, Objects};
use cspine_store::Store;
use cspine_wire::{Backoff, Delivery, Message, Published, Publisher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::failure::{Dependency, Disposition, Failure};
use crate::metrics::Metrics;

/// The shared parts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    /// Postgres.
    pub store: Store,
    /// Publishing to RabbitMQ.
    pub publisher: Arc<Publisher>,
    /// Where the images are.
    pub objects: Objects,
    /// What `/readyz` says.
    pub health: Arc<Health>,
    /// What `/metrics` says.
    pub metrics: Arc<Metrics>,
    /// There is something in the outbox: look before the next poll.
    pub outbox: Arc<Notify>,
    /// Nothing new is begun.
    pub stop: CancellationToken,
}

impl Service {
    /// Longer than Postgres' own limits on a statement: only a connection that is dead without a word takes this long.
    const STEP_MAX: Duration = Duration::from_secs(60);

    /// Does a step again and again while a dependency is away: what is held stays held, and nothing is burnt. Each attempt
    /// runs as a task of its own, because a database call must not be dropped half-way.
    ///
    /// # Errors
    /// Any failure that waiting does not heal; [`Failure::Stopping`] when told to stop while waiting.
    pub async fn hold<T, F>(&self, mut step: impl FnMut() -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let mut backoff = Backoff::default();
        let mut waited_for: Option<Dependency> = None;
        loop {
            let failure = match tokio::time::timeout(Self::STEP_MAX, tokio::spawn(step())).await {
                Ok(Ok(Ok(done))) => {
                    if let Some(dependency) = waited_for {
                        self.health.up(dependency.as_str());
                    }
                    return Ok(done);
                }
                Ok(Ok(Err(failure))) => failure,
                Ok(Err(_)) => return Err(Failure::Panicked),
                Err(_) => {
                    tracing::warn!("a step took over a minute; trying again beside it");
                    continue;
                }
            };
            let Disposition::Hold(dependency) = failure.disposition() else { return Err(failure) };
            self.health.down(dependency.as_str(), &failure.to_string());
            waited_for = Some(dependency);
            tokio::select! {
                () = backoff.wait() => {}
                () = self.stop.cancelled() => return Err(Failure::Stopping),
            }
        }
    }

    /// Publishes what must not be lost, and waits for a broker that is away.
    ///
    /// # Errors
    /// [`Failure::Stopping`]
    pub async fn publish(&self, message: Message) -> Result<Published, Failure> {
        let (publisher, message) = (self.publisher.clone(), Arc::new(message));
        self.hold(|| {
            let (publisher, message) = (publisher.clone(), message.clone());
            async move { Ok(publisher.publish(&message).await?) }
        })
        .await
    }

    /// Acknowledges. A lost acknowledgement is no error: the message comes again and finds its answer.
    pub async fn ack(&self, delivery: Delivery) {
        if delivery.ack().await.is_err() {
            self.metrics.acks_lost.inc();
        }
    }
}
