//! `cspine-trainer resolution` from outside.

use std::path::Path;
use std::process::Command;

use cspine_imaging::Preprocessing;
use cspine_nets::{Architecture, Checkpoint, ModelCard, init};
use serde_json::{Value, json};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");

fn resolution(models: &[&str], out: &Path) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"));
    command.arg("resolution").arg("--report").arg(out);
    command.args(["--counts", "dislocation=2,fracture=2,normal=2", "--per-size", "1", "--film-size", "448"]);
    for model in models {
        command.args(["--model", model]);
    }
    command.output().unwrap()
}

#[test]
fn a_report_has_every_size_of_injury_beside_the_readers_figures() {
    let folder = tempfile::tempdir().unwrap();
    let done = resolution(&[STARTER], folder.path());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("resolution.json")).unwrap()).unwrap();
    let reading = &json["report"]["readings"][0];
    assert_eq!((&reading["input_size"], &reading["images"]), (&224.into(), &6.into()));
    assert_eq!(reading["sizes"].as_array().unwrap().len(), 11);
    // A film of about 250 mm in 224 pixels, a little magnified: half a pixel is half a millimetre.
    assert!((0.35..0.75).contains(&reading["error_mm"].as_f64().unwrap()), "{}", reading["error_mm"]);
    // What is clear is seen even by a network that is given seventeen films.
    assert!(reading["accuracy"].as_f64().unwrap() >= 0.5, "{}", reading["accuracy"]);
    let html = std::fs::read_to_string(folder.path().join("resolution.html")).unwrap();
    for part in ["<svg", "Phantoms are not patients", "cspine-trainer resolution", "reader, 224 pixels"] {
        assert!(html.contains(part), "{part}");
    }
}

/// A GoogLeNet of random weights that takes inputs of a size.
fn random(folder: &Path, size: u32) -> String {
    let preprocessing = Preprocessing { size, ..Preprocessing::default() };
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, preprocessing, "nothing: random weights");
    let state = init::network(Architecture::GoogLeNet, u64::from(size), 3).unwrap();
    let file = folder.join(format!("{size}.safetensors"));
    std::fs::write(&file, Checkpoint { card, state }.write().unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn networks_of_two_sizes_are_compared_on_the_same_films() {
    let folder = tempfile::tempdir().unwrap();
    let [fine, coarse] = [96, 64].map(|size| random(folder.path(), size));
    let done = resolution(&[&fine, &coarse], folder.path());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("resolution.json")).unwrap()).unwrap();
    let report = &json["report"];
    let [pair] = &report["pairs"].as_array().unwrap()[..] else { panic!("{}", report["pairs"]) };
    assert_eq!(pair["input_sizes"], json!([64, 96]));
    let right = |reading: usize| (report["readings"][reading]["accuracy"].as_f64().unwrap() * 6.0).round() as i64;
    let only = |which: &str| pair["mcnemar"][which].as_i64().unwrap();
    assert_eq!(right(0) - right(1), only("only_second") - only("only_first"), "{report}");
    assert!(pair["times"].as_f64().unwrap() > 0.0);
    let sentence = "96 pixels instead of 64: ";
    let html = std::fs::read_to_string(folder.path().join("resolution.html")).unwrap();
    assert!(html.contains(sentence) && String::from_utf8_lossy(&done.stdout).contains(sentence), "{html}");
}

#[test]
fn a_model_given_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let done = resolution(&[STARTER, STARTER], folder.path());
    assert!(!done.status.success());
    assert!(String::from_utf8_lossy(&done.stderr).contains("given twice"));
}
