//! Training augmentation: small changes of place, exposure and sharpness. It shares no code with the phantoms' presets.

use rand::Rng;

/// How far a picture may be changed; zero changes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// Largest rotation, degrees.
    pub rotation_deg: f32,
    /// Largest shift, as a share of the side.
    pub shift: f32,
    /// Largest change of scale: 0.15 is 0.85 to 1.15.
    pub zoom: f32,
    /// Largest logarithm of gamma.
    pub gamma: f32,
    /// Largest change of contrast and half that of brightness, as shares of full scale.
    pub contrast: f32,
    /// Largest standard deviation of added noise, of full scale 1.
    pub noise: f32,
    /// The share of pictures that are blurred a little.
    pub blur: f32,
}

impl Augmentation {
    /// What `fit` does unless told otherwise.
    pub const DEFAULT: Self =
        Self { rotation_deg: 6.0, shift: 0.06, zoom: 0.15, gamma: 0.35, contrast: 0.25, noise: 0.04, blur: 0.3 };

    /// Changes a square grey plane (0 to 1, row-major) of `side` pixels.
    pub fn apply(&self, plane: &[f32], side: usize, rng: &mut impl Rng) -> Vec<f32> {
        let mut plane = self.place(plane, side, rng);
        if rng.random::<f32>() < self.blur {
            let weight = rng.random_range(0.05..0.25);
            plane = blur(&plane, side, weight);
        }
        self.expose(&mut plane, rng);
        plane
    }

    /// Changes exposure and noise only.
    pub fn expose(&self, plane: &mut [f32], rng: &mut impl Rng) {
        let gamma = spread(self.gamma, rng).exp();
        let contrast = 1.0 + spread(self.contrast, rng);
        let brightness = spread(self.contrast / 2.0, rng);
        let noise = self.noise * rng.random::<f32>().powi(2);
        let mut state = rng.random::<u64>() | 1;
        for value in plane {
            let toned = (value.max(0.0).powf(gamma) - 0.5) * contrast + 0.5 + brightness;
            *value = (toned + noise * gaussian(&mut state)).clamp(0.0, 1.0);
        }
    }

    fn place(&self, plane: &[f32], side: usize, rng: &mut impl Rng) -> Vec<f32> {
        let angle = spread(self.rotation_deg, rng).to_radians();
        let scale = 1.0 / (1.0 + spread(self.zoom, rng));
        let (dx, dy) = (spread(self.shift, rng) * side as f32, spread(self.shift, rng) * side as f32);
        let (sin, cos) = (angle.sin() * scale, angle.cos() * scale);
        let middle = (side as f32 - 1.0) / 2.0;
        let mut out = Vec::with_capacity(side * side);
        for y in 0..side {
            for x in 0..side {
                let (u, v) = (x as f32 - middle - dx, y as f32 - middle - dy);
                out.push(sample(plane, side, cos * u - sin * v + middle, sin * u + cos * v + middle));
            }
        }
        out
    }
}

/// Bilinear, the edge's value beyond the edge.
pub(crate) fn sample(plane: &[f32], side: usize, x: f32, y: f32) -> f32 {
    let last = (side - 1) as f32;
    let (x, y) = (x.clamp(0.0, last), y.clamp(0.0, last));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(side - 1), (y0 + 1).min(side - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let row = |y: usize| plane[y * side + x0] * (1.0 - fx) + plane[y * side + x1] * fx;
    row(y0) * (1.0 - fy) + row(y1) * fy
}

/// A cross-shaped blur that takes `weight` from each of four neighbours.
fn blur(plane: &[f32], side: usize, weight: f32) -> Vec<f32> {
    let at = |x: usize, y: usize| plane[y * side + x];
    let mut out = Vec::with_capacity(plane.len());
    for y in 0..side {
        for x in 0..side {
            let neighbours = at(x.saturating_sub(1), y)
                + at((x + 1).min(side - 1), y)
                + at(x, y.saturating_sub(1))
                + at(x, (y + 1).min(side - 1));
            out.push((at(x, y) + weight * neighbours) / (1.0 + 4.0 * weight));
        }
    }
    out
}

fn spread(most: f32, rng: &mut impl Rng) -> f32 {
    most * (2.0 * rng.random::<f32>() - 1.0)
}

/// About normal: the sum of four uniform values of 16 bits from one step of xorshift, scaled to variance 1.
fn gaussian(state: &mut u64) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    let bits = state.wrapping_mul(0x2545_F491_4F6C_DD1D);
    let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
    (sum as f32 / 65535.0 - 2.0) * 1.732_050_8
}
