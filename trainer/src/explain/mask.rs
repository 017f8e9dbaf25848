//! Where an injury is, and whether a map points there.

use cspine_domain::Orientation;
use cspine_imaging::oriented;

/// The pixels of an injury at the network's resolution.
pub struct Mask {
    /// Row-major.
    pub inside: Vec<bool>,
    /// Pixels a side.
    pub side: usize,
}

impl Mask {
    /// Of each pixel the share that is covered: those covered by half or more, or, if there is none, the most covered.
    pub fn of(shares: &[f32], side: usize) -> Self {
        let most = shares.iter().copied().fold(0.0, f32::max);
        Self { inside: shares.iter().map(|&share| share >= most.min(0.5)).collect(), side }
    }

    /// The mask grown by a radius in pixels.
    pub fn grown(&self, radius: f32) -> Self {
        let (side, reach) = (self.side as isize, radius as isize);
        let disc: Vec<(isize, isize)> = (-reach..=reach)
            .flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy)))
            .filter(|(dx, dy)| ((dx * dx + dy * dy) as f32) <= radius * radius)
            .collect();
        let mut inside = vec![false; self.inside.len()];
        for (i, _) in self.inside.iter().enumerate().filter(|(_, inside)| **inside) {
            let (x, y) = (i as isize % side, i as isize / side);
            for (dx, dy) in &disc {
                let (x, y) = (x + dx, y + dy);
                if (0..side).contains(&x) && (0..side).contains(&y) {
                    inside[(y * side + x) as usize] = true;
                }
            }
        }
        Self { inside, side: self.side }
    }

    /// The mask turned and mirrored.
    pub fn oriented(self, orientation: Orientation) -> Self {
        Self { inside: oriented(&self.inside, self.side, orientation), side: self.side }
    }

    /// Its share of the picture.
    pub fn area(&self) -> f64 {
        self.inside.iter().filter(|inside| **inside).count() as f64 / self.inside.len() as f64
    }

    /// The pointing game (Zhang et al. 2016, arXiv 1608.00507): whether the map's largest value lies inside, 0 or 1; of
    /// several equal ones the share that does.
    pub fn hit(&self, map: &[f32]) -> f64 {
        let largest = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut hits, mut tied) = (0usize, 0usize);
        for (_, inside) in map.iter().zip(&self.inside).filter(|(value, _)| **value == largest) {
            tied += 1;
            hits += usize::from(*inside);
        }
        hits as f64 / tied as f64
    }

    /// The share of a map's sum that lies inside; of a map of zeros the share of the area.
    pub fn energy(&self, map: &[f32]) -> f64 {
        let sum: f64 = map.iter().map(|v| f64::from(*v)).sum();
        let inside = map.iter().zip(&self.inside).filter(|(_, inside)| **inside);
        if sum > 0.0 { inside.map(|(value, _)| f64::from(*value)).sum::<f64>() / sum } else { self.area() }
    }
}

#[cfg(test)]
mod tests {
    use cspine_domain::Orientation;

    use super::Mask;

    /// Seven pixels a side, inside where both are 3 or 4.
    fn square() -> Mask {
        let shares: Vec<f32> =
            (0..49).map(|i| f32::from(u8::from((3..5).contains(&(i % 7)) && (3..5).contains(&(i / 7))))).collect();
        Mask::of(&shares, 7)
    }

    fn map(peaks: &[(usize, usize)]) -> Vec<f32> {
        let mut map = vec![0.25; 49];
        peaks.iter().for_each(|(x, y)| map[y * 7 + x] = 1.0);
        map
    }

    #[test]
    fn a_map_hits_where_its_largest_value_lies_and_equal_ones_share_the_hit() {
        let mask = square();
        assert_eq!(mask.hit(&map(&[(3, 4)])), 1.0);
        assert_eq!(mask.hit(&map(&[(5, 4)])), 0.0);
        assert_eq!(mask.hit(&map(&[(3, 3), (0, 0), (6, 6), (2, 2)])), 0.25);
        assert!((mask.hit(&[0.0; 49]) - mask.area()).abs() < 1e-12, "a flat map hits as often as chance");
    }

    #[test]
    fn a_mask_grows_by_a_disc_and_not_beyond_the_picture() {
        let mask = square();
        assert_eq!(mask.area(), 4.0 / 49.0);
        let grown = mask.grown(1.0);
        assert_eq!(grown.area(), 12.0 / 49.0, "a row of two on each of four sides, no corners");
        assert!(grown.hit(&map(&[(5, 4)])) == 1.0 && grown.hit(&map(&[(5, 5)])) == 0.0);
        assert_eq!(mask.grown(20.0).area(), 1.0);
        assert_eq!(mask.grown(0.0).inside, mask.inside);
    }

    #[test]
    fn a_mirrored_mask_has_each_row_from_its_end() {
        let mirrored = Mask { inside: vec![true, false, false, false, true, false, true, true, false], side: 3 }
            .oriented(Orientation::MIRRORED);
        assert_eq!(mirrored.inside, [false, false, true, false, true, false, false, true, true]);
    }

    #[test]
    fn energy_is_the_share_of_the_sum_inside() {
        let mask = square();
        let only_inside: Vec<f32> = mask.inside.iter().map(|inside| if *inside { 2.0 } else { 0.0 }).collect();
        assert_eq!(mask.energy(&only_inside), 1.0);
        assert!((mask.energy(&[3.0; 49]) - mask.area()).abs() < 1e-12);
        assert_eq!(mask.energy(&[0.0; 49]), mask.area());
    }

    #[test]
    fn an_injury_finer_than_a_pixel_is_the_pixel_it_covers_most() {
        let mut shares = vec![0.0; 49];
        (shares[10], shares[11]) = (0.2, 0.3);
        let mask = Mask::of(&shares, 7);
        assert_eq!(mask.inside.iter().position(|inside| *inside), Some(11));
        assert_eq!(mask.area(), 1.0 / 49.0);
    }
}
