//! Soft tissue and air: neck and head, shoulders, throat.

use crate::anatomy::{C2, C3, C4, C7, T1, T2};
use crate::geometry::{Vec3, View, v3};
use crate::scene::Builder;
use crate::vertebra::spinous_frame;

/// A body of elliptic cross-sections stacked downwards: neck, airway. Its front, back and half width are curves of
/// their own, since jaw and nape follow different bones.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Pixel x of the row, front and back; half width along the ray, mm, of the row.
    curves: [Curve; 3],
    weight: f32,
}

/// A smooth function through its knots (row or mm, value), which ascend; constant outside them.
#[derive(Debug, Clone)]
pub(crate) struct Curve(Vec<[f32; 2]>);

impl Curve {
    /// Knots that do not come lower than the one before are pushed 2 mm below it.
    pub(crate) fn new(knots: &[[f32; 2]]) -> Curve {
        let mut kept: Vec<[f32; 2]> = vec![];
        for k in knots {
            let y = kept.last().map_or(k[0], |last| k[0].max(last[0] + 2.0));
            kept.push([y, k[1]]);
        }
        Curve(kept)
    }

    /// Cubic Hermite, slopes by finite differences.
    pub(crate) fn at(&self, y: f32) -> f32 {
        let (p, n) = (&self.0, self.0.len());
        let y = y.clamp(p[0][0], p[n - 1][0]);
        let k = p[1..n - 1].iter().take_while(|knot| knot[0] < y).count();
        let slope = |i: usize| {
            let (a, b) = (i.saturating_sub(1), (i + 1).min(n - 1));
            (p[b][1] - p[a][1]) / (p[b][0] - p[a][0])
        };
        let h = p[k + 1][0] - p[k][0];
        let t = (y - p[k][0]) / h;
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * p[k][1]
            + (t3 - 2.0 * t2 + t) * h * slope(k)
            + (3.0 * t2 - 2.0 * t3) * p[k + 1][1]
            + (t3 - t2) * h * slope(k + 1)
    }

    /// From mm in the midplane to rows; the values too if they are places.
    fn projected(&self, view: &View, places: bool) -> Curve {
        let knots = self.0.iter().map(|k| {
            let (x, y) = view.pixel(v3(k[1], k[0], 0.0));
            [y, if places { x } else { k[1] }]
        });
        Curve(knots.collect())
    }
}

impl Column {
    /// Front, back and half width over y, all mm in the midplane.
    fn new(view: &View, [front, back, half]: [&Curve; 3], weight: f32) -> Column {
        let curves = [front.projected(view, true), back.projected(view, true), half.projected(view, false)];
        Column { curves, weight }
    }

    pub(crate) fn add_to(&self, plane: &mut [f32], size: usize, ramp: &[f32]) {
        // Closed above and below where its half width is given.
        let rows = &self.curves[2].0;
        let (first, last) = (rows[0][0], rows[rows.len() - 1][0]);
        for y in 0..size {
            let at = y as f32 + 0.5;
            if at < first || at > last {
                continue;
            }
            let [left, right, depth] = [0, 1, 2].map(|c| self.curves[c].at(at));
            let (centre, half) = (0.5 * (left + right), (0.5 * (right - left)).max(0.5));
            let from = (left - 1.0).clamp(0.0, size as f32) as usize;
            let to = (right + 2.0).clamp(0.0, size as f32) as usize;
            if from >= to {
                continue;
            }
            let (inverse, soft) = (1.0 / half, (1.0 / half).powi(2).min(0.2));
            let chord = 2.0 * depth * self.weight;
            for (out, &x) in plane[y * size + from..y * size + to].iter_mut().zip(&ramp[from..to]) {
                let t = (x - centre) * inverse;
                let f = 1.0 - t * t;
                let lifted = 0.5 * (f + (f * f + soft).sqrt()) - 0.25 * soft / (f.abs() + 0.25);
                *out += chord * lifted.max(0.0).sqrt();
            }
        }
    }
}

pub(crate) fn push(b: &mut Builder<'_>) {
    neck(b);
    shoulders(b);
    airway(b);
}

/// The skin in front, the skin behind, and half the width from side to side, over y.
pub(crate) fn contour(b: &Builder<'_>) -> [Curve; 3] {
    let a = b.anatomy;
    let (head, s, j) = (b.spine.head, a.scale, a.jaw);
    let centre = |i: usize| b.spine.frames[i].origin;
    let (c5, c7, t2) = (centre(4), centre(C7), centre(T2));
    let place = |p: Vec3, by: f32| [p.y, p.x + by];
    let (top, lips, chin) =
        (head.at(-104.0 * s, -130.0 * s, 0.0), head.at(-97.0 * j, 26.0 * j, 0.0), head.at(-93.0 * j, 54.0 * j, 0.0));
    let under = head.at(-62.0 * j, 68.0 * j, 0.0);
    let throat = v3(c5.x - a.neck_front - 12.0, under.y + 14.0, 0.0);
    let root = v3(c7.x - a.neck_front - 14.0, c7.y.max(under.y + 30.0), 0.0);
    let chest = v3(t2.x - a.neck_front - 34.0, t2.y.max(under.y + 60.0), 0.0);
    let front = [
        place(top, 0.0),
        place(head.at(-100.0 * s, -18.0 * s, 0.0), 0.0),
        place(lips, 0.0),
        place(chin, 0.0),
        place(under, 0.0),
        place(throat, 0.0),
        place(root, 0.0),
        place(chest, 0.0),
        [t2.y + 70.0, t2.x - 105.0],
        [t2.y + 180.0, t2.x - 120.0],
    ];
    // Behind, the skin follows the tips of the spinous processes.
    let cover = (a.neck_back - 34.0 * s).max(9.0);
    let tip = |i: usize, more: f32| {
        let frame = spinous_frame(b, &b.spine.frames[i], i);
        place(frame.at(a.spinous[i], 0.0, 0.0), cover + more)
    };
    let back = [
        place(head.at(120.0 * s, -130.0 * s, 0.0), 0.0),
        place(head.at(108.0 * s, -20.0 * s, 0.0), 0.0),
        tip(C2, 12.0 * s),
        tip(C4, 11.0 * s),
        tip(5, 2.0),
        tip(C7, 0.0),
        tip(T2, 8.0),
        [t2.y + 70.0, t2.x + 110.0],
        [t2.y + 180.0, t2.x + 120.0],
    ];
    let half = a.neck_half_width;
    let ear = head.at(0.0, -18.0 * s, 0.0).y;
    let width = [
        [top.y, 72.0 * s],
        [ear, 72.0 * s],
        [lips.y, 66.0 * s],
        [chin.y, 60.0 * s],
        [under.y, 0.5 * (58.0 * s + half)],
        [throat.y, half],
        [root.y, half + 4.0],
        [chest.y, half + 14.0],
        [t2.y + 70.0, half + 34.0],
        [t2.y + 180.0, half + 44.0],
    ];
    [Curve::new(&front), Curve::new(&back), Curve::new(&width)]
}

fn neck(b: &mut Builder<'_>) {
    let [front, back, half] = contour(b);
    let column = Column::new(&b.view, [&front, &back, &half], 1.0);
    b.scene.columns.push(column);
}

/// Both shoulders, never quite level; a well-exposed film keeps C6 and C7 above them.
fn shoulders(b: &mut Builder<'_>) {
    let a = b.anatomy;
    let c7 = b.spine.frames[C7];
    let s = a.scale;
    let roll = b.spine.frames[T1].w;
    for side in [-1.0, 1.0] {
        let top = c7.origin.y + a.shoulder_drop + side * 120.0 * roll.y;
        let frame = crate::geometry::Frame {
            origin: v3(c7.origin.x + 8.0 + side * 100.0 * roll.x, top + 78.0 * s, side * 120.0),
            ..c7
        };
        // Nested, so that the edge fades instead of cutting the neck off.
        for shrink in [0.0, 9.0, 20.0] {
            let around = frame.moved(0.0, 0.5 * shrink, 0.0);
            b.soft(&around, v3(78.0 * s - shrink, 78.0 * s - shrink, 9.0 * s), 1.0);
        }
        // The humeral head and scapula, far off the midplane.
        let joint = frame.moved(6.0, -40.0, 0.0);
        b.solid(&joint, v3(26.0 * s, 26.0 * s, 22.0 * s), 0.12);
    }
}

/// Naso-, oro- and hypopharynx, larynx and trachea, at the prevertebral distance before the spine.
fn airway(b: &mut Builder<'_>) {
    let a = b.anatomy;
    let s = a.scale;
    let [upper, lower] = a.prevertebral;
    let behind = [5.0, upper, upper, upper + 2.0, 0.5 * (upper + lower) + 2.0, lower, lower + 0.5, lower, lower];
    let deep = [9.0, 11.0, 14.0, 13.0, 10.0, 12.0, 15.0, 15.5, 15.0].map(|mm| mm * a.airway * s);
    let wide = [14.0, 16.0, 18.0, 16.0, 8.0, 10.0, 10.0, 10.0, 10.0].map(|mm| mm * s);
    // The throat gives way to a dislocated neck, not to a dens that slips on its own.
    let spine = if b.lesion.is_some_and(crate::lesion::Lesion::dislocates) { &b.spine } else { &b.healthy };
    let head = spine.head;
    let vault = head.at(-26.0 * s, -14.0 * s, 0.0);
    let (mut front, mut back, mut half) =
        (vec![[vault.y, vault.x - 9.0]], vec![[vault.y, vault.x]], vec![[vault.y, 7.0]]);
    for i in 0..9 {
        let body = if i == 0 { 11.0 * s + a.adi } else { 0.5 * a.depths[i] };
        let wall = spine.frames[i].at(-body, 0.0, 0.0);
        let right = wall.x - behind[i];
        front.push([wall.y, right - deep[i]]);
        back.push([wall.y, right]);
        half.push([wall.y, wide[i]]);
    }
    let wall = spine.frames[T2].at(-0.5 * a.depths[T2] - lower, 0.0, 0.0);
    front.push([wall.y + 90.0, wall.x + 14.0 - deep[8]]);
    back.push([wall.y + 90.0, wall.x + 14.0]);
    half.push([wall.y + 90.0, wide[8]]);
    let throat = Column::new(&b.view, [&Curve::new(&front), &Curve::new(&back), &Curve::new(&half)], -1.0);
    b.scene.columns.push(throat);
    // Soft palate with the uvula, epiglottis, false cords.
    let c3 = b.spine.frames[C3];
    let front = -0.5 * a.depths[C3] - upper;
    let c2 = b.spine.frames[C2];
    b.soft(&c2.moved(front - 8.0 * s, -12.0, 0.0).pitched(-0.5), v3(4.0 * s, 13.0 * s, 7.0 * s), 0.85);
    b.soft(&c3.moved(front - 9.5 * s, 8.0, 0.0).pitched(-0.35), v3(1.7 * s, 11.0 * s, 8.0 * s), 1.0);
    // Air in the mouth over the tongue, sometimes much.
    let mouth = (a.airway - 0.75) * 8.0;
    b.soft(&head.moved(-62.0 * s, 12.0 * s, 0.0), v3(24.0 * s, 1.0 + mouth, 14.0 * s), -1.0);
    // Nasal cavity above the palate.
    b.soft(&head.moved(-62.0 * s, -12.0 * s, 0.0), v3(28.0 * s, 13.0 * s, 9.0 * s), -1.0);
}
