//! Fitting: an interrupted fit ends as an uninterrupted one does, and what it writes can be served.

use std::path::Path;

use clap::Parser;
use cspine_imaging::Preprocessing;
use cspine_nets::gate::{Gate, Score};
use cspine_nets::{Architecture, Checkpoint, Classifier, ModelCard, init};
use cspine_trainer::fit::{self, FitArgs};
use cspine_trainer::phantoms::{self, PhantomsArgs};

#[derive(Parser)]
struct Fit {
    #[command(flatten)]
    args: FitArgs,
}

#[derive(Parser)]
struct Phantoms {
    #[command(flatten)]
    args: PhantomsArgs,
}

/// Thirty small phantoms.
fn make_data(out: &Path) {
    let out = out.to_str().unwrap();
    let words = [
        "phantoms",
        "--out",
        out,
        "--counts",
        "dislocation=10,fracture=10,normal=10",
        "--seed",
        "900",
        "--size",
        "128",
    ];
    phantoms::run(&Phantoms::parse_from(words).args).unwrap();
}

fn fit(data: &Path, out: &Path, epochs: &str) -> anyhow::Result<()> {
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let words = ["fit", "--data", data, "--out", out, "--epochs", epochs, "--size", "64", "--split", "60/20/20"];
    fit::run(&Fit::parse_from(words).args)
}

#[test]
fn an_interrupted_fit_goes_on_to_the_same_model_and_another_recipe_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    make_data(&data);
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    fit(&data, &whole, "3").unwrap();
    fit(&data, &parts, "1").unwrap();
    let first = std::fs::read(parts.join("model.safetensors")).unwrap();
    fit(&data, &parts, "3").unwrap();
    let model = |out: &Path| std::fs::read(out.join("model.safetensors")).unwrap();
    assert_eq!(model(&whole), model(&parts));

    let bytes = model(&whole);
    let card = Checkpoint::read(&bytes).unwrap().card;
    assert!(card.calibrated && card.training.data_digest.is_some());
    assert_eq!(card.preprocessing.size, 64);
    let logits = Classifier::load(&bytes).unwrap().logits(&[vec![0.1; 3 * 64 * 64]]).unwrap();
    assert!(logits[0].iter().all(|z| z.is_finite()));
    // It learnt something between the first epoch and the third, or kept the better one.
    let first = Checkpoint::read(&first).unwrap().card;
    assert!(card.evaluation["validation_loss"] <= first.evaluation["validation_loss"]);

    let fewer = fit(&data, &parts, "2").unwrap_err().to_string();
    assert!(fewer.contains("is of 3 epochs, more than the 2 asked for"), "{fewer}");
    let words =
        ["fit", "--data", data.to_str().unwrap(), "--out", parts.to_str().unwrap(), "--rate", "0.1", "--size", "64"];
    let refused = fit::run(&Fit::parse_from(words).args).unwrap_err().to_string();
    assert!(refused.contains("another recipe"), "{refused}");
}

#[test]
fn a_model_fitted_from_one_with_a_scope_gate_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    make_data(&data);
    let preprocessing = Preprocessing { size: 64, ..Preprocessing::default() };
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, preprocessing, "random weights");
    let mut gated = Checkpoint { card, state: init::network(Architecture::GoogLeNet, 5, 3).unwrap() };
    Gate::new(Score::Energy, [0.0, 1.0], "nothing").install(&mut gated).unwrap();
    let init = folder.path().join("gated.safetensors");
    std::fs::write(&init, gated.write().unwrap()).unwrap();
    let out = folder.path().join("out");
    let [data, out, init] = [&data, &out, &init].map(|path| path.to_str().unwrap());
    fit::run(&Fit::parse_from(["fit", "--data", data, "--out", out, "--init", init, "--epochs", "1"]).args).unwrap();
    let fitted = Checkpoint::read(&std::fs::read(format!("{out}/model.safetensors")).unwrap()).unwrap();
    assert_eq!(fitted.card.gate, None, "its features are others");
}

#[test]
fn data_without_a_class_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    make_data(&data);
    std::fs::remove_file(data.join("manifest.csv")).unwrap();
    std::fs::remove_dir_all(data.join("fracture")).unwrap();
    let refused = fit(&data, &folder.path().join("out"), "1").unwrap_err().to_string();
    assert!(refused.contains("a class has no images"), "{refused}");
}
