//! JPEG-LS (ITU-T T.87), lossless and near-lossless, in all three interleave modes.

mod bits;
mod coder;
mod line;
mod parameters;

use super::markers::{EOI, SOS, Segments};
use super::{Header, Picture};
use crate::Fault;
use bits::Bits;
use coder::Coder;
use line::Lines;
use parameters::{Parameters, Preset};

const DRI: u8 = 0xdd;
const LSE: u8 = 0xf8;
const APP8: u8 = 0xe8;

/// What the header of a scan says (T.87 C.2.3).
struct Scan {
    /// Places of its components in the frame.
    components: Vec<usize>,
    near: i32,
    interleave: Interleave,
    /// Bits that were dropped before coding.
    point_transform: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Interleave {
    /// A scan carries one component.
    None,
    /// A line of each component in turn.
    Line,
    /// A sample of each component in turn.
    Sample,
}

/// Decodes scan after scan until every component was there once.
pub(super) fn decode(stream: &[u8], header: &Header) -> Result<Picture, Fault> {
    if !(2..=16).contains(&header.precision) {
        return Err(Fault::Damaged("a JPEG-LS stream of impossible precision"));
    }
    let count = header.components.len();
    let mut samples = vec![0; header.pixels() * count];
    let mut missing = vec![true; count];
    let mut segments = Segments::new(stream)?;
    let mut preset = Preset::default();
    let mut lines_between = 0;
    while missing.contains(&true) {
        let (marker, segment) = segments.next()?;
        match marker {
            LSE => preset = Preset::read(segment)?.unwrap_or(preset),
            DRI => lines_between = segment.iter().take(4).fold(0, |all, &byte| all << 8 | usize::from(byte)),
            // Hewlett-Packard's colour transformations are not of the standard.
            APP8 if segment.starts_with(b"mrfx") && segment.get(4).is_some_and(|&kind| kind != 0) => {
                return Err(Fault::Unsupported("a JPEG-LS stream with a colour transformation"));
            }
            EOI => return Err(Fault::Damaged("a JPEG-LS stream without all of its components")),
            SOS => {
                let scan = Scan::read(segment, header)?;
                for &component in &scan.components {
                    if !std::mem::replace(&mut missing[component], false) {
                        return Err(Fault::Damaged("a JPEG-LS component that comes twice"));
                    }
                }
                let parameters = Parameters::new(&preset, header.precision, scan.near)?;
                let mut bits = Bits::new(stream, segments.at);
                read(&mut bits, &scan, &parameters, lines_between, header, &mut samples)?;
                segments = bits.rest();
            }
            _ => {}
        }
    }
    let ended = std::iter::from_fn(|| segments.next().ok()).any(|(marker, _)| marker == EOI);
    Ok(Picture { samples, ended })
}

/// Reads all lines of a scan.
fn read(
    bits: &mut Bits<'_>,
    scan: &Scan,
    parameters: &Parameters,
    lines_between: usize,
    header: &Header,
    samples: &mut [u16],
) -> Result<(), Fault> {
    let width = usize::from(header.width);
    let count = header.components.len();
    let mut coder = Coder::new(parameters);
    let mut lines: Vec<Lines> = scan.components.iter().map(|_| Lines::new(width)).collect();
    for (y, row) in samples.chunks_exact_mut(width * count).enumerate() {
        if lines_between != 0 && y != 0 && y % lines_between == 0 {
            bits.restart(((y / lines_between - 1) % 8) as u8)?;
            coder = Coder::new(parameters);
            lines.fill_with(|| Lines::new(width));
        }
        lines.iter_mut().for_each(Lines::advance);
        if scan.interleave == Interleave::Sample {
            line::decode_together(&mut coder, bits, &mut lines)?;
        } else {
            for lines in &mut lines {
                line::decode(&mut coder, bits, lines)?;
            }
        }
        bits.check()?;
        for (lines, &component) in lines.iter().zip(&scan.components) {
            for (sample, &value) in row.iter_mut().skip(component).step_by(count).zip(lines.samples()) {
                *sample = (value << scan.point_transform) as u16;
            }
        }
    }
    Ok(())
}

impl Scan {
    fn read(segment: &[u8], header: &Header) -> Result<Self, Fault> {
        const SHORT: Fault = Fault::Damaged("a JPEG-LS scan header that is too short");
        let (&count, rest) = segment.split_first().ok_or(SHORT)?;
        let (selectors, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or(SHORT)?;
        let &[near, interleave, point_transform, ..] = rest else { return Err(SHORT) };
        let selectors = selectors.as_chunks::<2>().0;
        if selectors.iter().any(|&[_, table]| table != 0) {
            return Err(Fault::Unsupported("a JPEG-LS stream with mapping tables"));
        }
        let place = |&[id, _]: &[u8; 2]| header.components.iter().position(|component| component.id == id);
        let components: Option<Vec<usize>> = selectors.iter().map(place).collect();
        let components = components.ok_or(Fault::Damaged("a JPEG-LS scan of unknown components"))?;
        let interleave = match (interleave, components.len()) {
            (0..=2, 1) => Interleave::None,
            (1, 2..=4) => Interleave::Line,
            (2, 2..=4) => Interleave::Sample,
            _ => return Err(Fault::Damaged("a JPEG-LS scan of impossible interleave")),
        };
        let point_transform = u32::from(point_transform & 0xf);
        if point_transform >= u32::from(header.precision) {
            return Err(Fault::Damaged("a JPEG-LS scan of impossible point transform"));
        }
        Ok(Self { components, near: near.into(), interleave, point_transform })
    }
}
