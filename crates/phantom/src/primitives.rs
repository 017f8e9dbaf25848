//! What bones are made of, and their exact or antialiased path lengths along the ray, pixel by pixel.
//!
//! Three primitives, all already projected: a thin sagittal [`Slab`] with curved edges and a cortical shell (a bone is
//! a stack of them), an [`Ellipse`] (the projection of an ellipsoid) and a [`Tube`] (a flat-ended cylinder). Edges are
//! softened over one pixel, so that a small picture is the large one reduced.

use crate::geometry::{Frame, Vec3, View, v3};

/// The pixels a primitive may touch: x from..to, y from..to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub x: (usize, usize),
    pub y: (usize, usize),
}

impl Bounds {
    pub(crate) fn around(points: &[(f32, f32)], margin: f32, size: usize) -> Bounds {
        let fold =
            |f: fn(f32, f32) -> f32, start: f32, pick: fn(&(f32, f32)) -> f32| points.iter().map(pick).fold(start, f);
        let clip = |v: f32| v.clamp(0.0, size as f32) as usize;
        let low = |pick| clip(fold(f32::min, f32::MAX, pick) - margin);
        let high = |pick| clip(fold(f32::max, f32::MIN, pick) + margin + 1.0);
        Bounds { x: (low(|p| p.0), high(|p| p.0)), y: (low(|p| p.1), high(|p| p.1)) }
    }
}

/// Any primitive, with the plane-independent job of adding its path length to a picture.
#[derive(Debug, Clone)]
pub(crate) enum Primitive {
    Slab(Box<Slab>),
    Ellipse(Ellipse),
    Tube(Tube),
}

impl Primitive {
    /// Adds the path length in mm (times the primitive's weight) to `plane`, `size` pixels a side. `ramp[i]` is `i + 0.5`.
    pub(crate) fn add_to(&self, plane: &mut [f32], size: usize, ramp: &[f32]) {
        let bounds = match self {
            Primitive::Slab(s) => s.bounds,
            Primitive::Ellipse(e) => e.bounds,
            Primitive::Tube(t) => t.bounds,
        };
        let (x0, x1) = bounds.x;
        if x0 >= x1 {
            return;
        }
        for y in bounds.y.0..bounds.y.1 {
            let row = &mut plane[y * size + x0..y * size + x1];
            let xs = &ramp[x0..x1];
            let py = y as f32 + 0.5;
            match self {
                Primitive::Slab(s) => s.add_row(row, xs, py),
                Primitive::Ellipse(e) => e.add_row(row, xs, py),
                Primitive::Tube(t) => t.add_row(row, xs, py),
            }
        }
    }
}

/// The outline of a slab in a bone's own (u, v), mm: four curved edges `c0 + c1 s + c2 s²` and one optional cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outline {
    /// Front edge, u of v.
    pub front: [f32; 3],
    /// Back edge, u of v.
    pub back: [f32; 3],
    /// Upper edge, v of u.
    pub top: [f32; 3],
    /// Lower edge, v of u.
    pub bottom: [f32; 3],
    /// Keeps where `k[0] u + k[1] v + k[2] <= 0`; the normal has length one.
    pub cut: Option<[f32; 3]>,
    /// Radius of the corners.
    pub round: f32,
    /// Share of the bone's shell on the front, back, upper and lower edge: 0 where bone goes on into bone.
    pub cortex: [f32; 4],
}

impl Outline {
    pub(crate) fn rectangle(u: (f32, f32), v: (f32, f32), round: f32) -> Outline {
        Outline {
            front: [u.0, 0.0, 0.0],
            back: [u.1, 0.0, 0.0],
            top: [v.0, 0.0, 0.0],
            bottom: [v.1, 0.0, 0.0],
            cut: None,
            round,
            cortex: [1.0; 4],
        }
    }

    /// A box that holds the outline: (u from, u to, v from, v to).
    fn extent(&self) -> (f32, f32, f32, f32) {
        let at = |c: &[f32; 3], s: f32| c[0] + c[1] * s + c[2] * s * s;
        let span = |low: &[f32; 3], high: &[f32; 3], s: (f32, f32)| {
            let m = 0.5 * (s.0 + s.1);
            let l = [s.0, m, s.1].map(|s| at(low, s)).into_iter().fold(f32::MAX, f32::min);
            let h = [s.0, m, s.1].map(|s| at(high, s)).into_iter().fold(f32::MIN, f32::max);
            (l, h)
        };
        let u = (at(&self.front, 0.0), at(&self.back, 0.0));
        let v = span(&self.top, &self.bottom, u);
        let u = span(&self.front, &self.back, v);
        (u.0, u.1, v.0, v.1)
    }
}

/// What a bone is made of: mm of cortical bone, and the share of it that a mm of trabecular bone is worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bone {
    pub shell: f32,
    pub trabecular: f32,
}

/// One sagittal slice of a bone, `thickness` mm along its w axis.
#[derive(Debug, Clone)]
pub(crate) struct Slab {
    u: [f32; 3],
    v: [f32; 3],
    front: [f32; 4],
    back: [f32; 4],
    top: [f32; 4],
    bottom: [f32; 4],
    cut: [f32; 3],
    round: f32,
    inverse_round: f32,
    inverse_soft: f32,
    shell: [f32; 4],
    outer: f32,
    inner: f32,
    bounds: Bounds,
}

impl Slab {
    /// `frame` is the bone's; the slab lies at depth `w` in it. `blur` mm is how far the outline wanders within the
    /// slab's own thickness.
    pub(crate) fn new(
        view: &View,
        frame: &Frame,
        outline: &Outline,
        w: f32,
        thickness: f32,
        bone: Bone,
        blur: f32,
    ) -> Slab {
        let here = frame.moved(0.0, 0.0, w);
        let gain = view.gain(here.origin.z);
        let (cx, cy) = view.pixel(here.origin);
        // Pixel offset = gain * [u.xy v.xy] (u, v); inverted once here.
        let det = gain * (here.u.x * here.v.y - here.v.x * here.u.y);
        let (ux, uy) = (here.v.y / det, -here.v.x / det);
        let (vx, vy) = (-here.u.y / det, here.u.x / det);
        let slant = (here.w.x.hypot(here.w.y) / here.w.z.abs().max(0.3)) * thickness;
        let soft = (1.1 / gain).max(0.12) + slant.max(blur);
        let norm = |c: &[f32; 3]| [c[0], c[1], c[2], 1.0 / (1.0 + c[1] * c[1]).sqrt()];
        let (u0, u1, v0, v1) = outline.extent();
        let corners = [(u0, v0), (u0, v1), (u1, v0), (u1, v1)].map(|(u, v)| view.pixel(here.at(u, v, 0.0)));
        let path = thickness / here.w.z.abs().max(0.3);
        Slab {
            u: [-(ux * cx + uy * cy), ux, uy],
            v: [-(vx * cx + vy * cy), vx, vy],
            front: norm(&outline.front),
            back: norm(&outline.back),
            top: norm(&outline.top),
            bottom: norm(&outline.bottom),
            cut: outline.cut.unwrap_or([0.0, 0.0, -1e3]),
            round: outline.round.max(1e-3),
            inverse_round: 0.25 / outline.round.max(1e-3),
            inverse_soft: 1.0 / soft,
            shell: outline.cortex.map(|k| k * bone.shell),
            outer: path,
            inner: path * (1.0 - bone.trabecular),
            bounds: Bounds::around(&corners, (soft + 1.0) * gain, view.size),
        }
    }

    fn add_row(&self, row: &mut [f32], xs: &[f32], y: f32) {
        let (ub, vb) = (self.u[0] + self.u[2] * y, self.v[0] + self.v[2] * y);
        let edge = |c: &[f32; 4], s: f32| c[0] + s * (c[1] + s * c[2]);
        let round = |a: f32, b: f32| {
            let h = (self.round - (a - b).abs()).max(0.0);
            a.max(b) + h * h * self.inverse_round
        };
        for (out, &x) in row.iter_mut().zip(xs) {
            let (u, v) = (ub + self.u[1] * x, vb + self.v[1] * x);
            let front = (edge(&self.front, v) - u) * self.front[3];
            let back = (u - edge(&self.back, v)) * self.back[3];
            let top = (edge(&self.top, u) - v) * self.top[3];
            let bottom = (v - edge(&self.bottom, u)) * self.bottom[3];
            let cut = self.cut[0] * u + self.cut[1] * v + self.cut[2];
            let edge = round(front.max(back), top.max(bottom));
            // A fresh fracture surface has no cortex.
            let outer = (0.5 - edge.max(cut) * self.inverse_soft).clamp(0.0, 1.0);
            let marrow = round(
                (front + self.shell[0]).max(back + self.shell[1]),
                (top + self.shell[2]).max(bottom + self.shell[3]),
            );
            let inner = (0.5 - marrow.max(cut) * self.inverse_soft).clamp(0.0, 1.0);
            *out += self.outer * outer - self.inner * inner;
        }
    }
}

/// The projection of an ellipsoid: chord · sqrt(1 − q(x, y)).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ellipse {
    centre: (f32, f32),
    q: [f32; 3],
    chord: f32,
    soft: f32,
    bounds: Bounds,
}

impl Ellipse {
    /// Semi-axes `radii` along the frame's u, v, w, mm; `weight` multiplies the path length.
    pub(crate) fn new(view: &View, frame: &Frame, radii: Vec3, weight: f32) -> Ellipse {
        let axes = [frame.u.scale(radii.x), frame.v.scale(radii.y), frame.w.scale(radii.z)];
        let sum = |f: fn(&Vec3) -> f32| axes.iter().map(f).sum::<f32>();
        let (xx, xy, yy) = (sum(|a| a.x * a.x), sum(|a| a.x * a.y), sum(|a| a.y * a.y));
        let (xz, yz, zz) = (sum(|a| a.x * a.z), sum(|a| a.y * a.z), sum(|a| a.z * a.z));
        let minor = (xx * yy - xy * xy).max(1e-6);
        let det = xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz);
        let gain = view.gain(frame.origin.z);
        let k = 1.0 / (minor * gain * gain);
        let centre = view.pixel(frame.origin);
        let (hx, hy) = (xx.sqrt() * gain, yy.sqrt() * gain);
        let corners = [(centre.0 - hx, centre.1 - hy), (centre.0 + hx, centre.1 + hy)];
        Ellipse {
            centre,
            q: [yy * k, -2.0 * xy * k, xx * k],
            chord: weight * 2.0 * (det.max(0.0) / minor).sqrt(),
            soft: (1.0 / (gain * minor.powf(0.25))).min(0.5).powi(2),
            bounds: Bounds::around(&corners, 1.5, view.size),
        }
    }

    fn add_row(&self, row: &mut [f32], xs: &[f32], y: f32) {
        let dy = y - self.centre.1;
        for (out, &x) in row.iter_mut().zip(xs) {
            let dx = x - self.centre.0;
            let f = 1.0 - (dx * (self.q[0] * dx + self.q[1] * dy) + self.q[2] * dy * dy);
            let lifted = 0.5 * (f + (f * f + self.soft).sqrt());
            // Far outside the lift has a tail of soft/(4|f|); cut it where it no longer matters.
            let tail = 0.25 * self.soft / (f.abs() + 0.25);
            *out += self.chord * (lifted - tail).max(0.0).sqrt();
        }
    }
}

/// A cylinder of radius r from a to b with flat ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tube {
    start: (f32, f32),
    /// Direction, the in-plane part.
    along: (f32, f32),
    along_z: f32,
    /// 1 − along_z².
    across: f32,
    length: f32,
    radius_squared: f32,
    soft: f32,
    half_pixel: f32,
    scale: f32,
    bounds: Bounds,
}

impl Tube {
    pub(crate) fn new(view: &View, a: Vec3, b: Vec3, radius: f32, weight: f32) -> Tube {
        let gain = view.gain(0.5 * (a.z + b.z));
        let (pa, pb) = (view.pixel(a), view.pixel(b));
        // Work in units of pixels; depth is scaled alike.
        let d = v3(pb.0 - pa.0, pb.1 - pa.1, (b.z - a.z) * gain);
        let length = d.length().max(1e-3);
        let u = d.scale(1.0 / length);
        let r = radius.max(0.0) * gain;
        let across = (1.0 - u.z * u.z).max(0.02);
        Tube {
            start: pa,
            along: (u.x, u.y),
            along_z: u.z.abs(),
            across,
            length,
            radius_squared: r * r * across,
            soft: (r * across.sqrt()).powi(2).min(1.0),
            half_pixel: 0.5 * across.sqrt(),
            scale: 2.0 * weight / (across * gain),
            bounds: Bounds::around(&[pa, pb], r + 1.5, view.size),
        }
    }

    fn add_row(&self, row: &mut [f32], xs: &[f32], y: f32) {
        let dy = y - self.start.1;
        for (out, &x) in row.iter_mut().zip(xs) {
            let dx = x - self.start.0;
            let k = dx * self.along.0 + dy * self.along.1;
            let f = k * k - self.across * (dx * dx + dy * dy) + self.radius_squared;
            let lifted = 0.5 * (f + (f * f + self.soft).sqrt());
            let tail = 0.25 * self.soft / (f.abs() + 0.25);
            let half = (lifted - tail).max(0.0).sqrt();
            // The chord's extent along the axis, clipped to the ends.
            let reach = half * self.along_z / self.across + self.half_pixel;
            let middle = k / self.across;
            let kept = ((middle + reach).min(self.length) - (middle - reach).max(0.0)).max(0.0);
            *out += self.scale * half * kept / (2.0 * reach);
        }
    }
}
