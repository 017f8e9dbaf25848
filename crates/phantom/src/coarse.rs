//! Smooth fields on a grid of cells over the canvas, whatever the picture's size: scatter, and the slow part of the
//! display processing.

/// Cells a side.
pub(crate) const CELLS: usize = 64;

/// One value a cell, row-major.
#[derive(Debug, Clone)]
pub(crate) struct Coarse(Vec<f32>);

impl Coarse {
    /// The mean of `plane` (`size` a side) over each cell; the size is at least [`CELLS`].
    pub(crate) fn means(size: usize, plane: &[f32]) -> Coarse {
        let mut sums = vec![0.0f32; CELLS * CELLS];
        let mut counts = vec![0.0f32; CELLS * CELLS];
        let edges: Vec<usize> = (0..=CELLS).map(|i| i * size / CELLS).collect();
        for y in 0..size {
            let row = &plane[y * size..(y + 1) * size];
            let cy = y * CELLS / size;
            for cx in 0..CELLS {
                let part = &row[edges[cx]..edges[cx + 1]];
                sums[cy * CELLS + cx] += part.iter().sum::<f32>();
                counts[cy * CELLS + cx] += part.len() as f32;
            }
        }
        Coarse(sums.iter().zip(&counts).map(|(s, n)| s / n.max(1.0)).collect())
    }

    /// Gaussian blur, `sigma` in cells, edges repeated.
    pub(crate) fn blurred(&self, sigma: f32) -> Coarse {
        let reach = (3.0 * sigma).ceil() as isize;
        let mut kernel: Vec<f32> = (-reach..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
        let total: f32 = kernel.iter().sum();
        kernel.iter_mut().for_each(|k| *k /= total);
        let pass = |from: &[f32], step: usize, line: usize| {
            let mut to = vec![0.0f32; CELLS * CELLS];
            for a in 0..CELLS {
                for b in 0..CELLS {
                    let taps = kernel.iter().enumerate().map(|(k, w)| {
                        let i = (b as isize + k as isize - reach).clamp(0, CELLS as isize - 1) as usize;
                        w * from[a * line + i * step]
                    });
                    to[a * line + b * step] = taps.sum();
                }
            }
            to
        };
        let rows = pass(&self.0, 1, CELLS);
        Coarse(pass(&rows, CELLS, 1))
    }

    pub(crate) fn map_clamped(&self, low: f32, high: f32) -> Coarse {
        Coarse(self.0.iter().map(|v| v.clamp(low, high)).collect())
    }

    pub(crate) fn map2(&self, other: &Coarse, f: impl Fn(f32, f32) -> f32) -> Coarse {
        Coarse(self.0.iter().zip(&other.0).map(|(a, b)| f(*a, *b)).collect())
    }

    /// Bilinear values along pixel row `y` of a picture `size` a side.
    pub(crate) fn row(&self, size: usize, y: usize, out: &mut [f32]) {
        let at = |i: usize| {
            let p = ((i as f32 + 0.5) * CELLS as f32 / size as f32 - 0.5).clamp(0.0, CELLS as f32 - 1.001);
            (p as usize, p - (p as usize) as f32)
        };
        let (cy, ty) = at(y);
        let mut line = [0.0f32; CELLS];
        let (top, bottom) = (&self.0[cy * CELLS..(cy + 1) * CELLS], &self.0[(cy + 1) * CELLS..(cy + 2) * CELLS]);
        for ((l, a), b) in line.iter_mut().zip(top).zip(bottom) {
            *l = a + (b - a) * ty;
        }
        let step = CELLS as f32 / size as f32;
        for (x, o) in out.iter_mut().enumerate() {
            let p = ((x as i32 as f32 + 0.5) * step - 0.5).clamp(0.0, CELLS as f32 - 1.001);
            let c = p as i32 as usize;
            let t = p - c as f32;
            *o = line[c] + (line[c + 1] - line[c]) * t;
        }
    }
}
