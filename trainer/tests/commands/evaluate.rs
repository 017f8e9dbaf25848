//! A report on a small data set, from end to end.

use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use cspine_domain::Sha256;
use cspine_imaging::{Limits, Preprocessing};
use cspine_nets::gate::{Gate, Score};
use cspine_nets::{Architecture, Checkpoint, Classifier, ModelCard, init};
use cspine_trainer::dataset::{Dataset, load};
use cspine_trainer::evaluate::{EvaluateArgs, run};
use image::{GrayImage, Luma};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// Six images: one broken, one constant, two ambiguous; and a random network that tells the others apart.
fn scene() -> TempDir {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    for i in 0..4_u32 {
        let picture = GrayImage::from_fn(90, 80, |x, y| Luma([((x * (i + 1) * 5) ^ (y * (7 - i))) as u8]));
        picture.save(data.join(format!("{i}.png"))).unwrap();
    }
    GrayImage::new(90, 80).save(data.join("4.png")).unwrap();
    fs::write(data.join("5, broken.png"), b"no picture").unwrap();
    let manifest = "file,class,ambiguous\n0.png,dislocation,true\n1.png,fracture,false\n2.png,normal,false\n\
        3.png,normal,false\n4.png,fracture,false\n\"5, broken.png\",normal,true\n";
    fs::write(data.join("manifest.csv"), manifest).unwrap();
    fs::write(dir.path().join("model"), model(&Dataset::open(&data).unwrap()).write().unwrap()).unwrap();
    dir
}

/// Random weights, the head centred on the images and steep, so that its answers are not all the same.
fn model(dataset: &Dataset) -> Checkpoint {
    let preprocessing = Preprocessing { size: 64, ..Preprocessing::default() };
    let load = |example| load(example, &preprocessing, &Limits::default()).ok();
    let inputs = dataset.examples.iter().filter_map(load).map(|grey| preprocessing.normalise(&grey));
    let inputs: Vec<Vec<f32>> = inputs.collect();
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, preprocessing.clone(), "nothing: random weights");
    let mut model = Checkpoint {
        card: ModelCard { operating_point: 0.6, ..card },
        state: init::network(Architecture::GoogLeNet, 5, 3).unwrap(),
    };
    let logits = Classifier::new(&model, Sha256::of(b"not centred")).unwrap().logits(&inputs).unwrap();
    let mean = [0, 1, 2].map(|class| logits.iter().map(|z| z[class]).sum::<f32>() / logits.len() as f32);
    let steep = (&model.state["fc.weight"] * STEEP).unwrap();
    model.state.insert("fc.weight".into(), steep);
    let centre = Tensor::new(&mean.map(|z| -z * STEEP as f32), &Device::Cpu).unwrap();
    model.state.insert("fc.bias".into(), centre);
    model
}

const STEEP: f64 = 20.0;

fn evaluate(dir: &Path) -> Value {
    let report = dir.join("new/report");
    run(&EvaluateArgs { model: dir.join("model"), data: dir.join("data"), report: report.clone() }).unwrap();
    serde_json::from_str(&fs::read_to_string(report.join("evaluation.json")).unwrap()).unwrap()
}

/// `predictions.csv` by line and column.
fn predictions(dir: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(dir.join("new/report/predictions.csv")).unwrap();
    let columns = ["file", "label", "dislocation", "fracture", "normal", "flagged"];
    assert_eq!(reader.headers().unwrap().iter().take(6).collect::<Vec<_>>(), columns);
    reader.records().map(|line| line.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn predictions_are_the_models_and_the_figures_those_of_the_predictions() {
    let dir = scene();
    let evaluation = evaluate(dir.path());
    let lines = predictions(dir.path());
    assert_eq!(lines.len(), 6);

    let model = Classifier::load(&fs::read(dir.path().join("model")).unwrap()).unwrap();
    let dataset = Dataset::open(&dir.path().join("data")).unwrap();
    let (mut right, mut injuries_flagged, mut normals_passed) = (0, 0, 0);
    for (line, example) in lines.iter().zip(&dataset.examples) {
        assert_eq!((&line[0], &line[1]), (&example.name, &example.class.to_string()));
        let Ok(grey) = load(example, &model.card().preprocessing, &Limits::default()) else {
            assert_eq!(line[2..6], ["", "", "", "false"]);
            continue;
        };
        let answer = model.infer(&model.card().preprocessing.normalise(&grey), None).unwrap();
        let probabilities: Vec<f32> = line[2..5].iter().map(|digits| digits.parse().unwrap()).collect();
        assert_eq!(probabilities, answer.probabilities);
        assert_eq!(line[5], answer.flagged.to_string());
        right += usize::from(answer.class == example.class);
        injuries_flagged += usize::from(answer.flagged && example.class.is_injury());
        normals_passed += usize::from(!answer.flagged && !example.class.is_injury());
    }
    assert_eq!(evaluation["accuracy"].as_f64(), Some(right as f64 / 6.0));
    assert_eq!(evaluation["operating_point"]["sensitivity"].as_f64(), Some(injuries_flagged as f64 / 3.0));
    assert_eq!(evaluation["operating_point"]["specificity"].as_f64(), Some(normals_passed as f64 / 3.0));
    assert!(evaluation["collapsed"].is_null(), "{evaluation}");
    assert_eq!(evaluation["model_sha256"], model.sha256().to_string());
}

#[test]
fn images_without_an_answer_are_listed_and_counted() {
    let dir = scene();
    let evaluation = evaluate(dir.path());
    assert_eq!((&evaluation["images"], &evaluation["abstained"]), (&6.into(), &2.into()));
    assert_eq!(evaluation["confusion_abstained"], serde_json::json!([0, 1, 1]));
    let failures = evaluation["failures"].as_array().unwrap();
    assert_eq!(failures[0], "4.png is not assessable: constant");
    assert!(failures[1].as_str().unwrap().starts_with("5, broken.png cannot be decoded"));
    let counted: u64 = evaluation["confusion"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(counted, 4);
}

#[test]
fn what_the_scope_gate_keeps_out_is_an_error_and_counted_by_class() {
    let dir = scene();
    let mut model = Checkpoint::read(&fs::read(dir.path().join("model")).unwrap()).unwrap();
    for (thresholds, standing) in [([-1e9, -1e9], "out_of_distribution"), ([-1e9, 1e9], "atypical")] {
        Gate::new(Score::Energy, thresholds, "nothing").install(&mut model).unwrap();
        fs::write(dir.path().join("model"), model.write().unwrap()).unwrap();
        let evaluation = evaluate(dir.path());
        let kept_out = standing == "out_of_distribution";
        assert_eq!(evaluation["abstained"], if kept_out { 6 } else { 2 });
        assert_eq!(evaluation["gate"][standing], serde_json::json!([1, 1, 2]), "of those that could be looked at");
        if kept_out {
            assert_eq!(
                (&evaluation["accuracy"], &evaluation["operating_point"]["specificity"]),
                (&0.0.into(), &0.0.into())
            );
            assert_eq!(evaluation["failures"][0], "0.png is not assessable: out_of_distribution");
        }
        assert_eq!(predictions(dir.path()).iter().filter(|line| line[8] == standing).count(), 4);
    }
}

#[test]
fn ambiguous_images_are_left_out_of_the_second_block() {
    let dir = scene();
    let evaluation = evaluate(dir.path());
    let block = &evaluation["without_ambiguous"];
    assert_eq!((&block["images"], &block["abstained"]), (&4.into(), &1.into()));
    assert_eq!(block["per_class"]["dislocation"]["images"], 0);
    assert!(block["per_class"]["dislocation"]["sensitivity"].is_null());
    assert_eq!(block["per_class"]["normal"]["images"], 2);
    let interval = block["accuracy_interval"].as_array().unwrap();
    assert!(interval[0].as_f64() <= block["accuracy"].as_f64() && block["accuracy"].as_f64() < interval[1].as_f64());
}

#[test]
fn calibration_is_measured_with_and_without_the_temperature_and_drawn() {
    let dir = scene();
    let mut model = Checkpoint::read(&fs::read(dir.path().join("model")).unwrap()).unwrap();
    model.card.temperature = 4.0;
    fs::write(dir.path().join("model"), model.write().unwrap()).unwrap();
    let warm = evaluate(dir.path());
    model.card.temperature = 1.0;
    fs::write(dir.path().join("model"), model.write().unwrap()).unwrap();
    let bare = evaluate(dir.path());
    let figure = |report: &Value, of: &str, name: &str| report[of][name].as_f64().unwrap();
    for name in ["ece", "brier"] {
        assert!((figure(&warm, "uncalibrated", name) - figure(&bare, "calibration", name)).abs() < 1e-4, "{name}");
        assert!((figure(&warm, "calibration", name) - figure(&bare, "calibration", name)).abs() > 1e-4, "{name}");
    }
    assert_eq!(warm["calibration"]["images"], 4);
    let html = fs::read_to_string(dir.path().join("new/report/evaluation.html")).unwrap();
    for part in ["Reliability", "Confusion", "These figures hold for these images and nothing else", "<svg"] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn a_collapsed_network_is_called_so_in_every_form_of_the_report() {
    let dir = scene();
    let mut model = Checkpoint::read(&fs::read(dir.path().join("model")).unwrap()).unwrap();
    model.state.insert("fc.bias".into(), Tensor::new(&[0.0_f32, 1e6, 0.0], &Device::Cpu).unwrap());
    fs::write(dir.path().join("model"), model.write().unwrap()).unwrap();
    let collapsed = &evaluate(dir.path())["collapsed"];
    let expected = serde_json::json!({"kind": "constant_answer", "class": "fracture", "right": 1, "of": 4});
    assert_eq!(*collapsed, expected);
    for file in ["evaluation.txt", "evaluation.html"] {
        let text = fs::read_to_string(dir.path().join("new/report").join(file)).unwrap();
        assert!(text.contains("it answers fracture to every one of 4 images (25.0 % right"), "{file}");
    }
}

#[test]
fn the_text_says_what_the_model_was_trained_on() {
    let dir = scene();
    evaluate(dir.path());
    let text = fs::read_to_string(dir.path().join("new/report/evaluation.txt")).unwrap();
    for part in [
        "trained on: nothing: random weights",
        "2 called ambiguous",
        "Without the ambiguous: 4",
        "5, broken.png cannot be decoded",
        "not calibrated: temperature 1, flag at 0.6",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_file_that_is_no_model_is_refused_by_name() {
    let dir = scene();
    let args = EvaluateArgs {
        model: dir.path().join("data/0.png"),
        data: dir.path().join("data"),
        report: dir.path().join("report"),
    };
    let error = format!("{:#}", run(&args).unwrap_err());
    assert!(error.contains("0.png: not a safetensors file"), "{error}");
    assert!(!dir.path().join("report").exists());
}
