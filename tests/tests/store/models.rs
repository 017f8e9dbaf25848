//! The networks on record.

use cspine_domain::Sha256;
use cspine_store::{ModelRow, ModelState, Move, NewModel, Registration, StoreError};
use cspine_tests::database::Database;
use serde_json::json;

use crate::samples::{refused_by, registered};

fn model(name: &str, collapsed: Option<&str>) -> NewModel {
    let mut card = json!({
        "architecture": "alexnet", "temperature": 1.25, "gate": {}, "training": {"data": "phantoms only"}
    });
    if let Some(sentence) = collapsed {
        card["collapsed"] = sentence.into();
    }
    NewModel {
        sha256: Sha256::of(name.as_bytes()),
        architecture: "alexnet".into(),
        size_bytes: 7,
        card,
        object_key: None,
        registered_by: "qa-7".into(),
        forced_reason: None,
    }
}

#[tokio::test]
async fn a_model_is_registered_once_and_stays_as_it_was_recorded() {
    let db = Database::create().await;
    let first = model("one", None);
    let Registration::Created(row) = db.store.register_model(&first).await.unwrap() else { panic!("it is new") };
    assert_eq!((&row.model, row.state), (&first, ModelState::Candidate));
    let again = NewModel { registered_by: "qa-8".into(), ..first.clone() };
    assert_eq!(db.store.register_model(&again).await.unwrap(), Registration::AlreadyThere(row.clone()));
    assert_eq!(db.store.models().await.unwrap(), [row]);
}

#[tokio::test]
async fn that_a_models_file_came_into_the_store_is_recorded_once() {
    let db = Database::create().await;
    let model = model("one", None);
    db.store.register_model(&model).await.unwrap();
    let stored = NewModel { object_key: Some("models/one".into()), ..model.clone() };
    let expected = |registered_at| ModelRow { model: stored.clone(), state: ModelState::Candidate, registered_at };
    let elsewhere = NewModel { object_key: Some("models/elsewhere".into()), ..model.clone() };
    for later in [&stored, &model, &elsewhere] {
        let Registration::AlreadyThere(row) = db.store.register_model(later).await.unwrap() else { panic!("new") };
        assert_eq!(row, expected(row.registered_at));
    }
}

#[tokio::test]
async fn a_model_is_found_by_the_first_digits_of_its_name() {
    let db = Database::create().await;
    for name in ["one", "two", "three"] {
        db.store.register_model(&model(name, None)).await.unwrap();
    }
    let whole = Sha256::of(b"two").to_string();
    for prefix in [&whole[..8], &whole[..8].to_uppercase(), &whole] {
        let [found] = &db.store.model_named(prefix).await.unwrap()[..] else { panic!("one is named {prefix}") };
        assert_eq!(found.model.sha256, Sha256::of(b"two"));
    }
    assert!(db.store.model_named("%").await.unwrap().is_empty());
    assert_eq!(db.store.model_named("").await.unwrap().len(), 3);
}

#[tokio::test]
async fn models_are_listed_latest_first() {
    let db = Database::create().await;
    for name in ["one", "two", "three"] {
        db.store.register_model(&model(name, None)).await.unwrap();
    }
    let names: Vec<Sha256> = db.store.models().await.unwrap().into_iter().map(|row| row.model.sha256).collect();
    assert_eq!(names, ["three", "two", "one"].map(|name| Sha256::of(name.as_bytes())));
}

#[tokio::test]
async fn a_collapsed_model_needs_a_reason_whoever_writes() {
    let db = Database::create().await;
    let collapsed = model("one", Some("it answers fracture to everything"));
    let refused = db.store.register_model(&collapsed).await;
    assert!(matches!(refused, Err(StoreError::CollapsedModel)), "{refused:?}");
    assert!(db.store.models().await.unwrap().is_empty());
    let forced = NewModel { forced_reason: Some("a figure for the report".into()), ..collapsed };
    let Registration::Created(row) = db.store.register_model(&forced).await.unwrap() else { panic!("it is new") };
    assert_eq!(row.model.forced_reason.as_deref(), Some("a figure for the report"));
}

#[tokio::test]
async fn a_model_without_a_scope_gate_needs_a_reason_whoever_writes() {
    let db = Database::create().await;
    for gate in [json!(null), json!("absent")] {
        let mut ungated = model("one", None);
        match gate.is_null() {
            true => ungated.card["gate"] = gate,
            false => drop(ungated.card.as_object_mut().unwrap().remove("gate")),
        }
        let refused = db.store.register_model(&ungated).await;
        assert!(matches!(refused, Err(StoreError::UngatedModel)), "{refused:?}");
        assert!(db.store.models().await.unwrap().is_empty());
        let forced = NewModel { forced_reason: Some("to compare it with".into()), ..ungated };
        db.store.register_model(&forced).await.unwrap();
        sqlx::query("delete from models").execute(db.store.pool()).await.unwrap();
    }
}

#[tokio::test]
async fn a_record_that_says_another_network_than_its_card_is_refused() {
    let db = Database::create().await;
    let refused = db.store.register_model(&NewModel { architecture: "googlenet".into(), ..model("one", None) }).await;
    assert!(refused.unwrap_err().to_string().contains("the_card_is_of_this_architecture"));
}

#[tokio::test]
async fn moves_of_models_cannot_be_changed_by_anybody() {
    let db = Database::create().await;
    let model = registered(&db.store, "one").await;
    db.store.promote(&Move { model, epoch: 0, by: "qa-7", why: "the first", fence: None }).await.unwrap();
    for statement in ["update model_changes set why = 'a'", "delete from model_changes", "truncate model_changes"] {
        assert_eq!(refused_by(&db, statement.into()).await, "model_changes keeps what it has", "{statement}");
    }
}
