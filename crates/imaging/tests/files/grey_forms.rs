//! Sound files whose lookup tables and decimal strings are written in odd ways.

use cspine_domain::{Note, Reason};

use crate::form::{Form, read, read_as, refused};
use crate::writer::*;

const VOI_LUT_SEQUENCE: u32 = 0x0028_3010;
const CENTRE: u32 = 0x0028_1050;
const WIDTH: u32 = 0x0028_1051;
const INTERCEPT: u32 = 0x0028_1052;
const SLOPE: u32 = 0x0028_1053;

/// All forms.
pub fn forms() -> Vec<Form> {
    [tables(), signed_tables(), rescaling(), windows(), functions(), shapes()].into_iter().flatten().collect()
}

/// The entries of a fixture's table.
fn curve(file: &File) -> Vec<u8> {
    file.value(VOI_LUT_SEQUENCE)[8 + 8 + 6 + 8..].to_vec()
}

/// A file with a table of this descriptor.
fn with_table(file: &File, vr: &str, descriptor: [u16; 3], data_vr: &str, data: &[u8]) -> Vec<u8> {
    let descriptor: Vec<u8> = descriptor.into_iter().flat_map(u16::to_le_bytes).collect();
    let table = [element(0x0028_3002, vr, &descriptor), element(0x0028_3006, data_vr, data)].concat();
    file.clone().with(VOI_LUT_SEQUENCE, "SQ", &item(&table)).bytes()
}

/// A descriptor that contradicts its data. The fixture's is 3000 entries from 500 on, of 12 bits.
fn tables() -> Vec<Form> {
    const PLAIN: &str = "voi-lut.dcm";
    let plain = File::read(PLAIN);
    let curve = curve(&plain);
    let table = |descriptor| with_table(&plain, "US", descriptor, "US", &curve);
    let mut forms = vec![
        read(PLAIN, "table", table([3000, 500, 12]), &[]),
        read(PLAIN, "table-ow", with_table(&plain, "US", [3000, 500, 12], "OW", &curve), &[]),
        refused(PLAIN, "table-count-large", table([3001, 500, 12]), Reason::Undecodable),
        refused(PLAIN, "table-count-twice", table([6000, 500, 12]), Reason::Undecodable),
        refused(PLAIN, "table-count-0", table([0, 500, 12]), Reason::Undecodable),
        // One byte an entry, or two?
        refused(PLAIN, "table-count-100-bits-8", table([100, 500, 8]), Reason::Undecodable),
        refused(PLAIN, "table-bits-0", table([3000, 500, 0]), Reason::Undecodable),
        refused(PLAIN, "table-bits-17", table([3000, 500, 17]), Reason::Undecodable),
    ];
    for bits in [1, 7, 8, 10, 11] {
        forms.push(read(PLAIN, &format!("table-bits-{bits}-of-12"), table([3000, 500, bits]), &[Note::LutDescriptor]));
    }
    for count in [1, 100, 1500, 2999] {
        forms.push(read(PLAIN, &format!("table-count-{count}"), table([count, 500, 12]), &[Note::LutDescriptor]));
    }
    forms
}

/// A first value below 0, written as signed and as unsigned, under values that are negative by their own sign or by a
/// rescaling.
fn signed_tables() -> Vec<Form> {
    const PLAIN: &str = "voi-lut-signed.dcm";
    let plain = File::read(PLAIN);
    let curve = curve(&plain);
    let first = (-1500_i16).cast_unsigned();
    let table = |file: &File, vr| with_table(file, vr, [3000, first, 12], "US", &curve);
    let rescaled = File::read("explicit.dcm").with(INTERCEPT, "DS", b"-2048 ").with(SLOPE, "DS", b"1 ");
    let implicit_file = |file: &File, vr| crate::writer::file(IMPLICIT, &File::of(&table(file, vr)).implicit());
    vec![
        read(PLAIN, "first-signed", table(&plain, "SS"), &[]),
        read(PLAIN, "first-unsigned", table(&plain, "US"), &[Note::LutDescriptor]),
        read(PLAIN, "first-signed-rescaled", table(&rescaled, "SS"), &[]),
        read(PLAIN, "first-unsigned-rescaled", table(&rescaled, "US"), &[Note::LutDescriptor]),
        read(PLAIN, "first-implicit", implicit_file(&plain, "US"), &[]),
        read(PLAIN, "first-implicit-rescaled", implicit_file(&rescaled, "US"), &[]),
    ]
}

/// Slope and intercept: read surely, or refused, since without them the values mean something else.
fn rescaling() -> Vec<Form> {
    const PLAIN: &str = "rescale.dcm";
    let plain = File::read(PLAIN);
    let slope = |text: &str| plain.clone().with(SLOPE, "DS", &padded(text.as_bytes(), b' ')).bytes();
    let intercept = |text: &str| plain.clone().with(INTERCEPT, "DS", &padded(text.as_bytes(), b' ')).bytes();
    let mut forms = Vec::new();
    for (at, text) in
        ["0.25", " .25", "25e-2", "2.5E-1 ", "+0.25", "0.25\\7", "0.250000000000000000000"].iter().enumerate()
    {
        forms.push(read(PLAIN, &format!("slope-sound-{at}"), slope(text), &[]));
    }
    for (at, text) in ["0,25", "0,250", "0.25\0", "0.25\0\0\0", "\x000.25", "0,25\0", "25,0e-2"].iter().enumerate() {
        forms.push(read(PLAIN, &format!("slope-odd-{at}"), slope(text), &[Note::DecimalString]));
    }
    for (at, text) in ["-100,0", "-100\0\0"].iter().enumerate() {
        forms.push(read(PLAIN, &format!("intercept-odd-{at}"), intercept(text), &[Note::DecimalString]));
    }
    let none = [
        "\\0.25",
        " \\0.25",
        "0,2,5",
        "0.2,5",
        "1,250",
        "0.25\x001",
        "0.25 HU",
        "NaN",
        "inf",
        "1e999",
        "a",
        "-",
        "0x1",
    ];
    for (at, text) in none.iter().enumerate() {
        forms.push(refused(PLAIN, &format!("slope-none-{at}"), slope(text), Reason::Undecodable));
        forms.push(refused(PLAIN, &format!("intercept-none-{at}"), intercept(text), Reason::Undecodable));
    }
    for (at, text) in ["", " ", "\0\0"].iter().enumerate() {
        let absent = plain.clone().without(SLOPE).bytes();
        forms.push(read_as(absent, &format!("slope-absent-{at}"), slope(text), &[]));
    }
    forms.push(read_as(slope("1"), "slope-0", slope("0"), &[Note::ZeroSlope]));
    forms
}

/// Windows: read surely, or left out, which only changes how the same values are shown.
fn windows() -> Vec<Form> {
    const PLAIN: &str = "rescale.dcm";
    let plain = File::read(PLAIN);
    let window = |centre: &str, width: &str| {
        let value = |text: &str| padded(text.as_bytes(), b' ');
        plain.clone().with(CENTRE, "DS", &value(centre)).with(WIDTH, "DS", &value(width)).bytes()
    };
    let whole = plain.clone().without(CENTRE).without(WIDTH).bytes();
    let mut forms = vec![
        read_as(whole.clone(), "window-absent", window("", ""), &[]),
        read_as(whole.clone(), "window-blank", window(" ", "\0\0"), &[]),
    ];
    for (at, (centre, width)) in
        [("300,5", "500"), ("300.5\0", "500\0"), ("300,5\\1", "500,0\\1"), ("300.5", "500,0")].iter().enumerate()
    {
        forms.push(read(PLAIN, &format!("window-odd-{at}"), window(centre, width), &[Note::DecimalString]));
    }
    let ignored = [
        ("\\300.5", "\\500"),
        ("\\300.5", "500"),
        ("300.5", "\\500"),
        ("300.5", ""),
        ("", "500"),
        ("300.5", "1,500"),
        ("300.5", "0"),
        ("300.5", "-500"),
        ("300.5", "0.5"),
        ("NaN", "500"),
        ("300.5", "inf"),
        ("300.5 HU", "500"),
        ("3 00.5", "500"),
    ];
    for (at, (centre, width)) in ignored.iter().enumerate() {
        forms.push(read_as(whole.clone(), &format!("window-none-{at}"), window(centre, width), &[Note::WindowIgnored]));
    }
    forms
}

/// The word of a window's function: of its own in small letters, LINEAR where it is unknown.
fn functions() -> Vec<Form> {
    const FUNCTION: u32 = 0x0028_1056;
    let plain = File::read("rescale.dcm").without(FUNCTION);
    let with = |word: &[u8]| plain.clone().with(FUNCTION, "CS", &padded(word, b' ')).bytes();
    let mut forms = vec![
        read_as(plain.bytes(), "function-linear", with(b"LINEAR"), &[]),
        read_as(plain.bytes(), "function-blank", with(b"  "), &[]),
        // Without a window there is nothing that it could change.
        read_as(
            File::read("explicit.dcm").bytes(),
            "function-without-a-window",
            File::read("explicit.dcm").with(FUNCTION, "CS", b"CUBIC ").bytes(),
            &[],
        ),
    ];
    for sound in [&b"SIGMOID"[..], b"LINEAR_EXACT"] {
        let name = String::from_utf8_lossy(sound).to_ascii_lowercase();
        let small = [&sound.to_ascii_lowercase()[..], b"\0\0"].concat();
        forms.push(read_as(with(sound), &format!("function-small-{name}"), with(&small), &[Note::VoiLutFunction]));
        let nuls = [sound, b"\0\0"].concat();
        forms.push(read_as(with(sound), &format!("function-nuls-{name}"), with(&nuls), &[]));
    }
    let unknown: [&[u8]; 6] = [b"CUBIC", b"SIGMOIDAL", b"linear", b"\\SIGMOID", b"SIGMO\xcfDE", &[b'S'; 65]];
    for (at, word) in unknown.iter().enumerate() {
        let notes = &[Note::VoiLutFunction];
        forms.push(read_as(plain.bytes(), &format!("function-unknown-{at}"), with(word), notes));
    }
    forms
}

/// A presentation LUT shape never changes the polarity; one that contradicts it is noted.
fn shapes() -> Vec<Form> {
    let mut forms = Vec::new();
    for (plain, agrees) in [("explicit.dcm", "IDENTITY"), ("monochrome1.dcm", "INVERSE")] {
        for word in ["IDENTITY", "INVERSE", "inverse", "identity", "LIN OD", "é", " "] {
            let sound = word.eq_ignore_ascii_case(agrees) || word == " ";
            let notes: &[Note] = if sound { &[] } else { &[Note::PresentationLutShape] };
            let bytes = File::read(plain).with(0x2050_0020, "CS", &padded(word.as_bytes(), b' ')).bytes();
            forms.push(read(plain, &format!("shape-{word}-of-{plain}"), bytes, notes));
        }
    }
    forms
}
