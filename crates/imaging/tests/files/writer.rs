//! A small DICOM writer: takes a sound file apart into its elements, and puts them together again in odd ways.

use std::collections::BTreeMap;
use std::path::Path;

pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub const PIXEL_DATA: u32 = 0x7fe0_0010;
pub const UNDEFINED: u32 = u32::MAX;

/// A file whose data set was explicit little-endian; each element is its bytes, and may be replaced by any.
#[derive(Clone)]
pub struct File {
    pub syntax: String,
    pub elements: BTreeMap<u32, Vec<u8>>,
}

impl File {
    /// That of a fixture.
    pub fn read(name: &str) -> Self {
        Self::of(&fixture(name))
    }

    /// That of a sound file.
    pub fn of(bytes: &[u8]) -> Self {
        let mut file = Self { syntax: String::new(), elements: BTreeMap::new() };
        let mut at = 132;
        while at < bytes.len() {
            let number = |at: usize| u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
            let tag = number(at) << 16 | number(at + 2);
            let (value, length) = extent(&bytes[at..]);
            let value = at + value;
            let end = if length == UNDEFINED as usize { bytes.len() } else { value + length };
            match tag {
                0x0002_0010 => {
                    let uid = std::str::from_utf8(&bytes[value..end]).unwrap();
                    file.syntax = uid.trim_end_matches('\0').to_owned();
                }
                0x0002_0000..=0x0002_ffff => {}
                _ => {
                    file.elements.insert(tag, bytes[at..end].to_vec());
                }
            }
            at = end;
        }
        file
    }

    /// Puts an element in its place, or instead of another of its tag.
    pub fn with(mut self, tag: u32, vr: &str, value: &[u8]) -> Self {
        self.elements.insert(tag, element(tag, vr, value));
        self
    }

    /// The same with the element's bytes as they are.
    pub fn with_raw(mut self, tag: u32, bytes: Vec<u8>) -> Self {
        self.elements.insert(tag, bytes);
        self
    }

    pub fn with_syntax(self, syntax: &str) -> Self {
        Self { syntax: syntax.to_owned(), ..self }
    }

    pub fn without(mut self, tag: u32) -> Self {
        self.elements.remove(&tag);
        self
    }

    /// A file with preamble and meta information.
    pub fn bytes(&self) -> Vec<u8> {
        file(&self.syntax, &self.dataset())
    }

    /// The data set alone.
    pub fn dataset(&self) -> Vec<u8> {
        self.elements.values().flatten().copied().collect()
    }

    /// The data set without value representations; sequences of one item too.
    pub fn implicit(&self) -> Vec<u8> {
        self.elements.values().flat_map(|element| implicit(element)).collect()
    }

    /// The value of an element of a defined length.
    pub fn value(&self, tag: u32) -> &[u8] {
        let element = &self.elements[&tag];
        &element[if is_long(&element[4..6]) { 12 } else { 8 }..]
    }

    /// The fragments of encapsulated pixel data, without their offset table.
    pub fn fragments(&self) -> Vec<Vec<u8>> {
        let mut rest = self.value(PIXEL_DATA);
        let mut fragments = Vec::new();
        while let [0xfe, 0xff, 0x00, 0xe0, a, b, c, d, after @ ..] = rest {
            let (fragment, after) = after.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
            fragments.push(fragment.to_vec());
            rest = after;
        }
        fragments.split_off(1)
    }
}

pub fn file(syntax: &str, dataset: &[u8]) -> Vec<u8> {
    [&[0; 128][..], b"DICM", &meta(syntax), dataset].concat()
}

/// Meta information: its length, its version and the transfer syntax.
pub fn meta(syntax: &str) -> Vec<u8> {
    let rest =
        [element(0x0002_0001, "OB", &[0, 1]), element(0x0002_0010, "UI", &padded(syntax.as_bytes(), 0))].concat();
    [element(0x0002_0000, "UL", &(rest.len() as u32).to_le_bytes()), rest].concat()
}

/// An explicit little-endian element of a defined length.
pub fn element(tag: u32, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = [&head(tag)[..], vr.as_bytes()].concat();
    if is_long(vr.as_bytes()) {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

/// One of an undefined length; the content ends it.
pub fn undefined(tag: u32, vr: &str, content: &[u8]) -> Vec<u8> {
    [&head(tag)[..], vr.as_bytes(), &[0, 0, 0xff, 0xff, 0xff, 0xff], content].concat()
}

/// An item, or a fragment.
pub fn item(content: &[u8]) -> Vec<u8> {
    [&head(0xfffe_e000)[..], &(content.len() as u32).to_le_bytes(), content].concat()
}

/// An item that a delimiter ends.
pub fn open_item(content: &[u8]) -> Vec<u8> {
    [&head(0xfffe_e000)[..], &[0xff; 4], content, &item_end()].concat()
}

pub fn item_end() -> Vec<u8> {
    [&head(0xfffe_e00d)[..], &[0; 4]].concat()
}

pub fn sequence_end() -> Vec<u8> {
    [&head(0xfffe_e0dd)[..], &[0; 4]].concat()
}

/// Pixel data in fragments, with an empty offset table and their end.
pub fn encapsulated(fragments: &[Vec<u8>]) -> Vec<u8> {
    let items: Vec<u8> = fragments.iter().flat_map(|fragment| item(&padded(fragment, 0))).collect();
    undefined(PIXEL_DATA, "OB", &[item(&[]), items, sequence_end()].concat())
}

/// Explicit elements of defined lengths without their value representations, also those in a sequence of one item.
pub fn implicit(mut elements: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !elements.is_empty() {
        let (value_at, length) = extent(elements);
        let value = &elements[value_at..value_at + length];
        let value = if &elements[4..6] == b"SQ" { item(&implicit(&value[8..])) } else { value.to_vec() };
        bytes.extend([&elements[..4], &(value.len() as u32).to_le_bytes(), &value].concat());
        elements = &elements[value_at + length..];
    }
    bytes
}

/// Where the value of the first element begins, and its length.
fn extent(elements: &[u8]) -> (usize, usize) {
    let number = |at: usize| usize::from(u16::from_le_bytes([elements[at], elements[at + 1]]));
    if is_long(&elements[4..6]) { (12, number(8) | number(10) << 16) } else { (8, number(6)) }
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

pub fn head(tag: u32) -> Vec<u8> {
    [((tag >> 16) as u16).to_le_bytes(), (tag as u16).to_le_bytes()].concat()
}

/// To an even length.
pub fn padded(value: &[u8], padding: u8) -> Vec<u8> {
    let mut value = value.to_vec();
    value.resize(value.len().next_multiple_of(2), padding);
    value
}

fn is_long(vr: &[u8]) -> bool {
    [&b"OB"[..], b"OW", b"SQ", b"UN", b"UT"].contains(&vr)
}
