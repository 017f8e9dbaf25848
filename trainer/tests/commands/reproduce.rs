//! `cspine-trainer reproduce` from outside, on a folder as Kaggle has them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");

fn trainer(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cspine-trainer")).args(words).output().unwrap()
}

/// Twenty-six phantoms in folders as Kaggle names them, without a manifest; one of them again, turned by a quarter, and
/// what such sets come with: a film cut short, one that is too small, a picture of another format. The name of the film
/// that comes twice.
fn kaggle(folder: &Path) -> String {
    let phantoms = folder.join("phantoms");
    let counts = "dislocation=8,fracture=8,normal=10";
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
    let film = image::open(&first).unwrap();
    film.rotate90().save(normals.join("turned.png")).unwrap();
    let cut = folder.join("data").join(CUT_SHORT);
    film.to_luma8().save(&cut).unwrap();
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    film.thumbnail(40, 40).save(folder.join("data").join(TOO_SMALL)).unwrap();
    fs::write(normals.join("photo.webp"), b"RIFF").unwrap();
    format!("train/normal/{}", first.file_name().unwrap().to_str().unwrap())
}

const CUT_SHORT: &str = "train/normal/cut short.jpg";
const TOO_SMALL: &str = "train/Cervical Fracture/too small.png";

/// What each image was for, as `split.csv` of a network has it.
fn sets(folder: &Path, slug: &str) -> BTreeMap<String, String> {
    let mut rows = csv::Reader::from_path(folder.join("report/networks").join(slug).join("split.csv")).unwrap();
    rows.records().map(Result::unwrap).map(|row| (row[0].to_owned(), row[2].to_owned())).collect()
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
    let twice = kaggle(folder.path());
    let only = reproduce(folder.path(), "1", &["--only", "alexnet-fresh"]);
    assert!(only.status.success(), "{}", String::from_utf8_lossy(&only.stderr));
    let said = String::from_utf8_lossy(&only.stdout).into_owned();
    for warning in [
        "WARNING: Pictures left out because their format is not read: 1 (train/normal/photo.webp).".to_owned(),
        format!(
            "WARNING: Images that cannot be used: 2 ({TOO_SMALL} is not assessable: too_small, {CUT_SHORT} cannot be"
        ),
    ] {
        assert!(said.contains(&warning), "{warning} is not in\n{said}");
    }
    let alone = report(folder.path());
    assert_eq!((&alone["report"]["planned"], &alone["report"]["networks"][1]), (&Value::from(3), &Value::Null));

    // While an earlier network is fitted, here in vain, the report has the later one that is done.
    fs::remove_file(folder.path().join("report/reproduction.json")).unwrap();
    let checkpoint = folder.path().join("report/networks/googlenet-fresh/checkpoint.safetensors");
    fs::create_dir(checkpoint.parent().unwrap()).unwrap();
    fs::write(&checkpoint, b"none").unwrap();
    assert!(!reproduce(folder.path(), "1", &["--only", "googlenet-fresh"]).status.success());
    assert_eq!(report(folder.path())["report"]["networks"][0]["name"], "AlexNet, fresh weights");
    fs::remove_file(&checkpoint).unwrap();

    let done = reproduce(folder.path(), "1", &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let first = report(folder.path());
    let networks = first["report"]["networks"].as_array().unwrap();
    let names: Vec<&str> = networks.iter().map(|network| network["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["GoogLeNet, pre-trained", "GoogLeNet, fresh weights", "AlexNet, fresh weights"]);
    for (network, slug) in networks.iter().zip(["googlenet-pretrained", "googlenet-fresh", "alexnet-fresh"]) {
        let sets = sets(folder.path(), slug);
        assert_eq!(sets.len(), 29);
        // A film and its turned copy are on one side.
        assert_eq!(sets[&twice], sets["train/normal/turned.png"]);
        // Nothing is learnt from what cannot be used; in the test set it is an error.
        let count = |set: &str, unusable: bool| {
            let of = sets
                .iter()
                .filter(|(name, of)| *of == set && (unusable || ![CUT_SHORT, TOO_SMALL].contains(&name.as_str())));
            of.count()
        };
        let split = [count("training", false), count("validation", false), count("test", true)];
        assert_eq!(network["split"], json!(split));
        assert_eq!(
            (&network["all"]["images"], &network["all"]["abstained"]),
            (&json!(split[2]), &json!(split[2] - count("test", false)))
        );
        let areas: Vec<&String> = network["roc"].as_object().unwrap().keys().collect();
        assert_eq!(areas, ["dislocation", "fracture", "injury", "normal"]);
        assert_eq!(network["history"].as_array().unwrap().len(), 1);
        assert_eq!(network["made"]["program"].as_str().unwrap().len(), 64);
    }
    assert_eq!(first["report"]["survey"]["look_alikes"], 1);
    assert_eq!((&first["report"]["recipe"]["epochs"], &first["report"]["recipe"]["rate"]), (&json!(1), &json!(0.001)));
    let commands = first["provenance"]["commands"].as_array().unwrap();
    assert!(commands.len() == 2 && commands[0].as_str().unwrap().ends_with("--only alexnet-fresh"), "{commands:?}");
    let html = fs::read_to_string(folder.path().join("report/reproduction.html")).unwrap();
    for part in [
        "AlexNet, fresh weights",
        "Figure 11",
        "data:image/jpeg;base64,",
        "the paper's GoogLeNet",
        "99.56",
        "<td>and multiplied by</td><td>0.5</td><td>not said</td>",
        "The data set names no patients",
        "does not tell whether they are of patients or synthetic",
        "<p>The folders train, val and test are not kept: all images are dealt anew.",
        "<p class=\"warning\">Images that cannot be used: 2 (",
    ] {
        assert!(html.contains(part), "{part}");
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
    assert!(refused(&["--fresh-sets", "1"]).contains("these images are not known to be any"));
    assert!(refused(&["--only", "alexnet"]).contains("none of googlenet-fresh, alexnet-fresh"));
}

#[test]
fn phantoms_that_are_learnt_from_are_not_called_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("report"));
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    // The third of the shift-a sets, which begin 100 seeds later.
    let counts = "dislocation=1,fracture=1,normal=1";
    let made = trainer(&["phantoms", "--out", data, "--counts", counts, "--size", "128", "--seed", "303"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let refused = trainer(&["reproduce", "--data", data, "--out", out, "--fresh-sets", "3"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("phantoms of seed 303 are in --data: they would not be fresh"), "{said}");
}
