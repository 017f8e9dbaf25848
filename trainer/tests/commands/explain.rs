//! `cspine-trainer explain` from outside, on the starter model and a few phantoms.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use cspine_domain::{Class, Sha256};
use cspine_imaging::Limits;
use cspine_nets::{Checkpoint, Classifier, SaliencyMethod, init};
use cspine_trainer::dataset::{Dataset, Example, load};
use cspine_trainer::metrics::spearman;
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
    let baseline = |against: &Value| against["baseline"].as_str().unwrap().to_owned();
    for row in rows("pointing") {
        let share = |name: &str| row[name].as_f64().unwrap();
        assert!(share("hits_exact") <= share("hits") && (0.0..=1.0).contains(&share("energy")), "{row}");
        for figure in ["hits_against", "energy_against"] {
            let against = &row[figure];
            assert_eq!(against.is_null(), row["baseline"].as_bool().unwrap(), "{row}");
            let images = against["better"].as_u64().unwrap_or(0) + against["worse"].as_u64().unwrap_or(0);
            assert!(images <= 8 && (against.is_null() || names[2..].contains(&baseline(against))), "{row}");
        }
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
    }
    for row in rows("rotation") {
        let rho: Vec<f64> = row["rho"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert!((rho[0] - 1.0).abs() < 1e-9 && rho[1..].iter().all(|rho| *rho < 0.999), "{row}");
    }
    // Upright, turned by 90, 180 and 270 degrees.
    let refused: Vec<f64> =
        report["rotation"]["refused"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!((refused.len(), &refused[..4]), (8, [0.0, 1.0, 1.0, 1.0].as_slice()), "{refused:?}");
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

/// A plane's values within a pixel of the largest circle in it.
fn circle(plane: &[f32], side: usize) -> Vec<f32> {
    let off = |at: usize| at as f64 - (side as f64 - 1.0) / 2.0;
    let inside = |i: &usize| off(i % side).hypot(off(i / side)) <= side as f64 / 2.0 - 1.0;
    (0..plane.len()).filter(inside).map(|i| plane[i]).collect()
}

/// A plane turned by 90 degrees: the right edge comes to the top, or to the bottom.
fn quarter_turn(plane: &[f32], side: usize, top: bool) -> Vec<f32> {
    let from = |x: usize, y: usize| if top { x * side + side - 1 - y } else { (side - 1 - x) * side + y };
    (0..plane.len()).map(|i| plane[from(i % side, i / side)]).collect()
}

#[test]
fn a_turned_films_map_is_turned_back_and_a_cascade_ends_at_a_network_that_learnt_nothing() {
    let dir = phantoms();
    let flags = ["--limit", "1", "--faithfulness", "0", "--randomised", "1", "--turned", "1", "--methods", "gradcam"];
    let done = explain(dir.path(), "report", &flags);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report = &json(dir.path(), "report")["report"];
    let rho = |part: &str| report[part]["rows"][0]["rho"].as_array().unwrap().clone();

    // The same by hand. Which of the films was drawn is told by its digest.
    let checkpoint = Checkpoint::read(&fs::read(STARTER).unwrap()).unwrap();
    let model = Classifier::new(&checkpoint, Sha256([0; 32])).unwrap();
    let mut random = checkpoint.clone();
    random.state.extend(init::network(checkpoint.card.architecture, 1, Class::COUNT).unwrap());
    let random = Classifier::new(&random, Sha256([0; 32])).unwrap();
    let dataset = Dataset::open(&dir.path().join("data")).unwrap();
    let drawn = |example: &&Example| {
        let digest = Sha256::of(&fs::read(&example.path).unwrap());
        report["data_digest"] == cspine_trainer::dataset::digest([digest]).to_string()
    };
    let example = dataset.examples.iter().find(drawn).unwrap();
    let preprocessing = &checkpoint.card.preprocessing;
    let (side, grey) = (preprocessing.size as usize, load(example, preprocessing, &Limits::default()).unwrap());
    let explained = model.infer(&preprocessing.normalise(&grey), None).unwrap().explained;
    let map = |model: &Classifier, grey: &[f32]| {
        model.explain(&preprocessing.normalise(grey), explained, SaliencyMethod::GradCam).unwrap()
    };
    let whole = map(&model, &grey);
    let near = |found: &Value, expected: f64| (found.as_f64().unwrap() - expected).abs() < 1e-6;

    let forgotten = spearman(&whole, &map(&random, &grey)).unwrap_or(0.0);
    assert!(near(rho("randomisation").last().unwrap(), forgotten), "{:?}, {forgotten}", rho("randomisation"));
    for (at, top) in [(1, true), (3, false)] {
        let back = quarter_turn(&map(&model, &quarter_turn(&grey, side, top)), side, !top);
        let expected = spearman(&circle(&whole, side), &circle(&back, side)).unwrap_or(0.0);
        assert!(near(&rho("rotation")[at], expected), "{:?}, {expected}", rho("rotation"));
    }
}

#[test]
fn films_that_the_network_knows_with_left_for_right_only_are_measured_so() {
    let dir = phantoms();
    let flags = ["--faithfulness", "0", "--randomised", "0", "--turned", "0", "--methods", "gradcam"];
    let measured = |report: &str| {
        let done = explain(dir.path(), report, &flags);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        json(dir.path(), report)["report"].clone()
    };
    let before = measured("before");
    for folder in ["dislocation", "fracture", "masks"] {
        for entry in fs::read_dir(dir.path().join("data").join(folder)).unwrap() {
            let file = entry.unwrap().path();
            image::open(&file).unwrap().fliph().save(&file).unwrap();
        }
    }
    let after = measured("after");
    assert_eq!((&before["mirrored"], &after["mirrored"]), (&0.into(), &8.into()));
    let row = |report: &Value, figure: &str| report["pointing"]["rows"][0][figure].as_f64().unwrap();
    for figure in ["hits", "energy"] {
        let [before, after] = [&before, &after].map(|report| row(report, figure));
        assert!((before - after).abs() < 1e-3, "{figure}: {before} and {after} of the films' mirror images");
    }
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
