//! Where the blocks of a frame's components lie, and in which order a scan carries them (T.81 A.2).

use super::bits::Bits;
use super::decoder::{Scan, ScanComponent};
use super::markers::Header;
use crate::Fault;

/// Blocks of an MCU (T.81 B.2.3).
const BLOCKS_MAX: usize = 10;

/// The size of a frame and the sampling of its components.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub width: usize,
    pub height: usize,
    /// The largest sampling factors.
    pub largest: (usize, usize),
    /// The sampling factors of each component.
    pub sampling: Vec<(usize, usize)>,
}

/// Reads the blocks of a scan one by one.
pub(super) trait Blocks {
    /// Ends a restart interval, or the scan: predictions begin anew.
    fn end_interval(&mut self) -> Result<(), Fault>;

    /// Reads the block in column `x` and row `y` of the component in this place of the scan.
    fn block(&mut self, bits: &mut Bits<'_>, place: usize, x: usize, y: usize) -> Result<(), Fault>;
}

impl Grid {
    pub fn new(header: &Header) -> Self {
        let sampling: Vec<(usize, usize)> =
            header.components.iter().map(|component| component.sampling).map(|(h, v)| (h.into(), v.into())).collect();
        let horizontal = sampling.iter().map(|factors| factors.0).max().unwrap_or(1);
        let vertical = sampling.iter().map(|factors| factors.1).max().unwrap_or(1);
        let (width, height) = (header.width.into(), header.height.into());
        Self { width, height, largest: (horizontal, vertical), sampling }
    }

    /// Blocks of a component across and down, those that only fill its MCUs included.
    pub fn blocks(&self, component: usize) -> (usize, usize) {
        let (across, down) = self.mcus();
        (across * self.sampling[component].0, down * self.sampling[component].1)
    }

    /// Visits every block of a scan in the order of its data, and checks that the data are all there.
    pub fn walk(
        &self,
        bits: &mut Bits<'_>,
        scan: &Scan,
        restart_interval: usize,
        blocks: &mut impl Blocks,
    ) -> Result<(), Fault> {
        let sampling = self.scan_sampling(scan)?;
        let (across, down) = self.units(scan);
        for unit in 0..across * down {
            if unit > 0 && restart_interval > 0 && unit % restart_interval == 0 {
                blocks.end_interval()?;
                bits.restart(((unit / restart_interval - 1) % 8) as u8)?;
            }
            let (column, row) = (unit % across, unit / across);
            if column == 0 {
                bits.check()?;
            }
            for (place, &(horizontal, vertical)) in sampling.iter().enumerate() {
                for block in 0..horizontal * vertical {
                    let (x, y) = (column * horizontal + block % horizontal, row * vertical + block / horizontal);
                    blocks.block(bits, place, x, y)?;
                }
            }
        }
        blocks.end_interval()?;
        bits.check()
    }

    /// Blocks across and down that each component of a scan has in an MCU.
    fn scan_sampling(&self, scan: &Scan) -> Result<Vec<(usize, usize)>, Fault> {
        if let [_] = scan.components[..] {
            return Ok(vec![(1, 1)]);
        }
        let sampling: Vec<_> = scan.components.iter().map(|component| self.sampling[component.index]).collect();
        if sampling.iter().map(|(horizontal, vertical)| horizontal * vertical).sum::<usize>() > BLOCKS_MAX {
            return Err(Fault::Damaged("a JPEG scan of too many blocks"));
        }
        Ok(sampling)
    }

    /// Blocks or MCUs across and down: a scan of one component has no MCUs, and none of the blocks that only fill them.
    fn units(&self, scan: &Scan) -> (usize, usize) {
        match scan.components[..] {
            [ScanComponent { index, .. }] => {
                let (horizontal, vertical) = self.sampling[index];
                let across = (self.width * horizontal).div_ceil(self.largest.0).div_ceil(8);
                (across, (self.height * vertical).div_ceil(self.largest.1).div_ceil(8))
            }
            _ => self.mcus(),
        }
    }

    fn mcus(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.largest.0), self.height.div_ceil(8 * self.largest.1))
    }
}
