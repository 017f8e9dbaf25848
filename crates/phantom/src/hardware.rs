//! What lies on the patient or the cassette: side marker, collar, leads, an earring.

use crate::anatomy::{C2, C7};
use crate::geometry::{Vec3, v3};
use crate::rng::{Rng, Stream};
use crate::scene::Builder;
use crate::soft::contour;

pub(crate) fn push(b: &mut Builder<'_>) {
    marker(b);
    collar(b);
    leads(b);
    if b.acquisition.earring {
        let head = b.spine.head;
        for side in [-1.0, 1.0] {
            let ear = head.at(-4.0, 6.0, side * 70.0);
            b.bead(ear, 1.8, 1.0);
        }
    }
}

/// A lead letter lying on the cassette: strokes in the film's plane.
fn marker(b: &mut Builder<'_>) {
    let Some(m) = b.acquisition.marker else { return };
    let strokes: &[[f32; 4]] = match m.letter {
        'L' => &[[0.0, -0.5, 0.0, 0.5], [0.0, 0.5, 0.55, 0.5]],
        _ => &[
            [0.0, -0.5, 0.0, 0.5],
            [0.0, -0.5, 0.45, -0.45],
            [0.45, -0.45, 0.5, -0.1],
            [0.5, -0.1, 0.0, 0.0],
            [0.15, 0.0, 0.55, 0.5],
        ],
    };
    let (sin, cos) = m.angle.sin_cos();
    // From film mm to the midplane's mm, where everything else is given.
    let k = 1.0 / b.acquisition.magnification;
    let at = |x: f32, y: f32| {
        let (x, y) = ((x - 0.25) * m.size_mm, y * m.size_mm);
        v3(k * (m.at_mm[0] + x * cos - y * sin), k * (m.at_mm[1] + x * sin + y * cos), 0.0)
    };
    for s in strokes {
        b.metal(at(s[0], s[1]), at(s[2], s[3]), 0.075 * m.size_mm * k, 3.0);
    }
}

/// Two plastic shells along the skin, seen edge on, with rivets.
fn collar(b: &mut Builder<'_>) {
    let Some(c) = b.acquisition.collar else { return };
    let contour = contour(b);
    let (top, bottom) = (b.spine.frames[C2].origin.y + 14.0, b.spine.frames[C7].origin.y + 14.0);
    let skin = |y: f32, side: usize| {
        let i = contour.windows(2).position(|w| y < w[1][0]).unwrap_or(contour.len() - 2);
        let (p, q) = (&contour[i], &contour[i + 1]);
        let t = ((y - p[0]) / (q[0] - p[0]).max(1.0)).clamp(0.0, 1.0);
        p[side] + (q[side] - p[side]) * t
    };
    const PARTS: usize = 6;
    for (side, out) in [(1, -1.0), (2, 1.0)] {
        let at = |k: usize| {
            let y = top + (bottom - top) * k as f32 / PARTS as f32;
            v3(skin(y, side) + out * (c.gap_mm + 2.0), y, 0.0)
        };
        for k in 0..PARTS {
            let (p, q) = (at(k), at(k + 1));
            // Plastic wraps round the neck: long along the ray, thin across it.
            for w in [-24.0, -8.0, 8.0, 24.0_f32] {
                let bend = -out * 0.006 * w * w;
                let shift = v3(bend, 0.0, w);
                plastic(b, p.add(shift), q.add(shift), c.thickness_mm);
            }
        }
        for rivet in 0..c.rivets {
            let p = at(1 + usize::from(rivet) % PARTS).add(v3(
                -out * 6.0,
                3.0,
                34.0 * if rivet % 2 == 0 { 1.0 } else { -1.0 },
            ));
            b.bead(p, 1.7, 0.6);
        }
    }
}

fn plastic(b: &mut Builder<'_>, p: Vec3, q: Vec3, thickness: f32) {
    let tube = crate::primitives::Tube::new(&b.view, p, q, 0.5 * thickness, 5.0);
    b.scene.soft.push(crate::primitives::Primitive::Tube(tube));
}

/// ECG leads: thin wires that wander over the lower field.
fn leads(b: &mut Builder<'_>) {
    let mut r = Rng::new(u64::from(b.acquisition.canvas_mm.to_bits()), Stream::Hardware);
    for _ in 0..b.acquisition.leads {
        let half = 0.5 * b.acquisition.canvas_mm / b.acquisition.magnification;
        let mut p = v3(r.range(-0.6, 0.6) * half, half, 60.0);
        let mut heading = r.range(-0.5, 0.5);
        let steps = 4 + (r.unit() * 8.0) as usize;
        for _ in 0..steps {
            heading += r.range(-0.35, 0.35);
            let q = p.add(v3(9.0 * heading.sin(), -9.0 * heading.cos(), 0.0));
            b.metal(p, q, 0.45, 0.5);
            p = q;
        }
        b.bead(p, 4.5, 0.1);
    }
}
