//! One picture, stored in each of the eight orientations and with pixels that are not square, is read as its plain form.

use std::io::Cursor;

use cspine_domain::{Note, Notes, Orientation};
use cspine_imaging::{Geometry, Heatmap, Limits, MediaType, Preprocessing, Radiograph, decode, oriented, overlay};
use flate2::Crc;
use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};

const WIDTH: usize = 96;
const HEIGHT: usize = 138;

/// The plain form: a picture without any symmetry, of even values that change slowly.
fn plain() -> Vec<u8> {
    let value = |x: f32, y: f32| 100.0 + 60.0 * (x / 23.0).sin() + 40.0 * (y / 31.0 + x / 60.0).cos() + y / 4.0;
    (0..WIDTH * HEIGHT).map(|i| value((i % WIDTH) as f32, (i / WIDTH) as f32) as u8).collect()
}

/// What is stored so that `orientation` makes it upright: its pixels, its width and its height.
fn stored(plain: &[u8], orientation: Orientation) -> (Vec<u8>, usize, usize) {
    let pixels = oriented(plain, WIDTH, orientation.inverse());
    if orientation.swaps_sides() { (pixels, HEIGHT, WIDTH) } else { (pixels, WIDTH, HEIGHT) }
}

fn read(file: &[u8], media_type: MediaType) -> Radiograph {
    decode(file, Some(media_type), &Limits::default()).unwrap()
}

/// The largest difference to an 8-bit picture, in its steps.
fn difference(radiograph: &Radiograph, expected: &[u8]) -> u16 {
    assert_eq!(radiograph.luminance.len(), expected.len());
    let steps = radiograph.luminance.iter().zip(expected);
    steps.map(|(found, expected)| found.abs_diff(u16::from(*expected) * 257).div_ceil(257)).max().unwrap()
}

/// An EXIF block that says a number, in either byte order; after another field.
fn exif(number: u16, big_endian: bool) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let field = |tag, value| [&short(tag)[..], &short(3), &long(1), &short(value), &[0, 0]].concat();
    let start: &[u8] = if big_endian { b"MM\0*" } else { b"II*\0" };
    [start, &long(8), &short(2), &field(0x0103, 1), &field(0x0112, number), &long(0)].concat()
}

fn png(pixels: &[u8], width: usize, height: usize, exif: Option<&[u8]>) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    PngEncoder::new(&mut file).write_image(pixels, width as u32, height as u32, ExtendedColorType::L8).unwrap();
    let mut file = file.into_inner();
    if let Some(block) = exif {
        let mut crc = Crc::new();
        crc.update(b"eXIf");
        crc.update(block);
        let chunk = [&(block.len() as u32).to_be_bytes()[..], b"eXIf", block, &crc.sum().to_be_bytes()].concat();
        file.splice(33..33, chunk); // after the header
    }
    file
}

fn jpeg(pixels: &[u8], width: usize, height: usize, exif: Option<&[u8]>) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, 98);
    encoder.write_image(pixels, width as u32, height as u32, ExtendedColorType::L8).unwrap();
    if let Some(block) = exif {
        let length = (2 + 6 + block.len()) as u16;
        let segment = [b"\xff\xe1", &length.to_be_bytes()[..], b"Exif\0\0", block].concat();
        file.splice(2..2, segment);
    }
    file
}

/// An uncompressed grey TIFF file; `orientation` is its tag 0x0112.
fn tiff(pixels: &[u8], width: usize, height: usize, orientation: Option<u16>, big_endian: bool) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut fields: Vec<(u16, u32)> = vec![
        (0x0100, width as u32),
        (0x0101, height as u32),
        (0x0102, 8),
        (0x0103, 1),
        (0x0106, 1),
        (0x0111, 8),
        (0x0115, 1),
        (0x0116, height as u32),
        (0x0117, pixels.len() as u32),
    ];
    fields.extend(orientation.map(|number| (0x0112, number.into())));
    fields.sort_unstable();
    let start: &[u8] = if big_endian { b"MM\0*" } else { b"II*\0" };
    let mut file = [start, &long(8 + pixels.len() as u32), pixels, &short(fields.len() as u16)].concat();
    for (tag, value) in fields {
        file.extend(short(tag));
        match tag {
            0x0111 | 0x0117 => file.extend([&short(4)[..], &long(1), &long(value)].concat()),
            _ => file.extend([&short(3)[..], &long(1), &short(value as u16), &[0, 0]].concat()),
        }
    }
    file.extend(long(0));
    file
}

/// An explicit little-endian DICOM file of 8-bit pixels, with text attributes.
fn dicom(pixels: &[u8], width: usize, height: usize, texts: &[(u32, &str, &str)]) -> Vec<u8> {
    let element = |tag: u32, vr: &str, value: &[u8]| {
        let mut value = value.to_vec();
        value.resize(value.len().next_multiple_of(2), if vr == "UI" { 0 } else { b' ' });
        let head = [((tag >> 16) as u16).to_le_bytes(), (tag as u16).to_le_bytes()].concat();
        let length = value.len() as u32;
        let length = if vr == "OB" {
            [&[0, 0][..], &length.to_le_bytes()].concat()
        } else {
            (length as u16).to_le_bytes().to_vec()
        };
        (tag, [head, vr.as_bytes().to_vec(), length, value].concat())
    };
    let short = |tag, value: usize| element(tag, "US", &(value as u16).to_le_bytes());
    let mut elements = vec![
        short(0x0028_0002, 1),
        element(0x0028_0004, "CS", b"MONOCHROME2"),
        short(0x0028_0010, height),
        short(0x0028_0011, width),
        short(0x0028_0100, 8),
        short(0x0028_0101, 8),
        short(0x0028_0102, 7),
        short(0x0028_0103, 0),
        element(0x7fe0_0010, "OB", pixels),
    ];
    elements.extend(texts.iter().map(|(tag, vr, text)| element(*tag, vr, text.as_bytes())));
    elements.sort();
    let meta = element(0x0002_0010, "UI", b"1.2.840.10008.1.2.1").1;
    let elements = elements.into_iter().flat_map(|(_, bytes)| bytes);
    [0; 128].into_iter().chain(*b"DICM").chain(meta).chain(elements).collect()
}

const PATIENT_ORIENTATION: u32 = 0x0020_0020;

#[test]
fn what_png_jpeg_and_tiff_say_of_their_orientation_makes_each_the_plain_form() {
    let plain = plain();
    for orientation in Orientation::ALL {
        let number = u16::from(orientation.exif());
        let (pixels, width, height) = stored(&plain, orientation);
        for big_endian in [false, true] {
            let block = exif(number, big_endian);
            for (file, media_type, tolerance) in [
                (png(&pixels, width, height, Some(&block)), MediaType::Png, 0),
                (jpeg(&pixels, width, height, Some(&block)), MediaType::Jpeg, 3),
                (tiff(&pixels, width, height, Some(number), big_endian), MediaType::Tiff, 0),
            ] {
                let radiograph = read(&file, media_type);
                assert_eq!((radiograph.width, radiograph.height), (WIDTH as u32, HEIGHT as u32), "{number}");
                assert!(difference(&radiograph, &plain) <= tolerance, "{media_type} of {number}");
                assert_eq!(radiograph.notes, orientation.said().collect::<Notes>(), "{media_type} of {number}");
                assert_eq!(radiograph.pose.orientation, orientation);
            }
        }
    }
}

#[test]
fn a_file_that_says_nothing_or_no_orientation_is_left_as_it_is() {
    let plain = plain();
    let silent = [
        (png(&plain, WIDTH, HEIGHT, None), MediaType::Png),
        (jpeg(&plain, WIDTH, HEIGHT, None), MediaType::Jpeg),
        (tiff(&plain, WIDTH, HEIGHT, None, false), MediaType::Tiff),
        // Blocks that cannot be read at all.
        (png(&plain, WIDTH, HEIGHT, Some(b"")), MediaType::Png),
        (jpeg(&plain, WIDTH, HEIGHT, Some(b"II*\0\xff\xff\xff\xff")), MediaType::Jpeg),
    ];
    for (file, media_type) in silent {
        let radiograph = read(&file, media_type);
        assert!(difference(&radiograph, &plain) <= 3 && radiograph.notes.is_empty(), "{media_type}");
    }
    for number in [0, 9, 6 << 8] {
        let odd = [
            (png(&plain, WIDTH, HEIGHT, Some(&exif(number, true))), MediaType::Png),
            (jpeg(&plain, WIDTH, HEIGHT, Some(&exif(number, false))), MediaType::Jpeg),
            (tiff(&plain, WIDTH, HEIGHT, Some(number), false), MediaType::Tiff),
        ];
        for (file, media_type) in odd {
            let radiograph = read(&file, media_type);
            assert!(difference(&radiograph, &plain) <= 3, "{media_type} of {number}");
            assert_eq!(radiograph.notes, [Note::OrientationIgnored].into(), "{media_type} of {number}");
        }
    }
}

#[test]
fn patient_orientation_turns_a_lateral_image_upright_and_leaves_it_facing_as_it_does() {
    let plain = plain();
    let facing_the_other_way = oriented(&plain, WIDTH, Orientation::MIRRORED);
    for (letters, upright, quarters) in [
        ("P\\F", &plain, 0),
        ("F\\A", &plain, 1),
        ("A\\H", &plain, 2),
        ("H\\P", &plain, 3),
        ("A\\F", &facing_the_other_way, 0),
        ("F\\P", &facing_the_other_way, 1),
        ("P\\H", &facing_the_other_way, 2),
        ("H\\A", &facing_the_other_way, 3),
        // Between the axes of the body the main direction counts; small letters are letters.
        ("FPL\\AF", &plain, 1),
        ("h\\p", &plain, 3),
        (" AR \\HA", &plain, 2),
    ] {
        let orientation = Orientation::new(quarters, false);
        let (pixels, width, height) = stored(upright, orientation);
        let radiograph =
            read(&dicom(&pixels, width, height, &[(PATIENT_ORIENTATION, "CS", letters)]), MediaType::Dicom);
        assert_eq!((radiograph.width, radiograph.height), (WIDTH as u32, HEIGHT as u32), "{letters}");
        assert_eq!(difference(&radiograph, upright), 0, "{letters}");
        assert_eq!(radiograph.notes, orientation.said().collect::<Notes>(), "{letters}");
        let row = radiograph.header.unwrap().row_orientation.unwrap();
        assert!(row == if upright == &plain { "P" } else { "A" }, "{letters}: the upright row runs to {row}");
    }
}

#[test]
fn frontal_empty_and_unknown_letters_turn_nothing() {
    let plain = plain();
    let note = |letters: Option<&str>| {
        let texts: Vec<_> = letters.iter().map(|letters| (PATIENT_ORIENTATION, "CS", *letters)).collect();
        let radiograph = read(&dicom(&plain, WIDTH, HEIGHT, &texts), MediaType::Dicom);
        assert_eq!(difference(&radiograph, &plain), 0, "{letters:?}");
        radiograph.notes
    };
    for letters in [None, Some(""), Some(" "), Some("\\"), Some("L\\F"), Some("R\\F"), Some("F\\L"), Some("A\\L")] {
        assert_eq!(note(letters), [].into(), "{letters:?}");
    }
    // One value, one axis twice, an animal's directions, no letters at all.
    for letters in
        ["A", "F", "A\\", "\\F", "A\\P", "F\\H", "LE\\V", "CR\\D", "FH\\A", "X\\F", "P\\F\\A", "FAIL\\A", "1\\0"]
    {
        assert_eq!(note(Some(letters)), [Note::OrientationIgnored].into(), "{letters}");
    }
}

#[test]
fn only_an_orientation_along_the_body_says_where_its_rows_run_to() {
    let plain = plain();
    let row = |letters: &str| {
        let file = dicom(&plain, WIDTH, HEIGHT, &[(PATIENT_ORIENTATION, "CS", letters)]);
        read(&file, MediaType::Dicom).header.unwrap().row_orientation
    };
    for letters in
        ["", "\\", "A", "P", "AP", "PA", "A\\", "PRONE", "AXIAL", "A\\P", "P\\A", "AP\\F", "A\\F\\A", "LE\\V"]
    {
        assert_eq!(row(letters), None, "{letters}");
    }
    // Rows and columns across the body.
    for letters in ["A\\L", "P\\R", "L\\P"] {
        assert_eq!(row(letters), None, "{letters}");
    }
    for (letters, expected) in [("A\\F", "A"), ("P\\FL", "P"), ("F\\A", "P"), ("L\\F", "L"), ("P\\F\0\0", "P")] {
        assert_eq!(row(letters).as_deref(), Some(expected), "{letters}");
    }
}

/// Every second row of the plain form, and every second column.
fn squeezed(plain: &[u8], down: usize, across: usize) -> (Vec<u8>, usize, usize) {
    let rows = plain.chunks_exact(WIDTH).step_by(down);
    let pixels = rows.flat_map(|row| row.iter().step_by(across).copied()).collect();
    (pixels, WIDTH / across, HEIGHT / down)
}

/// The mean difference of two inputs.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).sum::<f32>() / one.len() as f32
}

const PIXEL_SPACING: u32 = 0x0028_0030;
const IMAGER_PIXEL_SPACING: u32 = 0x0018_1164;
const NOMINAL_SCANNED_PIXEL_SPACING: u32 = 0x0018_2010;
const PIXEL_ASPECT_RATIO: u32 = 0x0028_0034;

#[test]
fn pixels_that_are_not_square_are_stretched_whichever_attribute_says_so_and_however_they_lie() {
    let plain = plain();
    let card = Preprocessing { size: 64, ..Preprocessing::default() };
    let expected = card.grey(&read(&png(&plain, WIDTH, HEIGHT, None), MediaType::Png));
    for (tag, vr) in [
        (PIXEL_SPACING, "DS"),
        (IMAGER_PIXEL_SPACING, "DS"),
        (NOMINAL_SCANNED_PIXEL_SPACING, "DS"),
        (PIXEL_ASPECT_RATIO, "IS"),
    ] {
        for (down, across, said) in [(2, 1, "2\\1"), (1, 2, "1\\2"), (3, 2, "3\\2")] {
            let said = if vr == "DS" {
                said.replace('2', "0.2").replace('1', "0,1").replace('3', "0.30")
            } else {
                said.to_owned()
            };
            for (letters, quarters) in [("P\\F", 0), ("F\\A", 1), ("A\\H", 2), ("H\\P", 3)] {
                let (pixels, width, height) = squeezed(&plain, down, across);
                let orientation = Orientation::new(quarters, false);
                let pixels = oriented(&pixels, width, orientation.inverse());
                let (width, height) = if orientation.swaps_sides() { (height, width) } else { (width, height) };
                // Turned, rows become columns, and what is said of them changes places.
                let said = if orientation.swaps_sides() {
                    said.split('\\').rev().collect::<Vec<_>>().join("\\")
                } else {
                    said.clone()
                };
                let texts = [(PATIENT_ORIENTATION, "CS", letters), (tag, vr, said.as_str())];
                let radiograph = read(&dicom(&pixels, width, height, &texts), MediaType::Dicom);
                assert!((radiograph.pose.pixel_aspect - down as f32 / across as f32).abs() < 1e-6, "{said}");
                assert!(radiograph.notes.contains(&Note::Stretched), "{said}");
                let found = apart(&card.grey(&radiograph), &expected);
                let unstretched = Radiograph { pose: Default::default(), ..radiograph.clone() };
                assert!(found < 0.015, "{tag:08x} {said} {letters}: {found}");
                assert!(apart(&card.grey(&unstretched), &expected) > 0.04, "{tag:08x} {said}");
                let heatmap = Heatmap { width: 8, height: 8, values: vec![0; 64] };
                let picture = overlay(&radiograph, &heatmap, &card).unwrap();
                let proportions = picture.width() as f32 / picture.height() as f32;
                assert!((proportions / (WIDTH as f32 / HEIGHT as f32) - 1.0).abs() < 0.02, "{said}: {proportions}");
            }
        }
    }
}

#[test]
fn a_shape_that_cannot_be_true_is_ignored_and_of_two_the_first_by_rank_counts() {
    use Note::{AspectContradicted, AspectIgnored, Stretched};
    let plain = plain();
    let (ratio, spacing, imager, scanned) =
        (PIXEL_ASPECT_RATIO, PIXEL_SPACING, IMAGER_PIXEL_SPACING, NOMINAL_SCANNED_PIXEL_SPACING);
    // what the header says, by tag; the width of a pixel in heights; what is noted
    type Case<'a> = (&'a [(u32, &'a str)], f32, &'a [Note]);
    let cases: &[Case<'_>] = &[
        (&[(spacing, "0.143\\0.143")], 1.0, &[]),
        (&[(spacing, "0.1430\\0.1437")], 1.0, &[]),
        (&[(spacing, "")], 1.0, &[]),
        (&[(ratio, "1\\1")], 1.0, &[]),
        (&[(spacing, "0.4\\0.1")], 4.0, &[Stretched]),
        (&[(spacing, "0.41\\0.1")], 1.0, &[AspectIgnored]),
        (&[(spacing, "0.1\\100")], 1.0, &[AspectIgnored]),
        (&[(spacing, "0\\0.1")], 1.0, &[AspectIgnored]),
        (&[(spacing, "-0.2\\-0.1")], 1.0, &[AspectIgnored]),
        (&[(spacing, "0.2")], 1.0, &[AspectIgnored]),
        (&[(spacing, "0.2\\0.1\\0.1")], 1.0, &[AspectIgnored]),
        (&[(spacing, "0.2\\inf")], 1.0, &[AspectIgnored]),
        (&[(spacing, "wide\\0.1")], 1.0, &[AspectIgnored]),
        (&[(spacing, "0.2\\")], 1.0, &[AspectIgnored]),
        (&[(ratio, "0\\0")], 1.0, &[AspectIgnored]),
        (&[(imager, "0.2\\0.1"), (spacing, "0.1\\0.1")], 1.0, &[AspectContradicted]),
        (&[(imager, "0.2\\0.1"), (spacing, "0.2\\0.1")], 2.0, &[Stretched]),
        (&[(imager, "0.2\\0.1"), (spacing, "0.2\\x")], 2.0, &[Stretched, AspectIgnored]),
        (&[(scanned, "0.3\\0.1"), (ratio, "2\\1")], 3.0, &[Stretched, AspectContradicted]),
        (&[(imager, "0.1\\0.2"), (scanned, "0.3\\0.1")], 0.5, &[Stretched, AspectContradicted]),
    ];
    for (said, aspect, notes) in cases {
        let texts: Vec<_> = said.iter().map(|(tag, text)| (*tag, "DS", *text)).collect();
        let radiograph = read(&dicom(&plain, WIDTH, HEIGHT, &texts), MediaType::Dicom);
        assert!((radiograph.pose.pixel_aspect - aspect).abs() < 1e-6, "{said:?}");
        assert_eq!(radiograph.notes, notes.iter().copied().collect::<Notes>(), "{said:?}");
        assert_eq!(difference(&radiograph, &plain), 0, "the pixels stay as they are: {said:?}");
    }
}

#[test]
fn a_resolution_that_differs_by_axis_stretches_no_png_jpeg_or_tiff() {
    let plain = plain();
    // 100 × 200 pixels a metre; 100 × 200 to the inch.
    let (mut png, mut jpeg) = (png(&plain, WIDTH, HEIGHT, None), jpeg(&plain, WIDTH, HEIGHT, None));
    let mut crc = Crc::new();
    let chunk = [&b"pHYs"[..], &100_u32.to_be_bytes(), &200_u32.to_be_bytes(), &[1]].concat();
    crc.update(&chunk);
    png.splice(33..33, [&9_u32.to_be_bytes()[..], &chunk, &crc.sum().to_be_bytes()].concat());
    let density = jpeg.windows(5).position(|bytes| bytes == b"JFIF\0").unwrap() + 7;
    jpeg[density..density + 5].copy_from_slice(&[1, 0, 100, 0, 200]);
    for (file, media_type) in [(png, MediaType::Png), (jpeg, MediaType::Jpeg)] {
        let radiograph = read(&file, media_type);
        assert_eq!(radiograph.pose, Default::default(), "{media_type}");
        assert!(radiograph.notes.is_empty() && difference(&radiograph, &plain) <= 3, "{media_type}");
    }
}

#[test]
fn an_overlay_is_upright_whatever_way_the_image_is_stored() {
    let plain = plain();
    let heatmap = Heatmap { width: 32, height: 32, values: (0..1024).map(|i| (i % 251) as u8).collect() };
    for geometry in [Geometry::Pad, Geometry::Stretch] {
        let card = Preprocessing { geometry, ..Preprocessing::default() };
        let upright = overlay(&read(&png(&plain, WIDTH, HEIGHT, None), MediaType::Png), &heatmap, &card).unwrap();
        for orientation in Orientation::ALL {
            let (pixels, width, height) = stored(&plain, orientation);
            let said =
                read(&png(&pixels, width, height, Some(&exif(orientation.exif().into(), false))), MediaType::Png);
            assert_eq!(overlay(&said, &heatmap, &card).unwrap(), upright, "said: {orientation:?}");
            // What a finding keeps is enough where the file says nothing, or something else.
            let pose = said.pose;
            let silent = read(&png(&pixels, width, height, None), MediaType::Png).posed(pose);
            assert_eq!(overlay(&silent, &heatmap, &card).unwrap(), upright, "kept: {orientation:?}");
            let wrong = read(&png(&pixels, width, height, Some(&exif(7, false))), MediaType::Png).posed(pose);
            assert_eq!(overlay(&wrong, &heatmap, &card).unwrap(), upright, "said otherwise: {orientation:?}");
        }
    }
}
