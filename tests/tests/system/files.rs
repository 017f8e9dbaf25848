//! Radiographs to send, sound and unsound.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cspine_domain::{Reason, Sha256};
use cspine_tests::tools::{binary, cached, output_of};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

/// 48 phantoms of all classes as PNG, small so that a test is short.
pub fn pngs() -> &'static [Vec<u8>] {
    static PNGS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    PNGS.get_or_init(|| phantoms("png", 256, 16).iter().map(|path| read(path)).collect())
}

/// Phantoms of all classes as the trainer writes them, `each` of a class.
pub fn phantoms(format: &str, size: u32, each: u32) -> Vec<PathBuf> {
    let out = cached("system-tests").join(format!("phantoms-{format}-{size}-{each}"));
    let _ = std::fs::remove_dir_all(&out);
    output_of(
        Command::new(binary("cspine-trainer"))
            .args(["phantoms", "--seed", "4242", "--preset", "reference", "--format", format])
            .args(["--counts", &format!("dislocation={each},fracture={each},normal={each}")])
            .args(["--size", &size.to_string(), "--out"])
            .arg(&out),
    );
    let folders = ["dislocation", "fracture", "normal"].map(|class| out.join(class));
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| list(folder)).collect();
    files.sort();
    assert_eq!(files.len(), 3 * each as usize, "in {}", out.display());
    files
}

fn list(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A sound file that no network has any business with, and the reason it gets.
pub fn not_assessable() -> Vec<(Reason, Vec<u8>)> {
    let stripes = |x: u32, y: u32| Luma([((x * 7 + y * 3) % 256) as u8]);
    let colours = RgbImage::from_fn(96, 96, |x, y| Rgb([x as u8 * 2, 255 - y as u8 * 2, 30]));
    vec![
        (Reason::Colour, png(colours.into())),
        (Reason::Constant, png(GrayImage::from_pixel(96, 96, Luma([77])).into())),
        (Reason::TooSmall, png(GrayImage::from_fn(63, 96, stripes).into())),
    ]
}

/// A file that cannot be read, and the reason its message is parked with.
pub fn unreadable() -> Vec<(Reason, Vec<u8>)> {
    let sound = &pngs()[0];
    let mut huge = sound.clone();
    // IHDR's width and height: the header alone must be enough to refuse it
    huge[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let checksum = crc32(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&checksum);
    vec![
        (Reason::Undecodable, b"a text that calls itself an image".to_vec()),
        (Reason::Undecodable, sound[..sound.len() / 2].to_vec()),
        (Reason::OverLimit, huge),
    ]
}

fn png(image: DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).expect("encoded");
    bytes.into_inner()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// An object in the store of a test, and what an event says of it.
#[derive(Debug, Clone)]
pub struct Object {
    pub key: String,
    pub sha256: Sha256,
    pub size_bytes: usize,
}

/// Puts bytes where a bridge would.
pub fn store(objects: &Path, key: &str, bytes: &[u8]) -> Object {
    let path = objects.join(key);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the key's folder");
    std::fs::write(path, bytes).expect("the object");
    Object { key: key.to_owned(), sha256: Sha256::of(bytes), size_bytes: bytes.len() }
}
