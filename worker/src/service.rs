//! What every part of a running worker shares, and how a step waits for what is away.

use std::sync::Arc;

use cspine_service::{Health, Objects, Waiting};
use cspine_store::{Fault, Store};
use cspine_wire::{Backoff, Broker, Delivery, Message, Publisher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::failure::{Disposition, Failure};
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
    /// Half of the time to stop is over: steps that still wait for others are left. Their messages come again.
    pub leave: CancellationToken,
}

impl Service {
    /// The parts, connected when they are first needed. Until each has answered, `/readyz` says that it starts.
    pub fn new(store: Store, broker: Broker, objects: Objects) -> Self {
        Self {
            store,
            publisher: Arc::new(Publisher::new(broker)),
            objects,
            health: Arc::new(Health::starting(&["rabbitmq", "postgres", "model", "object_store"])),
            metrics: Arc::new(Metrics::new()),
            outbox: Arc::new(Notify::new()),
            stop: CancellationToken::new(),
            leave: CancellationToken::new(),
        }
    }

    /// How often a step that another transaction was in the way of is done again in place.
    const COLLISIONS_MAX: u32 = 3;

    /// Does a step again and again while a dependency is away: what is held stays held, and nothing is burnt. While it
    /// waits, `/readyz` names the dependency; no longer, however the step ends. Each attempt runs as a task of its own,
    /// so that nothing is dropped half-way, and each is bounded by limits of its own: there is never a second beside it.
    ///
    /// # Errors
    /// Any failure that waiting does not heal; [`Failure::Stopping`] when told to stop while waiting.
    pub async fn hold<T, F>(&self, mut step: impl FnMut() -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let mut backoff = Backoff::default();
        let mut waiting = None;
        let mut collisions = 0;
        loop {
            let attempt = tokio::spawn(step());
            let failure = tokio::select! {
                done = attempt => match done {
                    Ok(Ok(done)) => return Ok(done),
                    Ok(Err(failure)) => failure,
                    Err(_) => return Err(Failure::Panicked),
                },
                () = self.leave.cancelled() => return Err(Failure::Stopping),
            };
            let failure = self.whose(failure).await;
            match failure.disposition() {
                Disposition::Hold(dependency) => {
                    waiting = Some(self.wait_on(waiting.take(), dependency.as_str(), &failure.to_string()));
                }
                Disposition::Retry(_) if is_collision(&failure) && collisions < Self::COLLISIONS_MAX => collisions += 1,
                _ => return Err(failure),
            }
            tokio::select! {
                () = backoff.wait() => {}
                () = self.stop.cancelled() => return Err(Failure::Stopping),
            }
        }
    }

    /// What a statement waited for in vain may be a row, or a whole table: then no message can be answered, and it is no
    /// message's matter.
    async fn whose(&self, failure: Failure) -> Failure {
        if !matches!(&failure, Failure::Database(error) if error.fault() == Fault::Row) {
            return failure;
        }
        let store = self.store.clone();
        match tokio::spawn(async move { store.probe().await }).await {
            Ok(Err(error)) if error.fault() == Fault::Server => error.into(),
            _ => failure,
        }
    }

    fn wait_on(&self, waiting: Option<Waiting>, dependency: &str, why: &str) -> Waiting {
        match waiting.filter(|waiting| waiting.part() == dependency) {
            Some(waiting) => {
                waiting.because(why);
                waiting
            }
            None => self.health.wait(dependency, why),
        }
    }

    /// Publishes what must not be lost, and waits for a broker that is away: once this is `Ok`, a queue has it on disk.
    ///
    /// # Errors
    /// [`Failure::Stopping`]
    pub async fn publish(&self, message: Message) -> Result<(), Failure> {
        let (publisher, message) = (self.publisher.clone(), Arc::new(message));
        self.hold(|| {
            let (publisher, message) = (publisher.clone(), message.clone());
            async move { Ok(publisher.publish(&message).await?) }
        })
        .await
    }

    /// Acknowledges. A lost acknowledgement is no error: the message comes again and finds its answer.
    pub async fn ack(&self, delivery: &Delivery) {
        if delivery.ack().await.is_err() {
            self.metrics.acks_lost.inc();
        }
    }
}

/// Another transaction held the row, or collided with this one: mostly over at the second try.
fn is_collision(failure: &Failure) -> bool {
    matches!(failure, Failure::Database(_))
}
