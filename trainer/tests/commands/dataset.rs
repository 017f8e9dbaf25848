//! Data sets as people lay them out.

use std::fs;
use std::path::Path;

use cspine_domain::{Class, Reason, Sha256};
use cspine_imaging::{Limits, Preprocessing};
use cspine_trainer::dataset::{Dataset, LoadError, Part, Subjects, digest, load};
use image::{GrayImage, ImageFormat, Luma};
use tempfile::{TempDir, tempdir};

fn folder(files: &[&str]) -> TempDir {
    let dir = tempdir().unwrap();
    for file in files {
        write(dir.path(), file, b"");
    }
    dir
}

fn write(dir: &Path, file: &str, bytes: &[u8]) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn listed(dir: &TempDir) -> Vec<(String, Class)> {
    Dataset::open(dir.path()).unwrap().examples.into_iter().map(|example| (example.name, example.class)).collect()
}

/// Why a data set is refused, with all its causes.
fn refusal(dir: &TempDir) -> String {
    format!("{:#}", Dataset::open(dir.path()).unwrap_err())
}

#[test]
fn a_folder_a_class_gives_images_sorted_by_name() {
    let dir = folder(&["normal/b.png", "normal/a.jpg", "Fracture/p1/x.dcm", "1_cervical dislocation/IM0001"]);
    assert_eq!(
        listed(&dir),
        [
            ("1_cervical dislocation/IM0001".to_owned(), Class::Dislocation),
            ("Fracture/p1/x.dcm".to_owned(), Class::Fracture),
            ("normal/a.jpg".to_owned(), Class::Normal),
            ("normal/b.png".to_owned(), Class::Normal),
        ]
    );
    assert_eq!(Dataset::open(dir.path()).unwrap().counts(), [1, 1, 2]);
}

#[test]
fn parts_of_a_split_data_set_are_read_together() {
    let dir = folder(&["train/normal/a.png", "val/Fracture/a.png", "test/dislocation/a.png"]);
    let names: Vec<String> = listed(&dir).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["test/dislocation/a.png", "train/normal/a.png", "val/Fracture/a.png"]);
}

#[test]
fn the_kaggle_layout_is_read_as_it_is_with_or_without_parts() {
    let files = ["Cervical Fracture/a.jpg", "cervical dislocation/b.JPG", "Normal/c.jpeg"];
    let dir = folder(&files);
    let classes = [Class::Fracture, Class::Normal, Class::Dislocation];
    assert_eq!(listed(&dir).into_iter().map(|(_, class)| class).collect::<Vec<_>>(), classes);
    assert!(Dataset::open(dir.path()).unwrap().examples.iter().all(|example| example.part.is_none()));

    let parts: Vec<String> =
        ["train", "val", "test"].iter().flat_map(|part| files.map(|file| format!("{part}/{file}"))).collect();
    let dataset = Dataset::open(folder(&parts.iter().map(String::as_str).collect::<Vec<_>>()).path()).unwrap();
    assert_eq!(dataset.counts(), [3, 3, 3]);
    for example in dataset.examples {
        let part = match example.name.split('/').next() {
            Some("train") => Part::Training,
            Some("val") => Part::Validation,
            _ => Part::Test,
        };
        assert_eq!(example.part, Some(part), "{}", example.name);
    }
}

#[test]
fn stray_files_are_left_out_and_counted() {
    let dir = folder(&[
        "normal/a.png",
        "normal/Thumbs.db",
        "normal/.DS_Store",
        "normal/._a.png",
        "normal/masks/a.png",
        "masks/a.png",
        "__MACOSX/x/a.png",
        "LICENSE",
        "notes.txt",
    ]);
    let dataset = Dataset::open(dir.path()).unwrap();
    assert_eq!(dataset.examples.len(), 1);
    let ignored = [
        "LICENSE",
        "__MACOSX",
        "masks",
        "normal/.DS_Store",
        "normal/._a.png",
        "normal/Thumbs.db",
        "normal/masks",
        "notes.txt",
    ];
    assert_eq!(dataset.ignored, ignored);
}

#[test]
fn pictures_of_formats_that_are_not_read_are_warned_of_and_jfif_is_jpeg() {
    let dir = folder(&["normal/b.webp", "normal/masks/c.gif", "fracture/d.HEIC", "normal/notes.txt"]);
    let picture = GrayImage::from_fn(80, 70, |x, y| Luma([(x * 3 + y) as u8]));
    picture.save_with_format(dir.path().join("normal/a.jfif"), ImageFormat::Jpeg).unwrap();
    let (dataset, survey) = Dataset::open_together(dir.path()).unwrap();
    assert_eq!(dataset.examples.iter().map(|example| &example.name).collect::<Vec<_>>(), ["normal/a.jfif"]);
    assert!(load(&dataset.examples[0], &Preprocessing::default(), &Limits::default()).is_ok());
    assert_eq!(survey.unread, ["fracture/d.HEIC", "normal/b.webp"]);
    let warning = "WARNING: Pictures left out because their format is not read: 2 (fracture/d.HEIC, normal/b.webp). \
                   Convert them to PNG.";
    assert!(survey.to_string().ends_with(warning), "{survey}");
}

#[test]
fn what_a_data_set_says_of_patients_is_said_before_near_duplicates_are_put_together() {
    let dir = folder(&[]);
    for (name, step) in [("a.png", 3), ("b.png", 5), ("c.png", 7)] {
        GrayImage::from_fn(80, 70, |x, y| Luma([((x * step) ^ (y * 2)) as u8])).save(dir.path().join(name)).unwrap();
    }
    let survey = |manifest: &str| {
        write(dir.path(), "manifest.csv", manifest.as_bytes());
        Dataset::open_together(dir.path()).unwrap().1
    };
    let some = survey("file,class,patient_key,kind\na.png,normal,p-1,\nb.png,normal,p-1,\nc.png,fracture,,wedge\n");
    assert_eq!((some.subjects, some.patients, some.without_patient), (Subjects::Patients, 1, 1));
    assert!(some.notes()[0].contains("names 1 patients, each of whom is on one side"), "{some}");
    let none = survey("file,class,kind\na.png,normal,\nb.png,normal,\nc.png,fracture,wedge\n");
    assert_eq!((none.subjects, none.patients, none.without_patient), (Subjects::Untold, 0, 3));
    let all = survey("file,class,patient_key\na.png,normal,p-1\nb.png,normal,p-2\nc.png,fracture,p-3\n");
    assert_eq!(all.notes()[0], "The data set names 3 patients; each is on one side of the split only.");
}

#[test]
fn what_is_not_understood_is_named() {
    let unknown = refusal(&folder(&["normal/a.png", "abnormal/b.png"]));
    assert!(unknown.contains("folder abnormal is not understood"), "{unknown}");
    let outside = refusal(&folder(&["normal/a.png", "train/b.png"]));
    assert!(outside.contains("image train/b.png lies in no class folder"), "{outside}");
    let torn = refusal(&folder(&["normal/fracture/a.png"]));
    assert!(torn.contains("folder normal/fracture says fracture"), "{torn}");
    let empty = refusal(&folder(&["readme.txt"]));
    assert!(empty.contains("holds no images: it needs the folders"), "{empty}");
    assert!(Dataset::open(Path::new("/nowhere/at/all")).is_err());
}

#[test]
fn a_manifest_says_more_than_folders() {
    let dir = folder(&["fracture/1.png", "normal/2.png", "normal/unlisted.png", "masks/1.png"]);
    let manifest = "\u{feff}file,class,patient_key,level,kind,severity_mm,ambiguous,mask\n\
        normal/2.png,Normal,,,hard-negative,2.00,true,masks/2.png\n\
        fracture/1.png,fracture,p-17,C5,wedge,4.00,false,masks/1.png\n";
    write(dir.path(), "manifest.csv", manifest.as_bytes());
    let [fracture, normal] = &Dataset::open(dir.path()).unwrap().examples[..] else { panic!("two images") };
    assert_eq!((fracture.name.as_str(), fracture.class), ("fracture/1.png", Class::Fracture));
    assert_eq!((fracture.patient_key.as_deref(), fracture.kind.as_deref()), (Some("p-17"), Some("wedge")));
    assert!(!fracture.ambiguous && normal.ambiguous);
    assert_eq!(normal.patient_key, None);
    assert_eq!(fracture.path, dir.path().join("fracture").join("1.png"));
}

#[test]
fn a_manifests_faults_are_named_by_line() {
    let fault = |manifest: &str| {
        let dir = folder(&["a.png"]);
        write(dir.path(), "manifest.csv", manifest.as_bytes());
        refusal(&dir)
    };
    for (manifest, text) in [
        ("name,class\n", "no column 'file'"),
        ("file,class\na.png,broken\n", "line 2: 'broken' is none of dislocation"),
        ("file,class\nb.png,normal\n", "line 2: b.png is not there"),
        ("file,class\n../a.png,normal\n", "line 2: '../a.png' is no path below"),
        ("file,class\n/a.png,normal\n", "is no path below"),
        ("file,class\na.png,normal\na.png,fracture\n", "line 3: a.png is listed twice"),
        (
            "file,class\na.png\n",
            "manifest.csv is not understood: line 2: it has another number of fields than the header: 1, not 2",
        ),
        ("file,class\r\n\r\na.png,normal\r\nb.png,normal\r\n", "line 4: b.png is not there"),
        ("file,class,ambiguous\na.png,normal,maybe\n", "'maybe' is neither true nor false"),
        ("file,class\n", "holds no images"),
    ] {
        let refusal = fault(manifest);
        assert!(refusal.contains(text), "{manifest:?} gave {refusal}");
    }
}

#[test]
fn an_image_that_cannot_be_used_is_named() {
    let dir = folder(&["normal/broken.png"]);
    let picture = GrayImage::from_fn(80, 70, |x, y| Luma([(x * 3 + y) as u8]));
    picture.save(dir.path().join("normal/good.png")).unwrap();
    GrayImage::new(80, 70).save(dir.path().join("normal/black.png")).unwrap();
    let dataset = Dataset::open(dir.path()).unwrap();
    let card = Preprocessing::default();
    let [black, broken, good] = [0, 1, 2].map(|i| load(&dataset.examples[i], &card, &Limits::default()));
    assert!(matches!(black, Err(LoadError::NotAssessable { reason: Reason::Constant, .. })));
    assert!(broken.unwrap_err().to_string().starts_with("normal/broken.png cannot be decoded"));
    assert_eq!(good.unwrap().len(), 224 * 224);
    let tight = Limits { max_bytes: 10, ..Limits::default() };
    assert!(load(&dataset.examples[2], &card, &tight).unwrap_err().to_string().contains("limit on bytes"));
}

#[test]
fn a_digest_knows_neither_names_nor_order() {
    let [a, b] = [b"a", b"b"].map(|bytes| Sha256::of(bytes));
    assert_eq!(digest([a, b]), digest([b, a]));
    assert_ne!(digest([a, b]), digest([a, a]));
}
