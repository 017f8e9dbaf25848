//! The samples of each component of a DCT stream, and how they become pixels.

use super::grid::Grid;
use super::idct::{flat_sample, samples_of};

/// The planes of all components.
pub(super) struct Planes {
    pub grid: Grid,
    precision: u32,
    planes: Vec<Plane>,
}

struct Plane {
    /// Samples of a line: whole blocks of whole MCUs.
    stride: usize,
    samples: Vec<u16>,
}

impl Planes {
    pub fn new(grid: Grid, precision: u32) -> Self {
        let plane = |component: usize| {
            let (across, down) = grid.blocks(component);
            Plane { stride: 8 * across, samples: vec![0; 64 * across * down] }
        };
        let planes = (0..grid.sampling.len()).map(plane).collect();
        Self { grid, precision, planes }
    }

    /// Puts a block in its column and row; `coefficients` are dequantised, row by row.
    pub fn put(&mut self, component: usize, (x, y): (usize, usize), coefficients: &[i32; 64]) {
        let flat = coefficients[1..].iter().all(|&coefficient| coefficient == 0);
        let block = if flat {
            [flat_sample(coefficients[0], self.precision); 64]
        } else {
            samples_of(coefficients, self.precision)
        };
        let plane = &mut self.planes[component];
        let origin = 8 * y * plane.stride + 8 * x;
        for (row, samples) in block.as_chunks::<8>().0.iter().enumerate() {
            plane.samples[origin + row * plane.stride..][..8].copy_from_slice(samples);
        }
    }

    /// All samples, pixel by pixel. Where a component has fewer of them, each stands for its neighbours.
    pub fn pixels(&self) -> Vec<u16> {
        let Grid { width, height, largest, .. } = self.grid;
        let count = self.planes.len();
        let mut pixels = vec![0; width * height * count];
        for (index, (plane, &sampling)) in self.planes.iter().zip(&self.grid.sampling).enumerate() {
            let at =
                |place: usize, own: usize, largest: usize| if own == largest { place } else { place * own / largest };
            for (y, line) in pixels.chunks_exact_mut(width * count).enumerate() {
                let source = &plane.samples[at(y, sampling.1, largest.1) * plane.stride..];
                for (x, sample) in line.iter_mut().skip(index).step_by(count).enumerate() {
                    *sample = source[at(x, sampling.0, largest.0)];
                }
            }
        }
        pixels
    }
}

/// T.81 figure A.6.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];
