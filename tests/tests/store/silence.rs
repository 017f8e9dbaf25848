//! A server or a network that falls silent, and calls that are dropped half-way.

use std::time::Duration;

use cspine_domain::OrderPriority::Stat;
use cspine_store::{Fault, StateChange, Store, StoreOptions, StudyState};
use cspine_tests::database::Database;
use cspine_tests::line::Line;
use cspine_tests::wait;

use crate::samples::{arrival, count, listed, ordered, uid};

const CONNECTIONS: u32 = 8;
const DEADLINE: Duration = Duration::from_secs(60);

fn options() -> StoreOptions {
    StoreOptions {
        max_connections: CONNECTIONS,
        acquire_timeout: Duration::from_secs(4),
        statement_timeout: Duration::from_secs(10),
        lock_timeout: Duration::from_secs(10),
        ..StoreOptions::default()
    }
}

/// How many sessions of this database wait for a lock.
async fn waiting(db: &Database) -> i64 {
    count(&db.store, "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").await
}

async fn opened(store: Store) -> Result<(), Fault> {
    let change = StateChange { study: uid(1), state: StudyState::Reading, at: None, event: None, by: None };
    store.set_study_state(&change).await.map(|_| ()).map_err(|error| error.fault())
}

#[tokio::test]
async fn a_store_whose_connections_all_fell_silent_in_the_middle_of_a_statement_answers_again() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    let line = Line::to(&db.url).await;
    let store = Store::connect(&line.url, &options()).await.unwrap();
    let mut holder = db.store.pool().begin().await.unwrap();
    sqlx::query("select from studies for update").execute(&mut *holder).await.unwrap();
    let calls: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(opened(store.clone()))).collect();
    wait::until("all wait", DEADLINE, async || (waiting(&db).await == i64::from(CONNECTIONS)).then_some(())).await;
    line.fall_silent();
    holder.rollback().await.unwrap();
    for call in calls {
        let ended = tokio::time::timeout(DEADLINE, call).await.expect("it ends by itself").unwrap();
        assert_eq!(ended, Err(Fault::Server));
    }
    // every place in the pool is free again: as many calls at once as there are places
    let calls: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(opened(store.clone()))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn connections_that_fell_silent_while_they_were_idle_fail_no_call() {
    let db = Database::create().await;
    let line = Line::to(&db.url).await;
    let store = Store::connect(&line.url, &options()).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(store.pool().acquire().await.unwrap());
    }
    drop(held);
    wait::until("all are idle", DEADLINE, async || (store.pool().num_idle() == CONNECTIONS as usize).then_some(()))
        .await;
    line.fall_silent();
    let calls: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.ping().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_call_dropped_at_any_moment_leaves_no_transaction_open_and_no_place_in_the_pool_taken() {
    let db = Database::create().await;
    let store = Store::connect(&db.url, &StoreOptions { max_connections: 2, ..options() }).await.unwrap();
    for step in 0..200 {
        let (store, image) = (store.clone(), ordered(Stat, arrival(step, step)));
        let call = tokio::spawn(async move { store.register_arrival(&image).await.map(|_| ()) });
        for _ in 0..step {
            tokio::task::yield_now().await;
        }
        call.abort();
        let _ = call.await;
    }
    // what is begun now is a call's own: it is there as soon as the call says so
    for study in 1000..1010 {
        store.register_arrival(&arrival(study, study)).await.unwrap();
        assert_eq!(listed(&db.store, study).await.study, uid(study));
    }
    let open = "pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
    wait::until("no transaction is open", DEADLINE, async || (count(&db.store, open).await == 0).then_some(())).await;
}
