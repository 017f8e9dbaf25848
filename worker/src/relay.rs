//! The outbox relay, the ageing sweep and the gauges: what runs by the clock, in every worker, safe beside the others.

use std::time::Duration;

use cspine_store::OutboxMessage;
use cspine_wire::{Message, Published};
use futures_util::future::join_all;

use crate::failure::Failure;
use crate::service::Service;

/// How many events one turn publishes.
const BATCH: u32 = 100;
/// Another worker may take what a relay claimed and did not mark after so long.
const LEASE: Duration = Duration::from_secs(30);
const DISCARD_EVERY: Duration = Duration::from_secs(3600);
const DISCARD_OLDER_THAN: Duration = Duration::from_secs(7 * 24 * 3600);

/// Publishes what transactions left in the outbox, until stopped. A notification only hurries it: polling is what
/// nothing escapes.
pub async fn relay(service: Service, every: Duration) {
    while !service.stop.is_cancelled() {
        match turn(&service).await {
            // There may be more.
            Ok(sent) if sent == BATCH as usize => continue,
            Ok(_) => {}
            Err(Failure::Stopping) => return,
            Err(failure) => tracing::error!(failure = %failure, "outbox"),
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = service.outbox.notified() => {}
            () = service.stop.cancelled() => {}
        }
    }
}

/// Claims, publishes, marks what was confirmed. What was not comes again after the lease: at least once.
async fn turn(service: &Service) -> Result<usize, Failure> {
    let claimed = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.outbox_claim(BATCH, LEASE).await?) }
        })
        .await?;
    let sent: Vec<i64> =
        join_all(claimed.iter().map(|message| send(service, message))).await.into_iter().flatten().collect();
    if !sent.is_empty() {
        let ids = sent.clone();
        service
            .hold(move || {
                let (store, ids) = (service.store.clone(), ids.clone());
                async move { Ok(store.outbox_mark_sent(&ids).await?) }
            })
            .await?;
        service.metrics.outbox_sent.inc_by(sent.len() as u64);
    }
    Ok(sent.len())
}

async fn send(service: &Service, row: &OutboxMessage) -> Option<i64> {
    let message = Message {
        exchange: service.publisher.broker().topology.events(),
        routing_key: row.routing_key.clone(),
        body: row.payload.clone(),
        attempt: 0,
    };
    // A result that nobody listens to is told all the same. Everything else is taken by the alternate exchange, so that
    // only results are ever returned.
    match service.publish(message).await {
        Ok(Published::Stored | Published::Unroutable) => Some(row.id),
        Err(_) => None,
    }
}

/// Writes what ageing changed.
pub async fn sweep(service: Service, every: Duration) {
    each(service, every, sweep_once).await;
}

async fn sweep_once(service: Service) -> Result<(), Failure> {
    let raised = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.sweep().await?) }
        })
        .await?;
    service.metrics.aged.inc_by(raised);
    if raised > 0 {
        tracing::info!(raised, "studies raised by ageing");
        service.outbox.notify_one();
    }
    Ok(())
}

/// Keeps the database's gauges fresh.
pub async fn gauges(service: Service, every: Duration) {
    each(service, every, read_gauges).await;
}

async fn read_gauges(service: Service) -> Result<(), Failure> {
    let (parked, age) = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok((store.parked_count().await?, store.outbox_age().await?)) }
        })
        .await?;
    service.metrics.parked_unresolved.set(parked);
    service.metrics.outbox_age_seconds.set(age.unwrap_or_default().as_secs_f64());
    Ok(())
}

/// Deletes events that were published long ago.
pub async fn discard(service: Service) {
    each(service, DISCARD_EVERY, discard_once).await;
}

async fn discard_once(service: Service) -> Result<(), Failure> {
    let gone = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.outbox_discard_sent(DISCARD_OLDER_THAN).await?) }
        })
        .await?;
    if gone > 0 {
        tracing::info!(gone, "old events discarded");
    }
    Ok(())
}

async fn each<F>(service: Service, every: Duration, work: impl Fn(Service) -> F)
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut clock = tokio::time::interval(every);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            () = service.stop.cancelled() => return,
        }
        match work(service.clone()).await {
            Ok(()) => {}
            Err(Failure::Stopping) => return,
            Err(failure) => tracing::error!(failure = %failure, "a task of the clock failed"),
        }
    }
}
