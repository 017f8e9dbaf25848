//! Scans of AC coefficients (T.81 G.1.2.2 and G.1.2.3).

use super::{Coefficients, IMPOSSIBLE};
use crate::Fault;
use crate::jpeg::bits::Bits;
use crate::jpeg::grid::Blocks;
use crate::jpeg::huffman::Table;

/// What a scan of AC coefficients needs.
pub(super) struct Band<'a> {
    pub coefficients: &'a mut Coefficients,
    pub table: &'a Table,
    /// The first and the last coefficient.
    pub range: (usize, usize),
    /// The value of the bit that is sent.
    pub unit: i16,
    /// EOBRUN: how many blocks have no further coefficients.
    pub run: u32,
}

impl Band<'_> {
    /// A run of blocks must end with its restart interval.
    fn end(&self) -> Result<(), Fault> {
        if self.run == 0 { Ok(()) } else { Err(Fault::Damaged("a progressive JPEG run beyond its blocks")) }
    }

    /// Reads a run of 2^exponent blocks and more, this one included.
    fn begin_run(&mut self, bits: &mut Bits<'_>, exponent: u32) {
        self.run = (1 << exponent) + bits.unsigned(exponent);
    }
}

/// A first scan of AC coefficients (G.1.2.2).
pub(super) struct Ac<'a>(pub Band<'a>);

impl Blocks for Ac<'_> {
    fn end_interval(&mut self) -> Result<(), Fault> {
        self.0.end()
    }

    fn block(&mut self, bits: &mut Bits<'_>, _: usize, x: usize, y: usize) -> Result<(), Fault> {
        let band = &mut self.0;
        let (mut at, last) = band.range;
        while band.run == 0 && at <= last {
            bits.refill();
            let symbol = band.table.symbol(bits)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 0xf));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => band.begin_run(bits, run as u32),
                _ => {
                    at += run;
                    if at > last {
                        return Err(IMPOSSIBLE);
                    }
                    band.coefficients.block(x, y)[at] = bits.signed(size).wrapping_mul(band.unit.into()) as i16;
                    at += 1;
                }
            }
        }
        band.run = band.run.saturating_sub(1);
        Ok(())
    }
}

/// A further bit of AC coefficients (G.1.2.3).
pub(super) struct AcBit<'a>(pub Band<'a>);

impl Blocks for AcBit<'_> {
    fn end_interval(&mut self) -> Result<(), Fault> {
        self.0.end()
    }

    fn block(&mut self, bits: &mut Bits<'_>, _: usize, x: usize, y: usize) -> Result<(), Fault> {
        let band = &mut self.0;
        let (mut at, last) = band.range;
        while band.run == 0 && at <= last {
            bits.refill();
            let symbol = band.table.symbol(bits)?;
            let (zeros, size) = (usize::from(symbol >> 4), symbol & 0xf);
            let value = match (zeros, size) {
                (0..15, 0) => {
                    band.begin_run(bits, zeros as u32);
                    break;
                }
                (_, 0) => 0,
                (_, 1) if bits.unsigned(1) == 1 => band.unit,
                (_, 1) => -band.unit,
                _ => return Err(IMPOSSIBLE),
            };
            let block = &mut band.coefficients.block(x, y)[..=last];
            at = refine(bits, block, at, band.unit, zeros);
            match block.get_mut(at) {
                Some(coefficient) => *coefficient = value,
                None if value == 0 => {}
                None => return Err(IMPOSSIBLE),
            }
            at += 1;
        }
        if band.run > 0 {
            refine(bits, &mut band.coefficients.block(x, y)[..=last], at, band.unit, usize::MAX);
            band.run -= 1;
        }
        Ok(())
    }
}

/// Adds a bit to the coefficients from `at` on that are not zero, up to the one behind so many zeros. Gives its place.
fn refine(bits: &mut Bits<'_>, block: &mut [i16], at: usize, unit: i16, mut zeros: usize) -> usize {
    for (place, coefficient) in block.iter_mut().enumerate().skip(at) {
        if *coefficient != 0 {
            let bit = bits.unsigned(1) as i16;
            *coefficient = coefficient.wrapping_add(bit * unit * coefficient.signum());
        } else if zeros == 0 {
            return place;
        } else {
            zeros -= 1;
        }
    }
    block.len()
}
