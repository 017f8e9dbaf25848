//! Sound files whose structure is written in odd ways: preamble, meta information, elements, sequences, delimiters.

use std::io::Write;

use cspine_domain::{Note, Reason};

use crate::form::{Form, read, read_as, refused};
use crate::writer::*;

/// All forms.
pub fn forms() -> Vec<Form> {
    [starts(), encodings(), representations(), sequences(), delimiters(), padded_texts()]
        .into_iter()
        .flatten()
        .collect()
}

const PLAIN: &str = "explicit.dcm";
const JPEG: &str = "jpeg-baseline.dcm";
const ICON: u32 = 0x0088_0200;
const PRIVATE: u32 = 0x0029_1010;

/// Preamble and meta information.
fn starts() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let (whole, dataset) = (plain.bytes(), plain.dataset());
    let preamble = [&[0; 128][..], b"DICM"].concat();
    let implicit_meta: Vec<u8> = [(0x0002_0001, &[0, 1][..]), (0x0002_0010, &padded(EXPLICIT.as_bytes(), 0))]
        .iter()
        .flat_map(|(tag, value)| implicit(&element(*tag, "UI", value)))
        .collect();
    let big_endian = fixture("big-endian.dcm");
    let big_endian = big_endian[meta_end(&big_endian)..].to_vec();
    let wrong_length = {
        let mut bytes = whole.clone();
        bytes[140..144].copy_from_slice(&9999_u32.to_le_bytes());
        bytes
    };
    let jpeg = File::read(JPEG);
    vec![
        read(PLAIN, "sound", whole.clone(), &[]),
        read(PLAIN, "no-preamble", whole[132..].to_vec(), &[MissingPreamble]),
        read(PLAIN, "no-preamble-but-magic", whole[128..].to_vec(), &[MissingPreamble]),
        read(PLAIN, "no-meta", [&preamble[..], &dataset].concat(), &[MissingMeta]),
        read(PLAIN, "no-meta-implicit", [&preamble[..], &plain.implicit()].concat(), &[MissingMeta]),
        read(PLAIN, "no-meta-big-endian", [&preamble[..], &big_endian].concat(), &[MissingMeta]),
        read(PLAIN, "nothing-before", dataset.clone(), &[MissingPreamble, MissingMeta]),
        read(PLAIN, "nothing-before-implicit", plain.implicit(), &[MissingPreamble, MissingMeta]),
        read(PLAIN, "nothing-before-big-endian", big_endian, &[MissingPreamble, MissingMeta]),
        read(PLAIN, "meta-implicit", [&preamble[..], &implicit_meta, &dataset].concat(), &[ImplicitMeta]),
        read(
            PLAIN,
            "meta-implicit-no-preamble",
            [&implicit_meta[..], &dataset].concat(),
            &[MissingPreamble, ImplicitMeta],
        ),
        read(PLAIN, "meta-length-wrong", wrong_length, &[]),
        read(
            PLAIN,
            "meta-without-syntax",
            [&preamble[..], &element(0x0002_0001, "OB", &[0, 1]), &dataset].concat(),
            &[MissingMeta],
        ),
        read(JPEG, "compressed-no-preamble", jpeg.bytes()[132..].to_vec(), &[MissingPreamble]),
        // Nothing says which codec its pixels ask for.
        refused(JPEG, "compressed-no-meta", [&preamble[..], &jpeg.dataset()].concat(), Reason::Undecodable),
    ]
}

fn meta_end(bytes: &[u8]) -> usize {
    144 + u32::from_le_bytes(bytes[140..144].try_into().unwrap()) as usize
}

/// A transfer syntax that is not the one used.
fn encodings() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let (explicit, implicit) = (plain.dataset(), plain.implicit());
    let jpeg = File::read(JPEG);
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    raw.write_all(&explicit).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(&explicit).unwrap();
    let raw = raw.finish().unwrap();
    let half_implicit: Vec<u8> = plain
        .elements
        .iter()
        .flat_map(|(tag, element)| if *tag > 0x0020_0000 { crate::writer::implicit(element) } else { element.clone() })
        .collect();
    vec![
        read(PLAIN, "explicit-said-implicit-written", file(EXPLICIT, &implicit), &[OtherTransferSyntax]),
        read(PLAIN, "implicit-said-explicit-written", file(IMPLICIT, &explicit), &[OtherTransferSyntax]),
        read(PLAIN, "implicit-from-the-middle-on", file(EXPLICIT, &half_implicit), &[InvalidVr]),
        read(PLAIN, "deflated", file(DEFLATED, &raw), &[]),
        read(PLAIN, "deflated-and-padded", file(DEFLATED, &[&raw[..], &[0]].concat()), &[]),
        read(PLAIN, "deflated-said-zlib-written", file(DEFLATED, &zlib.finish().unwrap()), &[OtherTransferSyntax]),
        read(PLAIN, "deflated-said-plain-written", file(DEFLATED, &explicit), &[OtherTransferSyntax]),
        read(PLAIN, "deflated-said-implicit-written", file(DEFLATED, &implicit), &[OtherTransferSyntax]),
        // Nothing shows the byte order of the pixels.
        refused(PLAIN, "big-endian-said-little-written", file(BIG_ENDIAN, &explicit), Reason::Undecodable),
        refused(PLAIN, "rle-said-native-written", file("1.2.840.10008.1.2.5", &explicit), Reason::Undecodable),
        refused(JPEG, "native-said-jpeg-written", jpeg.with_syntax(EXPLICIT).bytes(), Reason::Undecodable),
    ]
}

/// Value representations that are missing, or none that exist.
fn representations() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let private = |raw: Vec<u8>| plain.clone().with_raw(PRIVATE, raw).bytes();
    let short = |vr: &[u8]| [&head(PRIVATE)[..], vr, &[6, 0], b"ABCDEF"].concat();
    let long = |vr: &[u8]| [&head(PRIVATE)[..], vr, &[0, 0, 6, 0, 0, 0], b"ABCDEF"].concat();
    let run: Vec<u8> = (0..5).flat_map(|i| implicit(&element(PRIVATE + i, "LO", b"0123456789"))).collect();
    let before_pixels = [&head(0x7fdf_1010)[..], b"--", &[4, 0], b"abcd"].concat();
    let mut forms = vec![
        read(PLAIN, "vr-missing", private(implicit(&element(PRIVATE, "LO", b"ABCDEF"))), &[InvalidVr]),
        read(PLAIN, "vr-missing-empty", private(implicit(&element(PRIVATE, "LO", b""))), &[InvalidVr]),
        read(PLAIN, "vr-missing-often", private(run), &[InvalidVr]),
        read(PLAIN, "vr-unknown-long", private(long(b"ZZ")), &[InvalidVr]),
        read(PLAIN, "vr-unknown-short", private(short(b"ZZ")), &[InvalidVr]),
        read(
            PLAIN,
            "vr-dashes-before-the-pixels",
            plain.clone().with_raw(0x7fdf_1010, before_pixels).bytes(),
            &[InvalidVr],
        ),
        read(
            PLAIN,
            "vr-blank-of-the-patient",
            plain.clone().with_raw(0x0010_0010, [&head(0x0010_0010)[..], b"  ", &[4, 0], b"A^B "].concat()).bytes(),
            &[InvalidVr],
        ),
        refused(
            PLAIN,
            "vr-missing-length-wrong",
            private([&head(PRIVATE)[..], &[7, 0, 0, 0], b"ABCDEF"].concat()),
            Reason::Undecodable,
        ),
    ];
    for (name, vr) in [("dashes", b"--"), ("blanks", b"  "), ("questions", b"??"), ("zeros", b"\0\0"), ("lower", b"lo")]
    {
        forms.push(read(PLAIN, &format!("vr-{name}"), private(short(vr)), &[InvalidVr]));
        let name = format!("vr-{name}-long");
        forms.push(read(PLAIN, &name, private(long(vr)), &[InvalidVr]));
    }
    forms
}

/// Sequences and other elements of undefined length, and what lies in them.
fn sequences() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let jpeg = File::read(JPEG);
    let icon = |pixels: Vec<u8>| {
        let rows = [element(0x0028_0010, "US", &[8, 0]), element(0x0028_0011, "US", &[8, 0])].concat();
        [rows, pixels].concat()
    };
    let stream = jpeg.fragments();
    let closed = |items: Vec<u8>| [items, sequence_end()].concat();
    let explicit = element(0x0008_0100, "SH", b"ABCD");
    let implicit = implicit(&explicit);
    let blob = item(&[0x55; 40]);
    let private =
        |vr: &str, content: Vec<u8>| plain.clone().with_raw(PRIVATE, undefined(PRIVATE, vr, &content)).bytes();
    let implicit_file = |raw: Vec<u8>| {
        let mut elements: Vec<u8> = Vec::new();
        for (tag, element) in &plain.elements {
            if *tag > PRIVATE && !raw.is_empty() && !elements.windows(4).any(|w| w == &raw[..4]) {
                elements.extend(&raw);
            }
            elements.extend(crate::writer::implicit(element));
        }
        file(IMPLICIT, &elements)
    };
    let implicit_undefined = |content: &[u8]| [&head(PRIVATE)[..], &[0xff; 4], content].concat();
    let in_implicit = |content: Vec<u8>| implicit_file(implicit_undefined(&content));
    let native_icon = || icon(element(PIXEL_DATA, "OB", &[7; 64]));
    let coded_icon = || icon(encapsulated(&stream));
    let with_icon = |file: &File, content: Vec<u8>| file.clone().with_raw(ICON, content).bytes();
    vec![
        read(PLAIN, "icon-native", with_icon(&plain, element(ICON, "SQ", &item(&native_icon()))), &[]),
        read(
            PLAIN,
            "icon-native-open",
            with_icon(&plain, undefined(ICON, "SQ", &closed(open_item(&native_icon())))),
            &[],
        ),
        read(JPEG, "icon-coded-open", with_icon(&jpeg, undefined(ICON, "SQ", &closed(open_item(&coded_icon())))), &[]),
        read(
            JPEG,
            "icon-coded-open-sequence",
            with_icon(&jpeg, undefined(ICON, "SQ", &closed(item(&coded_icon())))),
            &[],
        ),
        read(JPEG, "icon-coded-open-item", with_icon(&jpeg, element(ICON, "SQ", &open_item(&coded_icon()))), &[]),
        read(PLAIN, "private-ob-open", private("OB", closed(blob.clone())), &[]),
        read(PLAIN, "private-ow-open", private("OW", closed([item(&[]), blob.clone()].concat())), &[]),
        read(PLAIN, "private-sq-open-empty", private("SQ", closed(vec![])), &[]),
        read(PLAIN, "un-open-implicit", private("UN", closed(item(&implicit))), &[]),
        read(PLAIN, "un-open-explicit", private("UN", closed(item(&explicit))), &[]),
        read(PLAIN, "un-open-implicit-open-item", private("UN", closed(open_item(&implicit))), &[]),
        read(PLAIN, "un-open-explicit-open-item", private("UN", closed(open_item(&explicit))), &[MixedEncoding]),
        read(PLAIN, "un-open-blob", private("UN", closed(blob.clone())), &[]),
        read(PLAIN, "sq-open-implicit-open-item", private("SQ", closed(open_item(&implicit))), &[MixedEncoding]),
        read(PLAIN, "sq-open-empty-open-item", private("SQ", closed(open_item(&[]))), &[]),
        read(PLAIN, "implicit-open-item", in_implicit(closed(open_item(&implicit))), &[]),
        read(PLAIN, "implicit-open-blob", in_implicit(closed(blob.clone())), &[]),
        read(PLAIN, "implicit-open-explicit", in_implicit(closed(item(&explicit))), &[]),
        read(
            PLAIN,
            "sq-nested-open",
            private("SQ", closed(open_item(&undefined(0x0029_1020, "SQ", &closed(open_item(&explicit)))))),
            &[],
        ),
        read(PLAIN, "sq-sixty-deep", plain.clone().with_raw(PRIVATE, deep(60)).bytes(), &[]),
        refused(PLAIN, "sq-seventy-deep", plain.clone().with_raw(PRIVATE, deep(70)).bytes(), Reason::OverLimit),
        read(PLAIN, "un-of-a-length", plain.clone().with(PRIVATE, "UN", &[0x55; 40]).bytes(), &[]),
    ]
}

/// So many sequences within each other.
fn deep(depth: usize) -> Vec<u8> {
    let inner = element(0x0008_0100, "SH", b"ABCD");
    (0..depth).fold(inner, |inner, _| undefined(PRIVATE, "SQ", &[open_item(&inner), sequence_end()].concat()))
}

/// Texts filled up with several zero bytes, and with zeros and blanks.
fn padded_texts() -> Vec<Form> {
    let coded = |sequence, code: &[u8]| {
        let code = [element(0x0008_0100, "SH", code), element(0x0008_0102, "SH", b"SCT ")].concat();
        element(sequence, "SQ", &item(&code))
    };
    let plain = File::read(PLAIN)
        .with(0x0008_0008, "CS", b"ORIGINAL\\PRIMARY\\LOCALIZER")
        .with(0x0008_1030, "LO", b"C-SPINE AP/LAT")
        .with(0x0008_103e, "LO", b"C-SPINE LAT ")
        .with(0x0018_1030, "LO", b"LATERAL ")
        .with(0x0028_0008, "IS", b"1 ")
        .with(0x0028_1050, "DS", b"1000")
        .with(0x0028_1051, "DS", b"2000")
        .with(0x0028_1056, "CS", b"SIGMOID ")
        .with(0x2050_0020, "CS", b"IDENTITY")
        .with_raw(0x0008_2218, coded(0x0008_2218, b"122494005 "))
        .with_raw(0x0054_0220, coded(0x0054_0220, b"R-10228 "));
    let texts = [b"CS", b"UI", b"LO", b"IS", b"DS"];
    let tags = plain.elements.iter().filter(|(_, bytes)| texts.iter().any(|vr| bytes[4..6] == vr[..]));
    let mut forms = Vec::new();
    for ending in [&b"\0\0"[..], b"\0\0\0\0", b" \0 \0", b"\0 \0 ", b"\n\0"] {
        let ended = |text: &[u8]| [text.trim_ascii_end(), ending].concat();
        for (tag, bytes) in tags.clone() {
            let vr = std::str::from_utf8(&bytes[4..6]).unwrap();
            let notes: &[Note] = if matches!(vr, "IS" | "DS") { &[Note::DecimalString] } else { &[] };
            let name = format!("{tag:08x}-ends-in-{}", ending.escape_ascii());
            let odd = plain.clone().with(*tag, vr, &ended(plain.value(*tag))).bytes();
            forms.push(read_as(plain.bytes(), &name, odd, notes));
        }
        for sequence in [0x0008_2218, 0x0054_0220] {
            let code: &[u8] = if sequence == 0x0008_2218 { b"122494005" } else { b"R-10228" };
            let odd = plain.clone().with_raw(sequence, coded(sequence, &ended(code))).bytes();
            forms.push(read_as(plain.bytes(), &format!("{sequence:08x}-ends-in-{}", ending.escape_ascii()), odd, &[]));
        }
        let syntax = std::str::from_utf8(ending).map(|ending| format!("{EXPLICIT}{ending}")).unwrap();
        let syntax = plain.clone().with_syntax(&syntax);
        forms.push(read_as(plain.bytes(), &format!("syntax-ends-in-{}", ending.escape_ascii()), syntax.bytes(), &[]));
    }
    forms
}

/// Delimiters that are missing or stray.
fn delimiters() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let jpeg = File::read(JPEG);
    let content = element(0x0008_0100, "SH", b"ABCD");
    let unended = [&head(0xfffe_e000)[..], &[0xff; 4], &content].concat();
    let private = |bytes: Vec<u8>| plain.clone().with_raw(PRIVATE, bytes).bytes();
    let sequence = |parts: &[&[u8]]| private(undefined(PRIVATE, "SQ", &parts.concat()));
    let (item_end, sequence_end) = (item_end(), sequence_end());
    let ended = |bytes: &[u8], after: &[u8]| [&bytes[..bytes.len() - 8], after].concat();
    let stray = |delimiter: &[u8]| private([element(PRIVATE, "LO", b"ABCD"), delimiter.to_vec()].concat());
    let nested = undefined(
        PRIVATE,
        "SQ",
        &[&unended[..], &undefined(0x0029_1020, "SQ", &item(&content)), &item_end, &sequence_end].concat(),
    );
    let short_item = element(ICON, "SQ", &unended);
    vec![
        read(PLAIN, "item-end-missing-last", sequence(&[&unended, &sequence_end]), &[MissingDelimiter]),
        read(
            PLAIN,
            "item-end-missing-first",
            sequence(&[&unended, &open_item(&content), &sequence_end]),
            &[MissingDelimiter],
        ),
        read(PLAIN, "item-end-stray", sequence(&[&item(&content), &item_end, &sequence_end]), &[StrayDelimiter]),
        read(PLAIN, "item-end-twice", sequence(&[&open_item(&content), &item_end, &sequence_end]), &[StrayDelimiter]),
        read(PLAIN, "item-end-missing-at-the-sequences-length", plain.clone().with_raw(ICON, short_item).bytes(), &[]),
        read(PLAIN, "sequence-end-missing", sequence(&[&open_item(&content)]), &[MissingDelimiter]),
        refused(PLAIN, "sequence-end-missing-nested", private(nested), Reason::Undecodable),
        read(
            PLAIN,
            "sequence-end-twice",
            sequence(&[&open_item(&content), &sequence_end, &sequence_end]),
            &[StrayDelimiter],
        ),
        read(PLAIN, "item-end-in-the-data-set", stray(&item_end), &[StrayDelimiter]),
        read(PLAIN, "sequence-end-in-the-data-set", stray(&sequence_end), &[StrayDelimiter]),
        refused(PLAIN, "item-in-the-data-set", stray(&item(&[])), Reason::Undecodable),
        read(JPEG, "pixels-without-end", ended(&jpeg.bytes(), &[]), &[MissingDelimiter]),
        read(JPEG, "pixels-end-in-zeros", ended(&jpeg.bytes(), &[0; 8]), &[MissingDelimiter]),
        read(JPEG, "pixels-end-in-many-zeros", ended(&jpeg.bytes(), &[0; 513]), &[MissingDelimiter]),
        read(JPEG, "zeros-after-the-pixels", [jpeg.bytes(), vec![0; 512]].concat(), &[]),
        read(JPEG, "rubbish-after-the-pixels", [jpeg.bytes(), vec![0x55; 37]].concat(), &[]),
        read(PLAIN, "rubbish-after-native-pixels", [plain.bytes(), vec![0x55; 37]].concat(), &[]),
        refused(JPEG, "pixels-end-in-rubbish", ended(&jpeg.bytes(), &[0x55; 16]), Reason::Undecodable),
        refused(JPEG, "pixels-end-in-half-a-delimiter", ended(&jpeg.bytes(), &[0xfe, 0xff, 0xdd]), Reason::Undecodable),
    ]
}
