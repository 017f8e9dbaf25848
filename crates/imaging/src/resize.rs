//! Antialiased resampling with the triangle filter, as Pillow's BILINEAR: when shrinking, the filter widens by the scale.

/// Resizes a plane of `w * h` values, row by row, to `new_w * new_h`.
///
/// # Panics
/// If the plane's length is not `w * h`, or a side is 0.
pub fn resize(plane: &[f32], w: usize, h: usize, new_w: usize, new_h: usize) -> Vec<f32> {
    assert_eq!(plane.len(), w * h, "a plane has width times height values");
    resample(plane, w, &Taps::new(Axis::whole(w), new_w), &Taps::new(Axis::whole(h), new_h))
}

/// One axis of the source: `len` pixels, thought to be continued by `before` and `after` copies of the edge pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub len: usize,
    pub before: usize,
    pub after: usize,
}

impl Axis {
    pub fn whole(len: usize) -> Self {
        Self { len, before: 0, after: 0 }
    }

    /// Continued on both sides to `side` pixels, the odd one after.
    pub fn centred(len: usize, side: usize) -> Self {
        let before = (side - len) / 2;
        Self { len, before, after: side - len - before }
    }
}

/// For each pixel of the result the first source pixel it draws on, and their weights, which add up to 1.
pub(crate) struct Taps {
    first: Vec<usize>,
    /// Where the weights of each pixel start in `weights`, with the end of the last.
    starts: Vec<usize>,
    weights: Vec<f32>,
}

impl Taps {
    pub fn new(axis: Axis, new_len: usize) -> Self {
        assert!(axis.len > 0 && new_len > 0, "a plane has at least one pixel");
        let mut taps = Self { first: Vec::with_capacity(new_len), starts: vec![0], weights: Vec::new() };
        for position in 0..new_len {
            taps.push(axis, position, new_len);
        }
        taps
    }

    fn push(&mut self, axis: Axis, position: usize, new_len: usize) {
        let len = axis.before + axis.len + axis.after;
        let scale = len as f64 / new_len as f64;
        let support = scale.max(1.0);
        let centre = (position as f64 + 0.5) * scale;
        // Pillow's bounds, rounding included.
        let from = (centre - support + 0.5).max(0.0) as usize;
        let to = ((centre + support + 0.5) as usize).min(len);
        let weight = |i: usize| (1.0 - ((i as f64 - centre + 0.5) / support).abs()).max(0.0);
        let sum: f64 = (from..to).map(weight).sum();

        // Pixels of the continued edge fold onto the edge pixel.
        let source = |i: usize| i.saturating_sub(axis.before).min(axis.len - 1);
        let first = source(from);
        let start = self.weights.len();
        self.weights.resize(start + source(to - 1) - first + 1, 0.0);
        for i in from..to {
            self.weights[start + source(i) - first] += (weight(i) / sum) as f32;
        }
        self.first.push(first);
        self.starts.push(self.weights.len());
    }

    fn len(&self) -> usize {
        self.first.len()
    }

    fn of(&self, position: usize) -> (usize, &[f32]) {
        (self.first[position], &self.weights[self.starts[position]..self.starts[position + 1]])
    }
}

/// Resamples rows of `width` values: first down the columns, where neighbours lie side by side and a row is added at a
/// time in vector registers, then along the rows, of which few are left.
pub(crate) fn resample<T: Copy + Into<f32>>(plane: &[T], width: usize, across: &Taps, down: &Taps) -> Vec<f32> {
    let mut column_sums = vec![0.0_f32; width];
    let mut result = Vec::with_capacity(across.len() * down.len());
    for y in 0..down.len() {
        let (first, weights) = down.of(y);
        column_sums.fill(0.0);
        for (row, &weight) in plane[first * width..].chunks_exact(width).zip(weights) {
            for (sum, &value) in column_sums.iter_mut().zip(row) {
                *sum += weight * value.into();
            }
        }
        result.extend((0..across.len()).map(|x| {
            let (first, weights) = across.of(x);
            weights.iter().zip(&column_sums[first..]).map(|(weight, value)| weight * value).sum::<f32>()
        }));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{Axis, Taps, resample, resize};

    #[test]
    fn a_constant_plane_stays_constant_at_every_size() {
        for (w, h, new_w, new_h) in [(1, 1, 7, 3), (100, 37, 13, 64), (9, 9, 9, 9), (640, 3, 1, 1)] {
            let out = resize(&vec![0.25; w * h], w, h, new_w, new_h);
            assert_eq!(out.len(), new_w * new_h);
            assert!(out.iter().all(|v| (v - 0.25).abs() < 1e-6));
        }
    }

    #[test]
    fn the_same_size_gives_the_same_plane() {
        let plane: Vec<f32> = (0..35).map(|i| i as f32).collect();
        assert_eq!(resize(&plane, 7, 5, 7, 5), plane);
    }

    #[test]
    fn folding_the_edge_equals_padding_with_the_edge() {
        let (w, h, side) = (11_usize, 30_usize, 30_usize);
        let plane: Vec<f32> = (0..w * h).map(|i| ((i * 7919) % 101) as f32).collect();
        let padded: Vec<f32> = (0..side * side)
            .map(|i| {
                let (x, y) = (i % side, i / side);
                plane[y * w + x.saturating_sub(9).min(w - 1)]
            })
            .collect();
        let folded = resample(&plane, w, &Taps::new(Axis::centred(w, side), 8), &Taps::new(Axis::centred(h, side), 8));
        for (a, b) in folded.iter().zip(resize(&padded, side, side, 8, 8)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
