//! What lies between tube and film: bones, soft tissue, metal, and the mask of the injury.

use crate::acquisition::Acquisition;
use crate::anatomy::Anatomy;
use crate::geometry::{Frame, Vec3, View, v3};
use crate::lesion::Lesion;
use crate::primitives::{Bone, Bounds, Ellipse, Outline, Primitive, Slab, Tube};
use crate::soft::Column;
use crate::spine::Spine;
use crate::{atlas_axis, hardware, skull, soft, vertebra};

/// Projected and ready to be summed.
pub(crate) struct Scene {
    pub bone: Vec<Primitive>,
    pub soft: Vec<Primitive>,
    pub columns: Vec<Column>,
    pub metal: Vec<Primitive>,
    pub mask: Vec<Region>,
}

/// A convex polygon of pixels, grown by `grow` pixels.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    corners: Vec<(f32, f32)>,
    grow: f32,
}

/// Collects primitives; all lengths in object mm.
pub(crate) struct Builder<'a> {
    pub view: View,
    pub anatomy: &'a Anatomy,
    pub acquisition: &'a Acquisition,
    pub lesion: Option<&'a Lesion>,
    /// As posed, injury included.
    pub spine: Spine,
    /// As it would be without the injury: bones keep the shape that fits this one.
    pub healthy: Spine,
    pub scene: Scene,
}

impl Scene {
    pub(crate) fn build(view: View, a: &Anatomy, acq: &Acquisition, lesion: Option<&Lesion>) -> Scene {
        let scene = Scene { bone: vec![], soft: vec![], columns: vec![], metal: vec![], mask: vec![] };
        let mut b = Builder {
            view,
            anatomy: a,
            acquisition: acq,
            lesion,
            spine: Spine::pose(a, acq, lesion),
            healthy: Spine::pose(a, acq, None),
            scene,
        };
        soft::push(&mut b);
        skull::push(&mut b);
        atlas_axis::push(&mut b);
        vertebra::push(&mut b);
        hardware::push(&mut b);
        b.scene
    }
}

impl Builder<'_> {
    /// The lesion, if it is in this vertebra.
    pub(crate) fn lesion_of(&self, vertebra: usize) -> Option<Lesion> {
        self.lesion.copied().filter(|l| l.vertebra == vertebra)
    }

    /// Ordinary bone of this patient.
    pub(crate) fn bone(&self) -> Bone {
        Bone { shell: self.anatomy.shell, trabecular: self.anatomy.trabecular }
    }

    pub(crate) fn slab(&mut self, frame: &Frame, outline: &Outline, w: f32, thickness: f32, bone: Bone) {
        self.blurred_slab(frame, outline, w, thickness, bone, 0.0);
    }

    pub(crate) fn blurred_slab(
        &mut self,
        frame: &Frame,
        outline: &Outline,
        w: f32,
        thickness: f32,
        bone: Bone,
        blur: f32,
    ) {
        let slab = Slab::new(&self.view, frame, outline, w, thickness, bone, blur);
        self.scene.bone.push(Primitive::Slab(Box::new(slab)));
    }

    /// A tube of bone with a cortical shell; `strength` scales its density.
    pub(crate) fn tube(&mut self, a: Vec3, b: Vec3, radius: f32, strength: f32) {
        let bone = self.bone();
        self.scene.bone.push(Primitive::Tube(Tube::new(&self.view, a, b, radius, strength)));
        let inner = -strength * (1.0 - bone.trabecular);
        let marrow = Tube::new(&self.view, a, b, (radius - bone.shell).max(0.0), inner);
        self.scene.bone.push(Primitive::Tube(marrow));
    }

    /// A hollow tube: `wall` mm of cortex, `filling` mm of bone a mm inside.
    pub(crate) fn pipe(&mut self, a: Vec3, b: Vec3, radius: f32, wall: f32, filling: f32) {
        self.scene.bone.push(Primitive::Tube(Tube::new(&self.view, a, b, radius, 1.0)));
        self.scene.bone.push(Primitive::Tube(Tube::new(&self.view, a, b, (radius - wall).max(0.0), filling - 1.0)));
    }

    /// An ellipsoid of bone with a cortical shell of `shell` mm.
    pub(crate) fn knob(&mut self, frame: &Frame, radii: Vec3, shell: f32, strength: f32) {
        let inner = v3(radii.x - shell, radii.y - shell, radii.z - shell);
        self.scene.bone.push(Primitive::Ellipse(Ellipse::new(&self.view, frame, radii, strength)));
        if inner.x > 0.0 && inner.y > 0.0 && inner.z > 0.0 {
            let k = -strength * (1.0 - self.anatomy.trabecular);
            self.scene.bone.push(Primitive::Ellipse(Ellipse::new(&self.view, frame, inner, k)));
        }
    }

    /// Solid bone of a density relative to cortical.
    pub(crate) fn solid(&mut self, frame: &Frame, radii: Vec3, strength: f32) {
        self.scene.bone.push(Primitive::Ellipse(Ellipse::new(&self.view, frame, radii, strength)));
    }

    pub(crate) fn soft(&mut self, frame: &Frame, radii: Vec3, weight: f32) {
        self.scene.soft.push(Primitive::Ellipse(Ellipse::new(&self.view, frame, radii, weight)));
    }

    pub(crate) fn metal(&mut self, a: Vec3, b: Vec3, radius: f32, weight: f32) {
        self.scene.metal.push(Primitive::Tube(Tube::new(&self.view, a, b, radius, weight)));
    }

    /// A ball of metal, flattened by `flat` along the ray.
    pub(crate) fn bead(&mut self, at: Vec3, radius: f32, flat: f32) {
        let frame = Frame::new(at, 0.0, 0.0, 0.0);
        let ball = Ellipse::new(&self.view, &frame, v3(radius, radius, radius * flat), 1.0);
        self.scene.metal.push(Primitive::Ellipse(ball));
    }

    /// Adds a convex polygon (given in `frame`'s u, v, in order), grown by `grow` mm, to the mask.
    pub(crate) fn mask(&mut self, frame: &Frame, corners: &[(f32, f32)], grow: f32) {
        let points: Vec<Vec3> = corners.iter().map(|(u, v)| frame.at(*u, *v, 0.0)).collect();
        self.mask_world(&points, grow);
    }

    /// The same from world points.
    pub(crate) fn mask_world(&mut self, points: &[Vec3], grow: f32) {
        let corners = points.iter().map(|p| self.view.pixel(*p)).collect();
        self.scene.mask.push(Region { corners, grow: grow * self.view.gain(0.0) });
    }
}

impl Region {
    /// Sets the pixels within to 255.
    pub(crate) fn fill(&self, mask: &mut [u8], size: usize) {
        let bounds = Bounds::around(&self.corners, self.grow + 1.0, size);
        for y in bounds.y.0..bounds.y.1 {
            for x in bounds.x.0..bounds.x.1 {
                if self.holds(x as f32 + 0.5, y as f32 + 0.5) {
                    mask[y * size + x] = 255;
                }
            }
        }
    }

    fn holds(&self, x: f32, y: f32) -> bool {
        let n = self.corners.len();
        let (mut positive, mut negative, mut nearest) = (true, true, f32::MAX);
        for i in 0..n {
            let (a, b) = (self.corners[i], self.corners[(i + 1) % n]);
            let (ex, ey, px, py) = (b.0 - a.0, b.1 - a.1, x - a.0, y - a.1);
            let cross = ex * py - ey * px;
            positive &= cross >= 0.0;
            negative &= cross <= 0.0;
            let t = ((px * ex + py * ey) / (ex * ex + ey * ey).max(1e-6)).clamp(0.0, 1.0);
            nearest = nearest.min((px - t * ex).hypot(py - t * ey));
        }
        (n > 2 && (positive || negative)) || nearest <= self.grow
    }
}
