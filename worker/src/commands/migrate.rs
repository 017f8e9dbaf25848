//! `cspine-worker migrate`: brings the schema to this version.

use cspine_service::config::DatabaseArgs;
use cspine_wire::Backoff;

/// Waits for Postgres, then migrates.
///
/// # Errors
/// A migration failed.
pub async fn migrate(database: &DatabaseArgs) -> anyhow::Result<()> {
    let store = database.store()?;
    let mut backoff = Backoff::default();
    loop {
        match store.ping().await {
            Ok(()) => break,
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "waiting for Postgres");
                backoff.wait().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    store.migrate().await?;
    tracing::info!("the schema is up to date");
    Ok(())
}
