//! Whatever a file contains, the answer is a radiograph or a typed error: no panic, no abort, no reservation on trust.

use std::path::Path;

use cspine_domain::{Note, Notes, Reason};
use cspine_imaging::{DecodeError, Limit, Limits, MediaType, decode, sniff};

/// Bounds under which an allocation that a damaged header asks for would be refused early.
const LIMITS: Limits =
    Limits { max_bytes: 1 << 20, max_width: 4096, max_height: 4096, max_pixels: 1 << 22, max_memory: 64 << 20 };

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.ends_with(".py") && !name.contains(".expected.") && !name.starts_with("resize")
    });
    files.sort();
    assert!(files.len() > 40, "the fixtures are there");
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

/// xorshift64*: the same bytes on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// Decodes, and holds the answer to its contract.
pub fn check(bytes: &[u8], media_type: Option<MediaType>, what: &str) -> Result<(), DecodeError> {
    let answer = decode(bytes, media_type, &LIMITS);
    match answer {
        Ok(radiograph) => {
            assert!(radiograph.width > 0 && radiograph.height > 0, "{what}");
            let pixels = radiograph.width as usize * radiograph.height as usize;
            assert_eq!(radiograph.luminance.len(), pixels, "{what}");
            Ok(())
        }
        Err(error) => {
            let reason = error.reason();
            let known = [Reason::Undecodable, Reason::OverLimit, Reason::UnsupportedTransferSyntax];
            assert!(known.contains(&reason), "{what}");
            Err(error)
        }
    }
}

#[test]
fn a_file_cut_short_is_an_error_wherever_it_is_cut() {
    for (name, bytes) in fixtures() {
        let media_type = sniff(&bytes);
        let step = (bytes.len() / 150).max(1);
        for length in (0..bytes.len()).step_by(step) {
            let answer = check(&bytes[..length], media_type, &name);
            // The last bytes of a file may be padding; what they followed is whole.
            let padding = bytes.len() - length <= 16;
            assert!(answer.is_err() || padding || is_whole(&name, length, bytes.len()), "{name} cut to {length}");
        }
    }
}

/// Whether a file of several frames still holds the first.
fn is_whole(name: &str, length: usize, full: usize) -> bool {
    name.starts_with("frames") && length > full / 3
}

#[test]
fn flipped_bytes_never_escape_as_a_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, bytes) in fixtures() {
        let media_type = sniff(&bytes);
        for round in 0..120 {
            let mut damaged = bytes.clone();
            // Headers are where it hurts: half of the damage goes there.
            let reach = if round % 2 == 0 { damaged.len() } else { damaged.len().min(900) };
            for _ in 0..=random.below(4) {
                let at = random.below(reach);
                damaged[at] = [0, 0xff, 0x7f, random.below(256) as u8][random.below(4)];
            }
            let _ = check(&damaged, media_type, &name);
        }
    }
}

#[test]
fn a_mistaken_media_type_is_noted_and_an_unknown_format_is_undecodable() {
    assert_eq!(check(b"", None, ""), Err(DecodeError::UnknownFormat));
    assert_eq!(check(b"GIF89a", None, ""), Err(DecodeError::UnknownFormat));
    let (_, png) = fixtures().into_iter().find(|(name, _)| name == "grey8.png").unwrap();
    assert_eq!(check(b"GIF89a", Some(MediaType::Dicom), ""), Err(DecodeError::OtherFormat(MediaType::Dicom)));
    for (said, notes) in [(MediaType::Dicom, Notes::from([Note::EventMediaType])), (MediaType::Png, Notes::new())] {
        assert_eq!(decode(&png, Some(said), &Limits::default()).unwrap().notes, notes);
    }
    assert_eq!(DecodeError::UnknownFormat.reason(), Reason::Undecodable);
}

#[test]
fn limits_are_read_from_headers() {
    let (_, png) = fixtures().into_iter().find(|(name, _)| name == "grey16.png").unwrap();
    let over = |limits: Limits| decode(&png, None, &limits).unwrap_err();
    assert_eq!(over(Limits { max_bytes: 100, ..LIMITS }), DecodeError::OverLimit(Limit::Bytes));
    assert_eq!(over(Limits { max_width: 59, ..LIMITS }).reason(), Reason::OverLimit);
    assert_eq!(over(Limits { max_height: 71, ..LIMITS }).reason(), Reason::OverLimit);
    assert_eq!(over(Limits { max_pixels: 4319, ..LIMITS }), DecodeError::OverLimit(Limit::Pixels));
    assert_eq!(over(Limits { max_memory: 9000, ..LIMITS }), DecodeError::OverLimit(Limit::Memory));
}

#[test]
fn a_png_header_of_65535_squared_is_over_the_limit() {
    let (_, mut png) = fixtures().into_iter().find(|(name, _)| name == "grey16.png").unwrap();
    png[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(decode(&png, None, &Limits::default()).unwrap_err().reason(), Reason::OverLimit);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn a_jpeg_that_claims_65535_squared_is_over_the_limit() {
    let (_, mut jpeg) = fixtures().into_iter().find(|(name, _)| name == "grey8.jpg").unwrap();
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    assert_eq!(check(&jpeg, None, "jpeg").unwrap_err().reason(), Reason::OverLimit);
}

#[test]
fn a_tiff_whose_directories_loop_or_point_nowhere_ends() {
    // Width, height and a strip that is the file itself; the next directory is this one.
    let entry = |tag: u16, value: u32| {
        let kind = if value > 0xffff { 4 } else { 3 }; // LONG or SHORT
        [&tag.to_le_bytes()[..], &[kind, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat()
    };
    let tiff = |entries: &[(u16, u32)], next: u32| {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((entries.len() as u16).to_le_bytes());
        bytes.extend(entries.iter().flat_map(|&(tag, value)| entry(tag, value)));
        bytes.extend(next.to_le_bytes());
        bytes
    };
    let sound = [(256, 4), (257, 4), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 4), (279, 16)];
    assert_eq!(check(&tiff(&sound, 0), None, "sound"), Ok(()));
    assert_eq!(check(&tiff(&sound, 8), None, "loop").unwrap_err().reason(), Reason::Undecodable);
    let mut huge = sound;
    huge[0].1 = 60_000;
    huge[1].1 = 60_000;
    huge[7].1 = 60_000; // one strip
    assert_eq!(check(&tiff(&huge, 0), None, "huge").unwrap_err().reason(), Reason::OverLimit);
    let mut outside = sound;
    outside[5].1 = 0xffff_fff0;
    assert!(check(&tiff(&outside, 0), None, "outside").is_err());
    assert!(check(b"II*\0\xf0\xff\xff\xff", None, "nowhere").is_err());
}
