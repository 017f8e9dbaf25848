//! The loop that every queue is consumed by, and what becomes of a message that makes its handler panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use cspine_wire::{Consumer, Delivery};
use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::service::Service;
use crate::settle::settle;

/// Hands each message to `handle`, at most `at_once` together, until the consumer is stopped and the last one is settled.
///
/// # Errors
/// A handler asks for a new process.
pub async fn consume<F>(
    service: Service,
    mut consumer: Consumer,
    at_once: usize,
    handle: impl Fn(Service, Arc<Delivery>) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            delivery = consumer.next(), if tasks.len() < at_once => match delivery {
                Some(delivery) => {
                    let delivery = Arc::new(delivery);
                    tasks.spawn(settled(service.clone(), delivery.clone(), handle(service.clone(), delivery)));
                }
                None => break,
            },
            Some(ended) = tasks.join_next() => ended??,
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Handles one message. A handler that panics, wherever that is, takes neither the worker nor the message with it.
async fn settled(
    service: Service,
    delivery: Arc<Delivery>,
    handling: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    match AssertUnwindSafe(handling).catch_unwind().await {
        Ok(handled) => handled,
        Err(_) => {
            settle(&service, &delivery, None, Failure::Panicked).await;
            Ok(())
        }
    }
}
