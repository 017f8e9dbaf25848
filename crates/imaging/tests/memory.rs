//! Hostile forms of small compressed files, byte after byte changed: no panic, and no more memory than allowed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use cspine_imaging::{Limits, decode};
use writer::File;

#[path = "files/writer.rs"]
#[allow(dead_code, reason = "only its files are needed here")]
mod writer;

thread_local! {
    /// Bytes that this thread holds, and the most it has held.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(change: isize) {
    // A thread that is ending counts no more.
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + change;
        held.set((now, held.get().1.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMITS: Limits =
    Limits { max_bytes: 1 << 20, max_width: 1024, max_height: 1024, max_pixels: 1 << 16, max_memory: 4 << 20 };
/// What a decoder may hold beside the pixels: tables, and buffers of a fixed size.
const SCRATCH: isize = 2 << 20;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// Bytes at the start of a file of which each is changed; of the rest it is every so many.
const HEADERS: usize = 420;

/// The most bytes that decoding held, and whether a decoder panicked.
fn hold(file: &[u8]) -> (isize, bool) {
    HELD.set((0, 0));
    let panicked = decode(file, None, &LIMITS).is_err_and(|error| error.to_string().ends_with("its decoder failed"));
    (HELD.get().1, panicked)
}

#[test]
fn changed_and_missing_bytes_neither_panic_nor_take_memory() {
    let files = [
        "ljpeg-restart.dcm",
        "jpeg-12bit.dcm",
        "jpegls-near.dcm",
        "jpegls-samples.dcm",
        "htj2k-signed.dcm",
        "jpg-lossless.jpg",
        "grey8.jpg",
        "rgb.jpg",
        "progressive-420.jpg",
        "progressive-scans.jpg",
        "tiff-big-endian-tiles.tif",
        "tiff-big-zstd.tif",
        "tiff-packbits.tif",
        "tiff-jpeg.tif",
        "tiff-palette.tif",
        "tiff-thumbnail.tif",
    ];
    for name in files {
        let sound = fixture(name);
        let step = (sound.len() / 120).max(1);
        for at in (0..sound.len()).filter(|&at| at < HEADERS || at % step == 0) {
            for value in [0, 0xff, sound[at] ^ 0x80, sound[at].wrapping_add(1)] {
                let mut file = sound.clone();
                file[at] = value;
                let (held, panicked) = hold(&file);
                assert!(!panicked, "{name}: byte {at} as {value}");
                assert!(held <= LIMITS.max_memory as isize + SCRATCH, "{name}: byte {at} as {value} held {held}");
            }
        }
        for length in (0..sound.len()).step_by(step) {
            let (held, panicked) = hold(&sound[..length]);
            assert!(!panicked && held <= LIMITS.max_memory as isize + SCRATCH, "{name} cut to {length}: {held}");
        }
    }
}

/// Bytes of an attribute of very many values.
const LONG: usize = 900_000;
/// What its decoding may hold more than that of the file without it.
const MORE_MAX: isize = 64 << 10;

#[test]
fn an_attribute_of_very_many_values_takes_no_memory_for_them() {
    let plain = File::read("explicit.dcm");
    let sound = hold(&plain.bytes()).0;
    for tag in [
        0x0008_0008,
        0x0008_0016,
        0x0008_0018,
        0x0008_0060,
        0x0018_0015,
        0x0018_1164,
        0x0018_2010,
        0x0018_5101,
        0x0020_000d,
        0x0020_0020,
        0x0028_0004,
        0x0028_0008,
        0x0028_0030,
        0x0028_0034,
        0x0028_1050,
        0x0028_1053,
        0x0028_1056,
        0x2050_0020,
    ] {
        for value in ["\\", "1\\", "A\\", "1,5,\\", " "] {
            let file = plain.clone().with(tag, "UN", &value.repeat(LONG / value.len()).into_bytes());
            let (held, panicked) = hold(&file.bytes());
            assert!(!panicked && held <= sound + MORE_MAX, "{tag:08x} of {value:?} held {held}, not {sound}");
        }
    }
}

#[test]
fn a_table_of_very_many_entries_takes_the_memory_of_the_most_that_it_can_say() {
    let plain = File::read("voi-lut.dcm");
    let sound = hold(&plain.bytes()).0;
    let descriptor: Vec<u8> = [3000_u16, 500, 12].into_iter().flat_map(u16::to_le_bytes).collect();
    let data = writer::element(0x0028_3006, "OW", &vec![1; LONG]);
    let table = [writer::element(0x0028_3002, "US", &descriptor), data].concat();
    let (held, panicked) = hold(&plain.with(0x0028_3010, "SQ", &writer::item(&table)).bytes());
    assert!(!panicked && held <= sound + 2 * (1 << 16) + MORE_MAX, "held {held}, not {sound}");
}

/// A grey TIFF page of 16 by 16 pixels in one tile, LZW coded from its lowest bits on, with one more field at the end.
fn small_page(tag: u16, numbers: u32) -> Vec<u8> {
    let rest = (LIMITS.max_bytes as u32 - 1024) / 4;
    let fields = [
        (256, 1, 16),
        (257, 1, 16),
        (258, 1, 8),
        (259, 1, 5),
        (262, 1, if tag == 320 { 3 } else { 1 }),
        (266, 1, 2),
        (322, 1, 16),
        (323, 1, 16),
        (324, 1, 512),
        (325, 1, 4 * rest),
    ];
    let mut fields: Vec<(u16, u32, u32)> = fields.into_iter().filter(|field| field.0 != tag).collect();
    fields.push((tag, numbers.min(rest), 512));
    let mut file = [&b"II*\0\x08\0\0\0"[..], &(fields.len() as u16).to_le_bytes()].concat();
    for (tag, count, value) in fields {
        file.extend([&tag.to_le_bytes()[..], &[4, 0], &count.to_le_bytes(), &value.to_le_bytes()].concat());
    }
    file.resize(LIMITS.max_bytes as usize - 512, 0);
    file
}

#[test]
fn a_small_tiff_page_takes_little_memory_however_long_its_fields_and_tiles_are() {
    const OFFSETS: u16 = 324;
    const PALETTE: u16 = 320;
    const NOTHING: u16 = 60_000;
    for tag in [OFFSETS, PALETTE, NOTHING] {
        let (held, panicked) = hold(&small_page(tag, u32::MAX));
        assert!(!panicked && held < 200 << 10, "{tag}: {held}");
    }
}

#[test]
fn a_progressive_image_takes_no_more_memory_than_its_size_allows() {
    for name in ["progressive-420.jpg", "progressive-scans.jpg"] {
        let mut stream = fixture(name);
        let frame = stream.windows(2).position(|pair| pair == [0xff, 0xc2]).unwrap();
        stream[frame + 5..frame + 9].copy_from_slice(&[0, 255, 0, 255]);
        let (held, panicked) = hold(&stream);
        assert!(!panicked && held <= 8 * 3 * 256 * 256 + (64 << 10), "{name}: {held}");
    }
}
