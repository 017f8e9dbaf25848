//! Planes and radiographs turned and mirrored: every place that moves pixels does it by this.

use std::borrow::Cow;

use cspine_domain::{Note, Orientation, Pose};

use crate::resize::{Axis, Taps, resample};
use crate::{Heatmap, Radiograph};

/// Rows of a side that are turned together: what a column of them draws on stays in the nearest cache.
const BLOCK: usize = 32;

/// A plane of rows of `width` values, turned and mirrored; its rows are as long as its columns were after an odd turn.
///
/// # Panics
/// If the plane is not made of whole rows.
pub fn oriented<T: Copy>(plane: &[T], width: usize, orientation: Orientation) -> Vec<T> {
    let height = plane.len().checked_div(width).unwrap_or(0);
    assert_eq!(plane.len(), width * height, "a plane is made of whole rows");
    let (last_x, last_y) = (width.saturating_sub(1), height.saturating_sub(1));
    let new_width = if orientation.swaps_sides() { height } else { width };
    // Where the value comes from that is at a place once turned.
    let source = |x: usize, y: usize| match orientation.quarters() {
        0 => (x, y),
        1 => (y, last_y - x),
        2 => (last_x - x, last_y - y),
        _ => (last_x - y, x),
    };
    let from = |x: usize, y: usize| {
        let (x, y) = source(if orientation.is_mirrored() { new_width - 1 - x } else { x }, y);
        plane[y * width + x]
    };
    let Some(&any) = plane.first() else { return Vec::new() };
    let mut turned = vec![any; plane.len()];
    for (band, rows) in turned.chunks_mut(BLOCK * new_width).enumerate() {
        for x0 in (0..new_width).step_by(BLOCK) {
            for (y, row) in rows.chunks_exact_mut(new_width).enumerate() {
                let end = (x0 + BLOCK).min(new_width);
                for (x, value) in (x0..end).zip(&mut row[x0..end]) {
                    *value = from(x, band * BLOCK + y);
                }
            }
        }
    }
    turned
}

impl Radiograph {
    /// The radiograph turned and mirrored, on top of what it was already.
    #[must_use]
    pub fn oriented(self, orientation: Orientation) -> Self {
        if orientation == Orientation::AS_IT_IS {
            return self;
        }
        let swaps = orientation.swaps_sides();
        let (width, height) = if swaps { (self.height, self.width) } else { (self.width, self.height) };
        Self {
            width,
            height,
            luminance: oriented(&self.luminance, self.width as usize, orientation),
            pose: self.pose.then(orientation),
            ..self
        }
    }

    /// The radiograph in another pose, whatever was done to what is stored so far.
    #[must_use]
    pub fn posed(self, pose: Pose) -> Self {
        Self { pose, ..self.standing(pose.orientation) }
    }

    /// The radiograph in another orientation, whatever was done to what is stored so far.
    #[must_use]
    pub fn standing(self, orientation: Orientation) -> Self {
        let further = self.pose.orientation.inverse().then(orientation);
        self.oriented(further)
    }

    /// Oriented as its file says, and noted; `None` where the file says what nobody can follow.
    pub(crate) fn upright_by_its_file(mut self, said: Option<Orientation>) -> Self {
        let Some(orientation) = said else {
            self.notes.insert(Note::OrientationIgnored);
            return self;
        };
        self.notes.extend(orientation.said());
        self.oriented(orientation)
    }

    /// The radiograph with square pixels: stretched along the axis whose pixels are the longer. Its padding is not counted
    /// anew.
    pub(crate) fn squared(&self) -> Cow<'_, Self> {
        let Pose { orientation, pixel_aspect } = self.pose;
        if pixel_aspect == 1.0 {
            return Cow::Borrowed(self);
        }
        let stretched = |len: u32, by: f32| (f64::from(len) * f64::from(by.max(1.0))).round() as u32;
        let (width, height) = (stretched(self.width, 1.0 / pixel_aspect), stretched(self.height, pixel_aspect));
        let taps = |len: u32, new: u32| Taps::new(Axis::whole(len as usize), new as usize);
        let (across, down) = (taps(self.width, width), taps(self.height, height));
        let values = resample(&self.luminance, self.width as usize, &across, &down);
        // The cast saturates.
        let luminance = values.into_iter().map(|value| value.round() as u16).collect();
        let pose = Pose { orientation, pixel_aspect: 1.0 };
        let (header, notes) = (self.header.clone(), self.notes.clone());
        Cow::Owned(Self { width, height, luminance, header, notes, pose, ..*self })
    }
}

impl Heatmap {
    /// The map turned and mirrored.
    #[must_use]
    pub fn oriented(self, orientation: Orientation) -> Self {
        let values = oriented(&self.values, self.width as usize, orientation);
        let (width, height) =
            if orientation.swaps_sides() { (self.height, self.width) } else { (self.width, self.height) };
        Self { width, height, values }
    }
}

#[cfg(test)]
mod tests {
    use cspine_domain::{Orientation, Pose};

    use super::oriented;
    use crate::{Heatmap, Radiograph};

    /// 1 2 3
    /// 4 5 6
    const PLANE: [u16; 6] = [1, 2, 3, 4, 5, 6];

    #[test]
    fn each_of_the_eight_is_written_out() {
        for (exif, width, expected) in [
            (1, 3, [1, 2, 3, 4, 5, 6]),
            (2, 3, [3, 2, 1, 6, 5, 4]),
            (3, 3, [6, 5, 4, 3, 2, 1]),
            (4, 3, [4, 5, 6, 1, 2, 3]),
            (5, 2, [1, 4, 2, 5, 3, 6]),
            (6, 2, [4, 1, 5, 2, 6, 3]),
            (7, 2, [6, 3, 5, 2, 4, 1]),
            (8, 2, [3, 6, 2, 5, 1, 4]),
        ] {
            let orientation = Orientation::from_exif(exif).unwrap();
            let pose = Pose { pixel_aspect: 4.0, ..Pose::default() };
            let radiograph = Radiograph { pose, ..Radiograph::grey(3, 2, PLANE.to_vec()) };
            let turned = radiograph.oriented(orientation);
            assert_eq!(turned.luminance, expected, "{exif}");
            assert_eq!((turned.width, turned.height, turned.pose.orientation), (width, 6 / width, orientation));
            assert_eq!(turned.pose.pixel_aspect, if width == 2 { 0.25 } else { 4.0 }, "{exif}");
            let heatmap = Heatmap { width: 3, height: 2, values: PLANE.map(|v| v as u8).to_vec() };
            assert_eq!(heatmap.oriented(orientation).width, width);
        }
    }

    #[test]
    fn two_in_a_row_are_their_product_and_any_pose_can_be_taken_from_any_other() {
        let (width, height) = (70_usize, 45_usize); // more than a block
        let plane: Vec<u32> = (0..(width * height) as u32).collect();
        for first in Orientation::ALL {
            let one = oriented(&plane, width, first);
            let one_width = if first.swaps_sides() { height } else { width };
            for next in Orientation::ALL {
                assert_eq!(oriented(&one, one_width, next), oriented(&plane, width, first.then(next)));
                let luminance: Vec<u16> = plane.iter().map(|v| *v as u16).collect();
                let stored = Radiograph::grey(width as u32, height as u32, luminance);
                let direct = stored.clone().oriented(next);
                let posed = stored.oriented(first).posed(direct.pose);
                assert_eq!((posed.luminance, posed.pose), (direct.luminance, direct.pose));
            }
        }
        assert_eq!(oriented(&[0_u8; 0], 0, Orientation::MIRRORED), [0_u8; 0]);
    }
}
