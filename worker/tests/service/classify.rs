//! `cspine-worker classify`: no broker, no database.

use std::process::Command;

use serde_json::Value;

use crate::site::{PROGRAM, model, png};

#[test]
fn each_file_gets_its_line_and_a_bad_one_takes_no_answer_from_the_others() {
    let folder = std::env::temp_dir().join(format!("cspine-classify-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let [good, bad, small] = ["good.png", "bad.png", "small.png"].map(|name| folder.join(name));
    std::fs::write(&good, png(300, 200)).unwrap();
    std::fs::write(&bad, b"no picture").unwrap();
    std::fs::write(&small, png(63, 200)).unwrap();

    let mut command = Command::new(PROGRAM);
    command.args(["classify", "--json", "--saliency-dir"]).arg(folder.join("maps")).arg("--model").arg(model());
    let output =
        command.args([&bad, &good, &small]).env_remove("DATABASE_URL").env_remove("AMQP_URL").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "one of them was bad");
    let lines: Vec<Value> =
        output.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let [failed, scored, refused] = &lines[..] else { panic!("{lines:?}") };

    assert_eq!((&failed["reason"], failed["error"].is_string()), (&Value::from("undecodable"), true));
    assert_eq!((&refused["verdict"], &refused["reason"]), (&"not_assessable".into(), &"too_small".into()));
    assert_eq!(refused["probabilities"], Value::Null);

    assert_eq!(scored["file"], good.to_str().unwrap());
    let class = |name: &str| scored["probabilities"][name].as_f64().unwrap();
    let probabilities = ["dislocation", "fracture", "normal"].map(class);
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5);
    let most = probabilities.iter().copied().fold(0.0, f64::max);
    assert_eq!(class(scored["verdict"].as_str().unwrap()), most);
    assert_eq!(scored["flagged"], Value::from(probabilities[0] + probabilities[1] >= 0.5));
    let digest = cspine_domain::Sha256::of(&std::fs::read(model()).unwrap());
    assert_eq!(scored["model_sha256"], digest.to_string());
    for stage in ["fetch", "decode", "infer"] {
        assert!(scored["timings_ms"][stage].is_number(), "{stage}");
    }
    let map = |what: &str| image::open(scored["saliency"][what].as_str().unwrap()).unwrap();
    assert_eq!((map("heatmap").width(), map("heatmap").height()), (96, 96));
    assert_eq!((map("overlay").width(), map("overlay").height()), (300, 200), "at the radiograph's own proportions");
    std::fs::remove_dir_all(folder).unwrap();
}
