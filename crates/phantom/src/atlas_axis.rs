//! C1 and C2: the ring, the dens, the body, and the injuries of the axis.

use crate::anatomy::C2;
use crate::geometry::{Frame, v3};
use crate::lesion::Kind;
use crate::primitives::{Bone, Outline};
use crate::scene::Builder;
use crate::spine::{canal, pillar_u, pillar_v};
use crate::vertebra::{laminae, pillar_outline, pillar_reach, spinous, spinous_frame};

/// Half the dens, front to back, mm.
const DENS_HALF_DEPTH: f32 = 5.4;

pub(crate) fn push(b: &mut Builder<'_>) {
    atlas(b);
    dens(b);
    axis_body(b);
    axis_arch(b);
}

fn atlas(b: &mut Builder<'_>) {
    let frame = b.spine.frames[0];
    let s = b.anatomy.scale;
    let bone = Bone { shell: 0.9, trabecular: b.anatomy.trabecular + 0.1 };
    let arch = -(DENS_HALF_DEPTH * s + b.anatomy.adi + 2.8 * s);
    // The front arch bends backwards at its sides.
    for k in -3..=3 {
        let w = 2.6 * k as f32 * s;
        let u = arch + 0.035 * w * w;
        let outline = Outline::rectangle((u - 2.8 * s, u + 2.8 * s), (-5.2 * s, 4.6 * s), 2.6);
        b.blurred_slab(&frame, &outline, w, 2.6 * s, bone, 0.18 * w.abs());
    }
    let back = 5.4 * s + canal(b.anatomy, 0) + 1.5 * s;
    for side in [-1.0, 1.0] {
        for k in 0..4 {
            let w = side * (10.5 + 2.6 * k as f32) * s;
            let outline = Outline {
                top: [(-5.5 + 0.7 * k as f32) * s, 0.12, 0.035],
                bottom: [(7.5 - 0.5 * k as f32) * s, 0.1, -0.02],
                cortex: [0.4, 0.4, 1.0, 1.0],
                ..Outline::rectangle(((-7.8 + 0.9 * k as f32) * s, (8.6 - 0.5 * k as f32) * s), (0.0, 0.0), 3.0)
            };
            let bone = Bone { trabecular: 0.6 * b.anatomy.trabecular, ..b.bone() };
            b.slab(&frame, &outline, w, 2.6 * s, bone);
        }
        let chain =
            [(6.0, -1.0, 16.0), (14.0, -1.6, 17.0), (back - 6.0, -1.0, 12.0), (back - 1.2, 0.0, 6.0), (back, 0.3, 0.0)];
        for pair in chain.windows(2) {
            let at = |p: (f32, f32, f32)| frame.at(p.0, p.1 * s, side * p.2 * s);
            b.pipe(at(pair[0]), at(pair[1]), 3.0 * s, 1.0, b.anatomy.trabecular);
        }
        b.solid(&frame.moved(0.0, 0.5, side * 29.0 * s), v3(5.0 * s, 4.0 * s, 8.0 * s), 0.3);
    }
    b.knob(&frame.moved(back + 0.8, 0.4, 0.0), v3(2.6 * s, 4.4 * s, 3.4 * s), 0.9, 1.0);
}

fn dens(b: &mut Builder<'_>) {
    let s = b.anatomy.scale;
    let frame = b.spine.dens;
    let (length, r) = (b.anatomy.dens, DENS_HALF_DEPTH * s);
    let odontoid = b.lesion_of(C2).filter(|l| l.kind == Kind::Odontoid);
    // Type II: through the base, a little oblique.
    let cut = odontoid.map(|l| [0.12 * l.side, 0.993, 0.4]);
    const PARTS: usize = 6;
    for k in 0..PARTS {
        let z = (2.0 * k as f32 + 1.0) / PARTS as f32 - 1.0;
        let half = r * (1.0 - 0.55 * z * z);
        let waist = 0.9;
        let low = if odontoid.is_some() { 1.5 } else { 4.0 };
        let outline = Outline {
            front: [-half, 0.0, waist * 0.02],
            back: [half - 0.4, 0.0, 0.0],
            top: [-length, 0.0, 0.06 + 0.05 * z * z],
            bottom: [low, 0.0, 0.0],
            cut,
            round: 3.0,
            cortex: [1.0, 1.0, 1.0, 0.0],
        };
        let bone = Bone { shell: 0.9, trabecular: b.anatomy.trabecular + 0.12 };
        b.slab(&frame, &outline, z * r, 2.0 * r / PARTS as f32, bone);
    }
    if odontoid.is_some() {
        odontoid_mask(b, length, r);
    }
}

/// The dens and the atlas (which it takes along), where they are and where they would be.
fn odontoid_mask(b: &mut Builder<'_>, length: f32, r: f32) {
    let s = b.anatomy.scale;
    let back = 5.4 * s + canal(b.anatomy, 0) + 1.5 * s;
    let front = DENS_HALF_DEPTH * s + b.anatomy.adi + 5.6 * s;
    for spine in [b.spine.clone(), b.healthy.clone()] {
        b.mask(&spine.dens, &[(-r, -length), (r, -length), (r + 1.0, 3.0), (-r - 1.0, 3.0)], 1.5);
        b.mask(
            &spine.frames[0],
            &[(-front, -5.5 * s), (9.0 * s, -6.0 * s), (9.0 * s, 8.0 * s), (-front, 5.0 * s)],
            1.0,
        );
        b.mask(
            &spine.frames[0],
            &[(8.0 * s, -5.0 * s), (back + 4.0, -4.5 * s), (back + 4.0, 5.0 * s), (8.0 * s, 3.0 * s)],
            1.0,
        );
    }
}

fn axis_body(b: &mut Builder<'_>) {
    let frame = b.spine.frames[C2];
    let (h, d, s) = (b.anatomy.heights[C2], b.anatomy.depths[C2], b.anatomy.scale);
    const PARTS: usize = 9;
    let half = 9.0 * s;
    let width = 2.0 * half / PARTS as f32;
    let odontoid = b.lesion_of(C2).is_some_and(|l| l.kind == Kind::Odontoid);
    for k in 0..PARTS {
        let z = (2.0 * k as f32 + 1.0) / PARTS as f32 - 1.0;
        let lateral = z * z;
        // The shoulders beside the dens fall away to the sides.
        let fall = if odontoid { 0.3 } else { 0.0 } + 3.2 * lateral;
        let outline = Outline {
            front: [-0.5 * d + 1.6 + 0.26 * d * lateral * lateral, -2.2 / h, -2.0 / (h * h)],
            back: [0.5 * d - 1.0 - 0.1 * d * lateral, 0.6 / h, 1.6 / (h * h)],
            top: [-0.5 * h + fall, 0.05, 0.01],
            bottom: [0.5 * h - 1.2, -0.06, 1.7 * 4.0 / (d * d) * (1.0 - 0.7 * lateral)],
            cut: None,
            round: 1.8,
            // The dens goes on into the body.
            cortex: [1.0, 1.0, if odontoid || lateral > 0.3 { 0.8 } else { 0.0 }, 1.1],
        };
        b.slab(&frame, &outline, z * half, width, b.bone());
    }
    // The superior articular masses beside the body, under those of the atlas.
    for side in [-1.0, 1.0] {
        for k in 0..3 {
            let w = side * (9.5 + 2.8 * k as f32) * s;
            let outline = Outline {
                top: [-0.5 * h + 2.4 * s + 0.5 * k as f32, 0.1, 0.012],
                bottom: [-0.5 * h + 11.0 * s, 0.25, 0.0],
                cortex: [0.3, 0.2, 1.0, 0.0],
                ..Outline::rectangle((-5.5 * s, 8.5 * s), (0.0, 0.0), 2.0)
            };
            b.slab(&frame, &outline, w, 2.8 * s, b.bone());
        }
    }
}

/// Pars, inferior articular processes, laminae and spinous process; a hangman's fracture parts them from the body.
fn axis_arch(b: &mut Builder<'_>) {
    let frame = b.spine.frames[C2];
    let (h, d, s) = (b.anatomy.heights[C2], b.anatomy.depths[C2], b.anatomy.scale);
    let hangman = b.lesion_of(C2).filter(|l| l.kind == Kind::Hangman);
    let arch = match hangman {
        Some(l) => {
            let g = l.severity_mm;
            frame.hinged((pillar_u(b.anatomy, C2), pillar_v(C2)), (0.93 * g, 0.36 * g), -0.35 * l.angle)
        }
        None => frame,
    };
    let (u, v) = (pillar_u(b.anatomy, C2), pillar_v(C2));
    let (from, to) = ((0.5 * d - 2.5, -0.5 * h + 7.0 * s), (u + 0.5, v - 0.5));
    let break_at = hangman.map_or(0.5, |l| 0.45 + 0.2 * l.size);
    for side in [-1.0, 1.0] {
        let a = frame.at(from.0, from.1, side * 10.0 * s);
        let c = frame.at(to.0, to.1, side * 14.0 * s);
        let (a2, c2) = (arch.at(from.0, from.1, side * 10.0 * s), arch.at(to.0, to.1, side * 14.0 * s));
        b.pipe(a, a.mix(c, break_at), 3.6 * s, 0.9, b.anatomy.trabecular);
        b.pipe(a2.mix(c2, break_at), c2, 3.6 * s, 0.9, b.anatomy.trabecular);
    }
    let down = pillar_reach(b, C2).1;
    let outline = pillar_outline(b, C2, -6.0 * s, down);
    for side in [-1.0, 1.0] {
        for k in 0..4 {
            b.slab(&arch, &outline, side * (11.5 + 2.6 * k as f32) * s, 2.6 * s, b.bone());
        }
    }
    laminae(b, &arch, C2);
    spinous(b, &arch, C2);
    if hangman.is_some() {
        hangman_mask(b, &frame, &arch, (from, to));
    }
}

/// The pars and the whole arch that fell back, where it is and where it would be.
fn hangman_mask(b: &mut Builder<'_>, frame: &Frame, arch: &Frame, (from, to): ((f32, f32), (f32, f32))) {
    let s = b.anatomy.scale;
    let points = [frame.at(from.0, from.1, 0.0), frame.at(to.0, to.1, 0.0), arch.at(to.0, to.1, 0.0)];
    b.mask_world(&points, 4.0);
    let (u, v, length) = (pillar_u(b.anatomy, C2), pillar_v(C2), b.anatomy.spinous[C2]);
    let down = pillar_reach(b, C2).1;
    for f in [frame, arch] {
        b.mask(
            f,
            &[
                (u - 5.5 * s, v - 10.0 * s),
                (u + 6.0 * s, v - 3.0 * s),
                (u + 6.5 * s, v + down + 5.0),
                (u - 5.5 * s, v + down - 3.0),
            ],
            1.0,
        );
        let root = spinous_frame(b, f, C2);
        b.mask(&root, &[(-9.0, -8.0 * s), (length + 2.0, -6.0 * s), (length + 2.0, 6.0 * s), (-9.0, 8.0 * s)], 1.0);
    }
}
