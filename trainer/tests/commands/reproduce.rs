//! `cspine-trainer reproduce` from outside, on a folder as Kaggle has them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");

fn trainer(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cspine-trainer")).args(words).output().unwrap()
}

/// Twenty-four phantoms in folders as Kaggle names them, without a manifest, and one of them again, turned by a quarter.
fn kaggle(folder: &Path) {
    let phantoms = folder.join("phantoms");
    let counts = "dislocation=8,fracture=8,normal=8";
    let made = trainer(&["phantoms", "--out", phantoms.to_str().unwrap(), "--counts", counts, "--size", "160"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for (class, name) in
        [("dislocation", "cervical dislocation"), ("fracture", "Cervical Fracture"), ("normal", "normal")]
    {
        let to = folder.join("data").join("train").join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(phantoms.join(class), to).unwrap();
    }
    let normals = folder.join("data/train/normal");
    let first = fs::read_dir(&normals).unwrap().next().unwrap().unwrap().path();
    image::open(first).unwrap().rotate90().save(normals.join("turned.png")).unwrap();
}

fn reproduce(folder: &Path, epochs: &str, more: &[&str]) -> Output {
    let (data, out) = (folder.join("data"), folder.join("report"));
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let flags = ["--data", data, "--out", out, "--init-googlenet", STARTER, "--epochs", epochs, "--split", "50/25/25"];
    trainer(&[&["reproduce"], flags.as_slice(), more].concat())
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("report/reproduction.json")).unwrap()).unwrap()
}

#[test]
fn both_networks_stand_beside_the_papers_figures_and_nothing_is_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    kaggle(folder.path());
    let only = reproduce(folder.path(), "1", &["--only", "alexnet-fresh"]);
    assert!(only.status.success(), "{}", String::from_utf8_lossy(&only.stderr));
    let alone = report(folder.path());
    assert_eq!((&alone["report"]["planned"], &alone["report"]["networks"][1]), (&Value::from(3), &Value::Null));
    let done = reproduce(folder.path(), "1", &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let first = report(folder.path());
    let networks = first["report"]["networks"].as_array().unwrap();
    let names: Vec<&str> = networks.iter().map(|network| network["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["GoogLeNet, pre-trained", "GoogLeNet, fresh weights", "AlexNet, fresh weights"]);
    for network in networks {
        let split: Vec<u64> = network["split"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        assert_eq!(split.iter().sum::<u64>(), 25);
        assert_eq!(network["all"]["images"], split[2]);
        let areas: Vec<&String> = network["roc"].as_object().unwrap().keys().collect();
        assert_eq!(areas, ["dislocation", "fracture", "injury", "normal"]);
        assert_eq!(network["history"].as_array().unwrap().len(), 1);
    }
    // A film and its turned copy are on one side of the split, and the report counts them.
    assert_eq!(first["report"]["duplicates"]["look_alikes"], 1);
    let html = fs::read_to_string(folder.path().join("report/reproduction.html")).unwrap();
    for part in
        ["AlexNet, fresh weights", "Figure 11", "data:image/jpeg;base64,", "the paper&apos;s GoogLeNet", "99.56"]
    {
        assert!(html.contains(part) || html.contains(&part.replace("&apos;", "'")), "{part}");
    }

    // One outcome is lost with every model file: it alone is fitted again, to the same figures.
    let networks = folder.path().join("report/networks");
    fs::remove_file(networks.join("googlenet-pretrained.json")).unwrap();
    for slug in ["googlenet-pretrained", "googlenet-fresh", "alexnet-fresh"] {
        fs::remove_dir_all(networks.join(slug)).unwrap();
    }
    let again = reproduce(folder.path(), "1", &[]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert_eq!(said.matches("done before").count(), 2, "{said}");
    let timeless = |mut report: Value| {
        for network in report["report"]["networks"].as_array_mut().unwrap() {
            for epoch in network["history"].as_array_mut().unwrap() {
                epoch["seconds"].take();
            }
        }
        report["report"].take()
    };
    assert_eq!(timeless(report(folder.path())), timeless(first));

    // What is done needs its first weights no more.
    let without = trainer(
        &[
            &["reproduce", "--data", folder.path().join("data").to_str().unwrap(), "--out"][..],
            &[folder.path().join("report").to_str().unwrap(), "--epochs", "1", "--split", "50/25/25"][..],
        ]
        .concat(),
    );
    assert_eq!(String::from_utf8_lossy(&without.stdout).matches("done before").count(), 3);

    let other = reproduce(folder.path(), "2", &[]);
    assert!(!other.status.success());
    assert!(String::from_utf8_lossy(&other.stderr).contains("another recipe"));
}

#[test]
fn what_is_asked_of_it_in_vain_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    kaggle(folder.path());
    let (data, out) = (folder.path().join("data"), folder.path().join("report"));
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let refused = |words: &[&str]| {
        let done = trainer(&[&["reproduce", "--data", data, "--out", out], words].concat());
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    assert!(refused(&["--init-alexnet", STARTER]).contains("it is of googlenet, not of alexnet"));
    assert!(refused(&["--fresh-sets", "1"]).contains("these images are none"));
    assert!(refused(&["--only", "alexnet"]).contains("none of googlenet-fresh, alexnet-fresh"));
}
