//! What compressed DICOM and the odder raster files show equals what other readers see (`fixtures/make_codecs.py`).

use std::path::Path;

use cspine_domain::{Note, Reason};
use cspine_imaging::{DecodeError, Limits, Radiograph, decode};

use crate::writer::File;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn read(name: &str) -> Radiograph {
    decode(&bytes(name), None, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The largest difference to what the other reader saw, in steps of 1/65535.
fn difference(name: &str) -> u16 {
    let (stem, _) = name.split_once('.').unwrap();
    let (ours, theirs) = (read(name), read(&format!("{stem}.expected.png")));
    assert_eq!((ours.width, ours.height), (theirs.width, theirs.height), "{name}");
    ours.luminance.iter().zip(&theirs.luminance).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// The largest difference that a file may have, and what is noted of it.
#[test]
fn every_codec_gives_what_other_readers_see() {
    let table: [(&str, u16, &[Note]); 45] = [
        ("ljpeg-predictor6.dcm", 1, &[]),
        ("ljpeg-point-transform.dcm", 1, &[]),
        ("ljpeg-restart.dcm", 1, &[]),
        ("ljpeg-rgb.dcm", 257, &[]),
        ("jpeg-12bit.dcm", 1, &[]),
        ("jpeg-no-end.dcm", 0, &[Note::MissingEndMarker]),
        ("jpeg-rgb.dcm", 257, &[]),
        ("jpeg-rgb-names.dcm", 257, &[Note::StreamColour]),
        ("jpeg-rgb-jfif.dcm", 257, &[Note::StreamColour]),
        ("jpeg-ybr.dcm", 257, &[]),
        ("jpegls.dcm", 1, &[]),
        ("jpegls-8bit.dcm", 1, &[]),
        ("jpegls-16bit.dcm", 1, &[]),
        ("jpegls-near.dcm", 1, &[]),
        ("jpegls-signed.dcm", 1, &[Note::StreamDepth]),
        ("jpegls-planes.dcm", 257, &[]),
        ("jpegls-lines.dcm", 257, &[]),
        ("jpegls-samples.dcm", 257, &[]),
        ("jpeg2000-said-signed.dcm", 1, &[Note::StreamDepth]),
        ("jpeg2000-said-unsigned.dcm", 1, &[Note::StreamDepth]),
        ("jpeg2000-no-end.dcm", 1, &[Note::MissingEndMarker]),
        ("htj2k.dcm", 1, &[]),
        ("htj2k-signed.dcm", 1, &[]),
        ("htj2k-rgb.dcm", 257, &[]),
        ("jpg-lossless.jpg", 0, &[]),
        ("jpg-12bit.jpg", 1, &[]),
        ("jpg-ls.jpg", 1, &[]),
        ("png-margin.png", 0, &[Note::TransparentPixels]),
        ("tiff-big-zstd.tif", 0, &[]),
        ("tiff-big-endian-tiles.tif", 0, &[]),
        ("tiff-packbits.tif", 0, &[]),
        ("tiff-signed.tif", 0, &[]),
        ("tiff-white-is-zero.tif", 0, &[]),
        ("tiff-margin.tif", 0, &[Note::TransparentPixels]),
        ("tiff-palette.tif", 0, &[]),
        ("tiff-planar.tif", 0, &[]),
        ("tiff-jpeg.tif", 0, &[]),
        ("tiff-thumbnail.tif", 0, &[Note::LargestPage]),
        ("tiff-inner.tif", 0, &[Note::LargestPage]),
        ("tiff-packed.tif", 1, &[]),
        // Plain forms, of which nothing is noted.
        ("jpeg-baseline.dcm", 257, &[]),
        ("jpeg-lossless.dcm", 1, &[]),
        ("jpeg2000.dcm", 1, &[]),
        ("grey8.jpg", 257, &[]),
        ("progressive.jpg", 257, &[]),
    ];
    for (name, tolerance, notes) in table {
        let difference = difference(name);
        assert!(difference <= tolerance, "{name}: {difference}");
        assert!(read(name).notes.iter().eq(notes), "{name}: {:?}", read(name).notes);
    }
}

#[test]
fn colour_is_converted_as_the_header_says_unless_the_stream_knows_better() {
    // Coded as three alike channels: whoever converts them sees colour.
    for name in ["jpeg-rgb.dcm", "jpeg-rgb-names.dcm", "jpeg-ybr.dcm", "jpeg-rgb-jfif.dcm"] {
        assert!(!read(name).colour, "{name}");
    }
    for name in ["ljpeg-rgb.dcm", "jpegls-planes.dcm", "jpegls-lines.dcm", "jpegls-samples.dcm", "htj2k-rgb.dcm"] {
        assert!(read(name).colour, "{name}");
    }
}

#[test]
fn transparent_margins_are_padding() {
    for name in ["png-margin.png", "tiff-margin.tif"] {
        let radiograph = read(name);
        assert_eq!(radiograph.padding, 11 * 72, "{name}");
        assert!(radiograph.luminance.chunks(60).all(|row| row[..11] == [0; 11]), "{name}");
    }
    assert_eq!(read("tiff-big-zstd.tif").padding, 0);
}

#[test]
fn sound_files_that_we_do_not_decode_are_unsupported_and_not_damaged() {
    let changed = |name: &str, from: &[u8], to: &[u8]| {
        let mut file = bytes(name);
        let at = file.windows(from.len()).rposition(|window| window == from).unwrap();
        file[at..at + to.len()].copy_from_slice(to);
        file
    };
    let forms = [
        ("lossy HTJ2K", bytes("htj2k-lossy.dcm")),
        ("arithmetic JPEG", changed("grey8.jpg", &[0xff, 0xc0], &[0xff, 0xc9])),
        ("hierarchical JPEG", changed("grey8.jpg", &[0xff, 0xc0], &[0xff, 0xc5])),
        ("arithmetic JPEG in DICOM", changed("jpeg-baseline.dcm", &[0xff, 0xc0], &[0xff, 0xc9])),
        ("progressive JPEG of 12 bits", changed("jpg-12bit.jpg", &[0xff, 0xc1], &[0xff, 0xc2])),
        // Compression, tag 259, SHORT, 1: none. JPEG 2000, fax and floating point are not read.
        (
            "JPEG 2000 in TIFF",
            changed("tiff-white-is-zero.tif", &[3, 1, 3, 0, 1, 0, 0, 0, 1, 0], &[3, 1, 3, 0, 1, 0, 0, 0, 0x58, 0x88]),
        ),
        (
            "fax in TIFF",
            changed("tiff-white-is-zero.tif", &[3, 1, 3, 0, 1, 0, 0, 0, 1, 0], &[3, 1, 3, 0, 1, 0, 0, 0, 4, 0]),
        ),
        (
            "floating point",
            changed("tiff-signed.tif", &[0x53, 1, 3, 0, 1, 0, 0, 0, 2, 0], &[0x53, 1, 3, 0, 1, 0, 0, 0, 3, 0]),
        ),
    ];
    for (what, file) in forms {
        let error = decode(&file, None, &Limits::default()).unwrap_err();
        assert_eq!(error.reason(), Reason::UnsupportedTransferSyntax, "{what}: {error}");
    }
}

#[test]
fn a_stream_without_its_end_that_lacks_a_pixel_is_damaged() {
    for name in ["jpeg-no-end.dcm", "jpeg2000-no-end.dcm"] {
        // Cut within the fragment, whose length is set right again: what is cut off is pixels alone.
        let file = bytes(name);
        let item = file.windows(4).rposition(|tag| tag == [0xfe, 0xff, 0x00, 0xe0]).unwrap();
        let length = u32::from_le_bytes(file[item + 4..item + 8].try_into().unwrap()) - 40;
        let fragment = &file[item + 8..][..length as usize];
        let cut = [&file[..item + 4], &length.to_le_bytes(), fragment, &file[file.len() - 8..]].concat();
        let error = decode(&cut, None, &Limits::default()).unwrap_err();
        let named = matches!(error, DecodeError::Malformed(_, what) if what.ends_with("ends within its pixels"));
        assert!(named, "{name}: {error}");
    }
}

#[test]
fn three_equal_channels_of_a_jpeg_ls_file_are_red_green_and_blue() {
    let ours = decode(&File::read("jpegls-samples.dcm").fragments()[0], None, &Limits::default()).unwrap();
    let dicom = read("jpegls-samples.dcm");
    assert!(ours.colour && ours.luminance == dicom.luminance);
}

#[test]
fn lossless_samples_of_fewer_bits_than_are_stored_keep_their_sign() {
    let window = |file: File| file.with(0x0028_1050, "DS", b"0 ").with(0x0028_1051, "DS", b"4096");
    let plain = window(File::read("jpeg-lossless.dcm").with(0x0028_0103, "US", &[1, 0]));
    let wider = plain.clone().with(0x0028_0101, "US", &[16, 0]).with(0x0028_0102, "US", &[15, 0]);
    let read = |file: File| decode(&file.bytes(), None, &Limits::default()).unwrap();
    let (plain, wider) = (read(plain), read(wider));
    assert!(plain.luminance == wider.luminance);
    assert!(plain.notes.is_empty() && wider.notes.iter().eq(&[Note::StreamDepth]));
}

#[test]
fn lossless_components_that_are_sampled_in_blocks_are_unsupported() {
    let mut stream = File::read("ljpeg-rgb.dcm").fragments()[0].clone();
    let frame = stream.windows(2).position(|pair| pair == [0xff, 0xc3]).unwrap();
    assert!(decode(&stream, None, &Limits::default()).is_ok());
    for component in 0..3 {
        stream[frame + 11 + 3 * component] = 0x22;
    }
    let error = decode(&stream, None, &Limits::default()).unwrap_err();
    assert_eq!(error.reason(), Reason::UnsupportedTransferSyntax);
}
