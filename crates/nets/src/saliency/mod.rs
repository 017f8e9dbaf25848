//! What an answer rests on: the gradient by the input (Simonyan et al. 2013, arXiv 1312.6034; the paper's), SmoothGrad
//! (Smilkov et al. 2017, arXiv 1706.03825), Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391), integrated gradients
//! (Sundararajan et al. 2017, arXiv 1703.01365), HiResCAM (Draelos and Carin 2020, arXiv 2011.08891) on a finer map. How
//! well each points at an injury: `docs/saliency.md`.

mod cam;
mod gradients;
mod grid;

use crate::ModelError;

pub(crate) use cam::{grad_cam, hires_cam};
pub(crate) use gradients::{gradient, integrated, integrated_gradients, smooth_grad};
pub use grid::Grid;

/// The methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaliencyMethod {
    /// Σ over channels of the finest map that still knows classes, times its gradient, clipped at zero. That map has a
    /// value every 16 pixels: GoogLeNet's after `inception4e`, AlexNet's last.
    #[default]
    HiResCam,
    /// |∂y/∂x|, the largest of the three channels: the paper's.
    Gradient,
    /// The mean of |∂y/∂x| over sixteen noisy copies of the input.
    SmoothGrad,
    /// Σ over channels of the last map, weighted by their mean gradient, clipped at zero.
    GradCam,
    /// The mean gradient on the way from a black film to the input, times that way, summed over channels.
    IntegratedGradients,
}

impl SaliencyMethod {
    /// All of them.
    pub const ALL: [SaliencyMethod; 5] =
        [Self::HiResCam, Self::Gradient, Self::SmoothGrad, Self::GradCam, Self::IntegratedGradients];

    /// Its word: `hirescam`, `gradient`, `smoothgrad`, `gradcam`, `integrated`.
    pub fn as_str(self) -> &'static str {
        match self {
            SaliencyMethod::HiResCam => "hirescam",
            SaliencyMethod::Gradient => "gradient",
            SaliencyMethod::SmoothGrad => "smoothgrad",
            SaliencyMethod::GradCam => "gradcam",
            SaliencyMethod::IntegratedGradients => "integrated",
        }
    }

    /// How many passes through the network, forth and back, a map takes.
    pub fn passes(self) -> usize {
        match self {
            SaliencyMethod::SmoothGrad => gradients::SMOOTH_COPIES,
            SaliencyMethod::IntegratedGradients => gradients::INTEGRATED_STEPS,
            _ => 1,
        }
    }
}

impl std::str::FromStr for SaliencyMethod {
    type Err = ModelError;
    fn from_str(word: &str) -> Result<Self, ModelError> {
        Self::ALL.into_iter().find(|method| method.as_str() == word).ok_or(ModelError::UnknownSaliency)
    }
}

impl std::fmt::Display for SaliencyMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A square map of saliency, 0 and more.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    /// Row-major values, finite.
    values: Vec<f32>,
    /// Side in cells.
    side: usize,
    /// Where the cells lie in the input.
    grid: Grid,
}

impl Map {
    /// Of values that fill a square.
    fn of(values: Vec<f32>, grid: Grid) -> Result<Self, ModelError> {
        let side = values.len().isqrt();
        if values.iter().all(|v| v.is_finite()) { Ok(Map { values, side, grid }) } else { Err(ModelError::NotFinite) }
    }

    /// The map at the network's resolution, `size * size` values: linear between the cells' middles, the edge's value
    /// beyond them.
    pub fn enlarged(self, size: u32) -> Vec<f32> {
        if self.grid == Grid::PIXELS {
            return self.values;
        }
        let around: Vec<_> = (0..size as usize).map(|pixel| self.grid.around(pixel, self.side)).collect();
        let mix = |a: f32, b: f32, share: f32| (1.0 - share) * a + share * b;
        let mut enlarged = Vec::with_capacity(around.len() * around.len());
        for &(above, below, down) in &around {
            let [above, below] = [above, below].map(|row| &self.values[row * self.side..][..self.side]);
            let row: Vec<f32> = above.iter().zip(below).map(|(a, b)| mix(*a, *b, down)).collect();
            enlarged.extend(around.iter().map(|&(left, right, across)| mix(row[left], row[right], across)));
        }
        enlarged
    }
}

#[cfg(test)]
mod tests {
    use cspine_imaging::resize;

    use super::{Grid, Map};
    use crate::architecture::Architecture::{AlexNet, GoogLeNet};
    use crate::close::assert_close;
    use crate::pass::Place::{Last, Middle};

    #[test]
    fn a_cell_that_alone_is_hot_is_hottest_where_its_pixels_have_their_middle() {
        // Cells and pixels a side, the middle of the first cell, and the step, all by hand.
        for (architecture, place, cells, size, first, step) in [
            (AlexNet, Last, 13, 227, 15.0, 16.0),
            (AlexNet, Last, 13, 224, 15.0, 16.0),
            (GoogLeNet, Middle, 14, 224, 7.5, 16.0),
            (GoogLeNet, Middle, 15, 250, 7.5, 16.0),
            (GoogLeNet, Middle, 28, 448, 7.5, 16.0),
            (GoogLeNet, Last, 7, 224, 15.5, 32.0),
            (GoogLeNet, Last, 10, 320, 15.5, 32.0),
        ] {
            let (grid, side) = (Grid::of(architecture, place), size as usize);
            for cell in 0..cells {
                let mut values = vec![0.0; cells * cells];
                values[(cells - 1 - cell) * cells + cell] = 1.0;
                let map = Map::of(values, grid).unwrap().enlarged(size);
                assert_eq!(map.len(), side * side);
                for (hot, along) in [(cell, true), (cells - 1 - cell, false)] {
                    let most = |i: usize| {
                        let line = (0..side).map(|j| if along { map[j * side + i] } else { map[i * side + j] });
                        line.fold(0.0, f32::max)
                    };
                    let warmest = (0..side).map(most).fold(0.0, f32::max);
                    let hottest: Vec<usize> = (0..side).filter(|&i| most(i) == warmest).collect();
                    let middle = first + step * hot as f32;
                    let near = hottest.iter().any(|&i| (i as f32 - middle).abs() <= 1.0);
                    assert!(near, "{architecture:?} at {size}: cell {hot} is at {hottest:?}, not {middle}");
                    // Beyond the middle of an outermost cell there is nothing but it.
                    let inner = (1..cells - 1).contains(&hot);
                    assert!(!inner || hottest.len() <= 2, "{architecture:?} at {size}: cell {hot} is at {hottest:?}");
                }
            }
        }
    }

    #[test]
    fn where_the_cells_fill_the_picture_it_is_the_map_resized() {
        for (place, cells, size) in [(Middle, 14, 224), (Last, 7, 224), (Middle, 20, 320)] {
            let values: Vec<f32> = (0..cells * cells).map(|i| ((i * 7919) % 101) as f32).collect();
            let resized = resize(&values, cells, cells, size, size);
            let enlarged = Map::of(values, Grid::of(GoogLeNet, place)).unwrap().enlarged(size as u32);
            assert_close(&enlarged, &resized, 1e-5);
        }
    }
}
