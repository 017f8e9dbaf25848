//! `cspine-worker migrate`: brings the schema to this version.

use cspine_service::config::DatabaseArgs;
use cspine_wire::Backoff;

/// Waits for Postgres, and for whoever has locked what is to be changed, another `migrate` for example; then migrates.
///
/// # Errors
/// A migration failed.
pub async fn migrate(database: &DatabaseArgs) -> anyhow::Result<()> {
    let store = database.store()?;
    let mut backoff = Backoff::default();
    loop {
        match store.migrate().await {
            Ok(()) => break,
            // Each migration is a transaction: what was begun is undone, and what was done is not done again.
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "waiting for Postgres");
                backoff.wait().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    tracing::info!("the schema is up to date");
    Ok(())
}
