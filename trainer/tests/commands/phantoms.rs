//! `cspine-trainer phantoms` writes the data set it was asked for.

use clap::Parser;
use cspine_domain::Class;
use cspine_trainer::phantoms::{Counts, CountsError, PhantomsArgs, run};
use dicom_dictionary_std::{tags, uids};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    phantoms: PhantomsArgs,
}

/// A folder of the test's own that does not exist yet.
fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("phantoms-{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

fn args(out: &Path, flags: &[&str]) -> PhantomsArgs {
    let out = out.to_str().expect("test folders are UTF-8");
    let flags = ["phantoms", "--out", out, "--size", "128"].into_iter().chain(flags.iter().copied());
    Command::try_parse_from(flags).expect("the flags are right").phantoms
}

/// Every file under `root` by its path from there.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder was written").map(|e| e.expect("it can be listed").path())
        {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry.strip_prefix(root).expect("it lies under the root").to_owned();
                found.insert(name, fs::read(&entry).expect("it can be read"));
            }
        }
    }
    found
}

#[test]
fn the_same_seed_writes_the_same_bytes_whatever_the_number_of_threads() {
    for format in ["png", "dicom"] {
        let written = [1, 2].map(|threads| {
            let out = folder(&format!("threads-{format}-{threads}"));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool starts");
            let flags = ["--counts", "dislocation=2,fracture=3,normal=4", "--seed", "5", "--format", format];
            pool.install(|| run(&args(&out, &flags))).expect("phantoms are written");
            files(&out)
        });
        assert_eq!(written[0].len(), 2 * 9 + 1);
        assert!(written[0] == written[1], "{format} differs between one thread and two");
    }
}

#[test]
fn another_seed_writes_other_patients() {
    let manifests = ["1", "2"].map(|seed| {
        let out = folder(&format!("seed-{seed}"));
        run(&args(&out, &["--counts", "normal=3", "--seed", seed])).expect("phantoms are written");
        fs::read_to_string(out.join("manifest.csv")).expect("there is a manifest")
    });
    let patients =
        |text: &str| text.lines().skip(1).map(|l| l.split(',').nth(2).map(str::to_owned)).collect::<Vec<_>>();
    let (first, second) = (patients(&manifests[0]), patients(&manifests[1]));
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|p| !second.contains(p)));
}

#[test]
fn the_manifest_names_every_film_and_mask() {
    let out = folder("manifest");
    run(&args(&out, &["--counts", "dislocation=2,fracture=2,normal=2", "--preset", "shift-a"])).expect("written");
    let text = fs::read_to_string(out.join("manifest.csv")).expect("there is a manifest");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("file,class,patient_key,level,kind,severity_mm,ambiguous,mask"));
    let mut per_class = BTreeMap::<String, u32>::new();
    for line in lines {
        let [file, class, patient, level, kind, severity, ambiguous, mask] =
            line.split(',').collect::<Vec<_>>().try_into().expect("a line has eight fields");
        let film = image::open(out.join(file)).expect("the film opens").into_luma16();
        let mask = image::open(out.join(mask)).expect("the mask opens").into_luma8();
        assert_eq!((film.width(), film.height(), mask.width()), (128, 128, 128));
        let injured = class != "normal";
        assert_eq!(mask.pixels().any(|p| p.0[0] == 255), injured);
        assert_eq!((!level.is_empty(), kind != "none"), (injured, injured));
        assert_eq!(severity.parse::<f32>().expect("a number") > 0.0, injured);
        assert!(file.starts_with(&format!("{class}/")) && patient.starts_with('P'));
        assert!(ambiguous == "true" || ambiguous == "false");
        *per_class.entry(class.to_owned()).or_default() += 1;
    }
    assert_eq!(per_class.values().copied().collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn the_dicom_form_is_a_cr_of_the_same_greys_in_both_photometric_interpretations() {
    let (png, dicom) = (folder("greys-png"), folder("greys-dicom"));
    run(&args(&png, &["--counts", "fracture=12"])).expect("written");
    run(&args(&dicom, &["--counts", "fracture=12", "--format", "dicom"])).expect("written");
    let mut photometric = BTreeMap::<String, u32>::new();
    let mut instances = std::collections::BTreeSet::new();
    for i in 0..12 {
        let object = dicom_object::open_file(dicom.join(format!("fracture/{i:06}.dcm"))).expect("it is DICOM");
        let text = |tag| object.element(tag).expect("present").to_str().expect("text").trim_end().to_owned();
        let number = |tag| object.element(tag).expect("present").to_int::<u32>().expect("a number");
        assert_eq!(object.meta().media_storage_sop_class_uid(), uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE);
        assert_eq!(text(tags::MODALITY), "CR");
        assert_eq!(text(tags::BODY_PART_EXAMINED), "CSPINE");
        assert_eq!(text(tags::VIEW_POSITION), "LL");
        assert_eq!((number(tags::BITS_STORED), number(tags::BITS_ALLOCATED), number(tags::HIGH_BIT)), (12, 16, 11));
        assert!(cspine_domain::Uid::parse(&text(tags::SOP_INSTANCE_UID)).is_ok());
        let inverted = text(tags::PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1";
        let stored = object.element(tags::PIXEL_DATA).expect("pixels").to_multi_int::<u16>().expect("16 bits");
        let film = image::open(png.join(format!("fracture/{i:06}.png"))).expect("the film opens").into_luma16();
        let expected: Vec<u16> =
            film.pixels().map(|p| p.0[0] >> 4).map(|g| if inverted { 4095 - g } else { g }).collect();
        assert!(stored == expected, "greys of film {i} differ");
        *photometric.entry(text(tags::PHOTOMETRIC_INTERPRETATION)).or_default() += 1;
        instances.insert(text(tags::SOP_INSTANCE_UID));
    }
    assert_eq!(photometric.len(), 2, "{photometric:?}");
    assert_eq!(instances.len(), 12);
}

#[test]
fn a_folder_that_holds_anything_is_refused() {
    let out = folder("occupied");
    fs::create_dir_all(&out).expect("it can be made");
    fs::write(out.join("precious"), "x").expect("it can be written");
    let error = run(&args(&out, &["--counts", "normal=1"])).expect_err("the folder is not empty");
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(files(&out).len(), 1);
}

#[test]
fn counts_are_read_in_any_order_and_bad_ones_are_named() {
    assert_eq!("normal=7,dislocation=5".parse(), Ok(Counts([5, 0, 7])));
    assert_eq!("normal".parse::<Counts>(), Err(CountsError::Item("normal".into())));
    assert_eq!("sprain=1".parse::<Counts>(), Err(CountsError::Class("sprain".into())));
    assert_eq!("normal=1,normal=2".parse::<Counts>(), Err(CountsError::Twice(Class::Normal)));
    assert_eq!("normal=0".parse::<Counts>(), Err(CountsError::Sum));
    let refused = Command::try_parse_from(["phantoms", "--out", "x", "--size", "64"]);
    assert!(refused.is_err());
}

#[test]
fn a_blanked_normal_is_the_blanked_injury_where_a_fracture_was_and_beside_it() {
    let out = folder("blanked");
    run(&args(&out, &["--counts", "fracture=3,normal=3", "--seed", "5", "--blanked"])).expect("phantoms are written");
    let manifest = fs::read_to_string(out.join("manifest.csv")).expect("a manifest");
    let lines: Vec<Vec<&str>> = manifest.lines().skip(1).map(|line| line.split(',').collect()).collect();
    for pair in 0..3 {
        let (injured, healed) = (&lines[pair], &lines[pair + 3]);
        assert_eq!((injured[1], healed[1]), ("fracture", "normal"));
        assert_eq!(injured[2], healed[2], "a pair is one patient");
        let grey = |line: &[&str]| image::open(out.join(line[0])).expect("a PNG").into_luma16().into_raw();
        let (a, b) = (grey(injured), grey(healed));
        let furthest = a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b)).max().expect("pixels");
        assert!(f32::from(furthest) < 0.03 * 65535.0, "pair {pair} differs by {furthest}");
    }
    let more = run(&args(&folder("blanked-more"), &["--counts", "fracture=1,normal=2", "--blanked"]));
    assert!(more.unwrap_err().to_string().contains("more normals than injuries"));
}
