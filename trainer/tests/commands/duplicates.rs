//! Near duplicates are found, and nothing else is taken for one.

use std::fs;
use std::path::Path;

use clap::Parser;
use cspine_domain::Class;
use cspine_imaging::{Limits, Radiograph, decode};
use cspine_phantom::{Case, Preset};
use cspine_trainer::dataset::{Dataset, Look, Survey, TOLERANCE, find};
use cspine_trainer::phantoms::{self, PhantomsArgs};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, brighten, flip_horizontal, resize, rotate90, rotate180, rotate270};
use image::{GrayImage, Luma};
use rayon::prelude::*;
use tempfile::{TempDir, tempdir};

/// The film of a phantom as a photograph of it would be: 8 bits.
fn film(number: u64) -> GrayImage {
    let class = Class::ALL[number as usize % 3];
    let film = Case::sample(77 << 24 | number, class).render(256, Preset::Reference);
    GrayImage::from_fn(256, 256, |x, y| Luma([(film.pixels[(y * 256 + x) as usize] >> 8) as u8]))
}

fn save(folder: &Path, name: &str, image: &GrayImage) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

fn jpeg(image: &GrayImage, quality: u8) -> Vec<u8> {
    let mut bytes = vec![];
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(image).unwrap();
    bytes
}

/// Four phantoms in the class folders of `parts`.
fn scene(parts: [&str; 3]) -> TempDir {
    let dir = tempdir().unwrap();
    for (number, part) in parts.iter().enumerate() {
        save(dir.path(), &format!("{part}normal/{number}.png"), &film(number as u64));
    }
    save(dir.path(), &format!("{}fracture/9.png", parts[0]), &film(9));
    dir
}

fn names(dataset: &Dataset, groups: &[Vec<usize>]) -> Vec<Vec<String>> {
    groups.iter().map(|group| group.iter().map(|&i| dataset.examples[i].name.clone()).collect()).collect()
}

#[test]
fn copies_are_found_turned_resized_brightened_or_encoded_again() {
    let dir = scene(["", "", ""]);
    let original = film(0);
    fs::copy(dir.path().join("normal/0.png"), dir.path().join("normal/0 (1).png")).unwrap();
    fs::write(dir.path().join("normal/encoded.jpg"), jpeg(&original, 60)).unwrap();
    fs::write(dir.path().join("normal/turned.jpg"), jpeg(&rotate90(&flip_horizontal(&original)), 80)).unwrap();
    save(dir.path(), "normal/resized.png", &resize(&rotate270(&original), 150, 110, FilterType::Lanczos3));
    save(dir.path(), "normal/brighter.png", &brighten(&rotate180(&original), 15));
    let dataset = Dataset::open(dir.path()).unwrap();
    let found = find(&dataset).unwrap();
    let copies = ["0 (1).png", "0.png", "brighter.png", "encoded.jpg", "resized.png", "turned.jpg"];
    assert_eq!(names(&dataset, &found.groups), [copies.map(|name| format!("normal/{name}")).to_vec()]);
    assert_eq!((found.same_bytes, found.look_alikes), (1, 4));
    assert!(found.conflicting.is_empty() && found.unusable.is_empty());
    let sentence = "5 of 9 images repeat another: 1 byte for byte, 4 turned, resized or encoded again; \
                    they stay on its side of the split.";
    assert_eq!(Survey::of(&dataset, &found).notes()[1], sentence);
    let sides = found.sides(&dataset);
    assert_eq!(sides.iter().filter(|side| **side == "normal/0 (1).png").count(), copies.len());
}

#[test]
fn no_two_of_300_phantoms_of_a_seed_are_near_duplicates() {
    let symmetries: Vec<[Look; 8]> = (0..300_u64)
        .into_par_iter()
        .map(|number| {
            let film = Case::sample(101 << 24 | number, Class::ALL[number as usize % 3]).render(256, Preset::Reference);
            let (width, height) = (film.width, film.height);
            Look::of(&Radiograph::grey(width, height, film.pixels)).symmetries()
        })
        .collect();
    let nearest = |i: usize| {
        let others = symmetries[..i].iter();
        others.flat_map(|other| other.iter().map(|look| look.distance(&symmetries[i][0]))).min()
    };
    let nearest = (1..symmetries.len()).filter_map(nearest).min().unwrap();
    assert!(nearest > TOLERANCE, "two phantoms differ in {nearest} bits");
}

#[test]
fn blanked_fractures_and_their_counterfactuals_look_alike_and_are_one_patients() {
    #[derive(Parser)]
    struct Phantoms {
        #[command(flatten)]
        args: PhantomsArgs,
    }
    let dir = tempdir().unwrap();
    let out = dir.path().join("blanked");
    let words = ["phantoms", "--blanked", "--size", "256", "--counts", "dislocation=3,fracture=3,normal=6"];
    phantoms::run(&Phantoms::parse_from(words.into_iter().chain(["--out", out.to_str().unwrap()])).args).unwrap();
    let dataset = Dataset::open(&out).unwrap();
    let found = find(&dataset).unwrap();
    let patient = |i: usize| dataset.examples[i].patient_key.as_deref().unwrap();
    // The three fractures'; a dislocation has moved what lies above it, beyond what is blanked.
    assert_eq!((found.groups.len(), found.conflicting.len()), (3, 3));
    assert!(found.groups.iter().all(|group| group.iter().all(|&i| patient(i) == patient(group[0]))));
    // The sides are the patients: nothing that was apart is together.
    assert_eq!(found.sides(&dataset), (0..12).map(patient).collect::<Vec<_>>());
}

#[test]
fn labels_in_conflict_are_named() {
    let dir = scene(["", "", ""]);
    save(dir.path(), "fracture/1 again.png", &rotate180(&film(1)));
    let dataset = Dataset::open(dir.path()).unwrap();
    let found = find(&dataset).unwrap();
    assert_eq!(found.conflicting, found.groups);
    let survey = Survey::of(&dataset, &found);
    let named =
        "WARNING: Pictures with several labels: 1 (fracture/1 again.png as fracture and normal/1.png as normal).";
    assert!(survey.to_string().contains(named), "{survey}");
    let json = serde_json::to_value(&survey).unwrap();
    assert_eq!(json["conflicting"][0][1], serde_json::json!(["normal/1.png", "normal"]));
    assert_eq!((&json["images"], &json["look_alikes"]), (&5.into(), &1.into()));
}

#[test]
fn given_parts_are_dealt_anew_and_what_leaks_between_them_is_named() {
    let dir = scene(["train/", "val/", "test/"]);
    save(dir.path(), "test/normal/0.png", &flip_horizontal(&film(0)));
    save(dir.path(), "val/normal/2.png", &film(2));
    let dataset = Dataset::open(dir.path()).unwrap();
    let found = find(&dataset).unwrap();
    let survey = Survey::of(&dataset, &found);
    assert_eq!(survey.leaking, ["test/normal/0.png", "test/normal/2.png"]);
    let sentence = "The folders train, val and test are not kept: all images are dealt anew. In them 2 would have \
                    been on two sides, by patient or look: test/normal/0.png, test/normal/2.png.";
    assert_eq!(survey.notes()[2], sentence);
    let whole = scene(["", "", ""]);
    let dataset = Dataset::open(whole.path()).unwrap();
    let found = find(&dataset).unwrap();
    assert!(found.leaking(&dataset).is_empty() && found.groups.is_empty());
    let notes = [
        "The data set names no patients: images of one patient may be on several sides of the split, unless they look \
         alike.",
        "No near duplicates among 4 images.",
    ];
    assert_eq!(Survey::of(&dataset, &found).to_string(), notes.join("\n"));
}

#[test]
fn a_patient_and_the_copies_of_its_images_are_one_side() {
    let dir = tempdir().unwrap();
    for (name, image) in [("a.png", film(0)), ("b.png", film(1)), ("c.png", film(2)), ("d.png", rotate90(&film(1)))] {
        save(dir.path(), name, &image);
    }
    let manifest = "file,class,patient_key\na.png,normal,p-1\nb.png,normal,p-1\nc.png,normal,p-2\nd.png,normal,p-3\n";
    fs::write(dir.path().join("manifest.csv"), manifest).unwrap();
    let dataset = Dataset::open(dir.path()).unwrap();
    let found = find(&dataset).unwrap();
    assert_eq!(found.groups, [[1, 3]]);
    assert_eq!(found.sides(&dataset), ["p-1", "p-1", "p-2", "p-1"]);
}

#[test]
fn what_cannot_be_decoded_or_assessed_is_compared_by_its_bytes_and_named() {
    let dir = scene(["", "", ""]);
    for name in ["x.png", "y.png"] {
        fs::write(dir.path().join("normal").join(name), b"no picture").unwrap();
    }
    save(dir.path(), "normal/z.png", &GrayImage::new(80, 80));
    let dataset = Dataset::open(dir.path()).unwrap();
    let found = find(&dataset).unwrap();
    assert_eq!(names(&dataset, &found.groups), [["normal/x.png", "normal/y.png"]]);
    assert_eq!((found.same_bytes, found.look_alikes), (1, 0));
    let [x, y, z] = &found.unusable[..] else { panic!("three: {:?}", found.unusable) };
    assert!(x.starts_with("normal/x.png cannot be decoded") && y.starts_with("normal/y.png cannot be decoded"));
    assert_eq!(z, "normal/z.png is not assessable: constant");
    let survey = Survey::of(&dataset, &found).to_string();
    assert!(survey.contains("WARNING: Images that cannot be used: 3 (normal/x.png"), "{survey}");
}

/// The measurement behind [`TOLERANCE`]; prints how far copies are from their originals, and strangers from each other.
#[test]
#[ignore = "a measurement: cargo test --release -p cspine-trainer --test commands duplicates -- --ignored --nocapture"]
fn distances_of_copies_and_of_strangers() {
    let look = |bytes: &[u8]| Look::of(&decode(bytes, None, &Limits::default()).unwrap());
    let plain = |image: &GrayImage| {
        let luminance = image.pixels().map(|pixel| u16::from(pixel[0]) * 257).collect();
        Look::of(&Radiograph::grey(image.width(), image.height(), luminance))
    };
    let measured: Vec<(Look, [u32; 5])> = (0..2009_u64)
        .into_par_iter()
        .map(|number| {
            let image = film(number);
            let own = plain(&image);
            let resized = |side: u32| plain(&resize(&image, side, side, FilterType::Triangle));
            let copies = [
                look(&jpeg(&image, 90)),
                look(&jpeg(&image, 50)),
                resized(128),
                resized(400),
                look(&jpeg(&resize(&image, 100, 140, FilterType::Lanczos3), 60)),
            ];
            (own, copies.map(|copy| own.distance(&copy)))
        })
        .collect();
    for copy in 0..5 {
        let mut distances: Vec<u32> = measured.iter().map(|(_, distances)| distances[copy]).collect();
        distances.sort_unstable();
        println!("copy {copy}: median {}, 99 % {}, most {}", distances[1004], distances[1989], distances[2008]);
    }
    let mut strangers: Vec<u32> = (1..measured.len())
        .into_par_iter()
        .flat_map_iter(|i| {
            let symmetries = measured[i].0.symmetries();
            measured[..i].iter().map(move |(other, _)| symmetries.iter().map(|s| s.distance(other)).min().unwrap())
        })
        .collect();
    strangers.sort_unstable();
    let at = |share: f64| strangers[(strangers.len() as f64 * share) as usize];
    println!("strangers: nearest {}, 1e-5 {}, 1e-3 {}, median {}", strangers[0], at(1e-5), at(1e-3), at(0.5));
    assert!(strangers[0] > TOLERANCE);
}
