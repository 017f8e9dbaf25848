//! What no primitive draws: trabeculae and the grain of muscle.

use crate::acquisition::Acquisition;
use crate::rng::{Rng, Stream};

/// Trabeculae and muscle: value noise on lattices fixed in mm, left out where a pixel is coarser than the lattice.
pub(crate) struct Texture {
    size: usize,
    octaves: Vec<Octave>,
}

struct Octave {
    lattice: Vec<f32>,
    side: usize,
    /// Lattice cells a pixel.
    step: f32,
    amplitude: f32,
    slow: bool,
}

impl Texture {
    pub(crate) fn new(seed: u64, size: usize, acquisition: &Acquisition) -> Texture {
        let pixel = acquisition.canvas_mm / size as f32;
        let plan = [(0.7, 0.20, false), (1.5, 0.12, false), (4.0, 0.07, false), (9.0, 0.022, true), (28.0, 0.03, true)];
        let octaves = plan.iter().enumerate().map(|(i, &(cell, amplitude, slow))| {
            // The lattice covers a fixed field, so that it does not depend on the picture's size.
            let side = (acquisition.canvas_mm / cell) as usize + 3;
            let shown = amplitude * (cell / pixel).min(1.0);
            let mut state = (Rng::new(seed.wrapping_add(i as u64), Stream::Texture).next() >> 16) as u32 | 1;
            let needed = if shown < 0.02 { 0 } else { side * side };
            let lattice = (0..needed).map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
            });
            Octave { lattice: lattice.collect(), side, step: pixel / cell, amplitude: shown, slow }
        });
        Texture { size, octaves: octaves.filter(|o| !o.lattice.is_empty()).collect() }
    }

    /// Relative deviations along a row: of calcium (`fine`) and of soft tissue (`slow`).
    pub(crate) fn row(&self, y: usize, fine: &mut [f32], slow: &mut [f32]) {
        fine.fill(0.0);
        slow.fill(0.0);
        for o in &self.octaves {
            let p = (y as f32 + 0.5) * o.step;
            let (cy, ty) = (p as usize, p - (p as usize) as f32);
            let (top, bottom) = (&o.lattice[cy * o.side..][..o.side], &o.lattice[(cy + 1) * o.side..][..o.side]);
            let line: Vec<f32> = top.iter().zip(bottom).map(|(a, b)| o.amplitude * (a + (b - a) * ty)).collect();
            let out = if o.slow { &mut *slow } else { &mut *fine };
            for (x, v) in out[..self.size].iter_mut().enumerate() {
                let p = (x as i32 as f32 + 0.5) * o.step;
                let c = p as i32 as usize;
                *v += line[c] + (line[c + 1] - line[c]) * (p - c as i32 as f32);
            }
        }
    }
}
