//! Where the cells of a map lie in the input.

use crate::architecture::Architecture;
use crate::pass::Place;

/// The cells of a square map. In a row as in a column cell k speaks of the `step` pixels from `first + k * step` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// The first cell's first pixel.
    pub first: usize,
    /// Pixels from one cell to the next.
    pub step: usize,
}

impl Grid {
    /// Of a map with a value for each pixel.
    pub(crate) const PIXELS: Grid = Grid { first: 0, step: 1 };

    /// Of the map with a value every 16 pixels, GoogLeNet's after `inception4e` and AlexNet's last.
    ///
    /// AlexNet pads less than its windows take away: cell k's is centred on pixel 16 k + 15, and the cells do not fill
    /// the picture. GoogLeNet's do, each with the 16 pixels of which pre-training's loss by place teaches it to speak;
    /// its window's middle, 16 k + 14, lies among them.
    pub fn fine(architecture: Architecture) -> Grid {
        match architecture {
            Architecture::GoogLeNet => Grid { first: 0, step: 16 },
            Architecture::AlexNet => Grid { first: 7, step: 16 },
        }
    }

    /// Of what an architecture has at a place.
    pub(crate) fn of(architecture: Architecture, place: Place) -> Grid {
        match (architecture, place) {
            (_, Place::Images) => Grid::PIXELS,
            // Pairs of the finer map's cells.
            (Architecture::GoogLeNet, Place::Last) => Grid { first: 0, step: 32 },
            _ => Grid::fine(architecture),
        }
    }

    /// The two of `cells` cells on either side of a pixel, and the second one's share; an outermost alone beyond its
    /// middle.
    pub(super) fn around(self, pixel: usize, cells: usize) -> (usize, usize, f32) {
        let middle = self.first as f32 + (self.step as f32 - 1.0) / 2.0;
        let place = ((pixel as f32 - middle) / self.step as f32).clamp(0.0, (cells - 1) as f32);
        let cell = place as usize;
        (cell, (cell + 1).min(cells - 1), place.fract())
    }
}
