//! Sound files with attributes after their pixels, or with an attribute twice.

use cspine_domain::{Note, Reason};

use crate::form::{Form, read, read_as, refused};
use crate::writer::*;

const PLAIN: &str = "explicit.dcm";
const JPEG: &str = "jpeg-baseline.dcm";
const SLOPE: u32 = 0x0028_1053;
const VOI_LUT_SEQUENCE: u32 = 0x0028_3010;
const PHOTOMETRIC: u32 = 0x0028_0004;
const PADDING: u32 = 0x0028_0120;

/// All forms.
pub fn forms() -> Vec<Form> {
    [late(), after_late(), twice()].into_iter().flatten().collect()
}

/// A file whose attribute stands after its pixels.
fn moved(file: &File, tag: u32) -> Vec<u8> {
    [file.clone().without(tag).bytes(), file.elements[&tag].clone()].concat()
}

/// Attributes that are used wherever they stand.
fn late() -> Vec<Form> {
    const LATE: &[Note] = &[Note::AttributesAfterPixels];
    let mut forms = Vec::new();
    for (plain, tag) in [
        ("rescale.dcm", SLOPE),
        ("rescale.dcm", 0x0028_1050),
        ("voi-lut.dcm", VOI_LUT_SEQUENCE),
        ("modality-lut.dcm", 0x0028_3000),
        ("monochrome1.dcm", PHOTOMETRIC),
        (PLAIN, 0x0028_0010),
        (PLAIN, 0x0008_0018),
        (PLAIN, 0x0018_5101),
        (PLAIN, 0x0020_0020),
        (JPEG, PHOTOMETRIC),
        (JPEG, 0x0020_000d),
    ] {
        forms.push(read(plain, &format!("late-{tag:08x}-of-{plain}"), moved(&File::read(plain), tag), LATE));
    }
    let padded = File::read(PLAIN).with(PADDING, "US", &[0x10, 2]);
    forms.push(read_as(padded.bytes(), "late-padding", moved(&padded, PADDING), LATE));
    let table = File::read("voi-lut.dcm");
    let content = &table.value(VOI_LUT_SEQUENCE)[8..];
    let open = undefined(VOI_LUT_SEQUENCE, "SQ", &[open_item(content), sequence_end()].concat());
    let late = |end: &[u8]| [&table.clone().without(VOI_LUT_SEQUENCE).bytes()[..], end].concat();
    forms.push(read("voi-lut.dcm", "late-open-sequence", late(&open), LATE));
    forms.push(refused("voi-lut.dcm", "late-sequence-cut", late(&open[..open.len() - 8]), Reason::Undecodable));
    let rescale = File::read("rescale.dcm");
    let (before, slope) = (rescale.clone().without(SLOPE), rescale.elements[&SLOPE].clone());
    let implicit = file(IMPLICIT, &[before.implicit(), implicit(&slope)].concat());
    forms.push(read("rescale.dcm", "late-implicit", implicit, LATE));
    let cut = [&before.bytes()[..], &slope[..slope.len() - 1]].concat();
    forms.push(refused("rescale.dcm", "late-cut", cut, Reason::Undecodable));
    forms
}

/// What lies between the pixels and a late attribute, or after it, or in its place.
fn after_late() -> Vec<Form> {
    const LATE: &[Note] = &[Note::AttributesAfterPixels];
    let rescale = File::read("rescale.dcm");
    let (before, slope) = (rescale.clone().without(SLOPE).bytes(), rescale.elements[&SLOPE].clone());
    let signature = undefined(0xfffa_fffa, "SQ", &[open_item(&[]), sequence_end()].concat());
    let others = [element(0x7fe1_0010, "LO", b"ABCD"), signature, element(0xfffc_fffc, "OB", &[0; 6])].concat();
    let sound = |name: &str, parts: &[&[u8]]| read("rescale.dcm", name, parts.concat(), LATE);
    let whole = rescale.bytes();
    let mut forms = vec![
        sound("late-after-others", &[&before, &others, &slope]),
        sound("late-before-others", &[&before, &slope, &others]),
        sound("late-before-zeros", &[&before, &slope, &[0; 512]]),
        sound("late-before-rubbish", &[&before, &slope, &[0x55; 37]]),
        read("rescale.dcm", "others-after-the-pixels", [&whole[..], &others].concat(), &[]),
        // A delimiter closes nothing: nobody knows what the attribute belongs to.
        refused(
            "rescale.dcm",
            "late-after-a-stray-delimiter",
            [&before[..], &sequence_end(), &slope].concat(),
            Reason::Undecodable,
        ),
    ];
    let rubbish: [&[u8]; 8] = [
        &[0; 7],
        &[0; 8],
        &[0x20; 64],
        &[0xff; 64],
        b"XXXX\0\0\0\0",
        &element(0x0029_1010, "LO", b"ABCD")[..11],
        &undefined(0x0029_1010, "SQ", &item(b"ABCD")[..10]),
        &[&[0; 128], &b"DICM"[..], &meta(EXPLICIT)].concat(),
    ];
    for (at, bytes) in rubbish.iter().enumerate() {
        forms.push(read("rescale.dcm", &format!("rubbish-{at}"), [&whole[..], bytes].concat(), &[]));
        let implicit = [&file(IMPLICIT, &rescale.implicit())[..], bytes].concat();
        forms.push(read("rescale.dcm", &format!("rubbish-{at}-implicit"), implicit, &[]));
    }
    forms
}

/// An attribute that is there twice: with one value it does no harm, with two nobody knows which is meant.
fn twice() -> Vec<Form> {
    let plain = File::read("rescale.dcm");
    let both = |first: Vec<u8>, second: Vec<u8>| plain.clone().with_raw(PHOTOMETRIC, [first, second].concat()).bytes();
    let word = |word: &[u8]| element(PHOTOMETRIC, "CS", word);
    let mut forms = vec![
        read("rescale.dcm", "twice-the-same", both(word(b"MONOCHROME2 "), word(b"MONOCHROME2 ")), &[]),
        read("rescale.dcm", "twice-first-empty", both(word(b""), word(b"MONOCHROME2 ")), &[]),
        read("rescale.dcm", "twice-second-empty", both(word(b"MONOCHROME2 "), word(b"")), &[]),
    ];
    for (tag, element) in plain.elements.iter().filter(|(tag, _)| **tag != PIXEL_DATA) {
        let mut other = element.clone();
        *other.last_mut().unwrap() ^= 1;
        let raw = plain.clone().with_raw(*tag, [element.clone(), other.clone()].concat()).bytes();
        forms.push(refused("rescale.dcm", &format!("twice-{tag:08x}"), raw, Reason::Undecodable));
        let late = [plain.bytes(), other].concat();
        forms.push(refused("rescale.dcm", &format!("twice-{tag:08x}-late"), late, Reason::Undecodable));
        let same = [plain.bytes(), element.clone()].concat();
        forms.push(read("rescale.dcm", &format!("late-{tag:08x}-again"), same, &[Note::AttributesAfterPixels]));
    }
    let mut pixels = plain.elements[&PIXEL_DATA].clone();
    *pixels.last_mut().unwrap() ^= 1;
    forms.push(refused("rescale.dcm", "pixels-twice", [plain.bytes(), pixels].concat(), Reason::Undecodable));
    forms
}
