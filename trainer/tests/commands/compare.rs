//! Readers on the same images, from files to report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cspine_trainer::compare::{CompareArgs, run};
use serde_json::{Value, json};
use tempfile::tempdir;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// `comparison.json` and `comparison.txt`.
fn compare(args: CompareArgs) -> (Value, String) {
    let dir = tempdir().unwrap();
    let report = dir.path().join("new/report");
    run(&CompareArgs { report: Some(report.clone()), ..args }).unwrap();
    let json = serde_json::from_str(&fs::read_to_string(report.join("comparison.json")).unwrap()).unwrap();
    (json, fs::read_to_string(report.join("comparison.txt")).unwrap())
}

fn calls(file: PathBuf) -> CompareArgs {
    CompareArgs { calls: vec![file], predictions: vec![], truth: None, report: None }
}

/// The paper's counts; where its readers' errors lie is assumed, see docs/compare.md.
fn calls_of_paper() -> CompareArgs {
    calls(repository().join("docs/compare-paper.csv"))
}

/// A comparison of files with these contents.
fn compare_texts(calls_csv: &str, truth_csv: Option<&str>) -> Result<(Value, String), String> {
    let dir = tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let truth = truth_csv.map(|text| file("truth.csv", text));
    let args = CompareArgs { truth, ..calls(file("calls.csv", calls_csv)) };
    // A first run shows an error; its text begins with the folder, which changes.
    let folder = format!("{}/", dir.path().display());
    run(&args).map_err(|error| format!("{error:#}").replace(&folder, ""))?;
    Ok(compare(args))
}

fn error(calls: &str, truth: Option<&str>) -> String {
    compare_texts(calls, truth).expect_err("this cannot be compared")
}

fn percent(value: &Value) -> f64 {
    (value.as_f64().unwrap() * 1e4).round() / 100.0
}

#[test]
fn the_papers_counts_give_92_16_as_one_vs_rest_mean_and_88_24_plainly() {
    let (comparison, text) = compare(calls_of_paper());
    assert_eq!(comparison["images"], 68);
    assert_eq!(comparison["labels"], json!({"dislocation": 3, "fracture": 4, "normal": 61}));
    let figures: Vec<_> = comparison["readers"].as_array().unwrap().iter().collect();
    for (reader, right, plain, one_vs_rest) in
        [(figures[0], 60, 88.24, 92.16), (figures[1], 66, 97.06, 98.04), (figures[2], 67, 98.53, 99.02)]
    {
        assert_eq!(reader["right"], right);
        assert_eq!(percent(&reader["accuracy"]), plain);
        assert_eq!(percent(&reader["one_vs_rest"]["accuracy"]), one_vs_rest);
        assert!(reader["auc"].is_null());
    }
    let interval = |name: &str| [0, 1].map(|end| percent(&figures[0][name][end]));
    assert_eq!(interval("accuracy_interval"), [78.47, 93.92]);
    assert_eq!(interval("one_vs_rest_accuracy_interval"), [85.64, 95.94]);

    // The text says which is which, in the network's line under these titles.
    let lines: Vec<&str> = text.lines().collect();
    let titles = lines.iter().position(|line| line.contains("plain accuracy")).unwrap();
    let network = lines[titles + 1];
    let under = |title: &str| &network[lines[titles].find(title).unwrap()..];
    assert!(network.contains("network") && network.contains("60 of 68"), "{text}");
    assert!(under("plain accuracy").starts_with("88.24 % (78.5"), "{text}");
    assert!(under("plain accuracy").contains("92.16 % (85.6"), "{text}");
    assert!(lines[titles].find("plain accuracy") < lines[titles].find("one-vs-rest mean accuracy"));
    assert!(text.contains("The paper calls this \"accuracy\""));
}

#[test]
fn each_two_readers_are_tested_on_the_images_that_only_one_has_right() {
    let (comparison, text) = compare(calls_of_paper());
    let pairs = comparison["pairs"].as_array().unwrap();
    let found: Vec<_> = pairs
        .iter()
        .map(|pair| {
            let test = &pair["mcnemar"];
            (test["only_first"].as_u64().unwrap(), test["only_second"].as_u64().unwrap(), test["p"].as_f64().unwrap())
        })
        .collect();
    // By hand: 2·(1 + 8)/2^8; 2/2^7; 1, for the coin that decides 2 against 1 is fair.
    assert_eq!(found, [(1, 7, 0.070_312_5), (0, 7, 0.015_625), (1, 2, 1.0)]);
    assert_eq!(pairs[0]["mcnemar"]["method"], "exact");
    let holm: Vec<_> = pairs.iter().map(|pair| pair["mcnemar_p_holm"].as_f64().unwrap()).collect();
    assert_eq!(holm, [0.140_625, 0.046_875, 1.0]);
    assert!(pairs.iter().all(|pair| pair["delong"].is_null()));
    assert!(text.contains("network v. reader B") && !text.contains("DeLong:"), "{text}");
}

#[test]
fn the_document_shows_what_the_command_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"))
        .args(["compare", "--calls", "docs/compare-paper.csv"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let document = fs::read_to_string(repository().join("docs/compare.md")).unwrap();
    let shown: String =
        document.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    assert!(shown.contains(&printed), "docs/compare.md must show:\n{printed}");
}

const SCORED: &str = "reader,image,call,dislocation,fracture,normal\n\
    one,a,dislocation,0.7,0.2,0.1\none,b,fracture,0.1,0.8,0.1\none,c,normal,0.1,0.1,0.8\none,d,fracture,0,0.6,0.4\n\
    one,e,,,,\n\
    two,a,fracture,0.2,0.5,0.3\ntwo,b,normal,0.1,0.2,0.7\ntwo,c,normal,0.1,0.2,0.7\ntwo,d,normal,0.2,0.2,0.6\n\
    two,e,normal,0,0,1\n\
    three,a,dislocation,,,\nthree,b,fracture,,,\nthree,c,normal,,,\nthree,d,normal,,,\nthree,e,,,,\n";
const SHOWN: &str = "image,label\na,dislocation\nb,fracture\nc,normal\nd,normal\ne,normal\n";

#[test]
fn aucs_are_of_the_images_with_probabilities_and_compared_where_both_readers_have_them() {
    let (comparison, text) = compare_texts(SCORED, Some(SHOWN)).unwrap();
    let reader = |i: usize| &comparison["readers"][i];
    // One: injuries .9 and .9, normals .2 and .6. Two: .7 and .3 against .3, .4 and 0: 3 and 1 + 1/2 of 6.
    assert_eq!(reader(0)["auc"]["injury"]["auc"], 1.0);
    assert_eq!((&reader(0)["auc"]["injury"]["cases"], &reader(0)["auc"]["injury"]["controls"]), (&2.into(), &2.into()));
    assert!(reader(0)["auc"]["injury"]["interval"].is_null());
    assert_eq!(reader(1)["auc"]["injury"]["auc"], 0.75);
    assert!(reader(1)["auc"]["injury"]["interval"][0].as_f64() < Some(0.75));
    // Two's fracture: .2 against .5, .2, .2 and 0.
    assert_eq!(reader(1)["auc"]["fracture"]["auc"], 0.5);
    assert!(reader(2)["auc"].is_null());

    let pair = |i: usize| &comparison["pairs"][i];
    // Without e, which one did not call: two's .7 and .3 against .3 and .4.
    let test = &pair(0)["delong"]["injury"];
    assert_eq!(test["aucs"], json!([1.0, 0.625]));
    assert_eq!((&test["cases"], &test["controls"]), (&2.into(), &2.into()));
    // Components: one's are all 1, two's cases 1 and 1/4, controls 3/4 and 1/2.
    let variance: f64 = (0.75 * 0.75 / 2.0 + 0.25 * 0.25 / 2.0) / 2.0;
    assert!((test["standard_error"].as_f64().unwrap() - variance.sqrt()).abs() < 1e-12);
    assert!((test["z"].as_f64().unwrap() - 0.375 / variance.sqrt()).abs() < 1e-12);
    // One fracture alone has no variance.
    assert!(pair(0)["delong"]["fracture"].is_null());
    assert!(pair(1)["delong"].is_null() && pair(2)["delong"].is_null());
    assert!(text.contains("AUC, injury v. normal  0.7500") && text.contains("one v. two"), "{text}");
}

#[test]
fn an_abstention_is_an_error_in_every_proportion_and_for_mcnemar() {
    let (comparison, _) = compare_texts(SCORED, Some(SHOWN)).unwrap();
    let one = &comparison["readers"][0];
    assert_eq!((&one["right"], &one["abstained"], &one["accuracy"]), (&3.into(), &1.into(), &0.6.into()));
    assert_eq!(one["confusion_abstained"], json!([0, 0, 1]));
    // d is wrong for fracture and for normal, e for all three: 15 - 2 - 3 decisions of 15.
    assert!((one["one_vs_rest"]["accuracy"].as_f64().unwrap() - 10.0 / 15.0).abs() < 1e-12);
    assert!((one["per_class"]["normal"]["sensitivity"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(one["per_class"]["dislocation"]["specificity"], 0.75);
    // Only one: a and b; only two: d and e.
    let test = &comparison["pairs"][0]["mcnemar"];
    assert_eq!((&test["only_first"], &test["only_second"]), (&2.into(), &2.into()));
}

#[test]
fn predictions_of_evaluate_are_a_reader_beside_the_calls_of_people() {
    let dir = tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let predictions = file(
        "predictions.csv",
        "file,label,dislocation,fracture,normal,flagged,verdict,ambiguous,failure\n\
         a.png,fracture,0.1,0.7,0.2,true,fracture,false,\n\
         b.png,normal,,,,false,,false,b.png is not assessable: constant\n",
    );
    let people = file("people.csv", "image,reader,call\nb.png,surgeon,Normal\na.png,surgeon,dislocation\n");
    let manifest = file("manifest.csv", "file,class,kind\na.png,fracture,wedge\nb.png,normal,\n");
    let args = CompareArgs {
        calls: vec![people],
        predictions: vec![("network".into(), predictions)],
        truth: Some(manifest),
        report: None,
    };
    let (comparison, _) = compare(args);
    let names: Vec<_> = comparison["readers"].as_array().unwrap().iter().map(|reader| &reader["reader"]).collect();
    assert_eq!(names, ["surgeon", "network"]);
    assert_eq!(comparison["readers"][1]["confusion_abstained"], json!([0, 0, 1]));
    assert_eq!(comparison["readers"][1]["accuracy"], 0.5);
    assert_eq!(comparison["pairs"][0]["mcnemar"]["only_second"], 1);
    let inputs = comparison["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), 3);
    assert_eq!(inputs[0]["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn input_that_cannot_be_compared_is_answered_with_line_and_image() {
    const LABELLED: &str = "reader,image,call,label\n";
    const SCORES: &str = "reader,image,call,label,dislocation,fracture,normal\n";
    for (head, rows, expected) in [
        (LABELLED, "", "calls.csv holds no rows"),
        ("", "", "calls.csv holds no rows"),
        ("image,call\n", "a,normal\n", "calls.csv has no column 'reader'"),
        ("reader,image,call,call\n", "", "calls.csv has two columns 'call'"),
        ("reader,image,call,normal\n", "", "calls.csv has no column 'dislocation'"),
        (LABELLED, "one,a,broken,normal\n", "calls.csv, line 2, image a: the call 'broken' is none of dislocation, "),
        (
            LABELLED,
            "one,a,normal,healthy\n",
            "calls.csv, line 2, image a: the label 'healthy' is none of dislocation, ",
        ),
        (LABELLED, ",a,normal,normal\n", "calls.csv, line 2: the reader is empty"),
        (LABELLED, "one,,normal,normal\n", "calls.csv, line 2: the image is empty"),
        (
            LABELLED,
            "one,a,normal\n",
            "calls.csv, line 2 is no sound CSV: it has another number of fields than the header: 3, not 4",
        ),
        (
            LABELLED,
            "one,a,normal,normal\none,b,normal,normal\none,a,,normal\n",
            "calls.csv, line 4, image a: one has called it before, at calls.csv, line 2",
        ),
        (
            LABELLED,
            "one,a,normal,normal\none,b,normal,normal\ntwo,b,normal,normal\n",
            "two has no call for image a (calls.csv, line 2); an abstention needs a line with an empty call",
        ),
        (LABELLED, "one,a,normal,\n", "calls.csv, line 2, image a: no truth says what it shows"),
        (
            LABELLED,
            "one,a,normal,normal\ntwo,a,normal,fracture\n",
            "calls.csv, line 3, image a: labelled fracture, but normal at calls.csv, line 2",
        ),
        (
            SCORES,
            "one,a,normal,normal,0.1,x,0.9\n",
            "calls.csv, line 2, image a: 'x' is no probability for fracture: it must be a number from 0 to 1",
        ),
        (SCORES, "one,a,normal,normal,-0.1,0.2,0.9\n", "'-0.1' is no probability for dislocation"),
        (SCORES, "one,a,normal,normal,0,0,NaN\n", "'NaN' is no probability for normal"),
        (SCORES, "one,a,normal,normal,0.1,,0.9\n", "'' is no probability for fracture"),
        (
            SCORES,
            "one,a,normal,normal,0.1,0.1,0.798\n",
            "calls.csv, line 2, image a: probabilities sum to 0.998, not to 1",
        ),
        (SCORES, "one,a,,normal,0.1,0.1,0.8\n", "calls.csv, line 2, image a: probabilities without a call"),
        (
            SCORES,
            "one,a,normal,normal,0.1,0.1,0.8\none,b,normal,normal,,,\n",
            "calls.csv, line 3, image b: one gives no probabilities here, but does for other images",
        ),
    ] {
        let found = error(&format!("{head}{rows}"), None);
        assert!(found.contains(expected), "{found}\nis not\n{expected}");
    }
}

#[test]
fn a_truth_that_does_not_fit_the_calls_is_refused() {
    let calls = "reader,image,call\none,a,normal\none,b,fracture\n";
    for (truth, expected) in [
        ("image,label\na,normal\n", "calls.csv, line 3, image b: no truth says what it shows"),
        ("image,label\na,normal\nb,fracture\nc,normal\n", "one has no call for image c (truth.csv, line 4)"),
        (
            "image,label\na,normal\na,fracture\n",
            "truth.csv, line 3, image a: labelled fracture, but normal at truth.csv",
        ),
        ("image,label\na,\n", "truth.csv, line 2, image a: no truth says what it shows"),
        ("image\na\n", "truth.csv has no column 'label'"),
        ("image,label\n", "truth.csv holds no rows"),
    ] {
        let found = error(calls, Some(truth));
        assert!(found.contains(expected), "{found}\nis not\n{expected}");
    }
    let missing = CompareArgs { truth: Some("nowhere.csv".into()), ..calls_of_paper() };
    assert!(format!("{:#}", run(&missing).unwrap_err()).starts_with("nowhere.csv cannot be read: "));
    // Rounding to three digits is no error, and the same truth twice no contradiction.
    let rounded = "reader,image,call,label,dislocation,fracture,normal\none,a,normal,normal,0.333,0.333,0.333\n";
    assert!(compare_texts(rounded, Some("image,label\na,normal\na,normal\n")).is_ok());
}

#[test]
fn of_more_than_fifty_readers_no_two_are_tested_and_one_alone_has_no_pairs() {
    let compared = |count: usize| {
        let rows: String = (0..count).map(|reader| format!("r{reader},a,normal,normal\n")).collect();
        compare_texts(&format!("reader,image,call,label\n{rows}"), None).unwrap()
    };
    let (comparison, text) = compared(51);
    assert_eq!((comparison["readers"].as_array().unwrap().len(), &comparison["pairs"]), (51, &json!([])));
    assert!(text.contains("More than 50 readers: no two are tested against each other."), "{text}");
    assert_eq!(compared(50).0["pairs"].as_array().unwrap().len(), 50 * 49 / 2);
    let (comparison, text) = compared(1);
    assert_eq!(comparison["pairs"], json!([]));
    assert!(!text.contains("McNemar") && !text.contains("More than"), "{text}");
}

#[test]
fn errors_name_the_line_that_an_editor_shows() {
    for (calls, expected) in [
        ("reader,image,call,label\r\none,a,normal,normal\r\none,b,broken,normal\r\n", "calls.csv, line 3, image b"),
        ("reader,image,call,label\n\none,a,normal,normal\n\n\none,b,broken,normal\n", "calls.csv, line 6, image b"),
        ("reader,image,call,label\r\n\r\none,a,normal\r\n", "calls.csv, line 3 is no sound CSV"),
    ] {
        let found = error(calls, None);
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn the_command_needs_calls_or_predictions_and_a_name_for_the_latter() {
    let trainer = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cspine-trainer")).arg("compare").args(args).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(trainer(&[]).1.contains("--calls"));
    let (success, text) = trainer(&["--predictions", "predictions.csv"]);
    assert!(!success && text.contains("a name and a file"), "{text}");
}
