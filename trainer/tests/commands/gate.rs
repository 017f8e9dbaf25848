//! `cspine-trainer gate` from outside.

use std::path::Path;
use std::process::{Command, Output};

use cspine_nets::{Checkpoint, Classifier, Standing};
use cspine_trainer::gate::films::Films;
use cspine_trainer::gate::outside::Outside;
use image::{ImageBuffer, Luma};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");

fn gate(more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"));
    command.args(["gate", "--model", STARTER]).args(more).output().unwrap()
}

/// A PNG file of noise.
fn noise(file: &Path) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    ImageBuffer::<Luma<u8>, _>::from_fn(90, 80, |x, y| Luma([((x * 37) ^ (y * 101) ^ (x * y)) as u8]))
        .save(file)
        .unwrap();
}

#[test]
fn a_gate_is_added_to_the_weights_as_they_are_and_keeps_out_what_the_report_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    noise(&folder.path().join("photographs/a/1.png"));
    noise(&folder.path().join("radiographs/knee.png"));
    let (out, report) = (path("gated.safetensors"), path("report"));
    let (photographs, radiographs) = (path("photographs"), path("radiographs"));
    let mut flags = vec!["--out", &out, "--report", &report, "--phantoms", "40", "--film-size", "256"];
    flags.extend(["--outer", "0.02", "--photographs", &photographs, "--radiographs", &radiographs]);
    let done = gate(&flags);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let gated = std::fs::read(&out).unwrap();
    let (before, after) =
        (Checkpoint::read(&std::fs::read(STARTER).unwrap()).unwrap(), Checkpoint::read(&gated).unwrap());
    for (name, tensor) in before.state.iter().filter(|(name, _)| !name.starts_with("gate.")) {
        let values = |tensor: &candle_core::Tensor| {
            tensor.flatten_all().unwrap().to_dtype(candle_core::DType::F32).unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(values(tensor), values(&after.state[name]), "{name}");
    }
    let card = after.card.gate.unwrap();
    assert_eq!(card.components, 10, "an eighth of forty films, each also augmented");

    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("report/gate.json")).unwrap()).unwrap();
    let report = &json["report"];
    for sort in report["outside"].as_array().unwrap() {
        let images = if sort["sort"] == "photographs" { 1 } else { 10 };
        assert_eq!(sort["images"], images, "{sort}");
        // Ten components and forty films tell noise from spines; the fine work takes more.
        if sort["sort"].as_str().unwrap().contains("noise") {
            assert_eq!(sort["beyond"], images, "{sort}");
        }
    }
    assert_eq!(report["radiographs"][0]["file"], "knee.png");
    assert_eq!(report["radiographs"][0]["standing"], "out_of_distribution");
    assert_eq!(after.card.evaluation["gate_beyond_shift_a"], report["inside"][1]["share"].as_f64().unwrap());
    let html = std::fs::read_to_string(folder.path().join("report/gate.html")).unwrap();
    for part in ["upside down", "knee.png", "Phantoms are not patients", "cspine-trainer gate"] {
        assert!(html.contains(part), "{part}");
    }

    let model = Classifier::load(&gated).unwrap();
    let film =
        Films::Phantoms { seed: 77, count: 1, size: 256, preset: cspine_phantom::Preset::Reference }.film(0).unwrap();
    let noise = Outside::GaussianNoise.of(&film, &mut StdRng::seed_from_u64(1));
    let standing = |film| model.infer(&model.card().preprocessing.apply(film), None).unwrap().standing;
    assert_eq!(standing(&noise), Standing::OutOfDistribution);
    assert_ne!(standing(&film), Standing::OutOfDistribution);
}

#[test]
fn a_sites_own_films_are_dealt_by_patient_and_too_few_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["dislocation", "fracture", "normal"] {
        noise(&folder.path().join(format!("data/{class}/1.png")));
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let done = gate(&["--out", &path("gated.safetensors"), "--data", &path("data")]);
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && error.contains("40 images"), "{error}");
    assert!(!folder.path().join("gated.safetensors").exists());
}
