//! Progressive JPEG (ITU-T T.81 annex G): whole in any order of scans, and refused where anything of it is missing.
//!
//! `fixtures/make_codecs.py` writes each picture twice, progressive and sequential, with the same coefficients.

use cspine_domain::{Note, Reason};
use cspine_imaging::{DecodeError, Limits, Radiograph, decode};

use crate::writer::{File, PIXEL_DATA, encapsulated, fixture};

const NAMES: [&str; 4] = ["grey", "420", "444", "scans"];

fn progressive(name: &str) -> Vec<u8> {
    fixture(&format!("progressive-{name}.jpg"))
}

fn read(stream: &[u8]) -> Result<Radiograph, DecodeError> {
    decode(stream, None, &Limits::default())
}

/// What stands before the first scan, and each scan with the segments before it. The end marker is left out.
fn scans(stream: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut parts = vec![stream[..2].to_vec()];
    let mut at = 2;
    while stream[at + 1] != 0xd9 {
        let mut end = at + 2 + usize::from(u16::from_be_bytes([stream[at + 2], stream[at + 3]]));
        let scan = stream[at + 1] == 0xda;
        if scan {
            end += stream[end..].windows(2).position(|pair| is_marker([pair[0], pair[1]])).unwrap();
        }
        parts.last_mut().unwrap().extend(&stream[at..end]);
        if scan || stream[at + 1] == 0xc2 {
            parts.push(Vec::new());
        }
        at = end;
    }
    let head = parts.remove(0);
    parts.pop();
    (head, parts)
}

/// Whether these bytes end the coded data.
fn is_marker(pair: [u8; 2]) -> bool {
    pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7)
}

/// A stream of these scans, with its end marker.
fn joined(head: &[u8], scans: &[Vec<u8>]) -> Vec<u8> {
    [head, &scans.concat(), &[0xff, 0xd9]].concat()
}

#[test]
fn a_progressive_stream_shows_what_its_sequential_twin_shows() {
    for name in NAMES {
        let twin = read(&fixture(&format!("progressive-{name}.sequential.jpg"))).unwrap();
        let ours = read(&progressive(name)).unwrap();
        assert!(ours.luminance == twin.luminance && ours.notes.is_empty(), "{name}");
        assert_eq!((ours.width, ours.height, ours.colour), (twin.width, twin.height, twin.colour), "{name}");
    }
}

#[test]
fn a_scan_that_is_missing_is_never_made_up() {
    for name in NAMES {
        let (head, scans) = scans(&progressive(name));
        assert!(scans.len() >= 6 && read(&joined(&head, &scans)).is_ok(), "{name}");
        for missing in 0..scans.len() {
            let mut fewer = scans.clone();
            // Its tables may be those of later scans.
            let header = fewer[missing].windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
            fewer[missing].truncate(header);
            let errors = [read(&joined(&head, &fewer)), read(&joined(&head, &scans[..missing]))];
            for error in errors.map(Result::unwrap_err) {
                assert_eq!(error.reason(), Reason::Undecodable, "{name} without {missing}: {error}");
            }
        }
    }
}

#[test]
fn a_scan_that_is_cut_anywhere_is_never_made_up() {
    for name in NAMES {
        let (head, scans) = scans(&progressive(name));
        for at in 0..scans.len() {
            let header = scans[at].windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
            let data = header + 2 + usize::from(scans[at][header + 3]);
            for length in data..scans[at].len() {
                let mut cut = scans.clone();
                cut[at].truncate(length);
                let error = read(&joined(&head, &cut)).unwrap_err();
                assert_eq!(error.reason(), Reason::Undecodable, "{name}, scan {at} cut to {length}: {error}");
            }
        }
    }
}

#[test]
fn scans_that_come_twice_or_out_of_order_are_damaged() {
    let (head, scans) = scans(&progressive("scans"));
    for at in 0..scans.len() {
        let mut twice = scans.clone();
        twice.insert(at, scans[at].clone());
        assert_eq!(read(&joined(&head, &twice)).unwrap_err().reason(), Reason::Undecodable, "{at}");
        let mut late = scans.clone();
        late.push(scans[at].clone());
        assert_eq!(read(&joined(&head, &late)).unwrap_err().reason(), Reason::Undecodable, "{at}");
    }
    let mut refined_first = scans;
    refined_first.swap(0, 3);
    assert_eq!(read(&joined(&head, &refined_first)).unwrap_err().reason(), Reason::Undecodable);
}

#[test]
fn a_whole_stream_without_its_end_marker_is_read_with_a_note() {
    for name in NAMES {
        let stream = progressive(name);
        let open = read(&stream[..stream.len() - 2]).unwrap();
        assert!(open.luminance == read(&stream).unwrap().luminance, "{name}");
        assert!(open.notes.iter().eq(&[Note::MissingEndMarker]), "{name}");
    }
}

#[test]
fn colour_is_told_as_for_the_sequential_twin() {
    /// The stream with an Adobe segment, and with its JFIF segment or without.
    fn with(stream: &[u8], transformation: u8, jfif: bool) -> Vec<u8> {
        let adobe = [&[0xff, 0xee, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, transformation]].concat();
        assert_eq!(stream[2..4], [0xff, 0xe0]);
        let rest = if jfif { 2 } else { 4 + usize::from(stream[5]) };
        [&stream[..2], &adobe, &stream[rest..]].concat()
    }
    let twin = fixture("progressive-444.sequential.jpg");
    let ours = progressive("444");
    let luminance = |stream: Vec<u8>| read(&stream).unwrap().luminance;
    for transformation in 0..=2 {
        for jfif in [false, true] {
            let (ours, twin) = (with(&ours, transformation, jfif), with(&twin, transformation, jfif));
            assert!(luminance(ours) == luminance(twin), "{transformation} {jfif}");
        }
    }
    assert!(luminance(with(&ours, 0, false)) != luminance(with(&ours, 1, false)));
    assert!(luminance(with(&ours, 2, false)) == luminance(with(&ours, 1, false)));
}

#[test]
fn a_cut_scan_in_a_dicom_file_is_undecodable() {
    let (head, scans) = scans(&progressive("grey"));
    let plain = File::read("jpeg-baseline.dcm").with(0x0028_0010, "US", &[45, 0]).with(0x0028_0011, "US", &[37, 0]);
    let of = |scans: &[Vec<u8>]| {
        let stream = joined(&head, scans);
        read(&plain.clone().with_raw(PIXEL_DATA, encapsulated(&[stream])).bytes())
    };
    assert!(of(&scans).is_ok());
    assert_eq!(of(&scans[..scans.len() - 1]).unwrap_err().reason(), Reason::Undecodable);
}

/// A black or grey image of one block: scans of Ss, Se, Ah and Al. The only codes are a bit 0 for a DC difference of 0,
/// and one for this AC symbol.
fn one_block(ac_symbol: u8, scans: impl IntoIterator<Item = [u8; 4]>) -> Vec<u8> {
    let table = |kind: u8, symbol: u8| [&[0xff, 0xc4, 0, 20, kind, 1][..], &[0; 15], &[symbol]].concat();
    let mut stream = [&[0xff, 0xd8, 0xff, 0xdb, 0, 67, 0][..], &[1; 64]].concat();
    stream.extend([0xff, 0xc2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    stream.extend([table(0, 0), table(0x10, ac_symbol)].concat());
    for [start, end, high, low] in scans {
        stream.extend([0xff, 0xda, 0, 8, 1, 1, 0, start, end, high << 4 | low, 0x3f]);
    }
    stream.extend([0xff, 0xd9]);
    stream
}

#[test]
fn a_stream_of_a_hundred_scans_is_the_longest() {
    let first = |low: u8| (1..64).map(move |at| [at, at, 0, low]);
    let bits = |count: u8| (1..=count).map(|at| [at, at, 1, 0]);
    let dc = [[0, 0, 0, 0]];
    assert!(read(&one_block(0, dc.into_iter().chain(first(0)))).is_ok());
    let mixed = |count: u8| {
        let rest = (count + 1..64).map(|at| [at, at, 0, 0]);
        one_block(0, dc.into_iter().chain(first(1).take(count.into())).chain(rest).chain(bits(count)))
    };
    assert!(read(&mixed(36)).is_ok()); // 1 + 63 + 36
    assert_eq!(read(&mixed(37)).unwrap_err().reason(), Reason::UnsupportedTransferSyntax);
}

#[test]
fn headers_and_runs_that_cannot_be_are_damaged() {
    let ac = |symbol| one_block(symbol, [[0, 0, 0, 0], [1, 63, 0, 0]]);
    assert!(read(&ac(0)).is_ok());
    // A run of two blocks, where there is one; a size without a coefficient's place.
    assert_eq!(read(&ac(0x10)).unwrap_err().reason(), Reason::Undecodable);
    assert_eq!(read(&ac(0xf1)).unwrap_err().reason(), Reason::Undecodable);
    let impossible = [[0, 63, 0, 0], [2, 1, 0, 0], [1, 64, 0, 0], [1, 63, 0, 14], [1, 63, 2, 0], [1, 63, 1, 1]];
    for header in impossible {
        let error = read(&one_block(0, [[0, 0, 0, 0], header])).unwrap_err();
        assert_eq!(error.reason(), Reason::Undecodable, "{header:?}");
    }
}
