//! Radiographs that are stored turned and mirrored, whether their files say so or not.

use std::process::Command;

use cspine_domain::{Class, Note, Orientation, Verdict};
use cspine_imaging::oriented;
use cspine_phantom::{Case, Preset};
use cspine_store::ImageFinding;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde_json::Value;

use crate::site::{PROGRAM, Site};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");
const SIDE: u32 = 448;

/// A film as the starter knows it.
fn film() -> Vec<u16> {
    Case::sample(11, Class::Fracture).render(SIDE, Preset::Reference).pixels
}

/// A film as a PNG file, its rows and columns in another order; the file may say what is to be done to it.
fn png(pixels: &[u16], done: Orientation, said: Option<Orientation>) -> Vec<u8> {
    let bytes: Vec<u8> = oriented(pixels, SIDE as usize, done).into_iter().flat_map(u16::to_ne_bytes).collect();
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    if let Some(said) = said {
        let field = [0x12, 0x01, 3, 0, 1, 0, 0, 0, said.exif(), 0, 0, 0];
        let block = [&b"II*\0\x08\0\0\0\x01\0"[..], &field, &[0; 4]].concat();
        encoder.set_exif_metadata(block).unwrap();
    }
    encoder.write_image(&bytes, SIDE, SIDE, ExtendedColorType::L16).unwrap();
    file
}

/// A file and what is to be said of it: the notes, the pose's orientation, and whether it stays mirrored.
struct Form {
    file: Vec<u8>,
    notes: Vec<Note>,
    orientation: Orientation,
    mirrored: bool,
}

/// The film in every orientation: of silent files, of files that say it, and of files that say something else.
fn forms() -> Vec<Form> {
    let film = film();
    let mut forms = Vec::new();
    for done in Orientation::ALL {
        let back = done.inverse();
        let notes = back.found().collect();
        let (file, mirrored) = (png(&film, done, None), back.is_mirrored());
        forms.push(Form { file, notes, orientation: back.turn(), mirrored });
        let (file, notes) = (png(&film, done, Some(back)), back.said().collect());
        forms.push(Form { file, notes, orientation: back, mirrored: false });
    }
    // Its device always says so, and the film lies upright.
    let wrong = Orientation::new(1, false);
    let notes = wrong.said().chain(wrong.inverse().found()).collect();
    let file = png(&film, Orientation::AS_IT_IS, Some(wrong));
    forms.push(Form { file, notes, orientation: Orientation::AS_IT_IS, mirrored: false });
    forms
}

fn assert_alike(found: &ImageFinding, upright: &ImageFinding, what: &str) {
    assert_eq!((found.verdict, found.flagged), (upright.verdict, upright.flagged), "{what}");
    let [found, upright] = [found, upright].map(|finding| finding.probabilities.unwrap());
    let apart = found.iter().zip(upright).map(|(p, q)| (p - q).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-3, "{what}: {found:?} and {upright:?}");
}

#[tokio::test]
async fn a_film_in_any_of_eight_orientations_gets_the_upright_ones_answer_and_overlay() {
    let site = Site::new().await;
    let worker = site.start(&["--model", STARTER]);
    let mut upright: Option<(ImageFinding, image::RgbImage)> = None;
    for Form { file, notes, orientation, mirrored } in forms() {
        let event = site.image(&file);
        site.publish(&event).await;
        let finding = site.finding(&event).await;
        let what = format!("{notes:?}");
        assert_eq!(finding.notes, notes.iter().map(|note| note.as_str()).collect::<Vec<_>>());
        assert_ne!(finding.verdict, Verdict::NotAssessable, "{what}");
        assert_eq!(finding.saliency.as_ref().unwrap().pose.orientation, orientation, "{what}");
        let overlay = overlay(&site, event.data.study_instance_uid.as_str(), &notes, orientation);
        let (first, shown) = upright.get_or_insert_with(|| (finding.clone(), overlay.clone()));
        assert_alike(&finding, first, &what);
        // Upright; one that its file does not call mirrored faces as it is stored.
        let shown = if mirrored { image::imageops::flip_horizontal(shown) } else { shown.clone() };
        let apart = overlay.iter().zip(shown.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= 3, "{what}: {apart} grey levels");
    }
    site.assert_all_told(worker).await;
}

/// What `cspine-worker overlay` draws of a study with one image, and says of it.
fn overlay(site: &Site, study: &str, notes: &[Note], orientation: Orientation) -> image::RgbImage {
    let out = site.folder.join(study);
    let mut command = Command::new(PROGRAM);
    command.args(["overlay", study, "--model", STARTER, "--database-url", &site.database.url, "--out"]).arg(&out);
    let done = command.arg("--store-url").arg(format!("file://{}", site.objects().display())).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let line: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(line["notes"], serde_json::json!(notes));
    assert_eq!(line["orientation"], orientation.exif());
    image::open(line["file"].as_str().unwrap()).unwrap().into_rgb8()
}

#[test]
fn classify_draws_the_overlay_upright_and_says_what_was_done() {
    let folder = std::env::temp_dir().join(format!("cspine-orientation-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (film, quarter) = (film(), Orientation::new(1, false));
    let files = [
        ("upright", Orientation::AS_IT_IS, None),
        ("silent", quarter, None),
        ("said", quarter, Some(quarter.inverse())),
    ]
    .map(|(name, done, said)| {
        let file = folder.join(format!("{name}.png"));
        std::fs::write(&file, png(&film, done, said)).unwrap();
        file
    });
    let mut command = Command::new(PROGRAM);
    command.args(["classify", "--json", "--model", STARTER, "--saliency-dir"]).arg(folder.join("maps"));
    let done = command.args(&files).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let lines: Vec<Value> =
        done.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let said = lines.iter().map(|line| (line["orientation"].clone(), line["notes"].clone())).collect::<Vec<_>>();
    let expected = [(1, vec![]), (8, vec!["found_turned_270"]), (8, vec!["turned_270"])];
    assert_eq!(said, expected.map(|(number, notes)| (number.into(), serde_json::json!(notes))));
    let drawn =
        lines.iter().map(|line| image::open(line["saliency"]["overlay"].as_str().unwrap()).unwrap().into_rgb8());
    let drawn: Vec<_> = drawn.collect();
    for picture in &drawn[1..] {
        let apart = picture.iter().zip(drawn[0].iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= 3, "{apart} grey levels");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
