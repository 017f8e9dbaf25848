//! Connections with bounds, and the schema.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// The database. Cheap to clone: all clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: PgPool,
}

/// Bounds on what this process asks of the database.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Connections at most.
    pub max_connections: u32,
    /// How long a call waits for a free connection, or for the server to answer a new one.
    pub acquire_timeout: Duration,
    /// How long a statement may run before the server ends it.
    pub statement_timeout: Duration,
    /// How long a statement waits for another's lock.
    pub lock_timeout: Duration,
    /// How long the server keeps a transaction of a client that went silent, and with it its locks.
    pub idle_in_transaction_timeout: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(15),
        }
    }
}

impl Store {
    /// Connects once. When the server is away the error [is transient](StoreError::is_transient): waiting is the
    /// caller's concern.
    pub async fn connect(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let store = Self::connect_lazy(url, options)?;
        store.ping().await?;
        Ok(store)
    }

    /// Checks the URL only; connections are made when they are needed.
    pub fn connect_lazy(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let bounds = [
            ("statement_timeout", options.statement_timeout),
            ("lock_timeout", options.lock_timeout),
            ("idle_in_transaction_session_timeout", options.idle_in_transaction_timeout),
            // a client whose machine vanished must not hold its locks until TCP gives up after hours
            ("tcp_user_timeout", options.idle_in_transaction_timeout),
        ];
        let connection = PgConnectOptions::from_str(url)?
            .application_name("cspine")
            .options(bounds.map(|(name, bound)| (name, bound.as_millis().to_string())));
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connection);
        Ok(Self { pool })
    }

    /// The pool, for statements that are a service's own.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Brings the schema up to date. A step of its own (`cspine-worker migrate`), safe beside running workers.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(MIGRATIONS.run(&self.pool).await?)
    }

    /// Whether every migration this build knows has been applied. A newer schema is fine: migrations expand first.
    pub async fn schema_is_current(&self) -> Result<bool, StoreError> {
        let applied = sqlx::query_scalar::<_, i64>("select version from _sqlx_migrations where success")
            .fetch_all(&self.pool)
            .await;
        match applied {
            Ok(applied) => Ok(MIGRATIONS.iter().all(|known| applied.contains(&known.version))),
            Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42P01") => Ok(false), // no such table: empty
            Err(e) => Err(e.into()),
        }
    }
}
