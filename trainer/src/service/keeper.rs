//! The lease: who holds it is the one trainer.

use std::time::{Duration, Instant};

use anyhow::Result;
use cspine_store::{Fence, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Keeps a lease by renewing it, and says when it is lost.
#[derive(Debug)]
pub struct Keeper {
    /// What every write of the holder is checked against.
    pub fence: Fence,
    /// Cancelled when the lease is lost; nothing may be written any more, and nothing would be.
    pub lost: CancellationToken,
    store: Store,
    renewing: JoinHandle<()>,
}

impl Keeper {
    /// Takes the lease, if nobody holds it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn acquire(store: &Store, holder: &str, time: Duration) -> Result<Option<Self>> {
        let Some(fence) = store.acquire_lease(holder, time).await? else { return Ok(None) };
        let lost = CancellationToken::new();
        let renewing = tokio::spawn(renew(store.clone(), fence, time, lost.clone()));
        Ok(Some(Self { fence, lost, store: store.clone(), renewing }))
    }

    /// Gives the lease back, so that another need not wait for its end.
    pub async fn release(self) {
        self.renewing.abort();
        // Not given back it ends by itself.
        if let Err(error) = self.store.release_lease(self.fence).await {
            tracing::warn!(%error, "the lease was not given back");
        }
    }
}

/// The database decides whether it is still held; while that is away, our own clock, which may only say it sooner.
async fn renew(store: Store, fence: Fence, time: Duration, lost: CancellationToken) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(time / 4).await;
        match store.renew_lease(fence, time).await {
            Ok(true) => renewed = Instant::now(),
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(%error, "the lease was not renewed");
                if renewed.elapsed() >= time {
                    break;
                }
            }
        }
    }
    tracing::warn!("the lease is lost");
    lost.cancel();
}
