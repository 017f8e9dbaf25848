//! The chain of what every run leaves behind.

use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Link, NewRun, RunCause, RunEnd, RunState, Store, broken_link};
use cspine_tests::database::Database;
use serde_json::{Value, json};

use crate::samples::{refused_by, registered};

/// A chain of five links, of as many runs.
async fn chain(store: &Store) -> Vec<Link> {
    let champion = registered(store, "champion").await;
    let fence = store.acquire_lease("trainer-1", Duration::from_secs(60)).await.unwrap().unwrap();
    let new = NewRun { cause: RunCause::Labels, champion, reviews_through: 0, settings: Value::Null };
    for number in 0..5 {
        let run = store.begin_run(fence, &new).await.unwrap().unwrap().id;
        let end = RunEnd {
            state: RunState::Failed,
            challenger: None,
            verdict: None,
            outcome: "as it happened".into(),
            report_key: None,
            evidence: json!({"number": number, "share": 0.1, "text": "a\nb \"ü\""}),
        };
        store.end_run(fence, run, &end).await.unwrap().unwrap();
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
    assert_eq!(db.store.last_evidence().await.unwrap().as_ref(), links.last());
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
async fn evidence_cannot_be_changed_by_anybody() {
    let db = Database::create().await;
    chain(&db.store).await;
    for statement in ["update evidence set kind = 'a'", "delete from evidence", "truncate evidence"] {
        assert_eq!(refused_by(&db, statement.into()).await, "evidence keeps what it has", "{statement}");
    }
}
