//! The body of a vertebra from C3 to T2, whole, worn, or broken: wedge, burst, teardrop.

use crate::anatomy::{Mimic, T1};
use crate::geometry::{Frame, v3};
use crate::lesion::{Kind, Lesion};
use crate::primitives::{Bone, Outline};
use crate::scene::Builder;

/// Half widths of the bodies, side to side, C1 to T2, mm.
pub(crate) const HALF_WIDTH: [f32; 9] = [0.0, 9.0, 9.0, 9.4, 9.8, 10.6, 12.2, 14.0, 14.0];
/// Slices of a body.
const SLICES: usize = 9;

/// The outline of the body's slice at `z`, −1 to 1 across its width, whole.
fn body_outline(b: &Builder<'_>, i: usize, z: f32) -> Outline {
    let (h, d) = (b.anatomy.heights[i], b.anatomy.depths[i]);
    let lateral = z * z;
    let waist = 1.1 * (1.0 - lateral);
    let front = -0.5 * d + d * (0.05 * lateral + 0.24 * lateral * lateral);
    let back = 0.5 * d - 0.13 * d * lateral * lateral;
    // The uncinate processes rise at the sides, most at the back.
    let rise = if i < T1 { 3.4 * ((z.abs() - 0.62) / 0.38).clamp(0.0, 1.0) } else { 0.0 };
    let dip = 0.35 * (1.0 - lateral);
    let hollow = if i < T1 { 1.5 } else { 0.7 } * (1.0 - 0.8 * lateral);
    let worn = b.anatomy.wedging[i];
    let square = 4.0 / (d * d);
    Outline {
        front: [front + waist, 0.0, -waist * 4.0 / (h * h)],
        back: [back - 0.5, 0.0, 2.0 / (h * h)],
        top: [-0.5 * h + dip - 0.5 * rise + 0.5 * worn, -0.035 - (rise + worn) / d, -dip * square],
        bottom: [0.5 * h - hollow + 0.4, -0.045, hollow * square],
        cut: None,
        round: 1.6,
        cortex: [0.8, 0.8, 1.1, 1.1],
    }
}

pub(crate) fn body(b: &mut Builder<'_>, frame: &Frame, i: usize) {
    let lesion = b.lesion_of(i);
    let half = HALF_WIDTH[i] * b.anatomy.scale;
    let thickness = 2.0 * half / SLICES as f32;
    for k in 0..SLICES {
        let z = (2.0 * k as f32 + 1.0) / SLICES as f32 - 1.0;
        let outline = body_outline(b, i, z);
        let w = z * half;
        // The side walls: the outermost slices hold their cortex.
        let mut bone = b.bone();
        if k == 0 || k == SLICES - 1 {
            bone.trabecular = (bone.trabecular + bone.shell / thickness).min(1.0);
        }
        match lesion.map(|l| (l.kind, l)) {
            Some((Kind::Wedge, l)) => wedge(b, frame, i, outline, (w, thickness), bone, l),
            Some((Kind::Burst, l)) => burst(b, frame, i, outline, (w, thickness), bone, l),
            Some((Kind::Teardrop, l)) => teardrop(b, frame, i, outline, (w, thickness), bone, l),
            _ => b.slab(frame, &outline, w, thickness, bone),
        }
    }
    osteophytes(b, frame, i);
    if let Some(l) = lesion {
        body_mask(b, frame, i, l);
    }
}

/// The upper endplate sinks in front: linear and quadratic in the distance from the back wall.
fn wedge(b: &mut Builder<'_>, frame: &Frame, i: usize, mut o: Outline, (w, t): (f32, f32), bone: Bone, l: Lesion) {
    let (h, d) = (b.anatomy.heights[i], b.anatomy.depths[i]);
    let s = l.severity_mm;
    // s (0.3 q + 0.7 q²), q = 1/2 − u/d.
    o.top[0] += s * (0.15 + 0.175);
    o.top[1] -= s * (0.3 + 0.7) / d;
    o.top[2] += s * 0.7 / (d * d);
    o.front[0] -= 0.6;
    o.front[1] += 0.9 / h;
    b.slab(frame, &o, w, t, bone);
    // Impacted trabeculae under the endplate show as a dense band.
    let band = Outline { bottom: [o.top[0] + 2.2, o.top[1], o.top[2]], back: [0.15 * d, 0.0, 0.0], ..o };
    b.slab(frame, &band, w, 0.16 * t, Bone { shell: 9.0, trabecular: 1.0 });
}

/// The upper endplate breaks in, the walls burst outwards, the upper back corner is driven into the canal.
fn burst(b: &mut Builder<'_>, frame: &Frame, i: usize, mut o: Outline, (w, t): (f32, f32), bone: Bone, l: Lesion) {
    let (h, d) = (b.anatomy.heights[i], b.anatomy.depths[i]);
    let crush = h * (0.22 + 0.16 * l.size);
    let whole = o;
    o.top[0] += crush;
    o.top[1] -= 0.05;
    o.top[2] += -0.8 * 4.0 / (d * d);
    o.front[0] -= 1.2 + 0.8 * l.size;
    o.round = 1.0;
    // The line from the upper endplate, a third from the back, down to the middle of the back wall.
    let n = (0.78_f32, -0.626_f32);
    let through = (0.5 * d, 0.12 * h);
    let k = -(n.0 * through.0 + n.1 * through.1);
    b.slab(frame, &Outline { cut: Some([n.0, n.1, k]), ..o }, w, t, bone);
    let corner = Outline { cut: Some([-n.0, -n.1, -k]), ..whole };
    let moved = frame.hinged((0.5 * d, -0.5 * h), (l.severity_mm, 0.3 * crush), -0.6 * l.angle);
    b.slab(&moved, &corner, w * 0.8, t * 0.8, bone);
}

/// The lower front corner breaks off and moves forwards and down.
fn teardrop(b: &mut Builder<'_>, frame: &Frame, i: usize, o: Outline, (w, t): (f32, f32), bone: Bone, l: Lesion) {
    let (k, _) = teardrop_cut(b, i, l);
    b.slab(frame, &Outline { cut: Some(k), ..o }, w, t, bone);
    let chip = Outline { cut: Some(k.map(|c| -c)), ..o };
    let moved = teardrop_frame(b, frame, i, l);
    b.slab(&moved, &chip, w, t, bone);
}

/// The cut's line, and where it meets the front and lower edges.
fn teardrop_cut(b: &Builder<'_>, i: usize, l: Lesion) -> ([f32; 3], [(f32, f32); 3]) {
    let (h, d) = (b.anatomy.heights[i], b.anatomy.depths[i]);
    let size = 5.5 + 2.5 * l.size;
    let corner = (-0.5 * d, 0.5 * h + 0.6);
    let (up, along) = ((corner.0, corner.1 - size), (corner.0 + size, corner.1));
    let n = std::f32::consts::FRAC_1_SQRT_2;
    // Keep the body's side: n · (p − up) <= 0 with n = (−1, 1)/√2.
    ([-n, n, -(-n * up.0 + n * up.1)], [up, corner, along])
}

fn teardrop_frame(b: &Builder<'_>, frame: &Frame, i: usize, l: Lesion) -> Frame {
    let (_, [_, corner, _]) = teardrop_cut(b, i, l);
    frame.hinged(corner, (-0.85 * l.severity_mm, 0.53 * l.severity_mm), 0.8 * l.angle)
}

fn body_mask(b: &mut Builder<'_>, frame: &Frame, i: usize, l: Lesion) {
    let (h, d) = (b.anatomy.heights[i], b.anatomy.depths[i]);
    let (top, bottom, front, back) = (-0.5 * h, 0.5 * h, -0.5 * d, 0.5 * d);
    match l.kind {
        Kind::Wedge => {
            b.mask(frame, &[(front - 0.5, top - 0.5), (back, top - 0.5), (back, bottom), (front - 0.5, bottom)], 1.0);
        }
        Kind::Burst => {
            let out = back + l.severity_mm + 1.0;
            b.mask(frame, &[(front - 2.5, top - 1.0), (out, top - 1.0), (out, bottom), (front - 2.5, bottom)], 1.0);
        }
        Kind::Teardrop => {
            let (_, chip) = teardrop_cut(b, i, l);
            let moved = teardrop_frame(b, frame, i, l);
            let mut points: Vec<_> = chip.iter().map(|(u, v)| frame.at(*u, *v, 0.0)).collect();
            b.mask_world(&points, 1.0);
            b.mask(&moved, &chip, 1.0);
            // The gap between both.
            points =
                vec![points[0], points[2], moved.at(chip[2].0, chip[2].1, 0.0), moved.at(chip[0].0, chip[0].1, 0.0)];
            b.mask_world(&points, 1.0);
        }
        _ => {}
    }
}

/// Beaks at the front edges of a worn disc; a limbus ossicle at the lower front corner.
fn osteophytes(b: &mut Builder<'_>, frame: &Frame, i: usize) {
    let (h, d) = (b.anatomy.heights[i], b.anatomy.depths[i]);
    let above = b.anatomy.osteophytes[i - 1];
    let below = b.anatomy.osteophytes[i];
    for (length, v, way) in [(above, -0.5 * h + 1.2, -1.0), (below, 0.5 * h - 0.4, 1.0)] {
        if length > 0.6 {
            let at = frame.moved(-0.5 * d - 0.1 * length, v + 0.25 * way * length, 0.0).pitched(0.6 * way);
            b.solid(&at, v3(0.65 * length + 1.6, 0.9 + 0.18 * length, 6.5), 0.6);
        }
    }
    if let Some(Mimic::Limbus(level, size)) = b.anatomy.mimic
        && level == i
    {
        let at = frame.moved(-0.5 * d - 0.55 * size, 0.5 * h + 0.5, 0.0).pitched(0.7);
        b.knob(&at, v3(0.62 * size, 0.42 * size, 4.5), 0.6, 1.0);
    }
}
