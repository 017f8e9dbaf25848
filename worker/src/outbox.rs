//! The outbox relay: publishes what transactions left in the outbox, in every worker, safe beside the others.
//!
//! An event is sent at least once. One that a listener's full queue refuses reaches all other listeners, is put off by a
//! back-off of its own, and holds up nobody.

use std::time::{Duration, Instant};

use cspine_store::{Destination, OutboxMessage};
use cspine_wire::{Heard, Message, WireError};
use futures_util::future::join_all;

use crate::failure::Failure;
use crate::service::Service;

/// How many events one turn publishes.
const BATCH: u32 = 100;
/// Another worker may take what a relay claimed and did not mark after so long.
const LEASE: Duration = Duration::from_secs(30);

/// Relays until stopped. A notification only hurries it: polling is what nothing escapes.
pub async fn relay(service: Service, every: Duration) {
    while !service.stop.is_cancelled() {
        match turn(&service).await {
            Ok(Turn::Full) => continue,
            Ok(Turn::Done) => {}
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

enum Turn {
    /// As many as a turn takes: there may be more.
    Full,
    Done,
}

/// What the broker said of one event.
enum Told {
    Sent,
    /// By a listener's full queue; others have it.
    Refused,
    /// It may have it or not.
    Away(WireError),
}

async fn turn(service: &Service) -> Result<Turn, Failure> {
    connected(service).await?;
    let claimed = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.outbox_claim(BATCH, LEASE).await?) }
        })
        .await?;
    let told = tell_all(service, &claimed).await;
    let full = claimed.len() == BATCH as usize && told.iter().all(|(_, told)| !matches!(told, Told::Away(_)));
    settle(service, &claimed, told).await?;
    Ok(if full { Turn::Full } else { Turn::Done })
}

/// Nothing is claimed while there is nobody to tell.
async fn connected(service: &Service) -> Result<(), Failure> {
    service
        .hold(|| {
            let publisher = service.publisher.clone();
            async move { Ok(publisher.connect().await?) }
        })
        .await
}

/// The first alone: while the broker blocks publishing, one event waits with it and not a hundred, and what another worker
/// has claimed in the meantime is not sent a second time.
async fn tell_all(service: &Service, claimed: &[OutboxMessage]) -> Vec<(i64, Told)> {
    let Some((first, rest)) = claimed.split_first() else { return Vec::new() };
    let began = Instant::now();
    let mut told = vec![(first.id, tell(service, first).await)];
    if !matches!(told[0].1, Told::Away(_)) && began.elapsed() < LEASE / 2 {
        told.extend(join_all(rest.iter().map(async |row| (row.id, tell(service, row).await))).await);
    }
    told
}

async fn tell(service: &Service, row: &OutboxMessage) -> Told {
    let topology = &service.publisher.broker().topology;
    let to =
        |exchange| Message { exchange, routing_key: row.routing_key.clone(), body: row.payload.clone(), attempt: 0 };
    let told = tokio::select! {
        told = async {
            match row.destination {
                // A result that nobody listens to is told all the same.
                Destination::Results => service.publisher.tell(&to(topology.results())).await.map(|heard| match heard {
                    Heard::Stored | Heard::ByNobody => (),
                }),
                Destination::Events => service.publisher.publish(&to(topology.events())).await,
            }
        } => told,
        () = service.stop.cancelled() => Err(WireError::Timeout),
    };
    match told {
        Ok(()) => Told::Sent,
        Err(WireError::Refused | WireError::Unroutable) => Told::Refused,
        Err(error) => Told::Away(error),
    }
}

/// Marks what was sent, puts off what was refused, gives back the rest.
async fn settle(service: &Service, claimed: &[OutboxMessage], told: Vec<(i64, Told)>) -> Result<(), Failure> {
    let which = |wanted: fn(&Told) -> bool| -> Vec<i64> {
        told.iter().filter(|(_, told)| wanted(told)).map(|(id, _)| *id).collect()
    };
    let sent = which(|told| matches!(told, Told::Sent));
    let refused = which(|told| matches!(told, Told::Refused));
    let left: Vec<i64> =
        claimed.iter().map(|row| row.id).filter(|id| !sent.contains(id) && !refused.contains(id)).collect();
    service.metrics.outbox_sent.inc_by(sent.len() as u64);
    service.metrics.outbox_refused.inc_by(refused.len() as u64);
    if !refused.is_empty() {
        tracing::warn!(events = refused.len(), "a listener's queue is full; its events are sent again later");
    }
    match told.iter().find_map(|(_, told)| if let Told::Away(error) = told { Some(error.to_string()) } else { None }) {
        Some(_) if service.stop.is_cancelled() => {}
        Some(why) => service.health.fault("outbox", &why),
        None if !told.is_empty() => service.health.mended("outbox"),
        None => {}
    }
    service
        .hold(move || {
            let (store, sent, refused, left) = (service.store.clone(), sent.clone(), refused.clone(), left.clone());
            async move {
                store.outbox_mark_sent(&sent).await?;
                store.outbox_put_off(&refused).await?;
                Ok(store.outbox_release(&left).await?)
            }
        })
        .await
}
