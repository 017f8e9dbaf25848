//! What an image looks like in 255 bits, whichever way it is turned.
//!
//! The hash is that of Zauner's pHash (*Implementation and Benchmarking of Perceptual Image Hash Functions*, 2010): bits of
//! the lowest coefficients of a discrete cosine transform. With two differences. It has 16 × 16 coefficients for 8 × 8,
//! since radiographs of one region look alike. And a bit is a coefficient's sign instead of its being over the median:
//! then a flip is exactly a change of the bits that are odd along its axis, and a transposition swaps the axes, so that
//! the hashes of all eight rotations and flips follow from one.

use std::f32::consts::PI;

use cspine_imaging::{Filter, Geometry, Intensity, Preprocessing, Radiograph};

/// Coefficients along each axis.
const FREQUENCIES: usize = 16;
/// Pixels a side of the grey image that is transformed.
const SIDE: usize = 64;
/// The bits that are odd across.
const ODD: u16 = 0xAAAA;

/// A perceptual hash: one row of bits for each frequency down, one bit for each across. The mean's bit is always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look([u16; FREQUENCIES]);

impl Look {
    /// The hash of a radiograph. Its size, its proportions, its bit depth, its brightness and its contrast do not matter.
    pub fn of(radiograph: &Radiograph) -> Look {
        let preprocessing = Preprocessing {
            geometry: Geometry::Stretch,
            size: SIDE as u32,
            filter: Filter::Triangle,
            intensity: Intensity::Percentile,
            ..Preprocessing::default()
        };
        let coefficients = transform(&preprocessing.grey(radiograph));
        let mut rows = coefficients.map(|row| row.iter().rev().fold(0, |bits, c| bits << 1 | u16::from(*c > 0.0)));
        rows[0] &= !1;
        Look(rows)
    }

    /// Of the image in each of its eight rotations and flips; the first as it is.
    pub fn symmetries(self) -> [Look; 8] {
        let flips = |look: Look| [look, look.mirrored(), look.upended(), look.mirrored().upended()];
        let [as_it_is, transposed] = [self, self.transposed()].map(flips);
        std::array::from_fn(|i| if i < 4 { as_it_is[i] } else { transposed[i - 4] })
    }

    /// In how many of the 255 bits two hashes differ: the Hamming distance.
    pub fn distance(&self, other: &Look) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    /// Left is right: cos((2x + 1)uπ / 2n) changes its sign for odd u.
    fn mirrored(self) -> Look {
        Look(self.0.map(|row| row ^ ODD))
    }

    /// Top is bottom.
    fn upended(self) -> Look {
        Look(std::array::from_fn(|down| if down % 2 == 1 { !self.0[down] } else { self.0[down] }))
    }

    /// Rows are columns.
    fn transposed(self) -> Look {
        let bit = |across: usize, down: usize| self.0[across] >> down & 1;
        Look(std::array::from_fn(|down| (0..FREQUENCIES).fold(0, |row, across| row | bit(across, down) << across)))
    }
}

/// The lowest coefficients of the two-dimensional DCT-II, unscaled (Ahmed, Natarajan, Rao 1974); `[down][across]`.
fn transform(grey: &[f32]) -> [[f32; FREQUENCIES]; FREQUENCIES] {
    let wave = |frequency: usize, at: usize| ((2 * at + 1) as f32 * frequency as f32 * PI / (2 * SIDE) as f32).cos();
    let waves: [[f32; SIDE]; FREQUENCIES] = std::array::from_fn(|f| std::array::from_fn(|at| wave(f, at)));
    let project = |values: &[f32; SIDE]| -> [f32; FREQUENCIES] {
        std::array::from_fn(|f| waves[f].iter().zip(values).map(|(wave, value)| wave * value).sum())
    };
    let rows: [[f32; FREQUENCIES]; SIDE] =
        std::array::from_fn(|y| project(&std::array::from_fn(|x| grey[y * SIDE + x])));
    let columns: [[f32; FREQUENCIES]; FREQUENCIES] =
        std::array::from_fn(|across| project(&std::array::from_fn(|y| rows[y][across])));
    std::array::from_fn(|down| std::array::from_fn(|across| columns[across][down]))
}

#[cfg(test)]
mod tests {
    use cspine_domain::Class;
    use cspine_imaging::Radiograph;
    use cspine_phantom::{Case, Preset};

    use super::Look;

    fn radiograph(width: u32, height: u32, luminance: Vec<u16>) -> Radiograph {
        Radiograph::grey(width, height, luminance)
    }

    /// A phantom cut to a side twice as long as the other.
    fn film() -> Radiograph {
        let film = Case::sample(4, Class::Fracture).render(256, Preset::Reference);
        radiograph(256, 128, film.pixels[..256 * 128].to_vec())
    }

    /// The same, top is bottom or rows are columns.
    fn turned(film: &Radiograph, upended: bool, transposed: bool) -> Radiograph {
        let (width, height) = (film.width as usize, film.height as usize);
        let at = |x: usize, y: usize| film.luminance[if upended { height - 1 - y } else { y } * width + x];
        if transposed {
            let pixels = (0..width).flat_map(|x| (0..height).map(move |y| (x, y))).map(|(x, y)| at(x, y));
            return radiograph(film.height, film.width, pixels.collect());
        }
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| at(x, y));
        radiograph(film.width, film.height, pixels.collect())
    }

    #[test]
    fn the_hash_of_a_turned_image_is_one_of_the_eight() {
        let film = film();
        let look = Look::of(&film);
        let [_, _, upended, _, transposed, _, _, _] = look.symmetries();
        // Sums in another order may turn the sign of a coefficient that is nearly 0.
        assert!(Look::of(&turned(&film, true, false)).distance(&upended) <= 2);
        assert!(Look::of(&turned(&film, false, true)).distance(&transposed) <= 2);
        let quarter = Look::of(&turned(&film, true, true));
        assert!(look.symmetries().iter().any(|symmetry| symmetry.distance(&quarter) <= 2));
        assert!(look.distance(&quarter) > 60 && look.distance(&upended) > 60);
    }

    #[test]
    fn the_eight_are_those_of_a_square() {
        let symmetries = Look::of(&film()).symmetries();
        for look in symmetries {
            assert!(look.symmetries().iter().all(|symmetry| symmetries.contains(symmetry)));
        }
        assert!((0..8).all(|i| (0..i).all(|j| symmetries[i] != symmetries[j])));
    }
}
