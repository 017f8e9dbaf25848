//! Clearing away what is kept for a time only: an hourly task of every worker, safe beside the others.

use std::time::Duration;

use cspine_store::Retention;

use crate::failure::Failure;
use crate::relay::each;
use crate::service::Service;

const EVERY: Duration = Duration::from_secs(3600);

/// Clears away, hour by hour, what is older than it is to be kept.
pub async fn run(service: Service, keep: Retention) {
    each(service, "retention", EVERY, move |service| clear_once(service, keep)).await;
}

async fn clear_once(service: Service, keep: Retention) -> Result<(), Failure> {
    let cleared = service
        .hold(|| {
            let store = service.store.clone();
            async move { Ok(store.clear(&keep).await?) }
        })
        .await?;
    if cleared.rows() > 0 {
        tracing::info!(?cleared, "cleared away what was kept long enough");
    }
    Ok(())
}
