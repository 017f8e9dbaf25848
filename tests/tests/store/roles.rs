//! Who may do what: each service's role tries what it must do and what it must not.

use cspine_domain::{Class, Sha256};
use cspine_store::{Move, Moved, Store, StoreOptions};
use cspine_tests::database::Database;

use crate::samples::{DISLOCATION, arrival, finding, registered, review};
use crate::sessions::as_login;

/// A login that is a member of this role, on the database; it goes with the returned guard's [`Login::remove`].
struct Login {
    name: String,
    store: Store,
}

impl Login {
    async fn of(db: &Database, role: &str) -> Self {
        let name = format!("test_{role}_{}", std::process::id());
        let make =
            format!("drop role if exists {name}; create role {name} login password 'test'; grant {role} to {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(db.store.pool()).await.expect("a login");
        let url = as_login(&db.url, &name, "test");
        Self { store: Store::connect(&url, &StoreOptions::default()).await.expect("it may connect"), name }
    }

    /// Tries statements that it must not be able to do.
    async fn is_refused(&self, statements: &[&'static str]) {
        for &statement in statements {
            let refused = sqlx::query(statement).execute(self.store.pool()).await;
            let code = refused.as_ref().err().and_then(|e| Some(e.as_database_error()?.code()?.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{} may: {statement}: {refused:?}", self.name);
        }
    }

    async fn remove(self, db: &Database) {
        self.store.pool().close().await;
        let gone = format!("drop role {}", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(gone)).execute(db.store.pool()).await.expect("dropped");
    }
}

/// Nobody but the schema's owner may do these.
const NOBODYS: [&str; 9] = [
    "create table mine (n integer)",
    "alter table findings disable trigger all",
    "drop table findings",
    "truncate findings",
    "delete from findings",
    "update findings set verdict = 'normal'",
    "delete from studies",
    "delete from reviews",
    "update evidence set kind = 'other'",
];

#[tokio::test]
async fn a_worker_answers_and_orders_the_list_and_can_neither_forge_nor_forget() {
    let db = Database::create().await;
    let worker = Login::of(&db, "cspine_worker").await;
    worker.store.probe().await.unwrap();
    assert!(worker.store.schema_is_current().await.unwrap());
    worker.store.record_finding(&finding(arrival(1, 1), DISLOCATION)).await.unwrap();
    worker.store.record_review(&review("1", &arrival(1, 1), Class::Normal, "reader-1", 1)).await.unwrap();
    let parked = worker.store.park(&crate::parked::parked("1")).await.unwrap();
    worker.store.parked_resend(parked, "it", "again").await.unwrap();
    worker.store.sweep().await.unwrap();
    assert_eq!(worker.store.worklist(10).await.unwrap().len(), 1);
    worker.store.study_images(&arrival(1, 1).study).await.unwrap();
    let sent: Vec<i64> =
        worker.store.outbox_claim(9, Default::default()).await.unwrap().iter().map(|message| message.id).collect();
    worker.store.outbox_mark_sent(&sent).await.unwrap();
    let at_once = std::time::Duration::ZERO;
    let keep = cspine_store::Retention {
        events: at_once,
        parked: at_once,
        priority_changes: at_once,
        heatmaps: at_once,
        features: at_once,
    };
    worker.store.clear(&keep).await.unwrap();
    worker.store.serving().await.unwrap();
    worker.is_refused(&NOBODYS).await;
    worker
        .is_refused(&[
            "update serving set epoch = 7",
            "insert into models (sha256, architecture, size_bytes, card, registered_by) values ('', '', 1, '{}', 'me')",
            "update models set state = 'champion'",
            "insert into model_changes (model_sha256) values ('')",
            "select * from split_key",
            "insert into patient_sets (patient, set) values ('a', 'training')",
            "update trainer_lease set epoch = 9",
            "update reviews set label = 'normal'",
            "update ageing_caps set cap = interval '1 second'",
            "update list_settings set reading_lapses_after = interval '1 second'",
        ])
        .await;
    worker.remove(&db).await;
}

#[tokio::test]
async fn a_trainer_learns_and_moves_models_and_does_not_touch_the_list() {
    let db = Database::create().await;
    let image = arrival(1, 1);
    db.store.record_finding(&finding(image.clone(), DISLOCATION)).await.unwrap();
    db.store.record_review(&review("1", &image, Class::Fracture, "reader-1", 1)).await.unwrap();
    let trainer = Login::of(&db, "cspine_trainer").await;
    assert!(trainer.store.schema_is_current().await.unwrap());
    let model = registered(&trainer.store, "champion").await;
    let wish = Move { model, epoch: 0, by: "owner", why: "a test", fence: None };
    assert_eq!(trainer.store.promote(&wish).await.unwrap(), Moved::Done { epoch: 1 });
    assert_eq!(trainer.store.labelled_images(i64::MAX).await.unwrap().len(), 1);
    trainer.store.label_tally().await.unwrap();
    trainer.store.new_labels().await.unwrap();
    assert!(trainer.store.assign_sets().await.unwrap() > 0);
    trainer.store.merge_patients("a", "b", "qa").await.unwrap();
    trainer.store.shadow_tally(Sha256::of(b"model"), model).await.unwrap();
    let fence = trainer.store.acquire_lease("trainer", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    trainer.store.release_lease(fence).await.unwrap();
    let drift = "select tell_of_drift('drift', '{\"type\": \"org.cspine.model.drifted.v1\"}')";
    sqlx::query(drift).execute(trainer.store.pool()).await.unwrap();
    trainer.is_refused(&NOBODYS).await;
    trainer
        .is_refused(&[
            "insert into findings (sop_instance_uid) values ('1')",
            "update findings set heatmap_png = null",
            "update studies set state = 'finished'",
            "insert into studies (study_instance_uid) values ('1')",
            "insert into priority_changes (study_instance_uid) values ('1')",
            "select * from parked_messages",
            "delete from parked_messages",
            "insert into outbox (destination, event_id, event_type, routing_key, payload)
             values ('events', 'forged', 'parked.resent', 'study.status', '{}')",
            "select tell_of_drift('forged', '{\"type\": \"org.cspine.study.reprioritised.v1\"}')",
            "update outbox set payload = '{}'",
            "delete from outbox",
            "delete from model_changes",
            "update ageing_caps set cap = interval '1 second'",
        ])
        .await;
    trainer.remove(&db).await;
}

#[tokio::test]
async fn a_reader_sees_the_list_and_nothing_else() {
    let db = Database::create().await;
    db.store.register_arrival(&arrival(1, 1)).await.unwrap();
    let reader = Login::of(&db, "cspine_reader").await;
    assert_eq!(reader.store.worklist(10).await.unwrap().len(), 1);
    reader.is_refused(&NOBODYS).await;
    reader.is_refused(&["select * from studies", "select * from findings", "select * from reviews"]).await;
    reader.remove(&db).await;
}

#[tokio::test]
async fn every_table_and_view_is_somebodys_and_migrating_again_takes_away_what_was_granted_beside() {
    let db = Database::create().await;
    let nobodys: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
          where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')
            and not exists (select from unnest(array['cspine_worker', 'cspine_trainer', 'cspine_reader']) as role
                             where has_table_privilege(role, oid, 'select'))",
    )
    .fetch_all(db.store.pool())
    .await
    .unwrap();
    assert!(nobodys.is_empty(), "name these in crates/store/src/roles.sql: {nobodys:?}");
    sqlx::query("grant delete on findings to cspine_worker").execute(db.store.pool()).await.unwrap();
    db.store.migrate().await.unwrap();
    let may: bool = sqlx::query_scalar("select has_table_privilege('cspine_worker', 'findings', 'delete')")
        .fetch_one(db.store.pool())
        .await
        .unwrap();
    assert!(!may);
}
