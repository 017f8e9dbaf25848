//! `cspine-trainer register` on a real Postgres (`eval "$(deploy/stack up)"`), a database a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cspine_domain::Sha256;
use cspine_imaging::Preprocessing;
use cspine_nets::{Architecture, Checkpoint, ModelCard, init};
use cspine_tests::database::Database;
use tempfile::{TempDir, tempdir};

const COLLAPSE: &str = "it answers fracture to every one of 301 images (38.9 % right: the share of fracture)";

/// A model file of random weights.
fn model(folder: &TempDir, collapsed: Option<&str>) -> PathBuf {
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "nothing: random weights");
    let card = ModelCard { collapsed: collapsed.map(str::to_owned), ..card };
    let state = init::network(Architecture::GoogLeNet, 5, 3).unwrap();
    let file = folder.path().join("model.safetensors");
    std::fs::write(&file, Checkpoint { card, state }.write().unwrap()).unwrap();
    file
}

fn register(model: &Path, database_url: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"));
    command.args(["register", "--database-url", database_url, "--model"]).arg(model).args(more);
    command.env_remove("DATABASE_URL").env_remove("CSPINE_MODEL").env("USER", "tester").output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", complaint(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn a_model_is_on_record_with_its_card_and_twice_is_once() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let file = model(&folder, None);
    let sha256 = Sha256::of(&std::fs::read(&file).unwrap());
    let first = printed(&register(&file, &db.url, &[]));
    assert!(first.starts_with(&format!("{sha256} (googlenet) registered by tester at ")), "{first}");
    let again = printed(&register(&file, &db.url, &["--by", "qa-7"]));
    assert!(again.contains("was registered already by tester at "), "{again}");
    let [row] = &db.store.models().await.unwrap()[..] else { panic!("one row") };
    assert_eq!((row.model.sha256, row.model.forced_reason.as_deref()), (sha256, None));
    let card: ModelCard = serde_json::from_value(row.model.card.clone()).unwrap();
    assert_eq!(card, Checkpoint::read(&std::fs::read(&file).unwrap()).unwrap().card);
}

#[tokio::test]
async fn a_collapsed_model_is_refused_with_its_sentence_unless_somebody_says_who_and_why() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let file = model(&folder, Some(COLLAPSE));
    let refused = register(&file, &db.url, &[]);
    assert!(!refused.status.success() && complaint(&refused).contains(COLLAPSE), "{}", complaint(&refused));
    for incomplete in [&["--force"][..], &["--force", "--by", "qa-7"], &["--force", "--by", "qa-7", "--why", " "]] {
        let refused = register(&file, &db.url, incomplete);
        assert!(!refused.status.success(), "{incomplete:?}");
    }
    assert!(db.store.models().await.unwrap().is_empty());
    let forced = ["--force", "--by", "qa-7", "--why", "the paper's AlexNet, for its figure"];
    let said = printed(&register(&file, &db.url, &forced));
    assert!(said.contains("although it has collapsed: the paper's AlexNet, for its figure"), "{said}");
    let [row] = &db.store.models().await.unwrap()[..] else { panic!("one row") };
    assert_eq!(row.model.registered_by, "qa-7");
    assert_eq!(row.model.forced_reason.as_deref(), Some("the paper's AlexNet, for its figure"));
    assert_eq!(row.model.card["collapsed"], COLLAPSE);
}

#[tokio::test]
async fn an_older_schema_and_a_file_that_is_no_model_are_named() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let file = model(&folder, None);
    sqlx::query("delete from _sqlx_migrations where version = 8").execute(db.store.pool()).await.unwrap();
    let refused = register(&file, &db.url, &[]);
    assert!(!refused.status.success() && complaint(&refused).contains("run `cspine-worker migrate`"));
    std::fs::write(&file, b"no model").unwrap();
    let refused = register(&file, &db.url, &[]);
    assert!(!refused.status.success() && complaint(&refused).contains("cannot use the model"));
}
