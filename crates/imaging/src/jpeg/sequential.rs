//! Sequential DCT, Huffman coded, of 8 and 12 bits (T.81 annex F): the processes 1, 2 and 4.

use super::bits::Bits;
use super::decoder::{Scan, Settings, Sink};
use super::grid::{Blocks, Grid};
use super::huffman::Table;
use super::markers::Header;
use super::planes::{Planes, ZIGZAG};
use crate::Fault;

/// The samples of all components.
pub(super) struct Sequential(Planes);

/// Reads the blocks of one scan.
struct Reader<'a> {
    planes: &'a mut Planes,
    channels: Vec<Channel<'a>>,
}

/// What a component needs to read its blocks.
struct Channel<'a> {
    index: usize,
    dc: &'a Table,
    ac: &'a Table,
    quantisation: &'a [u16; 64],
    /// The DC coefficient before.
    before: i32,
}

impl Sequential {
    pub fn new(header: &Header) -> Result<Self, Fault> {
        if header.precision != 8 && header.precision != 12 {
            return Err(Fault::Unsupported("a lossy JPEG stream of other than 8 and 12 bits"));
        }
        Ok(Self(Planes::new(Grid::new(header), header.precision.into())))
    }
}

impl Sink for Sequential {
    fn scan(&mut self, bits: &mut Bits<'_>, scan: &Scan, settings: &Settings) -> Result<(), Fault> {
        let mut channels = Vec::with_capacity(scan.components.len());
        for component in &scan.components {
            channels.push(Channel {
                index: component.index,
                dc: settings.tables.dc(component.dc_table)?,
                ac: settings.tables.ac(component.ac_table)?,
                quantisation: settings.quantisation(component)?,
                before: 0,
            });
        }
        let grid = self.0.grid.clone();
        grid.walk(bits, scan, settings.restart_interval, &mut Reader { planes: &mut self.0, channels })
    }

    fn finish(self: Box<Self>) -> Vec<u16> {
        self.0.pixels()
    }
}

impl Blocks for Reader<'_> {
    fn end_interval(&mut self) -> Result<(), Fault> {
        self.channels.iter_mut().for_each(|channel| channel.before = 0);
        Ok(())
    }

    fn block(&mut self, bits: &mut Bits<'_>, place: usize, x: usize, y: usize) -> Result<(), Fault> {
        let channel = &mut self.channels[place];
        let coefficients = channel.coefficients(bits)?;
        self.planes.put(channel.index, (x, y), &coefficients);
        Ok(())
    }
}

impl Channel<'_> {
    /// Reads the dequantised coefficients of a block, row by row.
    fn coefficients(&mut self, bits: &mut Bits<'_>) -> Result<[i32; 64], Fault> {
        const IMPOSSIBLE: Fault = Fault::Damaged("a JPEG block of impossible coefficients");
        let mut block = [0; 64];
        bits.refill();
        let size = self.dc.symbol(bits)?;
        if size > 16 {
            return Err(IMPOSSIBLE);
        }
        self.before = self.before.wrapping_add(bits.signed(size.into()));
        block[0] = self.before.wrapping_mul(self.quantisation[0].into());
        let mut at = 1;
        while at < 64 {
            if bits.available() < 32 {
                bits.refill();
            }
            let symbol = self.ac.symbol(bits)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 0xf));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => break,
                _ => {
                    at += run;
                    let &place = ZIGZAG.get(at).ok_or(IMPOSSIBLE)?;
                    block[usize::from(place)] = bits.signed(size).wrapping_mul(self.quantisation[at].into());
                    at += 1;
                }
            }
        }
        Ok(block)
    }
}
