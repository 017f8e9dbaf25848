//! The ageing sweep and the gauges: what runs by the clock, in every worker, safe beside the others.

use std::time::Duration;

use crate::failure::Failure;
use crate::service::Service;

/// Writes what ageing changed.
pub async fn sweep(service: Service, every: Duration) {
    each(service, "ageing", every, sweep_once).await;
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
    each(service, "gauges", every, read_gauges).await;
}

async fn read_gauges(service: Service) -> Result<(), Failure> {
    let (parked, age, refused) = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok((store.parked_count().await?, store.outbox_age().await?, store.outbox_refused().await?)) }
        })
        .await?;
    service.metrics.parked_unresolved.set(parked);
    service.metrics.outbox_age_seconds.set(age.unwrap_or_default().as_secs_f64());
    service.metrics.outbox_refused_waiting.set(refused);
    if refused > 0 {
        service.health.fault("results", "a listener's queue is full and refuses events");
    } else {
        service.health.mended("results");
    }
    Ok(())
}

/// Does a job of the clock again and again until stopped. One that fails is tried again the next time, and `/readyz` names it
/// meanwhile.
pub async fn each<F>(service: Service, part: &'static str, every: Duration, work: impl Fn(Service) -> F)
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
            Ok(()) => service.health.mended(part),
            Err(Failure::Stopping) => return,
            Err(failure) => {
                tracing::error!(failure = %failure, part, "a task of the clock failed");
                service.health.fault(part, &failure.to_string());
            }
        }
    }
}
