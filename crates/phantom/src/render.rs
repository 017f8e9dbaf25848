//! The X-ray chain: path lengths, spectrum, scatter, noise, blur, processing, collimation.

use crate::acquisition::{Acquisition, Lut, Preset};
use crate::case::Case;
use crate::coarse::{CELLS, Coarse};
use crate::fastmath;
use crate::film::Film;
use crate::geometry::View;
use crate::rng::{Rng, Stream};
use crate::scene::Scene;
use crate::texture::Texture;

/// Four energy bins, 35, 45, 55 and 68 keV: weight, then attenuation a mm of soft tissue, of cortical bone beyond the
/// soft tissue it displaces, and of metal.
const BINS: [[f32; 4]; 4] =
    [[0.16, 0.0310, 0.140, 4.0], [0.32, 0.0245, 0.076, 3.0], [0.32, 0.0215, 0.048, 2.0], [0.20, 0.0195, 0.034, 1.2]];

pub(crate) fn film(case: &Case, size: usize, preset: Preset) -> Film {
    let acquisition = case.acquisition.under(preset, case.seed);
    let view = View {
        magnification: acquisition.magnification,
        source_mm: acquisition.source_mm,
        pixels_per_mm: size as f32 / acquisition.canvas_mm,
        size,
    };
    let scene = Scene::build(view, &case.anatomy, &acquisition, case.lesion.as_ref());
    let mut mask = vec![0u8; size * size];
    scene.mask.iter().for_each(|region| region.fill(&mut mask, size));

    let (mut signal, soft) = transmit(&scene, size, &acquisition, case.seed);
    scatter(&mut signal, soft, size, &acquisition);
    quantum_noise(&mut signal, size, &acquisition, case.seed);
    blur(&mut signal, size, acquisition.blur_mm * view.pixels_per_mm);
    let pixels = display(signal, size, &acquisition, case);
    Film { width: size as u32, height: size as u32, pixels, mask, spacing_mm: acquisition.canvas_mm / size as f32 }
}

/// The primary's transmission, 0 to 1, and the soft tissue's path, mm.
fn transmit(scene: &Scene, size: usize, acquisition: &Acquisition, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let ramp: Vec<f32> = (0..size).map(|i| i as f32 + 0.5).collect();
    let mut soft = vec![0.0f32; size * size];
    scene.columns.iter().for_each(|c| c.add_to(&mut soft, size, &ramp));
    scene.soft.iter().for_each(|p| p.add_to(&mut soft, size, &ramp));
    let mut bone = vec![0.0f32; size * size];
    scene.bone.iter().for_each(|p| p.add_to(&mut bone, size, &ramp));
    let mut metal = vec![0.0f32; if scene.metal.is_empty() { 0 } else { size * size }];
    scene.metal.iter().for_each(|p| p.add_to(&mut metal, size, &ramp));

    let texture = Texture::new(seed, size, acquisition);
    let bins = hardened(acquisition.hardness);
    let mut signal = vec![0.0f32; size * size];
    let (mut fine, mut slow) = (vec![0.0f32; size], vec![0.0f32; size]);
    for y in 0..size {
        let row = y * size..(y + 1) * size;
        texture.row(y, &mut fine, &mut slow);
        let (s, o) = (&soft[row.clone()], &bone[row.clone()]);
        let out = &mut signal[row.clone()];
        for x in 0..size {
            let tissue = s[x].max(0.0) * (1.0 + slow[x]);
            let calcium = o[x].max(0.0) * (1.0 + fine[x]);
            let mut total = 0.0;
            for b in &bins {
                total += b[0] * fastmath::exp(-(b[1] * tissue + b[2] * calcium));
            }
            out[x] = total;
        }
        if !metal.is_empty() {
            for (x, m) in metal[row].iter().enumerate().filter(|(_, m)| **m > 0.0) {
                let (tissue, calcium) = (s[x].max(0.0), o[x].max(0.0));
                out[x] = bins.iter().map(|b| b[0] * fastmath::exp(-(b[1] * tissue + b[2] * calcium + b[3] * m))).sum();
            }
        }
    }
    (signal, soft)
}

/// The bins' weights for a softer (−1) or harder (1) beam.
fn hardened(hardness: f32) -> [[f32; 4]; 4] {
    let mut bins = BINS;
    for (i, b) in bins.iter_mut().enumerate() {
        b[0] *= 1.0 + 0.25 * hardness * (i as f32 - 1.5) / 1.5;
    }
    let total: f32 = bins.iter().map(|b| b[0]).sum();
    bins.iter_mut().for_each(|b| b[0] /= total);
    bins
}

/// Adds a wide blur of the primary that left tissue.
fn scatter(signal: &mut [f32], soft: Vec<f32>, size: usize, acquisition: &Acquisition) {
    let tissue = Coarse::means(size, &soft);
    drop(soft);
    let source = Coarse::means(size, signal).map2(&tissue, |i, mm| i * (mm * 0.01).clamp(0.0, 1.0));
    let sigma = 24.0 / acquisition.canvas_mm * CELLS as f32;
    let field = source.blurred(sigma);
    let mut line = vec![0.0f32; size];
    for (y, row) in signal.chunks_exact_mut(size).enumerate() {
        field.row(size, y, &mut line);
        for (s, f) in row.iter_mut().zip(&line) {
            *s += acquisition.scatter * f;
        }
    }
}

/// Photons a pixel: noise of variance N, with electronic noise; both a mm², so that sizes agree.
fn quantum_noise(signal: &mut [f32], size: usize, acquisition: &Acquisition, seed: u64) {
    let pixel = acquisition.canvas_mm / size as f32;
    let photons = acquisition.photons_mm2 * pixel * pixel;
    let electronic = acquisition.electronic * pixel;
    let mut rng = Rng::new(seed, Stream::Noise);
    let mut lanes = [0u32; 8].map(|_| (rng.next() >> 20) as u32 | 1);
    let (inverse, floor) = (1.0 / photons, electronic * electronic);
    // Four bytes sum to a bell: mean 510, standard deviation sqrt(4 * 65535 / 12).
    const UNIT: f32 = 1.0 / 147.8;
    for chunk in signal.chunks_mut(8) {
        for l in &mut lanes {
            *l ^= *l << 13;
            *l ^= *l >> 17;
            *l ^= *l << 5;
        }
        for (s, l) in chunk.iter_mut().zip(&lanes) {
            let sum = (l & 255) + ((l >> 8) & 255) + ((l >> 16) & 255) + (l >> 24);
            let bell = (sum as i32 - 510) as f32 * UNIT;
            let n = *s * photons;
            *s = (n + bell * (n + floor).sqrt()).max(1.0) * inverse;
        }
    }
}

/// Separable Gaussian of `sigma` pixels; nothing where the pixel itself is far wider.
fn blur(plane: &mut [f32], size: usize, sigma: f32) {
    if sigma < 0.2 {
        return;
    }
    let reach = (2.8 * sigma).ceil() as usize;
    let mut kernel: Vec<f32> =
        (0..=2 * reach).map(|i| (-0.5 * ((i as f32 - reach as f32) / sigma).powi(2)).exp()).collect();
    let total: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= total);
    let mut padded = vec![0.0f32; size + 2 * reach];
    for row in plane.chunks_exact_mut(size) {
        padded[..reach].fill(row[0]);
        padded[reach..reach + size].copy_from_slice(row);
        padded[reach + size..].fill(row[size - 1]);
        row.fill(0.0);
        for (i, w) in kernel.iter().enumerate() {
            for (r, p) in row.iter_mut().zip(&padded[i..i + size]) {
                *r += w * p;
            }
        }
    }
    // Down the columns, a ring of rows at a time.
    let ring = 2 * reach + 1;
    let mut kept: Vec<Vec<f32>> = (0..ring).map(|i| plane[i.saturating_sub(reach) * size..][..size].to_vec()).collect();
    let mut line = vec![0.0f32; size];
    for y in 0..size {
        line.fill(0.0);
        for (i, w) in kernel.iter().enumerate() {
            for (l, p) in line.iter_mut().zip(&kept[(y + i) % ring]) {
                *l += w * p;
            }
        }
        let next = (y + reach + 1).min(size - 1);
        let slot = y % ring;
        kept[slot].copy_from_slice(&plane[next * size..][..size]);
        plane[y * size..][..size].copy_from_slice(&line);
    }
}

/// Log exposure, less a share of its slow part, through the window and the LUT; collimated.
fn display(mut signal: Vec<f32>, size: usize, acquisition: &Acquisition, case: &Case) -> Vec<u16> {
    for v in &mut signal {
        *v = -fastmath::ln(v.max(1e-5));
    }
    // Log exposure behind the neck's middle without bone: the exposure control's aim.
    let neck = 2.0 * case.anatomy.neck_half_width * 0.0225 - (1.0 + acquisition.scatter).ln();
    let slow = Coarse::means(size, &signal).map_clamped(neck - 1.2, neck + 2.5);
    let slow = slow.blurred(14.0 / acquisition.canvas_mm * CELLS as f32);
    let [offset, width] = acquisition.window;
    let low = neck + offset - 0.42 * width;
    let field = Field::new(acquisition, size);
    let mut line = vec![0.0f32; size];
    let mut pixels = vec![0u16; size * size];
    for (y, (row, out)) in signal.chunks_exact(size).zip(pixels.chunks_exact_mut(size)).enumerate() {
        slow.row(size, y, &mut line);
        let grid = acquisition.grid.map_or(0.0, |[amplitude, per_mm]| {
            let mm = (y as f32 + 0.5) * acquisition.canvas_mm / size as f32;
            amplitude * (std::f32::consts::TAU * per_mm * mm).sin()
        });
        for (x, (o, v)) in out.iter_mut().zip(row).enumerate() {
            let flat = v - acquisition.compression * (line[x] - neck) + grid;
            *o = (curve((flat - low) / width, acquisition) * 65535.0 + 0.5) as u16;
        }
        field.collimate(y, out);
    }
    pixels
}

/// Grey 0 to 1 of a windowed log exposure.
#[inline(always)]
fn curve(t: f32, acquisition: &Acquisition) -> f32 {
    match acquisition.lut {
        Lut::Linear => {
            // Straight in the middle, rounded at both ends.
            let t = t.clamp(-0.25, 1.25);
            let toe = 0.5 * (t + (t * t + 0.006).sqrt());
            let top = 1.0 - toe;
            let soft = 1.0 - 0.5 * (top + (top * top + 0.006).sqrt());
            fastmath::exp(acquisition.gamma * fastmath::ln(soft.clamp(1e-4, 1.0)))
        }
        Lut::Sigmoid => {
            let s = 1.0 / (1.0 + fastmath::exp(-5.2 * (t - 0.5)));
            fastmath::exp(acquisition.gamma * fastmath::ln(s.clamp(1e-4, 1.0)))
        }
    }
}

/// The collimated field: a slightly turned rectangle with a narrow penumbra.
struct Field {
    centre: [f32; 2],
    half: [f32; 2],
    turn: (f32, f32),
    outside: f32,
    penumbra: f32,
}

impl Field {
    fn new(a: &Acquisition, size: usize) -> Field {
        let k = size as f32 / a.canvas_mm;
        let c = 0.5 * size as f32;
        Field {
            centre: [c + k * a.field_offset_mm[0], c + k * a.field_offset_mm[1]],
            half: [0.5 * k * a.field_mm[0], 0.5 * k * a.field_mm[1]],
            turn: a.field_angle.sin_cos(),
            outside: if a.shutter { 0.0 } else { 0.97 * 65535.0 },
            penumbra: (0.6 * k).max(1.0),
        }
    }

    fn collimate(&self, y: usize, row: &mut [u16]) {
        let (sin, cos) = self.turn;
        let dy = y as f32 + 0.5 - self.centre[1];
        for (x, o) in row.iter_mut().enumerate() {
            let dx = x as i32 as f32 + 0.5 - self.centre[0];
            let across = self.half[0] - (dx * cos + dy * sin).abs();
            let along = self.half[1] - (dy * cos - dx * sin).abs();
            let open = (across.min(along) / self.penumbra + 0.5).clamp(0.0, 1.0);
            if open < 1.0 {
                *o = (f32::from(*o) * open + self.outside * (1.0 - open)) as u16;
            }
        }
    }
}
