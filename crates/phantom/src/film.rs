//! A rendered radiograph and its mask.

/// A square radiograph as displayed (bone bright), with the lesion's mask.
#[derive(Debug, Clone, PartialEq)]
pub struct Film {
    /// Pixels.
    pub width: u32,
    /// Pixels; equal to the width.
    pub height: u32,
    /// Row-major displayed grey, 0 black to 65535 white.
    pub pixels: Vec<u16>,
    /// Row-major, 0 or 255; all 0 for a normal.
    pub mask: Vec<u8>,
    /// Side of a pixel at the detector, mm.
    pub spacing_mm: f32,
}

impl Film {
    /// Blanks a lesion region for the shortcut test: the bounding box of `mask` (row-major, of this size), grown by
    /// 4 mm, becomes the mean grey of the ring of 3 mm around it. An empty mask changes nothing.
    ///
    /// # Panics
    /// If `mask` is not of the film's size.
    pub fn blank(&mut self, mask: &[u8]) {
        assert_eq!(mask.len(), self.pixels.len(), "mask and film differ in size");
        let (w, h) = (self.width as usize, self.height as usize);
        let mut bounds = None;
        for (i, _) in mask.iter().enumerate().filter(|(_, m)| **m != 0) {
            let (x, y) = (i % w, i / w);
            let (x0, x1, y0, y1) = bounds.unwrap_or((x, x, y, y));
            bounds = Some((x0.min(x), x1.max(x), y0.min(y), y1.max(y)));
        }
        let Some((x0, x1, y0, y1)) = bounds else { return };
        let pixels = |mm: f32| (mm / self.spacing_mm).ceil() as usize;
        let grown =
            |by: usize| (x0.saturating_sub(by), (x1 + by).min(w - 1), y0.saturating_sub(by), (y1 + by).min(h - 1));
        let (inner, outer) = (grown(pixels(4.0)), grown(pixels(7.0)));
        let inside = |x: usize, y: usize| x >= inner.0 && x <= inner.1 && y >= inner.2 && y <= inner.3;
        let (mut sum, mut count) = (0u64, 0u64);
        for y in outer.2..=outer.3 {
            for x in (outer.0..=outer.1).filter(|&x| !inside(x, y)) {
                sum += u64::from(self.pixels[y * w + x]);
                count += 1;
            }
        }
        let mean = sum.checked_div(count).unwrap_or(0) as u16;
        for y in inner.2..=inner.3 {
            self.pixels[y * w + inner.0..=y * w + inner.1].fill(mean);
        }
    }
}
