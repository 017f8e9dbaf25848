//! `cspine-trainer labels` on a real Postgres (`eval "$(deploy/stack up)"`), a database a test.

use std::process::{Command, Output};

use cspine_domain::{Class, Sha256};
use cspine_store::{LearningSet, ReferenceImage};
use cspine_tests::database::Database;
use tempfile::tempdir;

const HEADER: &str = "id,sop_instance_uid,content_sha256,label,reviewer,source,answer_seen,confirmed_at,supersedes\n";

fn labels(db: &Database, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"));
    command.arg("labels").args(words).env("DATABASE_URL", &db.url).env("USER", "tester").output().unwrap()
}

/// Imports these lines, in which `SHA` is a digest; whether it did well, and what it said.
fn import(db: &Database, lines: &[&str]) -> (bool, String) {
    let folder = tempdir().unwrap();
    let file = folder.path().join("labels.csv");
    let content = Sha256::of(b"an image").to_string();
    std::fs::write(&file, format!("{HEADER}{}\n", lines.join("\n").replace("SHA", &content))).unwrap();
    said(&labels(db, &["import", file.to_str().unwrap()]))
}

fn said(output: &Output) -> (bool, String) {
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

async fn reviews(db: &Database) -> i64 {
    sqlx::query_scalar("select count(*) from reviews").fetch_one(db.store.pool()).await.unwrap()
}

#[tokio::test]
async fn of_a_file_that_has_grown_only_the_new_lines_are_taken_in() {
    let db = Database::create().await;
    let lines = [
        ",1.2.3,SHA,fracture,r-1,ct,true,2026-11-25T10:00:00Z,",
        ",1.2.4,SHA,normal,r-1,ct,true,2026-11-25T10:00:00Z,",
        ",1.2.5,SHA,normal,r-1,ct,true,2026-11-25T10:00:00Z,",
    ];
    assert_eq!(import(&db, &lines[..2]), (true, "2 lines: 2 new labels, 0 were there\n".into()));
    assert_eq!(import(&db, &lines), (true, "3 lines: 1 new labels, 2 were there\n".into()));
    assert_eq!(reviews(&db).await, 3);
}

#[tokio::test]
async fn a_correction_of_what_has_not_come_is_told_with_its_line() {
    let db = Database::create().await;
    let first = "a,1.2.3,SHA,fracture,r-1,ct,true,2026-11-25T10:00:00Z,";
    let corrections = [
        "b,1.2.3,SHA,normal,r-2,ct,true,2026-11-25T11:00:00Z,a",
        // of a line of the same file
        "c,1.2.3,SHA,dislocation,r-3,ct,true,2026-11-25T12:00:00Z,b",
    ];
    let (well, told) = import(&db, &corrections);
    assert!(well && told.ends_with("1 correct what is not on record of labels: line 2\n"), "{told}");
    assert_eq!(import(&db, &[first]), (true, "1 lines: 1 new labels, 0 were there\n".into()));
    assert_eq!(import(&db, &corrections), (true, "2 lines: 0 new labels, 2 were there\n".into()));
}

#[tokio::test]
async fn an_id_that_stands_for_another_label_is_refused_with_its_line() {
    let db = Database::create().await;
    let line = "a,1.2.3,SHA,fracture,r-1,ct,true,2026-11-25T10:00:00.123456789Z,";
    let (other, changed) = (line.replace("a,1.2.3", "b,1.2.4"), line.replace("fracture", "normal"));
    assert!(import(&db, &[line]).0);
    assert!(import(&db, &[line, line]).0, "the same is no other");
    let twice = other.replace("fracture", "normal");
    for line in [&changed, &twice] {
        let (well, told) = import(&db, &[&other, line]);
        assert!(!well && told.contains("another label has the id of line 3:"), "{told}");
    }
    assert_eq!(reviews(&db).await, 1);
}

#[tokio::test]
async fn a_merge_says_who_they_are_and_a_name_nobody_has_wants_force() {
    let db = Database::create().await;
    let image = |patient: &str, set| ReferenceImage {
        content: Sha256::of(patient.as_bytes()),
        object_key: format!("reference/{patient}"),
        media_type: "image/png".into(),
        label: Class::Normal,
        patient: patient.into(),
        site: None,
        set,
    };
    let images = [image("one", LearningSet::Training), image("two", LearningSet::Evaluation)];
    db.store.add_reference(&images, "qa-7").await.unwrap();
    let (well, told) = said(&labels(&db, &["merge", "one", "tow"]));
    assert!(
        !well && told.contains("tow: 0 images, no side yet\n") && told.contains("nobody has the name tow"),
        "{told}"
    );
    let forced = said(&labels(&db, &["merge", "one", "three", "--force"]));
    assert_eq!(forced, (true, "one: 1 images, training\nthree: 0 images, no side yet\nmerged\n".into()));
    let (well, told) = said(&labels(&db, &["merge", "one", "two"]));
    assert!(
        well && told.starts_with("one: 1 images, training\ntwo: 1 images, evaluation\nmerged\non two sides"),
        "{told}"
    );
    let merges: i64 =
        sqlx::query_scalar("select count(*) from patient_merges").fetch_one(db.store.pool()).await.unwrap();
    assert_eq!(merges, 2);
}
