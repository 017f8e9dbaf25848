//! Progressive DCT of 8 bits, Huffman coded (T.81 annex G).
//!
//! Each scan adds coefficients, or a bit to some. [`super::coverage`] tells whether all of them were there.

mod ac;
mod dc;

use super::bits::Bits;
use super::decoder::{Scan, Settings, Sink};
use super::grid::Grid;
use super::markers::Header;
use super::planes::{Planes, ZIGZAG};
use crate::Fault;
use ac::{Ac, AcBit, Band};
use dc::{Dc, DcBit};

const IMPOSSIBLE: Fault = Fault::Damaged("a progressive JPEG block of impossible coefficients");

/// The coefficients of all components.
pub(super) struct Progressive {
    grid: Grid,
    precision: u32,
    components: Vec<Coefficients>,
}

struct Coefficients {
    /// Blocks of a row.
    stride: usize,
    /// In zigzag order.
    blocks: Vec<[i16; 64]>,
    /// That of the component's first scan.
    quantisation: Option<[u16; 64]>,
}

impl Progressive {
    pub fn new(header: &Header) -> Result<Self, Fault> {
        if header.precision != 8 {
            return Err(Fault::Unsupported("a progressive JPEG stream of other than 8 bits"));
        }
        let grid = Grid::new(header);
        let coefficients = |component: usize| {
            let (stride, down) = grid.blocks(component);
            Coefficients { stride, blocks: vec![[0; 64]; stride * down], quantisation: None }
        };
        let components = (0..grid.sampling.len()).map(coefficients).collect();
        Ok(Self { grid, precision: header.precision.into(), components })
    }
}

impl Sink for Progressive {
    fn scan(&mut self, bits: &mut Bits<'_>, scan: &Scan, settings: &Settings) -> Result<(), Fault> {
        for component in &scan.components {
            let table = &mut self.components[component.index].quantisation;
            if table.is_none() {
                *table = Some(*settings.quantisation(component)?);
            }
        }
        let (interval, components) = (settings.restart_interval, &mut self.components[..]);
        let low = scan.approximation.1;
        match (scan.start, scan.approximation.0) {
            (0, 0) => self.grid.walk(bits, scan, interval, &mut Dc::new(components, scan, settings)?),
            (0, _) => self.grid.walk(bits, scan, interval, &mut DcBit { components, scan }),
            (_, high) => {
                let component = &scan.components[0];
                let band = Band {
                    coefficients: &mut components[component.index],
                    table: settings.tables.ac(component.ac_table)?,
                    range: (scan.start.into(), scan.end.into()),
                    unit: 1 << low,
                    run: 0,
                };
                if high == 0 {
                    self.grid.walk(bits, scan, interval, &mut Ac(band))
                } else {
                    self.grid.walk(bits, scan, interval, &mut AcBit(band))
                }
            }
        }
    }

    fn finish(self: Box<Self>) -> Vec<u16> {
        let mut planes = Planes::new(self.grid, self.precision);
        for (index, component) in self.components.into_iter().enumerate() {
            let quantisation = component.quantisation.unwrap_or([1; 64]);
            for (number, block) in component.blocks.iter().enumerate() {
                let mut coefficients = [0; 64];
                for (at, &place) in ZIGZAG.iter().enumerate() {
                    coefficients[usize::from(place)] = i32::from(block[at]) * i32::from(quantisation[at]);
                }
                planes.put(index, (number % component.stride, number / component.stride), &coefficients);
            }
        }
        planes.pixels()
    }
}

impl Coefficients {
    fn block(&mut self, x: usize, y: usize) -> &mut [i16; 64] {
        &mut self.blocks[y * self.stride + x]
    }
}
