//! What the server refuses, whose fault that is, and which sessions are used again.

use std::time::Duration;

use cspine_domain::Reason;
use cspine_store::{Arrival, Fault, Store, StoreError, StoreOptions};
use cspine_tests::database::{Database, with_database};
use cspine_tests::wait;

use crate::samples::{arrival, count};

async fn run(db: &Database, statement: impl Into<String>) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.into())).execute(db.store.pool()).await.expect("the statement runs");
}

async fn register(store: &Store, number: u32) -> Result<(), Fault> {
    store.register_arrival(&arrival(number, number)).await.map(|_| ()).map_err(|error| error.fault())
}

/// One connection, so that the next call gets the session of the last one, if that is still used.
fn one() -> StoreOptions {
    StoreOptions { max_connections: 1, lock_timeout: std::time::Duration::from_millis(200), ..StoreOptions::default() }
}

#[tokio::test]
async fn whose_fault_it_is_the_server_says_and_the_next_call_works_once_it_is_mended() {
    let db = Database::create().await;
    let name =
        sqlx::query_scalar::<_, String>("select current_database()::text").fetch_one(db.store.pool()).await.unwrap();
    let store = Store::connect(&db.url, &one()).await.unwrap();
    let table = [
        ("a missing table", "alter table images rename to gone", "alter table gone rename to images"),
        (
            "a missing column",
            "alter table images rename object_key to gone",
            "alter table images rename gone to object_key",
        ),
        ("a missing schema", "alter schema public rename to gone", "alter schema gone rename to public"),
        (
            "a column of a later version",
            "alter table images add later text not null default ''; alter table images alter later drop default",
            "alter table images drop later",
        ),
        (
            "a full disk",
            "create function full_disk() returns trigger language plpgsql as
                 $$ begin raise exception 'full' using errcode = '53100'; end $$;
             create trigger full_disk before insert on images for each row execute function full_disk()",
            "drop trigger full_disk on images",
        ),
        (
            "a trigger of ours that refuses",
            "create trigger refused before insert on images for each row execute function refuse_change()",
            "drop trigger refused on images",
        ),
    ];
    for (number, (what, broken, mended)) in (1..).zip(table) {
        run(&db, broken).await;
        assert_eq!(register(&store, number).await, Err(Fault::Server), "{what}");
        run(&db, mended).await;
        assert_eq!(register(&store, number).await, Ok(()), "{what}, mended");
    }
    // a session that was read-only, or whose server went, is not used again
    let url = &db.url;
    run(&db, format!("alter database {name} set default_transaction_read_only = on")).await;
    let store = Store::connect(url, &one()).await.unwrap();
    assert!(matches!(store.probe().await, Err(StoreError::ReadOnly)));
    assert_eq!(register(&store, 90).await, Err(Fault::Server), "a standby");
    run(
        &db,
        format!("begin; set transaction read write; alter database {name} reset default_transaction_read_only; commit"),
    )
    .await;
    assert_eq!(register(&store, 90).await, Ok(()), "no standby any more");
    store.probe().await.unwrap();
    let others = "select pg_terminate_backend(pid) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()";
    run(&db, others).await;
    wait::until("the session is replaced", Duration::from_secs(30), async || register(&store, 91).await.ok()).await;
}

#[tokio::test]
async fn a_password_a_login_or_a_right_that_is_missing_is_nobodys_fault_and_passes() {
    let db = Database::create().await;
    let name = format!("test_login_{}", std::process::id());
    run(
        &db,
        format!("drop role if exists {name}; create role {name} login password 'first'; grant cspine_worker to {name}"),
    )
    .await;
    let url = as_login(&db.url, &name, "first");
    let fault = async || match Store::connect(&url, &one()).await {
        Ok(store) => register(&store, 1).await,
        Err(error) => Err(error.fault()),
    };
    assert_eq!(fault().await, Ok(()));
    let table = [
        (
            "another password",
            format!("alter role {name} password 'second'"),
            format!("alter role {name} password 'first'"),
        ),
        ("no login", format!("alter role {name} nologin"), format!("alter role {name} login")),
        ("no right", format!("revoke cspine_worker from {name}"), format!("grant cspine_worker to {name}")),
        (
            "too many connections",
            format!("alter role {name} connection limit 0"),
            format!("alter role {name} connection limit -1"),
        ),
    ];
    for (what, broken, mended) in table {
        run(&db, broken).await;
        assert_eq!(fault().await, Err(Fault::Server), "{what}");
        run(&db, mended).await;
        assert_eq!(fault().await, Ok(()), "{what}, mended");
    }
    run(&db, format!("drop role {name}")).await;
    let absent = Store::connect(&with_database(&db.url, "no_such_database"), &one()).await.unwrap_err();
    assert_eq!((absent.fault(), absent.is_transient()), (Fault::Server, false), "{absent}");
}

/// The URL with another user.
pub fn as_login(url: &str, user: &str, password: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (_, host) = rest.rsplit_once('@').expect("a URL with a user");
    format!("{scheme}://{user}:{password}@{host}")
}

#[tokio::test]
async fn a_row_that_another_transaction_holds_is_that_rows_fault_alone() {
    let db = Database::create().await;
    let store = Store::connect(&db.url, &StoreOptions { max_connections: 2, ..one() }).await.unwrap();
    register(&store, 1).await.unwrap();
    let mut holder = db.store.pool().begin().await.unwrap();
    sqlx::query("select from studies for update").execute(&mut *holder).await.unwrap();
    assert_eq!(register(&store, 1).await, Err(Fault::Row));
    assert_eq!(register(&store, 2).await, Ok(()), "another study's row is free");
    store.probe().await.unwrap();
    // its message is parked all the same
    let parked = crate::parked::of(Arrival { event_id: "held".into(), ..arrival(1, 1) }, Reason::Locked);
    store.park(&parked).await.unwrap();
    assert_eq!(count(&db.store, "parked_messages").await, 1);
    holder.rollback().await.unwrap();
    assert_eq!(register(&store, 1).await, Ok(()));
}

#[tokio::test]
async fn what_the_message_says_is_its_own_fault() {
    let db = Database::create().await;
    let values = [
        ("an empty key", Arrival { object_key: String::new(), ..arrival(1, 1) }),
        ("a NUL", Arrival { site: Some("a\0b".into()), ..arrival(1, 1) }),
        ("a site without end", Arrival { site: Some("x".repeat(10_000)), ..arrival(1, 1) }),
    ];
    for (what, value) in values {
        let refused = db.store.register_arrival(&value).await.unwrap_err();
        assert_eq!(refused.fault(), Fault::Message(Reason::BadSchema), "{what}: {refused}");
    }
}

#[tokio::test]
async fn a_table_that_is_locked_as_a_whole_is_the_servers_fault() {
    let db = Database::create().await;
    let store =
        Store::connect(&db.url, &StoreOptions { lock_timeout: Duration::from_millis(200), ..one() }).await.unwrap();
    for table in ["findings", "parked_messages", "status_events"] {
        let mut maintenance = db.store.pool().begin().await.unwrap();
        let lock = sqlx::AssertSqlSafe(format!("lock table {table} in share mode"));
        sqlx::query(lock).execute(&mut *maintenance).await.unwrap();
        let locked = store.probe().await.unwrap_err();
        assert!(matches!(locked, StoreError::TableLocked) && locked.fault() == Fault::Server, "{table}: {locked}");
        maintenance.rollback().await.unwrap();
        store.probe().await.unwrap();
    }
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_before_anything_is_made_in_it() {
    let db = Database::create().await;
    let name = format!("test_latin1_{}", std::process::id());
    run(&db, format!("drop database if exists {name}")).await;
    run(&db, format!("create database {name} encoding 'LATIN1' locale 'C' template template0")).await;
    let url = with_database(&db.url, &name);
    let latin = Store::connect(&url, &one()).await.unwrap();
    let refused = latin.migrate().await.unwrap_err();
    assert!(refused.to_string().contains("LATIN1") && refused.to_string().contains("UTF8"), "{refused}");
    assert_eq!(count(&latin, "pg_class where relnamespace = 'public'::regnamespace").await, 0);
    run(&db, format!("drop database {name} with (force)")).await;
}
