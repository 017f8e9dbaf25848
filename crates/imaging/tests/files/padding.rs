//! Padding is no part of the picture: it is shown black, and no range of grey values counts it.

use cspine_domain::{Note, Notes, Reason};
use cspine_imaging::{Geometry, Limits, Preprocessing, Radiograph, decode};

use crate::writer::{File, PIXEL_DATA, encapsulated};

const SIDE: usize = 64;
/// Rows of padding at the top, and as many at the bottom.
const MARGIN: usize = 20;
const PADDING: u32 = 0x0028_0120;
const LIMIT: u32 = 0x0028_0121;

/// Values from 1000 to 3000 in the middle, `margin` above and below; 16 bits a word.
fn words(margin: u16, shift: i32) -> Vec<u16> {
    let value = |i: usize| (1000 + shift + (i * 37 % 2001) as i32) as u16;
    let inside = MARGIN * SIDE..(SIDE - MARGIN) * SIDE;
    (0..SIDE * SIDE).map(|i| if inside.contains(&i) { value(i) } else { margin }).collect()
}

fn file(words: &[u16]) -> File {
    let side = (SIDE as u16).to_le_bytes();
    let pixels: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    File::read("explicit.dcm")
        .with(0x0028_0010, "US", &side)
        .with(0x0028_0011, "US", &side)
        .with(PIXEL_DATA, "OW", &pixels)
}

fn with_padding(file: File, vr: &str, value: u16, limit: Option<u16>) -> File {
    let file = file.with(PADDING, vr, &value.to_le_bytes());
    limit.map_or(file.clone(), |limit| file.with(LIMIT, vr, &limit.to_le_bytes()))
}

fn read(file: &File) -> Radiograph {
    decode(&file.bytes(), None, &Limits::default()).unwrap()
}

fn input(radiograph: &Radiograph) -> Vec<f32> {
    let card = Preprocessing { geometry: Geometry::Stretch, size: SIDE as u32, ..Preprocessing::default() };
    card.grey(radiograph)
}

/// What the network must see: the middle from its own 0.5th to its 99.5th percentile, black around it.
fn expected(inverted: bool) -> Vec<f32> {
    let inside = &words(0, 0)[MARGIN * SIDE..(SIDE - MARGIN) * SIDE];
    let mut sorted = inside.to_vec();
    sorted.sort_unstable();
    let tail = sorted.len() / 200;
    let (low, high) = (f32::from(sorted[tail]), f32::from(sorted[sorted.len() - 1 - tail]));
    let grey = |&value: &u16| {
        let grey = ((f32::from(value) - low) / (high - low)).clamp(0.0, 1.0);
        if inverted { 1.0 - grey } else { grey }
    };
    let margin = vec![0.0; MARGIN * SIDE];
    [margin.clone(), inside.iter().map(grey).collect(), margin].concat()
}

fn assert_padded(file: &File, inverted: bool, notes: &[Note], what: &str) {
    let radiograph = read(file);
    assert_eq!(radiograph.padding as usize, 2 * MARGIN * SIDE, "{what}");
    assert!(radiograph.luminance[..MARGIN * SIDE].iter().all(|&value| value == 0), "{what}");
    assert_eq!(radiograph.notes, notes.iter().copied().collect::<Notes>(), "{what}");
    let (seen, expected) = (input(&radiograph), expected(inverted));
    let worst = seen.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-3, "{what}: {worst}");
}

#[test]
fn padding_of_any_value_leaves_the_middle_as_it_is() {
    for inverted in [false, true] {
        let word: &[u8] = if inverted { b"MONOCHROME1 " } else { b"MONOCHROME2 " };
        for margin in [0, 5, 3999, 4095, 4096, 5000, 0x8000, 63536, 65535] {
            let notes: &[Note] = if margin > 4095 { &[Note::PaddingOutOfRange] } else { &[] };
            let file = file(&words(margin, 0)).with(0x0028_0004, "CS", word);
            for vr in ["US", "SS"] {
                let file = with_padding(file.clone(), vr, margin, None);
                assert_padded(&file, inverted, notes, &format!("{margin} {vr} inverted: {inverted}"));
            }
        }
    }
}

#[test]
fn padding_of_signed_values_may_lie_below_them() {
    for margin in [-2048_i16, -2000, -2049, -4096, -32768, 2047, 32767] {
        let file = file(&words(margin.cast_unsigned(), -2048)).with(0x0028_0103, "US", &[1, 0]);
        let notes: &[Note] = if (-2048..2048).contains(&margin) { &[] } else { &[Note::PaddingOutOfRange] };
        for vr in ["US", "SS"] {
            let file = with_padding(file.clone(), vr, margin.cast_unsigned(), None);
            assert_padded(&file, false, notes, &format!("{margin} {vr}"));
        }
    }
}

#[test]
fn a_padding_value_below_zero_is_one_in_any_representation() {
    for margin in [-2000_i16, -2048, -2500] {
        let file = file(&words(margin.cast_unsigned(), -2048)).with(0x0028_0103, "US", &[1, 0]);
        let notes: &[Note] = if margin < -2048 { &[Note::PaddingOutOfRange] } else { &[] };
        let text = format!("{margin} ");
        let long = i32::from(margin).to_le_bytes();
        let values = [("SL", &long[..]), ("IS", text.as_bytes()), ("DS", text.as_bytes()), ("UN", &long[..2])];
        for (vr, value) in values {
            assert_padded(&file.clone().with(PADDING, vr, value), false, notes, &format!("{margin} {vr}"));
            let limited = file.clone().with(PADDING, "SS", &margin.to_le_bytes()).with(LIMIT, vr, value);
            assert_padded(&limited, false, notes, &format!("{margin} {vr}, as its limit too"));
        }
        let unsigned = u32::from(margin.cast_unsigned()).to_le_bytes();
        assert_padded(&file.with(PADDING, "UL", &unsigned), false, notes, &format!("{margin} UL"));
    }
}

#[test]
fn a_padding_value_that_cannot_be_read_is_refused_by_name() {
    let values: [(&str, &[u8]); 6] =
        [("SL", &[0, 0, 1, 0]), ("IS", b"-32769"), ("DS", b"1.5 "), ("IS", b"none"), ("FD", &[0; 8]), ("US", &[1])];
    for (vr, value) in values {
        for tag in [PADDING, LIMIT] {
            let file = with_padding(file(&words(0, 0)), "US", 0, None).with(tag, vr, value);
            let error = decode(&file.bytes(), None, &Limits::default()).unwrap_err();
            assert_eq!(error.reason(), Reason::Undecodable, "{tag:08x} {vr}");
            assert!(error.to_string().contains("padding"), "{error}");
        }
    }
    // Blanks are no value.
    assert_eq!(read(&file(&words(0, 0)).with(PADDING, "IS", b"  ")).padding, 0);
}

#[test]
fn a_range_of_padding_goes_from_the_value_to_its_limit_either_way() {
    let (top, bottom) = ((0..MARGIN * SIDE), ((SIDE - MARGIN) * SIDE..SIDE * SIDE));
    let mut words = words(0, 0);
    for i in top.chain(bottom) {
        words[i] = [3500, 3700, 4095][i % 3];
    }
    for (value, limit) in [(3500, 4095), (4095, 3500), (65535, 3500), (3400, 65535)] {
        let notes: &[Note] = if value.max(limit) > 4095 { &[Note::PaddingOutOfRange] } else { &[] };
        assert_padded(
            &with_padding(file(&words), "US", value, Some(limit)),
            false,
            notes,
            &format!("{value} to {limit}"),
        );
    }
}

#[test]
fn padding_does_not_darken_what_lies_beside_it_when_it_is_resized() {
    // The same picture at two places of the range of 16 bits: the higher, the larger the step to padding.
    let resized = |shift: i32| {
        let file = file(&words(65535, shift)).with(0x0028_0101, "US", &[16, 0]).with(0x0028_0102, "US", &[15, 0]);
        let radiograph = read(&with_padding(file, "US", 65535, None));
        assert_eq!(radiograph.padding as usize, 2 * MARGIN * SIDE);
        Preprocessing { size: 50, ..Preprocessing::default() }.grey(&radiograph)
    };
    let low = resized(-1000);
    for shift in [5000, 40000] {
        let worst = low.iter().zip(resized(shift)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{shift}: {worst}");
    }
}

#[test]
fn padding_that_no_pixel_has_changes_nothing() {
    let plain = read(&file(&words(0, 0)));
    for value in [4000, 65535] {
        let padded = read(&with_padding(file(&words(0, 0)), "US", value, None));
        assert_eq!((padded.luminance, padded.padding), (plain.luminance.clone(), 0));
    }
}

#[test]
fn padding_lies_beyond_a_window_and_under_compression_too() {
    let windowed = file(&words(65535, 0)).with(0x0028_1050, "DS", b"2000").with(0x0028_1051, "DS", b"4000");
    assert_padded(&with_padding(windowed, "US", 65535, None), false, &[Note::PaddingOutOfRange], "windowed");
    let compressed = file(&words(65535, 0)).with_syntax("1.2.840.10008.1.2.5");
    let compressed = compressed.with_raw(PIXEL_DATA, encapsulated(&[rle(&words(65535, 0))]));
    assert_padded(&with_padding(compressed, "US", 65535, None), false, &[Note::PaddingOutOfRange], "RLE");
    let shifted: Vec<u16> = words(4000, 0).iter().map(|word| word << 4).collect();
    let shifted = file(&shifted).with(0x0028_0102, "US", &[15, 0]);
    assert_padded(&with_padding(shifted, "US", 4000, None), false, &[], "in the high bits");
}

/// Words as a frame of RLE that repeats nothing.
fn rle(words: &[u16]) -> Vec<u8> {
    let plane = |shift: u32| -> Vec<u8> {
        let bytes: Vec<u8> = words.iter().map(|word| (word >> shift) as u8).collect();
        bytes.chunks(128).flat_map(|chunk| [&[chunk.len() as u8 - 1][..], chunk].concat()).collect()
    };
    let (high, low) = (plane(8), plane(0));
    let mut header: Vec<u8> = [2, 64, 64 + high.len() as u32].into_iter().flat_map(u32::to_le_bytes).collect();
    header.resize(64, 0);
    [header, high, low].concat()
}
