//! Skull base, occiput, mandible, teeth and the hyoid.

use crate::anatomy::{C3, C4};
use crate::geometry::{Frame, v3};
use crate::primitives::{Bone, Outline};
use crate::scene::Builder;

pub(crate) fn push(b: &mut Builder<'_>) {
    let head = b.spine.head;
    cranium(b, &head);
    mandible(b, &head);
    teeth(b, &head);
    hyoid(b);
}

fn cranium(b: &mut Builder<'_>, head: &Frame) {
    let s = b.anatomy.scale;
    // The vault: a shell; its lowest part is the floor of the posterior fossa.
    let vault = head.moved(32.0 * s, -73.0 * s, 0.0);
    let wall = 4.2 * s;
    let outer = v3(88.0 * s, 74.0 * s, 70.0 * s);
    b.solid(&vault, outer, 0.6);
    b.solid(&vault, v3(outer.x - wall, outer.y - wall, outer.z - wall), -0.6);
    // Clivus, and the sphenoid before it.
    b.pipe(head.at(-1.0, -2.0, 0.0), head.at(-27.0 * s, -36.0 * s, 0.0), 5.0 * s, 1.2, 0.5);
    b.solid(&head.moved(-44.0 * s, -30.0 * s, 0.0), v3(26.0 * s, 20.0 * s, 32.0 * s), 0.1);
    // The inion and the squama below it.
    b.solid(&head.moved(86.0 * s, -28.0 * s, 0.0).pitched(-0.9), v3(14.0 * s, 5.0 * s, 16.0 * s), 0.4);
    b.pipe(head.at(34.0 * s, 1.0, 0.0), head.at(60.0 * s, -4.0 * s, 0.0), 3.4 * s, 1.0, 0.4);
    for side in [-1.0, 1.0] {
        b.solid(&head.moved(4.0 * s, 3.0 * s, side * 15.0 * s).pitched(-0.2), v3(10.0 * s, 4.5 * s, 7.0 * s), 0.5);
        b.solid(&head.moved(4.0 * s, -17.0 * s, side * 40.0 * s).pitched(0.3), v3(20.0 * s, 11.0 * s, 22.0 * s), 0.26);
        // Mastoid process with its air cells.
        let tip = head.moved(17.0 * s, -2.0 * s, side * 52.0 * s).pitched(0.25);
        b.solid(&tip, v3(11.0 * s, 16.0 * s, 9.0 * s), 0.4);
        for (u, v, r) in [(3.0, -5.0, 3.0), (-3.0, 1.0, 2.6), (2.5, 4.0, 2.2), (-1.0, -9.0, 3.2), (5.0, -12.0, 3.0)] {
            b.solid(&tip.moved(u * s, v * s, 0.0), v3(r * s, r * s, 7.0 * s), -0.3);
        }
        // The ear canal.
        b.solid(&head.moved(-3.0 * s, -14.0 * s, side * 52.0 * s), v3(4.0 * s, 3.6 * s, 9.0 * s), -0.4);
    }
    let palate = Outline {
        top: [3.0, 0.02, 0.0],
        bottom: [5.6, 0.02, 0.0],
        ..Outline::rectangle((-86.0 * s, -37.0 * s), (0.0, 0.0), 1.2)
    };
    for w in [-11.0, 0.0, 11.0] {
        b.slab(head, &palate, w * s, 9.0 * s, Bone { shell: 0.7, trabecular: 0.3 });
    }
    // Maxilla around its sinus, zygoma.
    b.solid(&head.moved(-62.0 * s, -18.0 * s, 0.0), v3(26.0 * s, 20.0 * s, 36.0 * s), 0.09);
}

/// Ramus, angle and body of each side: two contours that part when the head turns.
fn mandible(b: &mut Builder<'_>, head: &Frame) {
    let j = b.anatomy.jaw;
    let bone = Bone { shell: 1.7, trabecular: 0.3 };
    for side in [-1.0, 1.0] {
        let ramus = head.moved(-37.0 * j, 12.0 * j, side * 46.0 * j).pitched(0.16);
        let outline = Outline {
            front: [-14.0 * j, 0.1, -0.004],
            back: [15.0 * j, -0.06, 0.004],
            top: [-30.0 * j, 0.0, 0.03],
            bottom: [29.0 * j, 0.35, -0.012],
            cut: None,
            round: 9.0 * j,
            cortex: [1.0; 4],
        };
        for w in [-2.0, 2.0] {
            b.slab(&ramus, &outline, w, 4.0, bone);
        }
        b.pipe(
            head.at(-22.0 * j, -10.0 * j, side * 47.0 * j),
            head.at(-14.0 * j, -20.0 * j, side * 49.0 * j),
            4.5 * j,
            1.2,
            0.4,
        );
        b.solid(&head.moved(-13.0 * j, -20.0 * j, side * 49.0 * j), v3(5.0 * j, 4.0 * j, 9.0 * j), 0.5);
        let body = [(-30.0, 36.0, 45.0), (-52.0, 46.0, 39.0), (-72.0, 51.0, 26.0), (-85.0, 53.0, 0.0)];
        for pair in body.windows(2) {
            let at = |p: (f32, f32, f32), dv: f32| head.at(p.0 * j, (p.1 + dv) * j, side * p.2 * j);
            b.pipe(at(pair[0], 0.0), at(pair[1], 0.0), 7.0 * j, 1.6, 0.22);
            b.pipe(at(pair[0], -9.0), at(pair[1], -9.0), 5.0 * j, 0.9, 0.2);
        }
    }
}

fn teeth(b: &mut Builder<'_>, head: &Frame) {
    let j = b.anatomy.jaw;
    let fillings = i32::from(b.acquisition.fillings);
    for side in [-1.0, 1.0] {
        for n in 0..7_i32 {
            let along = n as f32;
            let (u, w) = ((-46.0 - 6.2 * along) * j, side * (27.0 - 0.45 * along * along) * j);
            let r = if n < 3 { 4.0 } else { 2.8 } * j;
            let upper = [head.at(u, 8.0 * j, w), head.at(u, 25.5 * j, w)];
            let lower = [head.at(u + 1.0, 27.5 * j, w), head.at(u + 1.0, 45.0 * j, w)];
            for [from, to] in [upper, lower] {
                b.pipe(from, to, r, 1.2, 0.55);
            }
            b.solid(&head.moved(u, 23.0 * j, w), v3(r, 3.0, r), 0.6);
            b.solid(&head.moved(u + 1.0, 30.0 * j, w), v3(r, 3.0, r), 0.6);
            if n < fillings && (n + i32::from(side > 0.0)) % 2 == 0 {
                b.bead(head.at(u + 1.2, 30.2 * j, w), 1.9, 0.6);
            }
        }
    }
}

fn hyoid(b: &mut Builder<'_>) {
    let s = b.anatomy.scale;
    let (c3, c4) = (b.spine.frames[C3], b.spine.frames[C4]);
    let level = c3.origin.mix(c4.origin, 0.4);
    let frame = Frame { origin: level, ..c3 }.pitched(0.12);
    let front = -0.5 * b.anatomy.depths[C3] - 36.0 * s;
    b.knob(&frame.moved(front, 4.0, 0.0).pitched(-0.5), v3(2.6 * s, 5.0 * s, 9.0 * s), 0.8, 0.8);
    for side in [-1.0, 1.0] {
        let mid = frame.at(front + 8.0 * s, 2.5, side * 14.0 * s);
        b.tube(frame.at(front + 1.0, 3.5, side * 9.0 * s), mid, 1.7 * s, 0.8);
        b.tube(mid, frame.at(front + 27.0 * s, -2.0, side * 19.0 * s), 1.5 * s, 0.8);
    }
}
