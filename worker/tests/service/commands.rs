//! What commands say to the person in front of them.

use std::process::Command;

use crate::site::{PROGRAM, Site, png};

#[tokio::test]
async fn the_error_of_a_command_is_one_line_whatever_the_environment_says_of_backtraces() {
    let site = Site::new().await;
    site.publisher.connect().await.unwrap();
    let large = site.folder.join("large.png");
    std::fs::write(&large, png(256, 256)).unwrap();
    let large = large.to_str().unwrap();
    let prefix = &*site.broker.topology.prefix;
    let nobody = "postgres://nobody@127.0.0.1:1/none";
    let ungated = crate::site::model().to_str().unwrap();
    let cases: [(&str, Vec<&str>, &str); 10] = [
        ("no such file", vec!["submit", "--topology-prefix", prefix, "missing.png"], "missing.png: No such file"),
        (
            "too large",
            vec!["submit", "--topology-prefix", prefix, "--max-bytes", "1000", large],
            "--max-bytes allows 1000",
        ),
        ("a folder", vec!["submit", "--topology-prefix", prefix, "/"], "/: not a file"),
        ("no store", vec!["submit", "--topology-prefix", prefix, "--store-url", "ftp://x", large], "--store-url: "),
        ("no broker", vec!["submit", "--amqp-url", "amqp://127.0.0.1:1", large], "RabbitMQ"),
        ("no URL", vec!["worklist", "--database-url", "nonsense"], "--database-url"),
        ("no database", vec!["reconcile", "--database-url", nobody], "Postgres"),
        ("no study", vec!["overlay", "1.2.3", "--out", "/tmp"], "no images of that study"),
        ("no row", vec!["parked", "dismiss", "7", "--why", "no"], "no parked message 7"),
        ("no gate", vec!["rescore", "--model", ungated], "has no scope gate"),
    ];
    for (what, arguments, expected) in cases {
        let mut command = Command::new(PROGRAM);
        command
            .args(&arguments)
            .env("DATABASE_URL", &site.database.url)
            .env("RUST_BACKTRACE", "1")
            .env("RUST_LOG", "off");
        command.env("CSPINE_STORE_URL", format!("file://{}", site.objects().display()));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{what}: {said}");
        assert!(said.starts_with("error: ") && said.contains(expected), "{what}: {said}");
    }
    site.remove().await;
}

#[tokio::test]
async fn a_file_that_the_store_has_no_room_for_is_an_error_of_one_line() {
    let site = Site::new().await;
    site.publisher.connect().await.unwrap();
    let file = site.folder.join("image.png");
    std::fs::write(&file, png(256, 256)).unwrap();
    // A limit on the length of files, whose signal is ignored: writing fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" submit --topology-prefix \"$1\" \"$2\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, PROGRAM, &site.broker.topology.prefix]).arg(&file).env("RUST_BACKTRACE", "1");
    command.env("CSPINE_STORE_URL", format!("file://{}", site.objects().display()));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("not written"), "{said}");
    site.remove().await;
}

#[tokio::test]
async fn a_model_without_a_scope_gate_is_not_served_unless_somebody_allows_it() {
    let site = Site::new().await;
    let flags = site.flags(&[]).into_iter().filter(|flag| flag != "--allow-ungated");
    let output = Command::new(PROGRAM).arg("run").args(flags).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let last = said.lines().last().unwrap_or_default();
    assert!(!output.status.success() && last.contains("has no scope gate"), "{said}");
    site.remove().await;
}
