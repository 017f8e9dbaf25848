//! A database a test, on the server of `DATABASE_URL`.

use anyhow::Context as _;
use cspine_store::{Store, StoreOptions};
use sqlx::{Connection as _, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};

/// An empty, migrated database that goes when it is dropped.
pub struct Database {
    /// Its URL.
    pub url: String,
    /// The store on it.
    pub store: Store,
    server_url: String,
    name: String,
}

impl Database {
    /// Makes one on the server of `DATABASE_URL`, which `deploy/test` sets.
    pub async fn create() -> Self {
        let server = std::env::var("DATABASE_URL")
            .expect("these tests need a Postgres: run deploy/test, or eval \"$(deploy/stack up)\" first");
        Self::create_on(&server).await.expect("a database of the test's own")
    }

    /// Makes one as the server's superuser: `CSPINE_ADMIN_DATABASE_URL`, which `deploy/stack` prints, else `DATABASE_URL`.
    pub async fn create_as_admin() -> Self {
        match std::env::var("CSPINE_ADMIN_DATABASE_URL") {
            Ok(server) => Self::create_on(&server).await.expect("a database of the test's own"),
            Err(_) => Self::create().await,
        }
    }

    /// Makes one on this server.
    pub async fn create_on(server_url: &str) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(server_url, format!("drop database if exists {name} with (force)")).await?;
        run(server_url, format!("create database {name}")).await?;
        let url = with_database(server_url, &name);
        let store = Store::connect(&url, &StoreOptions::default()).await?;
        store.migrate().await?;
        Ok(Self { url, store, server_url: server_url.to_owned(), name })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, drop) = (self.server_url.clone(), format!("drop database if exists {} with (force)", self.name));
        // a thread of its own: drop may run on a runtime, which must not be blocked on
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&server, drop))
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("could not drop the database {}", self.name);
        }
    }
}

async fn run(url: &str, statement: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await.context("connecting to the Postgres of DATABASE_URL")?;
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// The URL with another database.
pub fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(base, parameters)| (base, Some(parameters)));
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let host_end = base[after_scheme..].find('/').map_or(base.len(), |at| after_scheme + at);
    let parameters = parameters.map(|p| format!("?{p}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &base[..host_end])
}
