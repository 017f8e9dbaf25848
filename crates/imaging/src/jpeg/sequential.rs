//! Sequential DCT, Huffman coded, of 8 and 12 bits (T.81 annex F): the processes 1, 2 and 4.

use super::bits::Bits;
use super::decoder::{Scan, ScanComponent, Settings, Sink};
use super::huffman::Table;
use super::idct::{flat_sample, samples_of};
use super::markers::Header;
use crate::Fault;

/// Blocks of an MCU (T.81 B.2.3).
const BLOCKS_MAX: usize = 10;

/// The planes of all components.
pub(super) struct Planes {
    width: usize,
    height: usize,
    precision: u32,
    /// The largest sampling factors.
    sampling: (usize, usize),
    planes: Vec<Plane>,
}

struct Plane {
    sampling: (usize, usize),
    quantisation: usize,
    /// Samples of a line: whole blocks of whole MCUs.
    stride: usize,
    samples: Vec<u16>,
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

impl Planes {
    pub fn new(header: &Header) -> Result<Self, Fault> {
        if header.precision != 8 && header.precision != 12 {
            return Err(Fault::Unsupported("a lossy JPEG stream of other than 8 and 12 bits"));
        }
        let (width, height) = (usize::from(header.width), usize::from(header.height));
        let sampling = |component: &super::markers::Component| {
            (usize::from(component.sampling.0), usize::from(component.sampling.1))
        };
        let horizontal = header.components.iter().map(|component| sampling(component).0).max().unwrap_or(1);
        let vertical = header.components.iter().map(|component| sampling(component).1).max().unwrap_or(1);
        let (across, down) = (width.div_ceil(8 * horizontal), height.div_ceil(8 * vertical));
        let plane = |component: &super::markers::Component| {
            let sampling = sampling(component);
            let stride = across * sampling.0 * 8;
            let samples = vec![0; stride * down * sampling.1 * 8];
            Plane { sampling, quantisation: component.table.into(), stride, samples }
        };
        let planes = header.components.iter().map(plane).collect();
        Ok(Self { width, height, precision: header.precision.into(), sampling: (horizontal, vertical), planes })
    }

    /// Blocks or MCUs across and down: a scan of one component has no MCUs, and none of the blocks that only fill them.
    fn units(&self, scan: &Scan) -> (usize, usize) {
        let (horizontal, vertical) = self.sampling;
        match scan.components[..] {
            [ScanComponent { index, .. }] => {
                let (own_horizontal, own_vertical) = self.planes[index].sampling;
                let across = (self.width * own_horizontal).div_ceil(horizontal).div_ceil(8);
                (across, (self.height * own_vertical).div_ceil(vertical).div_ceil(8))
            }
            _ => (self.width.div_ceil(8 * horizontal), self.height.div_ceil(8 * vertical)),
        }
    }
}

impl Sink for Planes {
    fn scan(&mut self, bits: &mut Bits<'_>, scan: &Scan, settings: &Settings) -> Result<(), Fault> {
        let mut channels = Vec::with_capacity(scan.components.len());
        for component in &scan.components {
            let quantisation = settings.quantisation[self.planes[component.index].quantisation].as_ref();
            channels.push(Channel {
                index: component.index,
                dc: settings.tables.dc(component.dc_table)?,
                ac: settings.tables.ac(component.ac_table)?,
                quantisation: quantisation.ok_or(Fault::Damaged("a quantisation table that is missing"))?,
                before: 0,
            });
        }
        let alone = channels.len() == 1;
        let blocks = |channel: &Channel<'_>| if alone { (1, 1) } else { self.planes[channel.index].sampling };
        let blocks: Vec<(usize, usize)> = channels.iter().map(blocks).collect();
        if blocks.iter().map(|(horizontal, vertical)| horizontal * vertical).sum::<usize>() > BLOCKS_MAX {
            return Err(Fault::Damaged("a JPEG scan of too many blocks"));
        }
        let (across, down) = self.units(scan);
        for unit in 0..across * down {
            if unit > 0 && settings.restart_interval > 0 && unit % settings.restart_interval == 0 {
                bits.restart(((unit / settings.restart_interval - 1) % 8) as u8)?;
                channels.iter_mut().for_each(|channel| channel.before = 0);
            }
            let (column, row) = (unit % across, unit / across);
            if column == 0 {
                bits.check()?;
            }
            for (channel, &(horizontal, vertical)) in channels.iter_mut().zip(&blocks) {
                for block in 0..horizontal * vertical {
                    let (x, y) = (column * horizontal + block % horizontal, row * vertical + block / horizontal);
                    let samples = channel.block(bits, self.precision)?;
                    self.planes[channel.index].put(x, y, &samples);
                }
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Vec<u16> {
        let count = self.planes.len();
        let mut samples = vec![0; self.width * self.height * count];
        for (index, plane) in self.planes.iter().enumerate() {
            // Where a component has fewer samples, each stands for its neighbours.
            let at =
                |place: usize, own: usize, largest: usize| if own == largest { place } else { place * own / largest };
            for (y, line) in samples.chunks_exact_mut(self.width * count).enumerate() {
                let source = &plane.samples[at(y, plane.sampling.1, self.sampling.1) * plane.stride..];
                for (x, sample) in line.iter_mut().skip(index).step_by(count).enumerate() {
                    *sample = source[at(x, plane.sampling.0, self.sampling.0)];
                }
            }
        }
        samples
    }
}

impl Plane {
    fn put(&mut self, x: usize, y: usize, block: &[u16; 64]) {
        let origin = 8 * y * self.stride + 8 * x;
        for (row, samples) in block.as_chunks::<8>().0.iter().enumerate() {
            self.samples[origin + row * self.stride..][..8].copy_from_slice(samples);
        }
    }
}

impl Channel<'_> {
    /// Reads the samples of a block, row by row.
    fn block(&mut self, bits: &mut Bits<'_>, precision: u32) -> Result<[u16; 64], Fault> {
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
        let mut flat = true;
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
                    flat = false;
                    at += 1;
                }
            }
        }
        Ok(if flat { [flat_sample(block[0], precision); 64] } else { samples_of(&block, precision) })
    }
}

/// T.81 figure A.6.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];
