//! The database, for commands that do one thing and end.

use anyhow::{Context, Result, ensure};
use cspine_service::config::DatabaseArgs;
use cspine_store::Store;

/// Connects, and checks that the schema is this version's.
pub(crate) async fn connect(database: &DatabaseArgs) -> Result<Store> {
    let store = database.store()?;
    ensure!(
        store.schema_is_current().await.context("--database-url")?,
        "the schema is not this version's: run `cspine-worker migrate`"
    );
    Ok(store)
}
