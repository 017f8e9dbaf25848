//! The scans of a stream: tables, restart interval, and which components each scan carries.

use super::bits::Bits;
use super::coverage::Coverage;
use super::huffman::Tables;
use super::markers::{Component, DHT, DQT, DRI, EOI, Header, Process, SOS, Segments, is_frame};
use super::{Picture, lossless, progressive, sequential};
use crate::Fault;

/// Scans of a stream. Encoders write up to about twenty; each costs a walk over the whole image.
const SCANS_MAX: usize = 100;

/// What the marker segments before a scan have set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub tables: Tables,
    /// By number, in zigzag order.
    quantisation: [Option<[u16; 64]>; 4],
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: usize,
}

/// What the header of a scan says (T.81 B.2.3).
#[derive(Debug)]
pub(super) struct Scan {
    pub components: Vec<ScanComponent>,
    /// Ss: the first coefficient, or the predictor of a lossless scan.
    pub start: u8,
    /// Se: the last coefficient.
    pub end: u8,
    /// Ah and Al: successive approximation, or the point transform of a lossless scan.
    pub approximation: (u8, u8),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ScanComponent {
    /// Its place in the frame.
    pub index: usize,
    pub dc_table: u8,
    pub ac_table: u8,
    /// Its quantisation table.
    pub quantisation: u8,
}

/// Decodes scan after scan until every component was there, with all bits of all its coefficients.
pub(super) fn decode(stream: &[u8], header: &Header) -> Result<Picture, Fault> {
    let mut sink: Box<dyn Sink> = match header.process {
        Process::Lossless => Box::new(lossless::Samples::new(header)?),
        Process::Progressive => Box::new(progressive::Progressive::new(header)?),
        _ => Box::new(sequential::Sequential::new(header)?),
    };
    let mut segments = Segments::new(stream)?;
    let mut settings = Settings::default();
    let mut coverage = Coverage::new(header);
    let mut scans = 0;
    while !coverage.is_complete() {
        let (marker, segment) = segments.next()?;
        match marker {
            DHT => settings.tables.define(segment)?,
            DQT => settings.quantise(segment)?,
            DRI => {
                settings.restart_interval = segment.first_chunk().map_or(0, |&bytes| u16::from_be_bytes(bytes)).into();
            }
            EOI => return Err(Fault::Damaged("a JPEG stream without all of its components or coefficients")),
            SOS if scans == SCANS_MAX => return Err(Fault::Unsupported("a JPEG stream of that many scans")),
            SOS => {
                scans += 1;
                let scan = Scan::read(segment, &header.components)?;
                coverage.add(&scan)?;
                let mut bits = Bits::new(stream, segments.at);
                sink.scan(&mut bits, &scan, &settings)?;
                bits.check()?;
                segments = bits.rest();
            }
            _ if is_frame(marker) && scans > 0 => return Err(Fault::Damaged("a second JPEG frame header")),
            _ => {}
        }
    }
    let ended = ends(segments, header)?;
    Ok(Picture { samples: sink.finish(), ended })
}

/// Whether an end marker stands behind the last scan. DNL may stand before it; a scan that would change a progressive
/// image must not.
fn ends(mut segments: Segments<'_>, header: &Header) -> Result<bool, Fault> {
    while let Ok((marker, _)) = segments.next() {
        match marker {
            EOI => return Ok(true),
            SOS if header.process == Process::Progressive => {
                return Err(Fault::Damaged("a JPEG component that comes twice or out of order"));
            }
            _ => {}
        }
    }
    Ok(false)
}

/// Where the samples of a process are gathered.
pub(super) trait Sink {
    /// Reads all data of one scan.
    fn scan(&mut self, bits: &mut Bits<'_>, scan: &Scan, settings: &Settings) -> Result<(), Fault>;

    /// All samples, pixel by pixel.
    fn finish(self: Box<Self>) -> Vec<u16>;
}

impl Settings {
    /// The quantisation table of a component.
    pub fn quantisation(&self, component: &ScanComponent) -> Result<&[u16; 64], Fault> {
        let table = self.quantisation.get(usize::from(component.quantisation)).and_then(Option::as_ref);
        table.ok_or(Fault::Damaged("a quantisation table that is missing"))
    }

    /// Reads a DQT segment.
    fn quantise(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        const SHORT: Fault = Fault::Damaged("a quantisation table that is too short");
        while let Some((&kind, rest)) = segment.split_first() {
            let wide = kind & 0xf0 != 0;
            let (entries, rest) = rest.split_at_checked(if wide { 128 } else { 64 }).ok_or(SHORT)?;
            let mut table = [0; 64];
            for (at, entry) in table.iter_mut().enumerate() {
                *entry =
                    if wide { u16::from_be_bytes([entries[2 * at], entries[2 * at + 1]]) } else { entries[at].into() };
            }
            *self.quantisation.get_mut(usize::from(kind & 0xf)).ok_or(SHORT)? = Some(table);
            segment = rest;
        }
        Ok(())
    }
}

impl Scan {
    fn read(segment: &[u8], frame: &[Component]) -> Result<Self, Fault> {
        const SHORT: Fault = Fault::Damaged("a JPEG scan header that is too short");
        let (&count, rest) = segment.split_first().ok_or(SHORT)?;
        let (selectors, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or(SHORT)?;
        let &[start, end, approximation, ..] = rest else { return Err(SHORT) };
        let component = |&[id, tables]: &[u8; 2]| {
            let index = frame.iter().position(|component| component.id == id)?;
            let quantisation = frame[index].table;
            Some(ScanComponent { index, dc_table: tables >> 4, ac_table: tables & 0xf, quantisation })
        };
        let components: Option<Vec<_>> = selectors.as_chunks().0.iter().map(component).collect();
        let components = components.filter(|components| !components.is_empty());
        let components = components.ok_or(Fault::Damaged("a JPEG scan of unknown components"))?;
        Ok(Self { components, start, end, approximation: (approximation >> 4, approximation & 0xf) })
    }
}
