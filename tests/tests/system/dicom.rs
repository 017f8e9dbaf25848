use std::process::Command;

use cspine_tests::python::peer;
use cspine_tests::tools::{binary, model, output_of};
use serde_json::{Value, json};

use crate::files::phantoms;

#[test]
fn others_can_read_our_dicom_files() {
    let files = phantoms("dicom", 256, 3);
    let described = output_of(peer("read_dicom.py").args(&files));
    let described: Vec<Value> = described.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(described.len(), files.len());
    for file in &described {
        assert_eq!(file["sop_class"], "Computed Radiography Image Storage");
        assert_eq!((&file["modality"], &file["body_part"]), (&json!("CR"), &json!("CSPINE")));
        assert_eq!(file["bits"], json!([16, 12, 11]));
        assert_eq!((&file["rows"], &file["columns"]), (&json!(256), &json!(256)));
        assert_eq!(file["sop"], file["meta_sop"]);
        let (darkest, brightest) = (file["darkest"].as_i64().unwrap(), file["brightest"].as_i64().unwrap());
        assert!(0 <= darkest && darkest < brightest && brightest < 4096, "{file}");
    }
    let photometric = |name: &str| described.iter().filter(|file| file["photometric_interpretation"] == name).count();
    assert!(photometric("MONOCHROME1") > 0 && photometric("MONOCHROME2") > 0, "both occur");

    for file in &files {
        let output = Command::new("dcmdump").arg(file).output().expect("dcmdump (Debian: dcmtk)");
        // what it only warns of breaks the standard too
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "dcmdump {}: {said}", file.display());
        assert!(String::from_utf8_lossy(&output.stdout).contains("BodyPartExamined"));
    }
}

#[test]
fn a_radiograph_gets_the_same_probabilities_as_png_and_as_dicom() {
    let [png, dicom] = ["png", "dicom"].map(|format| {
        let mut classify = Command::new(binary("cspine-worker"));
        classify.args(["classify", "--json", "--model"]).arg(model()).args(phantoms(format, 448, 6));
        output_of(&mut classify).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    });
    assert_eq!((png.len(), dicom.len()), (18, 18));
    for (png, dicom) in png.iter().zip(&dicom) {
        for class in ["dislocation", "fracture", "normal"] {
            let [p, q] = [png, dicom].map(|answer| answer["probabilities"][class].as_f64().expect("a probability"));
            assert!((p - q).abs() < 1e-3, "{class} of {}: {p} as PNG, {q} as DICOM", png["file"]);
        }
    }
}
