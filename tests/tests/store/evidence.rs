//! The chain of what every run leaves behind.

use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Link, RunCause, Store, broken_link};
use cspine_tests::database::Database;
use serde_json::json;

use crate::samples::{refused_by, registered};

async fn run(store: &Store) -> i64 {
    let champion = registered(store, "champion").await;
    let fence = store.acquire_lease("trainer-1", Duration::from_secs(60)).await.unwrap().unwrap();
    store.begin_run(fence, RunCause::Labels, champion, 0).await.unwrap().unwrap().id
}

/// A chain of five links.
async fn chain(store: &Store) -> Vec<Link> {
    let run = run(store).await;
    for (number, kind) in ["labels", "data", "weights", "code", "verdict"].into_iter().enumerate() {
        store.add_evidence(run, kind, &json!({"number": number, "share": 0.1, "text": "a\nb \"ü\""})).await.unwrap();
    }
    store.evidence().await.unwrap()
}

/// What somebody does who may do everything.
async fn tamper(store: &Store, statement: String) {
    let unlocked =
        format!("alter table evidence disable trigger user; {statement}; alter table evidence enable trigger user");
    sqlx::raw_sql(sqlx::AssertSqlSafe(unlocked)).execute(store.pool()).await.unwrap();
}

#[tokio::test]
async fn each_link_names_the_one_before() {
    let db = Database::create().await;
    assert_eq!(broken_link(&db.store.evidence().await.unwrap()), None, "nothing yet");
    let links = chain(&db.store).await;
    assert_eq!(links.len(), 5);
    assert_eq!(links[0].previous_hash, Sha256([0; 32]));
    assert!(links.windows(2).all(|pair| pair[1].previous_hash == pair[0].hash));
    assert_eq!(links[1].content, r#"{"number":1,"share":0.1,"text":"a\nb \"ü\""}"#);
    assert_eq!(broken_link(&links), None);
    let last = db.store.add_evidence(links[0].run, "more", &json!([1, 2])).await.unwrap();
    assert_eq!(db.store.evidence().await.unwrap()[5].hash, last);
}

#[tokio::test]
async fn what_the_end_says_already_is_not_said_again() {
    let db = Database::create().await;
    let links = chain(&db.store).await;
    let (run, said) = (links[0].run, json!({"number": 4, "share": 0.1, "text": "a\nb \"ü\""}));
    assert_eq!(db.store.add_evidence(run, "verdict", &said).await.unwrap(), links[4].hash);
    assert_eq!(db.store.evidence().await.unwrap(), links);
    db.store.add_evidence(run, "code", &said).await.unwrap();
    db.store.add_evidence(run, "verdict", &said).await.unwrap();
    assert_eq!(db.store.evidence().await.unwrap().len(), 7, "of another kind, or not at the end");
}

#[tokio::test]
async fn the_hash_can_be_computed_by_anybody_with_a_database() {
    let db = Database::create().await;
    chain(&db.store).await;
    let right: bool = sqlx::query_scalar(
        "select bool_and(hash = encode(sha256(convert_to(
                    previous_hash || E'\\n' || run_id || E'\\n' || (extract(epoch from recorded_at) * 1000000)::bigint
                    || E'\\n' || kind || E'\\n' || content || E'\\n', 'UTF8')), 'hex')) from evidence",
    )
    .fetch_one(db.store.pool())
    .await
    .unwrap();
    assert!(right);
}

#[tokio::test]
async fn a_changed_link_shows() {
    let db = Database::create().await;
    let links = chain(&db.store).await;
    let second_run = "insert into training_runs (state, ended_at, cause, lease_epoch, champion_sha256, reviews_through)
                      select 'failed', now(), cause, lease_epoch, champion_sha256, 0 from training_runs";
    sqlx::query(second_run).execute(db.store.pool()).await.unwrap();
    for set in [
        "content = replace(content::text, '2', '3')::json",
        // the same JSON otherwise written
        "content = replace(content::text, ',', ', ')::json",
        "kind = 'code'",
        "run_id = (select max(id) from training_runs)",
        "recorded_at = recorded_at + interval '1 microsecond'",
        "previous_hash = encode(sha256('before'), 'hex')",
        "hash = encode(sha256('other'), 'hex')",
    ] {
        let (id, columns) = (links[2].id, "content, kind, run_id, recorded_at, previous_hash, hash");
        let keep = format!("create table kept as select {columns} from evidence where id = {id}");
        sqlx::query(sqlx::AssertSqlSafe(keep)).execute(db.store.pool()).await.unwrap();
        tamper(&db.store, format!("update evidence set {set} where id = {id}")).await;
        assert_eq!(broken_link(&db.store.evidence().await.unwrap()), Some(id), "{set}");
        let back =
            format!("update evidence set ({columns}) = (select {columns} from kept) where id = {id}; drop table kept");
        tamper(&db.store, back).await;
        assert_eq!(db.store.evidence().await.unwrap(), links);
    }
}

#[tokio::test]
async fn a_link_that_was_left_out_shows() {
    let db = Database::create().await;
    let links = chain(&db.store).await;
    tamper(&db.store, format!("delete from evidence where id = {}", links[2].id)).await;
    assert_eq!(broken_link(&db.store.evidence().await.unwrap()), Some(links[3].id));
    tamper(&db.store, format!("delete from evidence where id = {}", links[0].id)).await;
    assert_eq!(broken_link(&db.store.evidence().await.unwrap()), Some(links[1].id), "the first as well");
}

#[tokio::test]
async fn eight_who_add_at_once_make_one_chain() {
    let db = Database::create().await;
    let run = run(&db.store).await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let store = db.store.clone();
            tokio::spawn(async move {
                for turn in 0..5 {
                    store.add_evidence(run, "data", &json!([number, turn])).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let links = db.store.evidence().await.unwrap();
    assert_eq!((links.len(), broken_link(&links)), (40, None));
}

#[tokio::test]
async fn evidence_cannot_be_changed_by_anybody() {
    let db = Database::create().await;
    chain(&db.store).await;
    for statement in ["update evidence set kind = 'a'", "delete from evidence", "truncate evidence"] {
        assert_eq!(refused_by(&db, statement.into()).await, "evidence keeps what it has", "{statement}");
    }
}
