//! C3 to T2: body, pedicles, articular pillars, laminae, spinous process, with their injuries.

use crate::anatomy::{C3, C7, Mimic, T2};
use crate::body::{HALF_WIDTH, body};
use crate::geometry::{Frame, v3};
use crate::lesion::{Kind, Lesion};
use crate::primitives::{Bone, Outline};
use crate::scene::Builder;
use crate::spine::{canal, pillar_u, pillar_v};

/// Slope of the facet joints against the endplates.
const FACET_SLOPE: f32 = 0.84;
/// How steeply spinous processes fall, radians.
const FALL: [f32; 9] = [0.0, 0.22, 0.3, 0.36, 0.38, 0.34, 0.3, 0.42, 0.6];

pub(crate) fn push(b: &mut Builder<'_>) {
    for i in C3..=T2 {
        let frame = b.spine.frames[i];
        body(b, &frame, i);
        pedicles(b, &frame, i);
        pillars(b, &frame, i);
        laminae(b, &frame, i);
        spinous(b, &frame, i);
    }
    if let Some(l) = b.lesion.copied().filter(Lesion::dislocates) {
        dislocation_mask(b, l.vertebra);
    }
}

fn pedicles(b: &mut Builder<'_>, frame: &Frame, i: usize) {
    let (h, d) = (b.anatomy.heights[i], b.anatomy.depths[i]);
    let s = b.anatomy.scale;
    let half = HALF_WIDTH[i] * s;
    for side in [-1.0, 1.0] {
        let from = frame.at(0.5 * d - 2.0, -0.12 * h, side * (half - 2.5));
        let to = frame.at(0.5 * d + 3.0 * s, -0.06 * h, side * (half + 5.0));
        b.tube(from, to, 3.0 * s, 0.9);
        // The transverse process, seen almost end on over the body.
        let root = frame.at(-0.12 * d, 0.02 * h, side * (half - 1.0));
        let tip = frame.at(-0.1 * d + if i >= C7 { 7.0 } else { 0.0 }, 0.28 * h, side * (half + 9.0 * s));
        b.tube(root, tip, 2.5 * s, 0.4);
    }
}

/// The articular pillars: lozenges whose slanting ends are the facets.
fn pillars(b: &mut Builder<'_>, frame: &Frame, i: usize) {
    let (up, down) = pillar_reach(b, i);
    let outline = pillar_outline(b, i, -up, down);
    let s = b.anatomy.scale;
    let (near, width) = ((HALF_WIDTH[i] + 3.0) * s, 10.5 * s);
    const PARTS: usize = 4;
    for side in [-1.0, 1.0] {
        for k in 0..PARTS {
            let w = near + width * (k as f32 + 0.5) / PARTS as f32;
            let mut bone = b.bone();
            if k == PARTS - 1 {
                bone.trabecular = (bone.trabecular + 0.25).min(1.0);
            }
            // Rounder towards the side: no two slices share an outline.
            let (bend, round) = (0.45 * (k as f32 - 1.2), 1.4 + 0.7 * k as f32);
            let slice = Outline {
                front: [outline.front[0] + bend, outline.front[1], 0.0],
                back: [outline.back[0] - 0.3 * bend, outline.back[1], 0.0],
                round,
                ..outline
            };
            b.slab(frame, &slice, side * w, width / PARTS as f32, bone);
        }
    }
}

/// How far the pillar reaches up and down from its centre: half way to its neighbours, less half the joint space.
pub(crate) fn pillar_reach(b: &Builder<'_>, i: usize) -> (f32, f32) {
    let here = b.healthy.pillar(b.anatomy, i);
    let half = |j: usize| 0.5 * b.healthy.pillar(b.anatomy, j).sub(here).length() - 0.85;
    let up = half(i - 1);
    (up, if i < T2 { half(i + 1) } else { up })
}

/// From `top` to `bottom` (relative to the pillar's centre), slanting as the facets do.
pub(crate) fn pillar_outline(b: &Builder<'_>, i: usize, top: f32, bottom: f32) -> Outline {
    let (u, v, s) = (pillar_u(b.anatomy, i), pillar_v(i), b.anatomy.scale);
    Outline {
        front: [u - 4.8 * s - 0.12 * v, 0.12, 0.0],
        back: [u + 4.8 * s - 0.12 * v, 0.12, 0.0],
        top: [v + top - FACET_SLOPE * u, FACET_SLOPE, 0.0],
        bottom: [v + bottom - FACET_SLOPE * u, FACET_SLOPE, 0.0],
        cut: None,
        round: 1.8,
        cortex: [0.3, 0.8, 1.2, 1.2],
    }
}

/// From the pillars to the spinolaminar line, as slices that step backwards towards the middle.
pub(crate) fn laminae(b: &mut Builder<'_>, frame: &Frame, i: usize) {
    let s = b.anatomy.scale;
    let (from, to) = (pillar_u(b.anatomy, i) + 3.6 * s, 0.5 * b.anatomy.depths[i] + canal(b.anatomy, i) + 1.5);
    let v = pillar_v(i) + if i < C3 { 1.0 } else { 2.5 };
    let height = if i < C3 { 6.0 } else { 5.0 } * s;
    const PARTS: usize = 5;
    let width = 15.0 * s;
    for side in [-1.0, 1.0] {
        for k in 0..PARTS {
            let t = (k as f32 + 0.5) / PARTS as f32;
            let u = to + (from - to) * t * t.sqrt();
            let step = (from - to).abs() / PARTS as f32;
            let outline = Outline {
                front: [u - 1.5 - 0.3 * v, 0.3, 0.0],
                back: [u + 1.5 - 0.3 * v, 0.3, 0.0],
                ..Outline::rectangle((0.0, 0.0), (v - height, v + height), 1.4)
            };
            let bone = Bone { shell: 0.6, ..b.bone() };
            b.blurred_slab(frame, &outline, side * width * t, width / PARTS as f32, bone, 1.3 * step);
        }
    }
}

/// The spinous process in its own frame: u from the spinolaminar line to the tip.
pub(crate) fn spinous_frame(b: &Builder<'_>, frame: &Frame, i: usize) -> Frame {
    let u = 0.5 * b.anatomy.depths[i] + canal(b.anatomy, i) + 1.2;
    let v = pillar_v(i) + if i < C3 { 2.0 } else { 3.6 };
    frame.moved(u, v, 0.0).pitched(-FALL[i])
}

pub(crate) fn spinous(b: &mut Builder<'_>, frame: &Frame, i: usize) {
    let root = spinous_frame(b, frame, i);
    let length = b.anatomy.spinous[i];
    let s = b.anatomy.scale;
    let (tall, tip) = (
        if i == 1 {
            5.6
        } else if i >= C7 - 1 {
            5.2
        } else {
            4.6
        } * s,
        if i >= C7 { 4.6 } else { 3.8 } * s,
    );
    let outline = Outline {
        // Tapers from the root to the tip, hollow above and below.
        top: [-tall, (tall - tip) * 1.6 / length, -(tall - tip) * 0.6 / (length * length)],
        bottom: [tall, -(tall - tip) * 1.6 / length, (tall - tip) * 0.6 / (length * length)],
        cortex: [0.0, 0.4, 1.0, 1.0],
        ..Outline::rectangle((-2.5, length), (0.0, 0.0), 2.8)
    };
    spinolaminar_line(b, &root, i);
    match b.lesion_of(i).filter(|l| l.kind == Kind::SpinousProcess) {
        None => {
            spinous_piece(b, &root, &outline);
            spinous_tip(b, &root, i, length, tip);
        }
        Some(l) => {
            let at = length * (0.42 + 0.2 * l.size);
            // The break runs obliquely, from above and behind to below and in front.
            let k = [0.92, 0.392, -0.92 * at];
            let drop = (0.55 * l.severity_mm, 0.84 * l.severity_mm);
            let moved = root.hinged((at, 0.0), drop, -0.6 * l.angle);
            spinous_piece(b, &root, &Outline { cut: Some(k), ..outline });
            spinous_piece(b, &moved, &Outline { cut: Some(k.map(|c| -c)), ..outline });
            spinous_tip(b, &moved, i, length, tip);
            let high = tall + 1.0;
            let whole = [(at - 2.5, -high), (length + 3.0, -high), (length + 3.0, high), (at - 2.5, high)];
            b.mask(&root, &whole, 1.0);
            b.mask(&moved, &whole, 1.0);
        }
    }
    if let Some(Mimic::Nuchal(level, size)) = b.anatomy.mimic
        && level == i
    {
        let at = root.moved(length + 5.0 + 0.5 * size, -2.0, 0.0).pitched(-0.9);
        b.knob(&at, v3(0.5 * size, 1.6, 2.2), 0.7, 1.0);
    }
}

fn spinous_piece(b: &mut Builder<'_>, frame: &Frame, outline: &Outline) {
    let bone = Bone { trabecular: b.anatomy.trabecular + 0.25, ..b.bone() };
    // A ridge: thickest along its middle.
    for (w, narrow) in [(-2.4, 1.2), (-0.8, 0.2), (0.8, 0.2), (2.4, 1.2)] {
        let slice = Outline {
            top: [outline.top[0] + narrow, outline.top[1], outline.top[2]],
            bottom: [outline.bottom[0] - narrow, outline.bottom[1], outline.bottom[2]],
            ..*outline
        };
        b.slab(frame, &slice, w, 1.6, bone);
    }
}

/// Where both laminae meet they are seen edge on: the spinolaminar line.
fn spinolaminar_line(b: &mut Builder<'_>, root: &Frame, i: usize) {
    let half = if i == 1 { 6.0 } else { 4.6 } * b.anatomy.scale;
    let line = Outline {
        front: [-2.6, 0.12, 0.05],
        back: [-1.7, 0.12, 0.05],
        ..Outline::rectangle((0.0, 0.0), (-half, half * 0.8), 0.4)
    };
    b.slab(root, &line, 0.0, 6.5, Bone { shell: 2.0, trabecular: 1.0 });
}

/// Two tubercles down to C6, one knob from C7 on.
fn spinous_tip(b: &mut Builder<'_>, frame: &Frame, i: usize, length: f32, tip: f32) {
    if i >= C7 {
        b.solid(&frame.moved(length - 2.5, 0.3, 0.0), v3(4.2, tip + 0.2, 4.0), 0.4);
        return;
    }
    for side in [-1.0, 1.0] {
        let at = frame.moved(length - 2.2, 0.8, side * 3.0).pitched(-0.25);
        b.solid(&at, v3(4.2, tip * 0.9, 2.2), 0.55);
    }
}

/// Facing endplates, the facets, and the gap between the spinous processes.
fn dislocation_mask(b: &mut Builder<'_>, i: usize) {
    let (upper, lower) = (b.spine.frames[i], b.spine.frames[i + 1]);
    let a = b.anatomy;
    let (h0, d0, h1, d1) = (a.heights[i], a.depths[i], a.heights[i + 1], a.depths[i + 1]);
    let disc = [
        upper.at(-0.5 * d0, 0.5 * h0, 0.0),
        upper.at(0.5 * d0, 0.5 * h0, 0.0),
        lower.at(0.5 * d1, -0.5 * h1, 0.0),
        lower.at(-0.5 * d1, -0.5 * h1, 0.0),
    ];
    let (u0, u1, s) = (pillar_u(a, i), pillar_u(a, i + 1), a.scale);
    let (down, up) = (pillar_reach(b, i).1, pillar_reach(b, i + 1).0);
    let slope = FACET_SLOPE * 4.8 * s;
    let facet = [
        upper.at(u0 - 4.8 * s, pillar_v(i) + down - slope, 0.0),
        upper.at(u0 + 4.8 * s, pillar_v(i) + down + slope, 0.0),
        lower.at(u1 + 4.8 * s, pillar_v(i + 1) - up + slope, 0.0),
        lower.at(u1 - 4.8 * s, pillar_v(i + 1) - up - slope, 0.0),
    ];
    let (p0, p1) = (spinous_frame(b, &upper, i), spinous_frame(b, &lower, i + 1));
    let (l0, l1) = (a.spinous[i], a.spinous[i + 1]);
    let gap = [p0.at(0.0, 3.0, 0.0), p0.at(l0, 3.0, 0.0), p1.at(l1, -3.0, 0.0), p1.at(0.0, -3.0, 0.0)];
    for polygon in [disc, facet, gap] {
        b.mask_world(&hull(&polygon), 3.0);
    }
}

/// The convex hull of four points in the film's plane: displaced edges may cross.
fn hull(points: &[crate::geometry::Vec3; 4]) -> Vec<crate::geometry::Vec3> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    let chain = |points: &mut dyn Iterator<Item = &crate::geometry::Vec3>| {
        let mut kept: Vec<crate::geometry::Vec3> = vec![];
        for p in points {
            while let [.., a, b] = kept[..]
                && (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x) <= 0.0
            {
                kept.pop();
            }
            kept.push(*p);
        }
        kept.pop();
        kept
    };
    let mut ring = chain(&mut sorted.iter());
    ring.extend(chain(&mut sorted.iter().rev()));
    ring
}
