//! Which coefficients of which components the scans have carried so far, and down to which bit.

use super::decoder::Scan;
use super::markers::{Header, Process};
use crate::Fault;

/// Of each component, by coefficient in zigzag order: the lowest bit that was sent; `None` before the first.
pub(super) struct Coverage {
    progressive: bool,
    components: Vec<[Option<u8>; 64]>,
}

impl Coverage {
    pub fn new(header: &Header) -> Self {
        Self {
            progressive: header.process == Process::Progressive,
            components: vec![[None; 64]; header.components.len()],
        }
    }

    /// Whether every bit of every coefficient was sent.
    pub fn is_complete(&self) -> bool {
        self.components.iter().flatten().all(|&lowest| lowest == Some(0))
    }

    /// Adds what a scan carries. It must go on where those before it ended.
    pub fn add(&mut self, scan: &Scan) -> Result<(), Fault> {
        // Of a sequential or lossless stream, a scan carries its components whole.
        let (band, high, low) =
            if self.progressive { (band(scan)?, scan.approximation.0, scan.approximation.1) } else { (0..64, 0, 0) };
        let before = if high == 0 { None } else { Some(high) };
        for component in &scan.components {
            for lowest in &mut self.components[component.index][band.clone()] {
                if *lowest != before {
                    return Err(Fault::Damaged("a JPEG component that comes twice or out of order"));
                }
                *lowest = Some(low);
            }
        }
        Ok(())
    }
}

/// The coefficients of a progressive scan, and whether its header is possible (T.81 G.1.1.1).
fn band(scan: &Scan) -> Result<std::ops::Range<usize>, Fault> {
    let (start, end) = (usize::from(scan.start), usize::from(scan.end));
    let of_dc = start == 0 && end == 0;
    let of_ac = start > 0 && (start..64).contains(&end) && scan.components.len() == 1;
    let (high, low) = scan.approximation;
    if (of_dc || of_ac) && low <= 13 && (high == 0 || high == low + 1) {
        Ok(start..end + 1)
    } else {
        Err(Fault::Damaged("a progressive JPEG scan of impossible coefficients"))
    }
}
