//! TIFF files whose directories ask for much, or say what readers take in two ways.

use cspine_domain::{Note, Reason};
use cspine_imaging::{DecodeError, Limits, Radiograph, decode};

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const STRIP_OFFSETS: u16 = 273;
const STRIP_BYTE_COUNTS: u16 = 279;
const PREDICTOR: u16 = 317;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const JPEG_TABLES: u16 = 347;

/// Fields, and the data that lie at byte 8.
struct Page {
    fields: Vec<(u16, Vec<u32>)>,
    data: Vec<u8>,
}

/// Grey, 8 bits, in strips.
fn page(side: u32, data: Vec<u8>) -> Page {
    let one = |tag, value| (tag, vec![value]);
    let mut fields = vec![one(WIDTH, side), one(HEIGHT, side), one(BITS, 8), one(COMPRESSION, 1), one(262, 1)];
    fields.extend([one(STRIP_OFFSETS, 8), one(278, side), one(STRIP_BYTE_COUNTS, data.len() as u32)]);
    Page { fields, data }
}

/// The same in tiles, all at one place.
fn tiled(side: u32, tile: u32, count: u32, data: Vec<u8>) -> Page {
    let tiles = (side.div_ceil(tile) * side.div_ceil(tile)) as usize;
    let page = page(side, data).with(TILE_WIDTH, [tile]).with(TILE_HEIGHT, [tile]);
    page.with(TILE_OFFSETS, vec![8; tiles]).with(TILE_BYTE_COUNTS, vec![count; tiles])
}

impl Page {
    fn with(mut self, tag: u16, values: impl Into<Vec<u32>>) -> Self {
        self.fields.retain(|field| field.0 != tag);
        self.fields.push((tag, values.into()));
        self
    }

    /// A file of so many of this page.
    fn bytes(&self, pages: usize) -> Vec<u8> {
        let mut file = [&b"II*\0\0\0\0\0"[..], &self.data].concat();
        let mut link = 4;
        for _ in 0..pages {
            let mut directory = (self.fields.len() as u16).to_le_bytes().to_vec();
            for (tag, values) in &self.fields {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                let place = if values.len() == 1 { bytes.clone() } else { (file.len() as u32).to_le_bytes().to_vec() };
                directory
                    .extend([&tag.to_le_bytes()[..], &[4, 0], &(values.len() as u32).to_le_bytes(), &place].concat());
                file.extend(if values.len() == 1 { Vec::new() } else { bytes });
            }
            let at = (file.len() as u32).to_le_bytes();
            file[link..link + 4].copy_from_slice(&at);
            file.extend(directory);
            link = file.len();
            file.extend([0; 4]);
        }
        file
    }

    fn read(&self) -> Result<Radiograph, DecodeError> {
        decode(&self.bytes(1), None, &Limits::default())
    }

    fn reason(&self) -> Reason {
        self.read().unwrap_err().reason()
    }
}

/// A baseline stream of one grey block of 8 by 8, without its end marker.
fn jpeg() -> Vec<u8> {
    let table = |kind: u8| [&[0xff, 0xc4, 0, 20, kind, 1][..], &[0; 16]].concat();
    let mut stream = [&[0xff, 0xd8, 0xff, 0xdb, 0, 67, 0][..], &[1; 64]].concat();
    stream.extend([0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    stream.extend([table(0), table(0x10)].concat());
    stream.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x3f]);
    stream
}

#[test]
fn a_predictor_where_nothing_predicts_is_unsupported() {
    let ramp: Vec<u8> = (0..=255).collect();
    let packed: Vec<u8> = ramp.chunks(128).flat_map(|part| [&[127][..], part].concat()).collect();
    let closed = [jpeg(), vec![0xff, 0xd9]].concat();
    for (compression, page) in [(1, page(16, ramp)), (32773, page(16, packed)), (7, page(8, closed))] {
        let page = page.with(COMPRESSION, [compression]);
        assert!(page.read().is_ok(), "{compression}");
        let predicted = page.with(PREDICTOR, [2]);
        assert_eq!(predicted.reason(), Reason::UnsupportedTransferSyntax, "{compression}");
    }
}

#[test]
fn tiny_tiles_are_unsupported_and_tiles_far_beyond_the_page_over_the_limit() {
    assert!(tiled(64, 8, 64, vec![0; 64]).read().is_ok());
    assert_eq!(tiled(64, 7, 49, vec![0; 64]).reason(), Reason::UnsupportedTransferSyntax);
    let tall = tiled(64, 8, 64, vec![0; 64]).with(TILE_HEIGHT, [8 << 20]);
    assert_eq!(tall.reason(), Reason::OverLimit);
}

#[test]
fn tiles_that_share_one_long_stream_are_unsupported() {
    let shared = |count: u32| {
        let mut stream = [jpeg(), vec![0xff, 0xd9]].concat();
        stream.resize(1 << 16, 0);
        tiled(320, 8, count, stream).with(COMPRESSION, [7])
    };
    assert!(shared(jpeg().len() as u32 + 2).read().is_ok());
    assert_eq!(shared(1 << 16).reason(), Reason::UnsupportedTransferSyntax);
}

#[test]
fn jpeg_tables_longer_than_there_are_make_a_page_unsupported() {
    let page = page(8, [jpeg(), vec![0xff, 0xd9]].concat()).with(COMPRESSION, [7]);
    assert!(page.read().is_ok());
    assert_eq!(page.with(JPEG_TABLES, vec![0; 1025]).reason(), Reason::UnsupportedTransferSyntax);
}

#[test]
fn a_jpeg_strip_or_tile_without_its_end_marker_is_noted() {
    let closed = [jpeg(), vec![0xff, 0xd9]].concat();
    for (stream, notes) in [(closed, &[][..]), (jpeg(), &[Note::MissingEndMarker][..])] {
        let count = stream.len() as u32;
        for page in [page(8, stream.clone()), tiled(16, 8, count, stream)] {
            let radiograph = page.with(COMPRESSION, [7]).read().unwrap();
            assert!(radiograph.notes.iter().eq(notes), "{:?}", radiograph.notes);
        }
    }
}

#[test]
fn a_file_of_more_directories_than_are_read_is_unsupported() {
    let page = page(8, vec![0; 64]);
    let read = |pages| decode(&page.bytes(pages), None, &Limits::default());
    assert!(read(64).is_ok());
    assert_eq!(read(65).unwrap_err().reason(), Reason::UnsupportedTransferSyntax);
    // Inner ones count as well.
    let inner = |count| page_with_inner(count).reason();
    assert_eq!(inner(64), Reason::UnsupportedTransferSyntax);
    assert_eq!(inner(63), Reason::Undecodable); // they lie nowhere
}

/// A page with inner ones outside the file.
fn page_with_inner(count: usize) -> Page {
    page(8, vec![0; 64]).with(330, vec![u32::MAX; count])
}
