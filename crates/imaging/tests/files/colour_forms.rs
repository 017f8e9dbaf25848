//! Colour whose words, samples or palette are written in odd ways.

use cspine_domain::{Note, Reason};
use cspine_imaging::{Limits, decode};

use crate::form::{Form, read_as, refused};
use crate::writer::*;

const SAMPLES: u32 = 0x0028_0002;
const PHOTOMETRIC: u32 = 0x0028_0004;
const ROWS: u32 = 0x0028_0010;
const COLUMNS: u32 = 0x0028_0011;
const PLAIN: &str = "rgb.dcm";
const SIDE: u16 = 64;

/// All forms.
pub fn forms() -> Vec<Form> {
    [bits(), samples()].into_iter().flatten().collect()
}

/// A file of three samples of 16 bits, of which the highest are stored: values over the whole of 12 bits, changed.
fn words(stored: u16, high: u16, change: impl Fn(usize, u16) -> u16) -> File {
    let side = SIDE.to_le_bytes();
    let word = |i: usize| change(i, (i * 37 % 4096) as u16);
    let pixels: Vec<u8> = (0..3 * usize::from(SIDE * SIDE)).flat_map(|i| word(i).to_le_bytes()).collect();
    File::read(PLAIN)
        .with(ROWS, "US", &side)
        .with(COLUMNS, "US", &side)
        .with(0x0028_0100, "US", &[16, 0])
        .with(0x0028_0101, "US", &stored.to_le_bytes())
        .with(0x0028_0102, "US", &high.to_le_bytes())
        .with(PIXEL_DATA, "OW", &pixels)
}

/// Bits over the stored ones and under them, by the same rules as for grey.
fn bits() -> Vec<Form> {
    use Note::*;
    let plain = words(12, 11, |_, word| word);
    let mut forms = Vec::new();
    for colour in [&b"RGB "[..], b"YBR_FULL"] {
        let name = String::from_utf8_lossy(colour).trim().to_ascii_lowercase();
        let said = |file: File| file.with(PHOTOMETRIC, "CS", colour);
        let plain = said(plain.clone()).bytes();
        let read = |what: &str, file: File, notes: &[Note]| {
            read_as(plain.clone(), &format!("{name}-{what}"), said(file).bytes(), notes)
        };
        forms.push(read("high-bit-15", words(12, 15, |_, word| word << 4), &[]));
        forms.push(read("high-bit-15-in-the-low-bits", words(12, 15, |_, word| word), &[HighBit]));
        forms.push(read("high-bit-3", words(12, 3, |_, word| word), &[HighBit]));
        forms.push(read("all-bits-set", words(12, 11, |_, word| word | 0xf000), &[UnusedBits]));
        forms.push(read("overlay", words(12, 11, |i, word| word | u16::from(i % 7 == 0) << 14), &[UnusedBits]));
        let more = said(words(11, 10, |_, word| word)).bytes();
        forms.push(refused(PLAIN, &format!("{name}-12-bits-said-11"), more, Reason::Undecodable));
        let more = said(words(12, 11, |_, word| word * 16)).bytes();
        forms.push(refused(PLAIN, &format!("{name}-16-bits-said-12"), more, Reason::Undecodable));
    }
    forms
}

/// Pixels in colour of which one sample is said, or none: they are no grey ones, nor surely colour.
fn samples() -> Vec<Form> {
    let mut forms = Vec::new();
    for (plain, word) in
        [(PLAIN, &b"RGB "[..]), ("rgb-planar.dcm", b"RGB "), ("ybr.dcm", b"YBR_FULL"), (PLAIN, b"YBR_FULL_422")]
    {
        let file = File::read(plain).with(PHOTOMETRIC, "CS", word);
        let name = format!("{}-of-{plain}", String::from_utf8_lossy(word).trim());
        let one = file.clone().with(SAMPLES, "US", &[1, 0]);
        forms.push(refused(plain, &format!("{name}-samples-1"), one.bytes(), Reason::Undecodable));
        forms.push(refused(
            plain,
            &format!("{name}-samples-missing"),
            file.without(SAMPLES).bytes(),
            Reason::Undecodable,
        ));
    }
    let file = File::read(PLAIN).with(PHOTOMETRIC, "CS", b"YBR_FULL_422").without(SAMPLES);
    let pixels = file.value(PIXEL_DATA);
    let shared = file.clone().with(PIXEL_DATA, "OB", &pixels[..pixels.len() / 3 * 2]).bytes();
    forms.push(refused(PLAIN, "shared-colour-samples-missing", shared, Reason::Undecodable));
    forms
}

/// A file of 8-bit indices, and its palette.
fn palette(descriptor: [u16; 3], entries: [Vec<u8>; 3]) -> File {
    let side = SIDE.to_le_bytes();
    let pixels: Vec<u8> = (0..usize::from(SIDE * SIDE)).map(|i| (i * 7) as u8).collect();
    let descriptor: Vec<u8> = descriptor.into_iter().flat_map(u16::to_le_bytes).collect();
    let mut file = File::read("explicit.dcm")
        .with(PHOTOMETRIC, "CS", b"PALETTE COLOR ")
        .with(ROWS, "US", &side)
        .with(COLUMNS, "US", &side)
        .with(0x0028_0100, "US", &[8, 0])
        .with(0x0028_0101, "US", &[8, 0])
        .with(0x0028_0102, "US", &[7, 0])
        .with(PIXEL_DATA, "OB", &pixels);
    for (at, entries) in (0..).zip(entries) {
        file = file.with(0x0028_1101 + at, "US", &descriptor).with(0x0028_1201 + at, "OW", &entries);
    }
    file
}

#[test]
fn a_palette_of_greys_is_grey_and_one_of_colours_is_colour() {
    let bytes = || (0..=255).collect::<Vec<u8>>();
    let wide = || (0..=255).flat_map(|i| [i, i]).collect::<Vec<u8>>();
    let plain = palette([256, 0, 8], [bytes(), bytes(), bytes()]).with(PHOTOMETRIC, "CS", b"MONOCHROME2 ");
    let plain = decode(&plain.bytes(), None, &Limits::default()).unwrap();
    let greys = [
        palette([256, 0, 8], [bytes(), bytes(), bytes()]),
        palette([256, 0, 16], [wide(), wide(), wide()]),
        palette([200, 28, 8], [bytes()[28..228].to_vec(), bytes()[28..228].to_vec(), bytes()[28..228].to_vec()]),
    ];
    for (at, file) in greys.iter().enumerate() {
        let read = decode(&file.bytes(), None, &Limits::default()).unwrap();
        assert!(!read.colour && read.notes.is_empty(), "{at}: {:?}", read.notes);
        let clamped = |value: u16| value.clamp(28 * 257, 227 * 257);
        let expected = plain.luminance.iter().map(|&value| if at == 2 { clamped(value) } else { value });
        assert!(read.luminance.iter().copied().eq(expected), "{at}");
    }
    let low = || bytes().into_iter().flat_map(|i| [i, 0]).collect::<Vec<u8>>();
    let low = decode(&palette([256, 0, 16], [low(), low(), low()]).bytes(), None, &Limits::default()).unwrap();
    assert_eq!((low.luminance, low.colour), (plain.luminance, false));
    assert_eq!(low.notes, [Note::LutDescriptor].into());
    let turned = bytes().into_iter().rev().collect();
    let read = decode(&palette([256, 0, 8], [bytes(), turned, bytes()]).bytes(), None, &Limits::default()).unwrap();
    assert!(read.colour);
}

#[test]
fn a_palette_that_is_not_whole_is_refused_by_name() {
    let bytes = || (0..=255).collect::<Vec<u8>>();
    let sound = palette([256, 0, 8], [bytes(), bytes(), bytes()]);
    let reason = |file: File| decode(&file.bytes(), None, &Limits::default()).unwrap_err().reason();
    // Its tables may be in segments.
    assert_eq!(reason(sound.clone().without(0x0028_1202)), Reason::UnsupportedTransferSyntax);
    assert_eq!(reason(sound.clone().without(0x0028_1103)), Reason::UnsupportedTransferSyntax);
    assert_eq!(reason(sound.clone().with(0x0028_1203, "OW", &[0; 100])), Reason::Undecodable);
    assert_eq!(reason(sound.with(0x0028_1101, "US", &[0, 1, 0, 0])), Reason::Undecodable);
}
