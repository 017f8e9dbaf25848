//! Scans of DC coefficients (T.81 G.1.2.1).

use super::{Coefficients, IMPOSSIBLE};
use crate::Fault;
use crate::jpeg::bits::Bits;
use crate::jpeg::decoder::{Scan, ScanComponent, Settings};
use crate::jpeg::grid::Blocks;
use crate::jpeg::huffman::Table;

/// A first scan of DC coefficients.
pub(super) struct Dc<'a> {
    components: &'a mut [Coefficients],
    /// By place in the scan: the component, its table, and the DC coefficient before.
    channels: Vec<(usize, &'a Table, i32)>,
    low: u8,
}

impl<'a> Dc<'a> {
    pub fn new(components: &'a mut [Coefficients], scan: &Scan, settings: &'a Settings) -> Result<Self, Fault> {
        let channel = |component: &ScanComponent| Ok((component.index, settings.tables.dc(component.dc_table)?, 0));
        let channels = scan.components.iter().map(channel).collect::<Result<_, _>>()?;
        Ok(Self { components, channels, low: scan.approximation.1 })
    }
}

impl Blocks for Dc<'_> {
    fn end_interval(&mut self) -> Result<(), Fault> {
        self.channels.iter_mut().for_each(|(.., before)| *before = 0);
        Ok(())
    }

    fn block(&mut self, bits: &mut Bits<'_>, place: usize, x: usize, y: usize) -> Result<(), Fault> {
        let (component, table, before) = &mut self.channels[place];
        bits.refill();
        let size = table.symbol(bits)?;
        if size > 16 {
            return Err(IMPOSSIBLE);
        }
        *before = before.wrapping_add(bits.signed(size.into()));
        self.components[*component].block(x, y)[0] = (*before << self.low) as i16;
        Ok(())
    }
}

/// A further bit of DC coefficients.
pub(super) struct DcBit<'a> {
    pub components: &'a mut [Coefficients],
    pub scan: &'a Scan,
}

impl Blocks for DcBit<'_> {
    fn end_interval(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn block(&mut self, bits: &mut Bits<'_>, place: usize, x: usize, y: usize) -> Result<(), Fault> {
        let bit = (bits.unsigned(1) << self.scan.approximation.1) as i16;
        self.components[self.scan.components[place].index].block(x, y)[0] |= bit;
        Ok(())
    }
}
