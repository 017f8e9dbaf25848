//! Connections with bounds, and the schema.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::StoreError;
use crate::session::{ANSWER_MARGIN, Pool};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");
const ROLES: &str = include_str!("roles.sql");

/// The database. Cheap to clone: all clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: Pool,
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
        // of the time to get a connection, one that fell silent while it was idle may cost half
        let ping_max = options.acquire_timeout / 2;
        let connections = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false) // without a limit; ours has one
            .before_acquire(move |connection, _| Box::pin(answers(connection, ping_max)))
            .connect_lazy_with(session(url, options)?);
        let answer_max = options.statement_timeout.saturating_add(ANSWER_MARGIN);
        Ok(Self { pool: Pool { connections, answer_max } })
    }

    /// The connections, for statements that are not this crate's: nothing bounds their answers but the server.
    pub fn pool(&self) -> &PgPool {
        &self.pool.connections
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Whether a worker could write its answers now: the server is no standby, the tables are there, none of them is locked
    /// as a whole, the role has its rights. A session that turns out read-only is closed: the next one may reach another server.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        let read_only =
            sqlx::query_scalar("select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean");
        if read_only.fetch_one(&mut tx).await? {
            tx.close();
            return Err(StoreError::ReadOnly);
        }
        let refused: Option<String> = sqlx::query_scalar(
            "select name from unnest($1::text[]) with ordinality as written (name, position)
              where not has_table_privilege(name, 'select') or not has_table_privilege(name, 'insert')
              order by position limit 1",
        )
        .bind(WRITTEN_BY_WORKERS)
        .fetch_optional(&mut tx)
        .await?;
        if let Some(table) = refused {
            return Err(StoreError::MissingRight(table));
        }
        let lock = format!("lock table {} in row exclusive mode", WRITTEN_BY_WORKERS.join(", "));
        match sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut tx).await {
            Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("55P03") => {
                return Err(StoreError::TableLocked);
            }
            locked => locked?,
        };
        Ok(tx.commit().await?)
    }

    /// Brings the schema and the roles' rights up to date. A step of its own (`cspine-worker migrate`), safe beside running workers.
    ///
    /// # Errors
    /// [`StoreError::Encoding`] and [`StoreError::SettingsLost`] before anything is changed; else what the database says.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.fits().await?;
        // an index over years of findings may take longer than any other statement
        let patient = self.pool().connect_options().as_ref().clone().options([("statement_timeout", "0")]);
        let mut connection: PgConnection = patient.connect().await?;
        MIGRATIONS.run(&mut connection).await?;
        sqlx::raw_sql(ROLES).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Whether every migration this build knows has been applied. A newer schema is fine: migrations expand first.
    pub async fn schema_is_current(&self) -> Result<bool, StoreError> {
        self.fits().await?;
        let applied = sqlx::query_scalar::<_, i64>("select version from _sqlx_migrations where success")
            .fetch_all(&self.pool)
            .await;
        match applied {
            Ok(applied) => Ok(MIGRATIONS.iter().all(|known| applied.contains(&known.version))),
            Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42P01") => Ok(false), // no such table: empty
            Err(e) => Err(e.into()),
        }
    }

    /// Refuses a database, or a way to it, that the schema and its bounds cannot rest on.
    async fn fits(&self) -> Result<(), StoreError> {
        let row = sqlx::query(
            "select current_setting('server_encoding') as encoding, current_setting('application_name') as application,
                    current_setting('lock_timeout') <> '0' as bounded",
        )
        .fetch_one(&self.pool)
        .await?;
        let (encoding, application): (String, String) = (row.try_get("encoding")?, row.try_get("application")?);
        if encoding != "UTF8" {
            return Err(StoreError::Encoding(encoding));
        }
        let kept = application == APPLICATION && row.try_get("bounded")?;
        if kept { Ok(()) } else { Err(StoreError::SettingsLost) }
    }
}

/// What `pg_stat_activity` shows.
const APPLICATION: &str = "cspine";

/// What no worker can do without.
const WRITTEN_BY_WORKERS: &[&str] = &[
    "studies",
    "images",
    "findings",
    "priority_changes",
    "status_events",
    "awaited_answers",
    "reviews",
    "outbox",
    "parked_messages",
];

/// What every session is set to.
fn session(url: &str, options: &StoreOptions) -> Result<PgConnectOptions, StoreError> {
    let bounds = [
        ("statement_timeout", options.statement_timeout.as_millis()),
        // a lock that is waited for in vain is a row's matter, a statement that takes too long the server's
        ("lock_timeout", options.lock_timeout.min(options.statement_timeout / 3).as_millis()),
        ("idle_in_transaction_session_timeout", options.idle_in_transaction_timeout.as_millis()),
        // a client whose machine vanished must not hold its locks until TCP gives up after hours
        ("tcp_user_timeout", options.idle_in_transaction_timeout.as_millis()),
        ("tcp_keepalives_idle", 30),
        ("tcp_keepalives_interval", 10),
        ("tcp_keepalives_count", 3),
    ];
    Ok(PgConnectOptions::from_str(url)?
        .application_name(APPLICATION)
        .options(bounds.map(|(name, bound)| (name, bound.to_string()))))
}

/// Whether an idle connection still answers; one that falls silent is closed.
async fn answers(connection: &mut PgConnection, limit: Duration) -> Result<bool, sqlx::Error> {
    let silent = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    tokio::time::timeout(limit, connection.ping()).await.map_err(silent)??;
    Ok(true)
}
