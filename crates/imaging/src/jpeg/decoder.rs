//! The scans of a sequential or lossless stream: tables, restart interval, and which components each scan carries.

use super::bits::Bits;
use super::huffman::Tables;
use super::markers::{Component, DHT, DQT, DRI, EOI, Header, Process, SOS, Segments};
use super::{Picture, lossless, sequential};
use crate::Fault;

/// What the marker segments before a scan have set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub tables: Tables,
    /// By number, in zigzag order.
    pub quantisation: [Option<[u16; 64]>; 4],
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: usize,
}

/// What the header of a scan says (T.81 B.2.3).
#[derive(Debug)]
pub(super) struct Scan {
    pub components: Vec<ScanComponent>,
    /// Ss: the first coefficient, or the predictor of a lossless scan.
    pub start: u8,
    /// Ah and Al: successive approximation, or the point transform of a lossless scan.
    pub approximation: (u8, u8),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ScanComponent {
    /// Its place in the frame.
    pub index: usize,
    pub dc_table: u8,
    pub ac_table: u8,
}

/// Decodes scan after scan until every component was there once.
pub(super) fn decode(stream: &[u8], header: &Header) -> Result<Picture, Fault> {
    let mut sink: Box<dyn Sink> = match header.process {
        Process::Lossless => Box::new(lossless::Samples::new(header)?),
        _ => Box::new(sequential::Planes::new(header)?),
    };
    let mut segments = Segments::new(stream)?;
    let mut settings = Settings::default();
    let mut missing: Vec<bool> = vec![true; header.components.len()];
    while missing.contains(&true) {
        let (marker, segment) = segments.next()?;
        match marker {
            DHT => settings.tables.define(segment)?,
            DQT => settings.quantise(segment)?,
            DRI => {
                settings.restart_interval = segment.first_chunk().map_or(0, |&bytes| u16::from_be_bytes(bytes)).into();
            }
            EOI => return Err(Fault::Damaged("a JPEG stream without all of its components")),
            SOS => {
                let scan = Scan::read(segment, &header.components)?;
                for component in &scan.components {
                    if !std::mem::replace(&mut missing[component.index], false) {
                        return Err(Fault::Damaged("a JPEG component that comes twice"));
                    }
                }
                let mut bits = Bits::new(stream, segments.at);
                sink.scan(&mut bits, &scan, &settings)?;
                bits.check()?;
                segments = bits.rest();
            }
            _ => {}
        }
    }
    // DNL may stand behind the first scan.
    let mut behind = std::iter::from_fn(|| segments.next().ok()).map(|(marker, _)| marker);
    let ended = behind.any(|marker| marker == EOI);
    Ok(Picture { samples: sink.finish(), ended })
}

/// Where the samples of a process are gathered.
pub(super) trait Sink {
    /// Reads all data of one scan.
    fn scan(&mut self, bits: &mut Bits<'_>, scan: &Scan, settings: &Settings) -> Result<(), Fault>;

    /// All samples, pixel by pixel.
    fn finish(self: Box<Self>) -> Vec<u16>;
}

impl Settings {
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
        let &[start, _, approximation, ..] = rest else { return Err(SHORT) };
        let component = |&[id, tables]: &[u8; 2]| {
            let index = frame.iter().position(|component| component.id == id)?;
            Some(ScanComponent { index, dc_table: tables >> 4, ac_table: tables & 0xf })
        };
        let components: Option<Vec<_>> = selectors.as_chunks().0.iter().map(component).collect();
        let components = components.filter(|components| !components.is_empty());
        let components = components.ok_or(Fault::Damaged("a JPEG scan of unknown components"))?;
        Ok(Self { components, start, approximation: (approximation >> 4, approximation & 0xf) })
    }
}
