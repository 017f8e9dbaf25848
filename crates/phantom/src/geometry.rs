//! Vectors, rigid frames and the projection onto the film.
//!
//! World axes, mm: x towards the back (the patient faces left), y down, z towards the X-ray tube. The origin lies on
//! the central ray.

/// A point or a direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Vec3 {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

pub(crate) fn v3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    pub(crate) fn add(self, o: Vec3) -> Vec3 {
        v3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
    pub(crate) fn sub(self, o: Vec3) -> Vec3 {
        v3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
    pub(crate) fn scale(self, k: f32) -> Vec3 {
        v3(self.x * k, self.y * k, self.z * k)
    }
    pub(crate) fn length(self) -> f32 {
        (self.x * self.x + self.y * self.y + self.z * self.z).sqrt()
    }
    pub(crate) fn mix(self, o: Vec3, t: f32) -> Vec3 {
        self.scale(1.0 - t).add(o.scale(t))
    }
}

/// A rigid pose: where a bone's own axes (u back, v down, w to the tube) lie in the world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub origin: Vec3,
    pub u: Vec3,
    pub v: Vec3,
    pub w: Vec3,
}

impl Frame {
    /// `pitch` tips the front down, `yaw` turns about the vertical, `roll` tilts to the side; radians.
    pub(crate) fn new(origin: Vec3, pitch: f32, yaw: f32, roll: f32) -> Frame {
        let (sp, cp) = pitch.sin_cos();
        let (sy, cy) = yaw.sin_cos();
        let (sr, cr) = roll.sin_cos();
        // In the bone's sagittal plane first, then roll about x, then yaw about y.
        let turn = |p: Vec3| {
            let q = v3(p.x, p.y * cr + p.z * sr, p.z * cr - p.y * sr);
            v3(q.x * cy + q.z * sy, q.y, q.z * cy - q.x * sy)
        };
        Frame { origin, u: turn(v3(cp, -sp, 0.0)), v: turn(v3(sp, cp, 0.0)), w: turn(v3(0.0, 0.0, 1.0)) }
    }

    pub(crate) fn at(&self, u: f32, v: f32, w: f32) -> Vec3 {
        self.origin.add(self.u.scale(u)).add(self.v.scale(v)).add(self.w.scale(w))
    }

    /// The same axes about another origin, given in this frame.
    pub(crate) fn moved(&self, u: f32, v: f32, w: f32) -> Frame {
        Frame { origin: self.at(u, v, w), ..*self }
    }

    /// A fragment's frame: the bone turned by `pitch` about `pivot` (u, v) and shifted by `shift` (u, v).
    pub(crate) fn hinged(&self, pivot: (f32, f32), shift: (f32, f32), pitch: f32) -> Frame {
        let turned = self.pitched(pitch);
        let goal = self.at(pivot.0 + shift.0, pivot.1 + shift.1, 0.0);
        let own = turned.at(pivot.0, pivot.1, 0.0).sub(turned.origin);
        Frame { origin: goal.sub(own), ..turned }
    }

    /// Turned in its own sagittal plane by `pitch` radians.
    pub(crate) fn pitched(&self, pitch: f32) -> Frame {
        let (s, c) = pitch.sin_cos();
        Frame { u: self.u.scale(c).sub(self.v.scale(s)), v: self.u.scale(s).add(self.v.scale(c)), ..*self }
    }
}

/// The projection: world mm to pixels of a square canvas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Magnification of the plane z = 0.
    pub magnification: f32,
    /// Tube to the plane z = 0, mm.
    pub source_mm: f32,
    /// Pixels a film mm.
    pub pixels_per_mm: f32,
    /// Canvas side, pixels.
    pub size: usize,
}

impl View {
    /// Pixels an object mm at depth z.
    pub(crate) fn gain(&self, z: f32) -> f32 {
        self.pixels_per_mm * self.magnification * (1.0 + z / self.source_mm)
    }

    pub(crate) fn pixel(&self, p: Vec3) -> (f32, f32) {
        let (g, c) = (self.gain(p.z), self.size as f32 * 0.5);
        (c + g * p.x, c + g * p.y)
    }
}
