//! Pixels equal those that pydicom and Pillow read from the same files (`fixtures/make.py`).

use std::path::{Path, PathBuf};

use cspine_domain::Note;
use cspine_imaging::{Geometry, Intensity, Limits, Preprocessing, Radiograph, decode, resize};

use crate::writer::File;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(name: &str) -> Radiograph {
    let bytes = std::fs::read(fixture(name)).unwrap();
    decode(&bytes, None, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The largest difference to what the other reader saw, in steps of 1/65535.
fn difference(file: &str, expected: &str) -> u16 {
    let (ours, theirs) = (read(file), read(expected));
    assert_eq!((ours.width, ours.height), (theirs.width, theirs.height), "{file}");
    ours.luminance.iter().zip(&theirs.luminance).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn assert_equal(names: &[&str], tolerance: u16) {
    for name in names {
        let difference = difference(&format!("{name}.dcm"), &format!("{name}.expected.png"));
        assert!(difference <= tolerance, "{name}: {difference}");
    }
}

#[test]
fn every_lossless_transfer_syntax_gives_the_stored_values() {
    let names = [
        "explicit",
        "implicit",
        "big-endian",
        "deflated",
        "rle",
        "jpeg2000",
        "jpeg2000-signed",
        "jpeg2000-16bit",
        "jpeg-lossless",
        "jpeg-lossless-8bit",
        "signed",
        "frames",
        "frames-rle",
        "high-bit",
        "overlay-bits",
    ];
    assert_equal(&names, 1);
}

#[test]
fn frames_after_the_first_are_left_unread_and_noted() {
    for name in ["frames.dcm", "frames-rle.dcm"] {
        assert_eq!(read(name).notes, [Note::FurtherFrames].into(), "{name}");
    }
}

#[test]
fn bits_over_the_stored_ones_are_left_out_or_kept_as_other_readers_do_and_noted() {
    for name in ["overlay-bits", "over-bits-stored-jpeg2000"] {
        assert_equal(&[name], 1);
        assert!(read(&format!("{name}.dcm")).notes.contains(&Note::UnusedBits), "{name}");
    }
    assert_equal(&["jpeg2000-16bit-of-12"], 1); // it says more bits than it uses
    for name in [
        "jpeg2000-16bit-of-12.dcm",
        "explicit.dcm",
        "signed.dcm",
        "jpeg2000-signed.dcm",
        "high-bit.dcm",
        "jpeg-lossless-8bit.dcm",
    ] {
        assert!(read(name).notes.is_empty(), "{name}");
    }
}

#[test]
fn lossy_jpeg_is_within_one_grey_level() {
    assert_equal(&["jpeg-baseline"], 257);
    assert!(difference("grey8.jpg", "grey8.expected.png") <= 257);
    assert!(difference("progressive.jpg", "progressive.expected.png") <= 257);
}

#[test]
fn windows_luts_rescale_and_inversion_are_within_one_grey_level() {
    let names = [
        "window-linear",
        "window-linear_exact",
        "window-sigmoid",
        "window-narrow",
        "window-several",
        "rescale",
        "monochrome1",
        "signed-window",
        "voi-lut",
        "voi-lut-signed",
        "voi-lut-16bit-of-8bit",
        "modality-lut",
    ];
    assert_equal(&names, 257);
}

#[test]
fn colour_images_give_rec_601_luminance_and_say_so() {
    assert_equal(&["rgb", "rgb-planar", "rgb-rle", "rgb-jpeg2000"], 257);
    assert_equal(&["ybr"], 2 * 257); // the other reader rounded to 8 bits on the way
    for name in ["rgb.dcm", "rgb-planar.dcm", "rgb-rle.dcm", "rgb-jpeg2000.dcm", "ybr.dcm", "rgb.png", "rgb.jpg"] {
        assert!(read(name).colour, "{name}");
    }
    for name in ["explicit.dcm", "nearly-grey.png", "grey8.jpg", "grey16.tif"] {
        assert!(!read(name).colour, "{name}");
    }
}

#[test]
fn png_and_tiff_hold_the_same_picture() {
    assert_eq!(difference("grey16.tif", "grey16.png"), 0);
    assert_eq!(difference("grey8.tif", "grey8.png"), 0);
    assert!(difference("grey8.png", "grey16.png") <= 129); // 8 bits round
}

#[test]
fn the_header_carries_identity_and_scope() {
    let header = read("implicit.dcm").header.unwrap();
    let uid = |last: u8| format!("1.2.826.0.1.3680043.8.498.{last}").parse().unwrap();
    assert!(header.identifies(&uid(3), &uid(2), &uid(1)));
    assert!(!header.identifies(&uid(3), &uid(1), &uid(1)));
    let mut padded = File::read("explicit.dcm");
    for tag in [0x0008_0018, 0x0020_000d, 0x0020_000e] {
        let value = [padded.value(tag), b"\0\0\0"].concat();
        padded = padded.with(tag, "UI", &value);
    }
    let padded = decode(&padded.bytes(), None, &Limits::default()).unwrap().header.unwrap();
    assert!(padded.identifies(&uid(3), &uid(2), &uid(1)));
    assert_eq!(header.modality.as_deref(), Some("CR"));
    assert_eq!(header.body_part.as_deref(), Some("CSPINE"));
    assert_eq!(header.view_position.as_deref(), Some("LL"));
    assert_eq!(header.row_orientation.as_deref(), Some("A"));
    assert_eq!(read("big-endian.dcm").header, Some(header.clone()));
    assert_eq!(read("deflated.dcm").header, Some(header));
}

#[test]
fn resizing_is_pillows_bilinear_within_one_grey_level() {
    let picture = read("resize.png");
    let compare = |ours: &[f32], name: &str| {
        let theirs = read(name);
        assert_eq!(ours.len(), theirs.luminance.len());
        let worst = ours.iter().zip(&theirs.luminance).map(|(a, b)| (a - f32::from(*b)).abs()).fold(0.0, f32::max);
        assert!(worst <= 257.0, "{name}: {worst}");
    };
    for (geometry, name) in [(Geometry::Stretch, "resize-stretch.png"), (Geometry::Pad, "resize-pad.png")] {
        let card = Preprocessing { geometry, size: 64, intensity: Intensity::FullRange, ..Preprocessing::default() };
        let grey: Vec<f32> = card.grey(&picture).iter().map(|value| value * 65535.0).collect();
        compare(&grey, name);
    }
    let plane: Vec<f32> = picture.luminance.iter().copied().map(f32::from).collect();
    compare(&resize(&plane, 150, 230, 200, 301), "resize-larger.png");
}

#[test]
fn one_picture_as_png_and_as_dicom_is_nearly_the_same_input() {
    let card = Preprocessing::default();
    let png = card.apply(&read("grey16.png"));
    for name in ["explicit.dcm", "big-endian.dcm", "rle.dcm", "jpeg2000.dcm", "signed.dcm", "jpeg2000-16bit.dcm"] {
        let dicom = card.apply(&read(name));
        let worst = png.iter().zip(&dicom).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.005, "{name}: {worst}"); // 12 of 16 bits: 1/4095 of the range, by a deviation of 0.22
    }
}
