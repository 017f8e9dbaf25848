//! `cspine-trainer models` on a real Postgres (`eval "$(deploy/stack up)"`), a database a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cspine_domain::Sha256;
use cspine_imaging::Preprocessing;
use cspine_nets::{Architecture, Checkpoint, ModelCard, init};
use cspine_store::{Move, Moved};
use cspine_tests::database::Database;
use tempfile::{TempDir, tempdir};

const COLLAPSE: &str = "it answers fracture to every one of 301 images (38.9 % right: the share of fracture)";

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");

/// A model file with a scope gate.
fn model(folder: &TempDir, collapsed: Option<&str>) -> PathBuf {
    model_of(folder, 5, collapsed)
}

fn model_of(folder: &TempDir, seed: u64, collapsed: Option<&str>) -> PathBuf {
    let mut checkpoint = Checkpoint::read(&std::fs::read(STARTER).unwrap()).unwrap();
    checkpoint.card.operating_point += seed as f32 / 1000.0;
    checkpoint.card.collapsed = collapsed.map(str::to_owned);
    let file = folder.path().join(format!("model-{seed}.safetensors"));
    std::fs::write(&file, checkpoint.with_golden().unwrap().write().unwrap()).unwrap();
    file
}

/// A model file of random weights, without a scope gate.
fn ungated(folder: &TempDir) -> PathBuf {
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "nothing: random weights");
    let state = init::network(Architecture::GoogLeNet, 5, 3).unwrap();
    let file = folder.path().join("ungated.safetensors");
    std::fs::write(&file, Checkpoint { card, state }.with_golden().unwrap().write().unwrap()).unwrap();
    file
}

/// `cspine-trainer models` with an object store beside the model file.
fn models(model: &Path, database_url: &str, words: &[&str]) -> Output {
    let objects = model.with_file_name("objects");
    std::fs::create_dir_all(&objects).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"));
    command.arg("models").args(words).env("DATABASE_URL", database_url).env("USER", "tester");
    command.env("CSPINE_STORE_URL", format!("file://{}", objects.display()));
    command.env_remove("CSPINE_MODEL").output().unwrap()
}

fn register(model: &Path, database_url: &str, more: &[&str]) -> Output {
    models(model, database_url, &[&["register", "--model", model.to_str().unwrap()], more].concat())
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
async fn a_model_without_a_scope_gate_is_registered_and_promoted_only_when_somebody_says_who_and_why() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let file = ungated(&folder);
    let name = Sha256::of(&std::fs::read(&file).unwrap()).to_string();
    let refused = register(&file, &db.url, &[]);
    assert!(!refused.status.success() && complaint(&refused).contains("has no scope gate"), "{}", complaint(&refused));
    for incomplete in [&["--force"][..], &["--force", "--by", "qa-7"], &["--by", "qa-7", "--why", "to compare"]] {
        assert!(!register(&file, &db.url, incomplete).status.success(), "{incomplete:?}");
    }
    assert!(db.store.models().await.unwrap().is_empty());
    let said = printed(&register(&file, &db.url, &["--force", "--by", "qa-7", "--why", "to compare"]));
    assert!(said.contains("although it has no scope gate: to compare"), "{said}");
    let [row] = &db.store.models().await.unwrap()[..] else { panic!("one row") };
    assert_eq!((&*row.model.registered_by, row.model.forced_reason.as_deref()), ("qa-7", Some("to compare")));
    assert!(printed(&models(&file, &db.url, &["list"])).contains("NO SCOPE GATE"));

    let why = ["promote", &name, "--why", "to compare"];
    for incomplete in [&[][..], &["--force"], &["--by", "qa-7"], &["--first", "--by", "qa-7"]] {
        let refused = models(&file, &db.url, &[&why[..], incomplete].concat());
        assert!(complaint(&refused).contains("has no scope gate"), "{incomplete:?}: {}", complaint(&refused));
    }
    assert_eq!(db.store.serving().await.unwrap().champion, None);
    printed(&models(&file, &db.url, &[&why[..], &["--force", "--by", "qa-7"]].concat()));
    let [change] = &db.store.model_changes(None).await.unwrap()[..] else { panic!("one move") };
    assert_eq!((&*change.by, &*change.why), ("qa-7", "to compare"));
}

#[tokio::test]
async fn an_error_is_one_line_whatever_the_environment_says_of_backtraces() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let missing = folder.path().join("missing.safetensors");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"));
    command.args(["models", "register", "--store-url", "file:///nowhere", "--model"]).arg(&missing);
    let output = command.env("DATABASE_URL", &db.url).env("RUST_BACKTRACE", "1").output().unwrap();
    let said = complaint(&output);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("error: cannot read the model") && said.contains("No such file"), "{said}");
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

#[tokio::test]
async fn a_registered_file_lies_in_the_object_store_and_is_promoted_only_while_it_is_whole() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let file = model(&folder, None);
    let sha256 = Sha256::of(&std::fs::read(&file).unwrap()).to_string();
    printed(&register(&file, &db.url, &[]));
    assert!(printed(&models(&file, &db.url, &["list"])).contains("nothing serves"));
    let stored = folder.path().join(format!("objects/models/{sha256}.safetensors"));
    let whole = std::fs::read(&stored).unwrap();
    assert_eq!(Sha256::of(&whole).to_string(), sha256);

    let promote = || models(&file, &db.url, &["promote", &sha256[..8], "--why", "the first"]);
    let mut corrupt = whole.clone();
    *corrupt.last_mut().unwrap() ^= 1;
    std::fs::write(&stored, corrupt).unwrap();
    assert!(complaint(&promote()).contains("corrupt"), "{}", complaint(&promote()));
    std::fs::write(&stored, &whole).unwrap();
    assert!(printed(&promote()).contains("serves as of epoch 1"));
    assert!(printed(&promote()).contains("serves already"));
    let first = models(&file, &db.url, &["promote", &sha256[..8], "--first", "--why", "the first"]);
    assert!(printed(&first).contains("serves, and is left"));
    assert!(printed(&models(&file, &db.url, &["list"])).contains("champion"));
    let shown = printed(&models(&file, &db.url, &["show", &sha256[..8]]));
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["changes"][0]["why"], "the first");
    let back = models(&file, &db.url, &["rollback", "--why", "no matter"]);
    assert!(complaint(&back).contains("no champion before this one"), "{}", complaint(&back));
}

/// Three models on record, by name.
fn three(folder: &TempDir, database_url: &str) -> [String; 3] {
    [6, 7, 8].map(|seed| {
        let file = model_of(folder, seed, None);
        printed(&register(&file, database_url, &[]));
        Sha256::of(&std::fs::read(file).unwrap()).to_string()
    })
}

#[tokio::test]
async fn a_rollback_said_again_goes_further_back_until_there_is_no_champion_before() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let [a, b, c] = three(&folder, &db.url);
    let run = |words: &[&str]| models(&folder.path().join("model"), &db.url, words);
    let serves = async || db.store.serving().await.unwrap().champion.unwrap().sha256.to_string();
    for name in [&a, &b, &c] {
        printed(&run(&["promote", name, "--force", "--why", "it is better"]));
    }
    let back = ["rollback", "--why", "it was not"];
    for name in [&b, &a] {
        printed(&run(&back));
        assert_eq!(serves().await, *name);
    }
    assert!(complaint(&run(&back)).contains("there was no champion before this one"));

    // A shadow moves the registry's epoch, and not since when the champion serves.
    let wish = Move { model: c.parse().unwrap(), epoch: 5, by: "tester", why: "a test", fence: None };
    assert_eq!(db.store.set_shadow(&wish, 0.5).await.unwrap(), Moved::Done { epoch: 6 });
    let list = printed(&run(&["list"]));
    assert!(list.contains(&format!("serving {} since epoch 5, by tester at ", &a[..12])), "{list}");

    // What is promoted from there has it before itself.
    printed(&run(&["promote", &c, "--force", "--why", "it is better after all"]));
    printed(&run(&back));
    assert_eq!(serves().await, a);
}

#[tokio::test]
async fn a_challenger_follows_only_the_champion_it_was_measured_against_and_one_that_has_served_is_rolled_back_to() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let [champion, other, challenger] = three(&folder, &db.url);
    let run = |words: &[&str]| models(&folder.path().join("model"), &db.url, words);
    let promote = || run(&["promote", &challenger, "--why", "it passed"]);
    printed(&run(&["promote", &champion, "--why", "the first"]));
    assert!(complaint(&promote()).contains("no run has held"), "{}", complaint(&promote()));
    sqlx::query(
        "insert into training_runs
             (state, cause, lease_epoch, champion_sha256, reviews_through, challenger_sha256, verdict, ended_at)
         values ('waiting', 'labels', 1, $1, 0, $2, '{\"decision\": \"passed\"}', now())",
    )
    .bind(&champion)
    .bind(&challenger)
    .execute(db.store.pool())
    .await
    .unwrap();

    printed(&run(&["promote", &other, "--force", "--why", "a test"]));
    let expected = format!("was measured against {}, {} serves now", &champion[..12], &other[..12]);
    assert!(complaint(&promote()).contains(&expected), "{}", complaint(&promote()));
    printed(&run(&["rollback", "--why", "a test"]));
    assert!(printed(&promote()).contains("serves as of epoch 4"));
    printed(&run(&["rollback", "--why", "a test"]));
    let expected = format!("has served: `cspine-trainer models rollback --to {}`", &challenger[..12]);
    assert!(complaint(&promote()).contains(&expected), "{}", complaint(&promote()));

    let shown: serde_json::Value = serde_json::from_str(&printed(&run(&["show", &challenger]))).unwrap();
    assert_eq!(
        (&shown["run"]["measured_against"], &shown["run"]["verdict"]["decision"]),
        (&champion.into(), &"passed".into())
    );
}

#[tokio::test]
async fn reference_images_are_brought_once_each_on_its_side_and_a_patient_on_two_is_refused() {
    let (folder, db) = (tempdir().unwrap(), Database::create().await);
    let file = model(&folder, None);
    let reference = folder.path().join("reference");
    std::fs::create_dir(&reference).unwrap();
    let picture = |name: &str, seed: u32| {
        let shade = |x: u32, y: u32| image::Luma([((x * seed + y * 3) % 251) as u8]);
        image::GrayImage::from_fn(96, 96, shade).save(reference.join(name)).unwrap();
    };
    (1..=4).for_each(|i| picture(&format!("{i}.png"), i));
    let manifest = |lines: &str| {
        std::fs::write(reference.join("manifest.csv"), format!("file,class,patient_key,site,set\n{lines}")).unwrap();
        register(&file, &db.url, &["--reference", reference.to_str().unwrap()])
    };
    let lines = "1.png,fracture,a,ed-1,training\n2.png,normal,b,ed-1,validation\n3.png,dislocation,c,ed-2,evaluation\n";
    assert!(printed(&manifest(lines)).contains("(3 new, 0 were there)"));
    assert!(printed(&manifest(lines)).contains("(0 new, 3 were there)"));
    let images = db.store.reference_images().await.unwrap();
    assert_eq!(images.len(), 3);
    for image in &images {
        let stored = std::fs::read(folder.path().join("objects").join(&image.object_key)).unwrap();
        assert_eq!(Sha256::of(&stored), image.content);
    }
    for (line, what) in [
        ("4.png,normal,c,ed-2,training\n", "another set"),
        ("4.png,normal,,ed-2,training\n", "no patient_key"),
        ("4.png,normal,d,ed-2,frozen\n", "is no set"),
    ] {
        let refused = manifest(line);
        assert!(!refused.status.success() && complaint(&refused).contains(what), "{line}: {}", complaint(&refused));
    }
    assert_eq!(db.store.reference_images().await.unwrap(), images, "what was refused left nothing");
    // The file that is named is read, whatever lies beside it.
    let frozen = reference.join("frozen.csv");
    std::fs::write(&frozen, "file,class,patient_key,site,set\n4.png,normal,d,ed-2,evaluation\n").unwrap();
    let brought = printed(&register(&file, &db.url, &["--reference", frozen.to_str().unwrap()]));
    assert!(
        brought.contains("0 injuries and 1 normals frozen") && brought.contains("(1 new, 0 were there)"),
        "{brought}"
    );
}
