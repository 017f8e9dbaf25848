//! A walk over the markers of a JPEG stream (T.81 annex B): its size before anything is allocated, and its segments.

use super::Colour;
use crate::Fault;

pub(super) const DHT: u8 = 0xc4;
pub(super) const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DQT: u8 = 0xdb;
pub(super) const DRI: u8 = 0xdd;
const DNL: u8 = 0xdc;
const JPEG_LS: u8 = 0xf7;
const CUT: Fault = Fault::Damaged("the JPEG stream ends within its headers");

/// What the frame header says, and what the marker segments before the first scan say of colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub process: Process,
    pub width: u16,
    pub height: u16,
    /// Bits of a sample.
    pub precision: u8,
    /// At least one.
    pub components: Vec<Component>,
    pub colour: Colour,
}

/// A coding process, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// Baseline and extended sequential DCT, Huffman coded: SOF0 and SOF1.
    Sequential,
    /// Progressive DCT, Huffman coded: SOF2.
    Progressive,
    /// Lossless, Huffman coded: SOF3.
    Lossless,
    /// JPEG-LS (T.87), lossless and near-lossless: SOF55.
    LosslessLs,
    /// Arithmetic coded or hierarchical.
    Other,
}

/// A component of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Component {
    pub id: u8,
    /// Horizontal and vertical sampling factor, 1 to 4.
    pub sampling: (u8, u8),
    /// Its quantisation table.
    pub table: u8,
}

impl Header {
    /// Reads the markers up to the first scan.
    pub fn read(stream: &[u8]) -> Result<Self, Fault> {
        let mut segments = Segments::new(stream)?;
        let mut header: Option<Header> = None;
        let mut colour = Colour::default();
        loop {
            let (marker, segment) = segments.next()?;
            match marker {
                SOS => break,
                EOI => return Err(CUT),
                _ if is_frame(marker) && header.is_some() => {
                    return Err(Fault::Damaged("a second JPEG frame header"));
                }
                _ if is_frame(marker) => header = Some(Self::of_frame(marker, segment)?),
                _ => colour.note(marker, segment),
            }
        }
        let mut header = header.ok_or(Fault::Damaged("a JPEG scan before its frame header"))?;
        if header.height == 0 {
            header.height = segments.lines()?;
        }
        header.colour = colour;
        Ok(header)
    }

    fn of_frame(marker: u8, segment: &[u8]) -> Result<Self, Fault> {
        let Some((&[precision, h1, h0, w1, w0, count], specifications)) = segment.split_first_chunk() else {
            return Err(CUT);
        };
        let specifications = specifications.get(..3 * usize::from(count)).ok_or(CUT)?.as_chunks().0;
        let component =
            |&[id, sampling, table]: &[u8; 3]| Component { id, sampling: (sampling >> 4, sampling & 0xf), table };
        let components: Vec<Component> = specifications.iter().map(component).collect();
        let sound = |component: &Component| {
            (1..=4).contains(&component.sampling.0) && (1..=4).contains(&component.sampling.1) && component.table < 4
        };
        let distinct = |at: usize| components[..at].iter().all(|before| before.id != components[at].id);
        if components.is_empty() || !components.iter().all(sound) || !(0..components.len()).all(distinct) {
            return Err(Fault::Damaged("a JPEG frame header of impossible components"));
        }
        let width = u16::from_be_bytes([w1, w0]);
        if width == 0 {
            return Err(Fault::Damaged("a JPEG stream without pixels"));
        }
        let process = match marker {
            0xc0 | 0xc1 => Process::Sequential,
            0xc2 => Process::Progressive,
            0xc3 => Process::Lossless,
            JPEG_LS => Process::LosslessLs,
            _ => Process::Other,
        };
        let height = u16::from_be_bytes([h1, h0]);
        Ok(Self { process, width, height, precision, components, colour: Colour::default() })
    }

    /// Pixels of the image.
    pub fn pixels(&self) -> usize {
        usize::from(self.width) * usize::from(self.height)
    }
}

/// Whether the marker is that of a frame header.
pub(super) fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf | JPEG_LS) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

/// The marker segments of a stream, one after the other.
pub(super) struct Segments<'a> {
    pub stream: &'a [u8],
    /// Where the next marker is looked for.
    pub at: usize,
}

impl<'a> Segments<'a> {
    pub fn new(stream: &'a [u8]) -> Result<Self, Fault> {
        if !stream.starts_with(&[0xff, SOI]) {
            return Err(Fault::Damaged("no start of a JPEG image"));
        }
        Ok(Self { stream, at: 2 })
    }

    /// The next marker and the bytes of its segment; markers that stand alone have none.
    pub fn next(&mut self) -> Result<(u8, &'a [u8]), Fault> {
        loop {
            match self.stream.get(self.at..self.at + 2).ok_or(CUT)? {
                [0xff, 0xff] => self.at += 1, // fill byte
                // Restart markers and TEM stand alone and say nothing here.
                [0xff, 0xd0..=0xd7 | 0x01] => self.at += 2,
                [0xff, marker @ (SOI | EOI)] => {
                    self.at += 2;
                    return Ok((*marker, &[]));
                }
                [0xff, marker] if *marker != 0 => {
                    let length = self.stream.get(self.at + 2..self.at + 4).ok_or(CUT)?;
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                    let segment = self.stream.get(self.at + 4..self.at + 2 + length).ok_or(CUT)?;
                    self.at += 2 + length;
                    return Ok((*marker, segment));
                }
                _ => return Err(Fault::Damaged("no JPEG marker where one must stand")),
            }
        }
    }

    /// Goes on to the next marker behind coded data. Within it 0xff is followed by a byte below 0x80 (0 for T.81), a
    /// restart marker or a fill byte.
    pub fn skip_data(&mut self) {
        let rest = &self.stream[self.at..];
        let found = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], ..0x80 | 0xd0..=0xd7 | 0xff));
        self.at += found.unwrap_or(rest.len());
    }

    /// What stands behind the coded data at `at`.
    pub fn behind_data(stream: &'a [u8], at: usize) -> Self {
        let mut segments = Self { stream, at };
        segments.skip_data();
        segments
    }

    /// Where the next restart interval begins behind the coded data at `at`: the next marker of any kind must be the
    /// restart marker of this number, 0 to 7.
    pub fn next_interval(stream: &[u8], at: usize, number: u8) -> Result<usize, Fault> {
        let rest = &stream[at.min(stream.len())..];
        let found = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], ..0x80 | 0xff));
        match found {
            Some(found) if rest[found + 1] == 0xd0 + number => Ok(at + found + 2),
            _ => Err(Fault::Damaged("a JPEG stream whose restart markers are missing or out of order")),
        }
    }

    /// The number of lines that DNL gives behind the first scan (T.81 B.2.5).
    fn lines(&mut self) -> Result<u16, Fault> {
        self.skip_data();
        match self.next() {
            Ok((DNL, &[high, low, ..])) if (high, low) != (0, 0) => Ok(u16::from_be_bytes([high, low])),
            _ => Err(Fault::Damaged("a JPEG stream without a number of lines")),
        }
    }
}
