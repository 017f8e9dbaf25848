//! Poses every vertebra, from C7 upwards; everything above a dislocated level moves with it.

use crate::acquisition::Acquisition;
use crate::anatomy::{Anatomy, C2, C3, C4, C7, T1, T2};
use crate::geometry::{Frame, Vec3, v3};
use crate::lesion::{Kind, Lesion};

/// Where each bone lies in the world.
#[derive(Debug, Clone)]
pub(crate) struct Spine {
    /// C1 to T2; C1's origin is the middle of the dens.
    pub frames: [Frame; 9],
    /// The dens, origin at its base.
    pub dens: Frame,
    /// The head, origin at the basion.
    pub head: Frame,
}

/// Tilt of the dens on its body, radians backwards.
const DENS_TILT: f32 = 0.1;

impl Spine {
    pub(crate) fn pose(a: &Anatomy, acq: &Acquisition, lesion: Option<&Lesion>) -> Spine {
        let healthy = Spine::stack(a, acq.lean, None);
        let c4 = healthy.frames[C4].origin;
        let shift = v3(acq.c4_mm[0], acq.c4_mm[1], 0.0).sub(c4);
        let mut spine = match lesion {
            Some(l) if l.dislocates() => Spine::stack(a, acq.lean, Some(l)),
            _ => healthy,
        };
        if let Some(l) = lesion.filter(|l| l.kind == Kind::Odontoid) {
            spine.displace_dens(a, l);
        }
        spine.translate(shift);
        spine
    }

    fn stack(a: &Anatomy, lean: f32, dislocation: Option<&Lesion>) -> Spine {
        let start = Frame::new(Vec3::default(), a.pitch[C7] + lean, a.yaw[C7], a.roll[C7]);
        let mut frames = [start; 9];
        let (mut kyphosis, mut twist) = (0.0, 0.0);
        for i in (C2..C7).rev() {
            let below = frames[i + 1];
            let mut slip = a.steps[i];
            let mut gap = a.discs[i];
            if let Some(l) = dislocation.filter(|l| l.vertebra == i) {
                slip = l.severity_mm;
                kyphosis += l.angle;
                if l.kind == Kind::UnilateralFacet {
                    // The intact side stays: turning by t / 18 mm keeps that facet in place.
                    twist += l.side * 0.85 * (l.severity_mm / 18.0);
                } else {
                    gap = (gap - 0.8 + 2.0 * l.size).max(2.5);
                }
            }
            let frame = Frame::new(Vec3::default(), a.pitch[i] + lean + kyphosis, a.yaw[i] + twist, a.roll[i]);
            let disc_top = below.at(-slip, -0.5 * (a.heights[i + 1] + gap), 0.0);
            let centre = disc_top.sub(frame.v.scale(0.5 * (a.heights[i] + gap)));
            frames[i] = Frame { origin: centre, ..frame };
        }
        for i in [T1, T2] {
            let above = frames[i - 1];
            let frame = Frame::new(Vec3::default(), a.pitch[i] + lean, a.yaw[i], a.roll[i]);
            let disc = above.at(0.0, 0.5 * (a.heights[i - 1] + a.discs[i - 1]), 0.0);
            let centre = disc.add(frame.v.scale(0.5 * (a.heights[i] + a.discs[i - 1])));
            frames[i] = Frame { origin: centre, ..frame };
        }
        let c2 = frames[C2];
        let dens = c2.moved(-0.06 * a.depths[C2], -0.5 * a.heights[C2], 0.0).pitched(-DENS_TILT);
        let atlas =
            Frame::new(dens.at(0.0, -0.52 * a.dens, 0.0), a.pitch[0] + lean + kyphosis, a.yaw[0] + twist, a.roll[0]);
        frames[0] = atlas;
        let [pitch, yaw, roll] = a.head;
        let head = Frame::new(Vec3::default(), pitch + lean + kyphosis, yaw + twist, roll);
        let basion = dens.at(0.0, -a.dens, 0.0).sub(head.v.scale(6.0 * a.scale)).sub(head.u.scale(1.0));
        Spine { frames, dens, head: Frame { origin: basion, ..head } }
    }

    /// The dens leaves its base and takes the atlas along; the head is held.
    fn displace_dens(&mut self, a: &Anatomy, l: &Lesion) {
        let shift = (l.side * l.severity_mm, -0.12 * l.severity_mm);
        // Displaced forwards it tips forwards.
        let tilt = -l.side * l.angle;
        let base = self.dens;
        self.dens = base.hinged((0.0, 0.0), shift, tilt);
        let middle = self.dens.at(0.0, -0.52 * a.dens, 0.0);
        self.frames[0] = Frame { origin: middle, ..self.frames[0].pitched(tilt) };
    }

    fn translate(&mut self, by: Vec3) {
        let moved = |f: &mut Frame| f.origin = f.origin.add(by);
        self.frames.iter_mut().for_each(moved);
        moved(&mut self.dens);
        moved(&mut self.head);
    }

    /// The middle of the articular pillars (in the midplane), C2 to T2.
    pub(crate) fn pillar(&self, a: &Anatomy, i: usize) -> Vec3 {
        self.frames[i].at(pillar_u(a, i), pillar_v(i), 0.0)
    }
}

/// Centre of the pillar behind the body's centre.
pub(crate) fn pillar_u(a: &Anatomy, i: usize) -> f32 {
    0.5 * a.depths[i] + 5.4 * a.scale
}

/// Centre of the pillar under the body's centre.
pub(crate) fn pillar_v(i: usize) -> f32 {
    if i < C3 { 6.0 } else { 1.0 }
}

/// Canal depth at a level: it widens upwards.
pub(crate) fn canal(a: &Anatomy, i: usize) -> f32 {
    a.canal * [1.5, 1.25, 1.06, 1.0, 1.0, 1.0, 1.0, 1.02, 1.04][i]
}
