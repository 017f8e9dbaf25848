//! What of a DICOM file is read for scope: all values, all items, and nothing that cannot be read for sure.

use cspine_imaging::{DeclaredScope, Header, Limits, Scope, ScopeWords, decode};

use crate::writer::{File, element, item, padded};

const BODY_PART: u32 = 0x0018_0015;
const VIEW_POSITION: u32 = 0x0018_5101;
const MODALITY: u32 = 0x0008_0060;
const PROTOCOL: u32 = 0x0018_1030;
const SERIES: u32 = 0x0008_103e;
const REGION: u32 = 0x0008_2218;
const VIEW_CODE: u32 = 0x0054_0220;

fn header(file: &File) -> Header {
    decode(&file.bytes(), None, &Limits::default()).unwrap().header.unwrap()
}

fn of_file(file: &File) -> Scope {
    cspine_imaging::scope(&DeclaredScope::default(), Some(&header(file)), &ScopeWords::default()).scope
}

/// A radiograph in scope by its header, with a text in one attribute.
fn with(tag: u32, value: &[u8]) -> File {
    File::read("explicit.dcm").with(tag, "LO", &padded(value, b' '))
}

fn code(code: &str) -> Vec<u8> {
    element(0x0008_0100, "SH", &padded(code.as_bytes(), b' '))
}

/// One whose view or region only a sequence tells.
fn coded(sequence: u32, items: &[Vec<u8>]) -> File {
    let told = if sequence == REGION { BODY_PART } else { VIEW_POSITION };
    let items: Vec<u8> = items.iter().flat_map(|content| item(content)).collect();
    File::read("explicit.dcm").without(told).without(0x0020_0020).with(sequence, "SQ", &items)
}

#[test]
fn all_values_of_an_attribute_are_read() {
    for (tag, value, expected) in [
        (BODY_PART, "CSPINE", Scope::Accept),
        (BODY_PART, r"SKULL\CSPINE", Scope::Unknown),
        (BODY_PART, r"CHEST\C-SPINE", Scope::Unknown),
        (BODY_PART, r"TSPINE\CSPINE", Scope::Unknown),
        (BODY_PART, r"CHEST\ABDOMEN", Scope::Reject),
        (VIEW_POSITION, r"AP\LAT", Scope::Unknown),
        (VIEW_POSITION, r"PA\LL", Scope::Unknown),
        (VIEW_POSITION, r"FACE\PROFIL", Scope::Unknown),
        (VIEW_POSITION, r"LATERAL\AP", Scope::Unknown),
        (VIEW_POSITION, r"LAT\FLEXION", Scope::Unknown),
        (VIEW_POSITION, r"RPO\LPO", Scope::Reject),
        (MODALITY, r"OT\CR", Scope::Accept), // by its class
        (MODALITY, r"CT\MR", Scope::Accept),
    ] {
        assert_eq!(of_file(&with(tag, value.as_bytes())), expected, "{value}");
    }
}

#[test]
fn all_items_of_a_code_sequence_are_read() {
    let many = |first: &str, last: &str| [vec![code(first); 8], vec![code(last)]].concat();
    for (sequence, items, expected) in [
        (REGION, vec![code("122494005")], Scope::Accept),
        (REGION, vec![code("89546000")], Scope::Reject),
        (REGION, vec![code("89546000"), code("122494005")], Scope::Unknown),
        (REGION, vec![code("89546000"), code("")], Scope::Unknown),
        (REGION, vec![code("89546000"), vec![]], Scope::Unknown),
        (REGION, many("89546000", "122494005"), Scope::Unknown),
        (VIEW_CODE, vec![code("399067008"), code("399198007")], Scope::Accept),
        (VIEW_CODE, vec![code("399348003")], Scope::Reject),
        (VIEW_CODE, vec![code("399348003"), code("399067008")], Scope::Unknown),
        (VIEW_CODE, vec![code("399067008"), code("399348003")], Scope::Unknown),
        (VIEW_CODE, many("399348003", "399348003"), Scope::Unknown),
    ] {
        let file = coded(sequence, &items);
        assert_eq!(of_file(&file), expected, "{:?} {:?}", header(&file).anatomic_region, header(&file).view_code);
    }
}

#[test]
fn body_part_and_view_are_read_in_utf_8_and_in_no_other_character_set() {
    for part in ["HALSWIRBELSÄULE", "шейный отдел", "颈椎"] {
        assert_eq!(of_file(&with(BODY_PART, part.as_bytes())), Scope::Accept, "{part}");
    }
    assert_eq!(of_file(&with(BODY_PART, "SCHÄDEL".as_bytes())), Scope::Reject);
    assert_eq!(of_file(&with(VIEW_POSITION, "侧位".as_bytes())), Scope::Accept);
    let own: ScopeWords = serde_json::from_str(r#"{"body_part": {"ХРЕБЕТ Б": "accept"}}"#).unwrap();
    let header = header(&with(BODY_PART, "Хребет Б".as_bytes()));
    assert_eq!(cspine_imaging::scope(&DeclaredScope::default(), Some(&header), &own).scope, Scope::Accept);
    let long = "Ж".repeat(65);
    for unreadable in [&b"SCH\xc4DEL\\SKULL"[..], b"SKULL\\\x1b$B%A%P\x1b(B", b"SKULL\x07", long.as_bytes()] {
        assert_eq!(of_file(&with(BODY_PART, unreadable)), Scope::Unknown, "{unreadable:?}");
    }
}

#[test]
fn a_description_in_another_character_set_or_with_an_unknown_word_rejects_nothing() {
    let described = |tag, text: &[u8]| of_file(&with(tag, text).without(VIEW_POSITION).without(0x0020_0020));
    for text in [&b"FLEXI DR CSPINE"[..], b"\x1b$B%A%P\x1b(B", b"\x83A\x83P", b"Default Profile", b"Seite 1"] {
        assert_eq!(described(SERIES, text), Scope::Unknown, "{text:?}");
        assert_eq!(described(PROTOCOL, text), Scope::Unknown, "{text:?}");
    }
    assert_eq!(described(SERIES, b"C-SPINE FLEXION"), Scope::Reject);
    assert_eq!(described(SERIES, b"C-SPINE AP"), Scope::Reject);
    let sagittal = with(SERIES, b"C-SPINE AP").without(VIEW_POSITION).with(0x0020_0020, "CS", b"A\\F ");
    assert_eq!(of_file(&sagittal), Scope::Unknown, "the row runs to the front");
}
