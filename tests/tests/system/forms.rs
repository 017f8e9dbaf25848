//! Hundreds of odd forms of one radiograph, written by a stranger (`tests/forms`): each is answered as its plain form is,
//! or refused by name. None is answered otherwise without a word.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use cspine_tests::python::python;
use cspine_tests::tools::{Folder, binary, model, output_of, repository};
use serde::Deserialize;
use serde_json::Value;

use crate::files::phantoms;

/// A line of `forms.jsonl`.
#[derive(Debug, Deserialize)]
struct Form {
    form: String,
    file: String,
    expect: Expect,
    /// A PNG of the upright picture as a display shows it.
    truth: String,
    /// What pydicom makes of it.
    pydicom: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Expect {
    /// Answered as its truth is.
    #[serde(rename = "read")]
    Read,
    /// So, or refused by name.
    #[serde(rename = "either")]
    Either,
    /// Refused by name.
    #[serde(rename = "refuse")]
    Refuse,
    /// Nothing true is said of how it lies: the pixels are asked, and may leave it without an answer.
    #[serde(rename = "second look")]
    SecondLook,
    /// Half of its rows or columns are missing and made up for.
    #[serde(rename = "stretched")]
    Stretched,
}

#[test]
fn every_form_of_a_radiograph_is_read_as_its_plain_form_or_refused_by_name() {
    let folder = Folder::create("forms");
    let forms = written(folder.path());
    assert!(forms.len() >= 300, "{} forms", forms.len());
    let answers = answers(folder.path());
    let faults: Vec<String> = forms.iter().filter_map(|form| fault(form, &answers)).collect();
    let refused = forms.iter().filter(|form| refusal(&answers[&form.file]).is_some()).count();
    println!("{} forms: {} answered, {refused} refused by name", forms.len(), forms.len() - refused);
    assert!(faults.is_empty(), "{} of {} forms:\n{}", faults.len(), forms.len(), faults.join("\n"));
}

/// Makes the forms of a dislocation.
fn written(folder: &Path) -> Vec<Form> {
    let phantom = &phantoms("png", 320, 1)[0];
    output_of(Command::new(python()).arg(repository().join("tests/forms")).arg("--out").arg(folder).arg(phantom));
    let lines = std::fs::read_to_string(folder.join("forms.jsonl")).expect("forms.jsonl");
    lines.lines().map(|line| serde_json::from_str(line).expect("a form")).collect()
}

/// Each file's answer by the worker's own command, by its path.
fn answers(folder: &Path) -> HashMap<String, Value> {
    let files = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension != "jsonl"));
    let mut classify = Command::new(binary("cspine-worker"));
    classify.arg("classify").arg("--json").arg("--model").arg(model()).args(files);
    // it ends with 1, since some files are bad
    let output = classify.output().expect("the worker runs");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let answers = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    answers.map(|answer: Value| (answer["file"].as_str().expect("a path").to_owned(), answer)).collect()
}

/// What is wrong with the answer to a form; `None`: nothing.
fn fault(form: &Form, answers: &HashMap<String, Value>) -> Option<String> {
    let (answer, truth) = (&answers[&form.file], &answers[&form.truth]);
    assert!(truth["probabilities"].is_object(), "{}: its truth has no answer: {truth}", form.form);
    let may_refuse = form.expect != Expect::Read && form.expect != Expect::Stretched;
    let what = match (refusal(answer), form.expect) {
        (Some("out_of_distribution"), expect) if expect != Expect::SecondLook => "other pixels, seen by the gate",
        (Some(_), _) if may_refuse => return None,
        (Some(_), _) => "refused",
        (None, Expect::Refuse) => "answered",
        (None, Expect::Read) if form.pydicom == "differs" => "pydicom reads it otherwise",
        (None, Expect::Read | Expect::Either) if !agree(answer, truth, 0.01, 0.02) => "another answer",
        (None, Expect::SecondLook | Expect::Stretched) if !agree(answer, truth, 0.1, 0.3) => "another answer",
        (None, _) => return None,
    };
    Some(format!("{}: {what} (pydicom {}): {}; its truth: {}", form.form, form.pydicom, brief(answer), brief(truth)))
}

/// The reason code of a file that has no answer. One without a code is answered silently wrong: a fault of ours.
fn refusal(answer: &Value) -> Option<&str> {
    let refused = answer["error"].is_string() || answer["verdict"] == "not_assessable";
    refused.then(|| answer["reason"].as_str().unwrap_or_else(|| panic!("refused without a name: {answer}")))
}

fn agree(answer: &Value, truth: &Value, probability: f64, atypicality: f64) -> bool {
    let apart = |path: &str| {
        let value = |of: &Value| of.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
        (value(answer) - value(truth)).abs()
    };
    ["dislocation", "fracture", "normal"].iter().all(|class| apart(&format!("/probabilities/{class}")) <= probability)
        && apart("/atypicality") <= atypicality
}

fn brief(answer: &Value) -> String {
    let number = |path: &str| answer.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let reason = answer["reason"].as_str().unwrap_or_default();
    let error = answer["error"].as_str().unwrap_or_default();
    let p = ["dislocation", "fracture", "normal"].map(|class| number(&format!("/probabilities/{class}")));
    format!("{:.3} {:.3} {:.3} at {:.3} {reason} {error}", p[0], p[1], p[2], number("/atypicality"))
}
