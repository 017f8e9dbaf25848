//! Soft tissue and air: neck and head, shoulders, throat.

use crate::anatomy::{C2, C3, C7, T1, T2};
use crate::geometry::{Vec3, View, v3};
use crate::scene::Builder;

/// A body of elliptic cross-sections stacked downwards: neck, airway.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Row, left edge, right edge (pixels), half width along the ray (mm); rows ascend.
    knots: Vec<[f32; 4]>,
    weight: f32,
}

impl Column {
    /// From (y, left, right, half width) in the midplane, mm.
    fn new(view: &View, knots: &[[f32; 4]], weight: f32) -> Column {
        let mut rows: Vec<[f32; 4]> = vec![];
        for k in knots {
            let (left, y) = view.pixel(v3(k[1], k[0], 0.0));
            let (right, _) = view.pixel(v3(k[2], k[0], 0.0));
            let y = rows.last().map_or(y, |r| y.max(r[0] + 2.0));
            rows.push([y, left, right.max(left + 1.0), k[3]]);
        }
        Column { knots: rows, weight }
    }

    pub(crate) fn add_to(&self, plane: &mut [f32], size: usize, ramp: &[f32]) {
        let last = self.knots.len() - 1;
        let mut k = 0;
        for y in 0..size {
            let at = y as f32 + 0.5;
            if at < self.knots[0][0] || at > self.knots[last][0] {
                continue;
            }
            while k + 2 <= last && self.knots[k + 1][0] < at {
                k += 1;
            }
            let [left, right, depth] = [1, 2, 3].map(|c| self.interpolate(k, at, c));
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

    /// Cubic Hermite through the knots, slopes by finite differences.
    fn interpolate(&self, k: usize, y: f32, c: usize) -> f32 {
        let (p, n) = (&self.knots, self.knots.len());
        let slope = |i: usize| {
            let (a, b) = (i.saturating_sub(1), (i + 1).min(n - 1));
            (p[b][c] - p[a][c]) / (p[b][0] - p[a][0])
        };
        let h = p[k + 1][0] - p[k][0];
        let t = (y - p[k][0]) / h;
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * p[k][c]
            + (t3 - 2.0 * t2 + t) * h * slope(k)
            + (3.0 * t2 - 2.0 * t3) * p[k + 1][c]
            + (t3 - t2) * h * slope(k + 1)
    }
}

pub(crate) fn push(b: &mut Builder<'_>) {
    neck(b);
    shoulders(b);
    airway(b);
}

fn column(b: &mut Builder<'_>, knots: &[[f32; 4]], weight: f32) {
    let column = Column::new(&b.view, knots, weight);
    b.scene.columns.push(column);
}

/// The skin's outline: its knots, (y, front, back, half width).
pub(crate) fn contour(b: &Builder<'_>) -> Vec<[f32; 4]> {
    let a = b.anatomy;
    let (head, s, j) = (b.spine.head, a.scale, a.jaw);
    let centre = |i: usize| b.spine.frames[i].origin;
    let half = a.neck_half_width;
    let row = |p: Vec3, front: f32, back: f32, half: f32| [p.y, front, back, half];
    let lips = head.at(-97.0 * j, 26.0 * j, 0.0);
    let chin = head.at(-93.0 * j, 54.0 * j, 0.0);
    let under = head.at(-62.0 * j, 68.0 * j, 0.0);
    let top = head.at(0.0, -130.0 * s, 0.0);
    let ear = head.at(0.0, -18.0 * s, 0.0);
    let inion = head.at(108.0 * s, -20.0 * s, 0.0);
    let nape = centre(C2).x + a.neck_back + 10.0;
    let (c5, c7, t2) = (centre(4), centre(C7), centre(T2));
    vec![
        row(top, head.origin.x - 104.0 * s, head.origin.x + 120.0 * s, 72.0 * s),
        row(ear, head.origin.x - 100.0 * s, inion.x, 72.0 * s),
        row(lips, lips.x, 0.5 * (inion.x + nape), 66.0 * s),
        row(chin, chin.x, nape, 60.0 * s),
        row(under, under.x, nape - 2.0, 0.5 * (58.0 * s + half)),
        row(v3(0.0, under.y + 14.0, 0.0), c5.x - a.neck_front - 12.0, c5.x + a.neck_back + 4.0, half),
        row(v3(0.0, c7.y.max(under.y + 30.0), 0.0), c7.x - a.neck_front - 14.0, c7.x + a.neck_back + 6.0, half + 4.0),
        row(v3(0.0, t2.y.max(under.y + 60.0), 0.0), t2.x - a.neck_front - 34.0, t2.x + a.neck_back + 24.0, half + 14.0),
        row(v3(0.0, t2.y + 70.0, 0.0), t2.x - 105.0, t2.x + 110.0, half + 34.0),
        row(v3(0.0, t2.y + 180.0, 0.0), t2.x - 120.0, t2.x + 120.0, half + 44.0),
    ]
}

fn neck(b: &mut Builder<'_>) {
    let knots = contour(b);
    column(b, &knots, 1.0);
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
    let head = b.spine.head;
    let vault = head.at(-26.0 * s, -14.0 * s, 0.0);
    let mut knots = vec![[vault.y, vault.x - 9.0, vault.x, 7.0]];
    for i in 0..9 {
        let half = if i == 0 { 11.0 * s + a.adi } else { 0.5 * a.depths[i] };
        let wall = b.spine.frames[i].at(-half, 0.0, 0.0);
        let right = wall.x - behind[i];
        knots.push([wall.y, right - deep[i], right, wide[i]]);
    }
    let end = *knots.last().expect("nine knots were pushed");
    knots.push([end[0] + 90.0, end[1] + 14.0, end[2] + 14.0, end[3]]);
    column(b, &knots, -1.0);
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
