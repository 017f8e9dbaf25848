//! `cspine-trainer explain` from outside, on the starter model and a few phantoms.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");

fn trainer(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cspine-trainer")).args(args).output().unwrap()
}

/// Eight injured phantoms and a normal one.
fn phantoms() -> TempDir {
    let dir = tempdir().unwrap();
    let out = dir.path().join("data");
    let counts = "dislocation=4,fracture=4,normal=1";
    let made =
        trainer(&["phantoms", "--out", out.to_str().unwrap(), "--counts", counts, "--seed", "9", "--size", "448"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    dir
}

fn explain(dir: &Path, report: &str, more: &[&str]) -> Output {
    let (data, report) = (dir.join("data"), dir.join(report));
    let args = ["explain", "--model", STARTER, "--data", data.to_str().unwrap(), "--report", report.to_str().unwrap()];
    trainer(&[&args, more].concat())
}

fn json(dir: &Path, report: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(dir.join(report).join("explain.json")).unwrap()).unwrap()
}

#[test]
fn the_report_holds_every_method_against_every_baseline() {
    let dir = phantoms();
    let few = ["--faithfulness", "1", "--randomised", "1", "--turned", "1", "--methods", "gradient,gradcam"];
    let done = explain(dir.path(), "report", &few);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report = &json(dir.path(), "report")["report"];
    let pointing = &report["pointing"];
    assert_eq!((&report["images"], &pointing["images"]), (&8.into(), &8.into()), "the normal one has no injury");
    assert_eq!(pointing["tolerance_px"], 4.0);
    let kinds: u64 = pointing["kinds"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(kinds, 8);
    let rows = |part: &str| report[part]["rows"].as_array().unwrap().clone();
    let names: Vec<String> = rows("pointing").iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["gradient", "gradcam", "random", "random, smooth", "centre", "usual place", "edges"]);
    for row in rows("pointing") {
        let share = |name: &str| row[name].as_f64().unwrap();
        assert!(share("hits_exact") <= share("hits") && (0.0..=1.0).contains(&share("energy")), "{row}");
        assert!(!(row["baseline"].as_bool().unwrap() && row["beats_baselines"].as_bool().unwrap()), "{row}");
    }
    let area = pointing["area"].as_f64().unwrap();
    let noise = rows("pointing")[2]["energy"].as_f64().unwrap();
    assert!((noise / area - 1.0).abs() < 0.2, "noise has {noise} inside, the masks cover {area}");

    assert_eq!(rows("faithfulness").len(), 7);
    let faithful = &report["faithfulness"];
    assert!(faithful["whole"].as_f64().unwrap() > faithful["blurred"].as_f64().unwrap(), "a blur hides injuries");
    for row in rows("randomisation") {
        let rho = row["rho"].as_array().unwrap();
        assert_eq!(rho.len(), report["randomisation"]["stages"].as_array().unwrap().len());
        assert!(rho.last().unwrap().as_f64().unwrap() < 0.9, "nothing learnt is left: {row}");
    }
    for row in rows("rotation") {
        let rho: Vec<f64> = row["rho"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert!((rho[0] - 1.0).abs() < 1e-9 && rho[1..].iter().all(|rho| *rho < 0.999), "{row}");
    }
    let html = fs::read_to_string(dir.path().join("report/explain.html")).unwrap();
    for part in
        ["<svg", "data:image/jpeg", "Phantoms are not patients", "usual place", "180°", "cspine-trainer explain"]
    {
        assert!(html.contains(part), "{part}");
    }

    let alone = ["--faithfulness", "0", "--randomised", "0", "--turned", "0", "--methods", "gradient,gradcam"];
    assert!(explain(dir.path(), "again", &alone).status.success());
    let again = &json(dir.path(), "again")["report"];
    assert_eq!(again["pointing"], *pointing, "the same seed gives the same figures");
    assert!(again["faithfulness"].is_null() && again["randomisation"].is_null() && again["rotation"].is_null());
}

#[test]
fn without_masks_the_pointing_game_is_left_out_and_the_rest_is_measured() {
    let dir = phantoms();
    fs::remove_file(dir.path().join("data/manifest.csv")).unwrap();
    let done = explain(
        dir.path(),
        "report",
        &["--limit", "2", "--faithfulness", "0", "--randomised", "0", "--turned", "1", "--methods", "gradcam"],
    );
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("No image has a mask"));
    let report = &json(dir.path(), "report")["report"];
    assert!(report["pointing"].is_null() && report["faithfulness"].is_null() && report["best"].is_null());
    assert_eq!(report["rotation"]["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn a_mask_that_is_missing_or_of_another_size_is_named() {
    let dir = phantoms();
    let mask = dir.path().join("data/masks/000002.png");
    image::GrayImage::from_pixel(300, 448, image::Luma([255])).save(&mask).unwrap();
    let said = |report: &str| {
        let done = explain(dir.path(), report, &["--methods", "gradcam"]);
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let text = said("report");
    assert!(text.contains("the mask of dislocation/000002.png is 300 × 448 pixels, the image 448 × 448"), "{text}");
    fs::remove_file(&mask).unwrap();
    let text = said("report");
    assert!(text.contains("the mask of dislocation/000002.png cannot be read"), "{text}");
}
