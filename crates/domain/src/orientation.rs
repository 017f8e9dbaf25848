//! The eight ways in which an image can be turned by quarter turns and mirrored.

use crate::{Note, UnknownWord};

/// A turn by quarters, clockwise, and then, or not, left for right. It has EXIF's numbers (tag 0x0112), 1 to 8: what is to
/// be done to stored pixels to stand upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Orientation {
    turns: u8,
    mirrored: bool,
}

/// How an image stands beside its stored pixels, and their shape.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Pose {
    /// What was done to the stored pixels.
    pub orientation: Orientation,
    /// The height of a pixel over its width as the image stands; 1 for a square one.
    pub pixel_aspect: f32,
}

impl Default for Pose {
    /// As stored, with square pixels.
    fn default() -> Self {
        Self { orientation: Orientation::AS_IT_IS, pixel_aspect: 1.0 }
    }
}

impl Pose {
    /// The pose after one more turn or mirroring.
    #[must_use]
    pub fn then(self, next: Orientation) -> Self {
        let pixel_aspect = if next.swaps_sides() { 1.0 / self.pixel_aspect } else { self.pixel_aspect };
        Self { orientation: self.orientation.then(next), pixel_aspect }
    }
}

/// EXIF's number, by whether it is mirrored and by quarter turns.
const EXIF: [[u8; 4]; 2] = [[1, 6, 3, 8], [2, 5, 4, 7]];

impl Orientation {
    /// As it is.
    pub const AS_IT_IS: Self = Self::new(0, false);

    /// Left for right.
    pub const MIRRORED: Self = Self::new(0, true);

    /// All eight: the turns by 0, 90, 180 and 270 degrees, then those that end left for right.
    pub const ALL: [Self; 8] = [
        Self::new(0, false),
        Self::new(1, false),
        Self::new(2, false),
        Self::new(3, false),
        Self::new(0, true),
        Self::new(1, true),
        Self::new(2, true),
        Self::new(3, true),
    ];

    /// Turned clockwise by `quarters`, then left for right if `mirrored`.
    pub const fn new(quarters: u8, mirrored: bool) -> Self {
        Self { turns: quarters % 4, mirrored }
    }

    /// That of an EXIF number; `None` for one that is none of 1 to 8.
    pub fn from_exif(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|orientation| u16::from(orientation.exif()) == number)
    }

    /// Its EXIF number.
    pub fn exif(self) -> u8 {
        EXIF[usize::from(self.mirrored)][usize::from(self.turns)]
    }

    /// Quarter turns, clockwise: 0 to 3.
    pub fn quarters(self) -> u8 {
        self.turns
    }

    /// Whether it ends left for right.
    pub fn is_mirrored(self) -> bool {
        self.mirrored
    }

    /// Its turn alone.
    #[must_use]
    pub fn turn(self) -> Self {
        Self::new(self.turns, false)
    }

    /// Whether width and height change places.
    pub fn swaps_sides(self) -> bool {
        self.turns % 2 == 1
    }

    /// This and then `next`, as one.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        // Left for right, a turn is one the other way.
        let turns = if self.mirrored { 4 - next.turns } else { next.turns };
        Self::new(self.turns + turns, self.mirrored != next.mirrored)
    }

    /// What takes it back.
    #[must_use]
    pub fn inverse(self) -> Self {
        if self.mirrored { self } else { Self::new(4 - self.turns, false) }
    }

    /// The notes of an image that its file says to orient so.
    pub fn said(self) -> impl Iterator<Item = Note> {
        self.notes([Note::Turned90, Note::Turned180, Note::Turned270], Note::Mirrored)
    }

    /// The notes of an image that the scope gate knew only so.
    pub fn found(self) -> impl Iterator<Item = Note> {
        self.notes([Note::FoundTurned90, Note::FoundTurned180, Note::FoundTurned270], Note::FoundMirrored)
    }

    fn notes(self, turned: [Note; 3], mirrored: Note) -> impl Iterator<Item = Note> {
        let turn = usize::from(self.turns).checked_sub(1).map(|turn| turned[turn]);
        turn.into_iter().chain(self.mirrored.then_some(mirrored))
    }
}

impl TryFrom<u8> for Orientation {
    type Error = UnknownWord;
    fn try_from(number: u8) -> Result<Self, UnknownWord> {
        Self::from_exif(number.into()).ok_or(UnknownWord("orientation"))
    }
}

impl From<Orientation> for u8 {
    fn from(orientation: Orientation) -> Self {
        orientation.exif()
    }
}

#[cfg(test)]
mod tests {
    use super::Orientation;
    use crate::Note;

    /// Where a corner of a square (x, y of -1 and 1, y down) goes.
    fn corner(orientation: Orientation, [x, y]: [i8; 2]) -> [i8; 2] {
        let [x, y] = (0..orientation.quarters()).fold([x, y], |[x, y], _| [-y, x]);
        if orientation.is_mirrored() { [-x, y] } else { [x, y] }
    }

    #[test]
    fn exifs_numbers_are_those_of_its_standard() {
        // EXIF 2.32, tag 274: the stored first row is seen at this side, the first column at that.
        let [top, bottom, left, right] = [[0, -1], [0, 1], [-1, 0], [1, 0]];
        for (number, first_row, first_column) in [
            (1, top, left),
            (2, top, right),
            (3, bottom, right),
            (4, bottom, left),
            (5, left, top),
            (6, right, top),
            (7, right, bottom),
            (8, left, bottom),
        ] {
            let orientation = Orientation::from_exif(number).unwrap();
            assert_eq!(u16::from(orientation.exif()), number);
            assert_eq!(corner(orientation, top), first_row, "{number}");
            assert_eq!(corner(orientation, left), first_column, "{number}");
        }
        for number in [0, 9, 256, u16::MAX] {
            assert_eq!(Orientation::from_exif(number), None);
        }
    }

    #[test]
    fn one_after_the_other_is_one_of_the_eight_and_the_inverse_takes_it_back() {
        for first in Orientation::ALL {
            assert_eq!(first.then(first.inverse()), Orientation::AS_IT_IS);
            assert_eq!(first.inverse().then(first), Orientation::AS_IT_IS);
            for next in Orientation::ALL {
                for place in [[-1, -1], [1, -1]] {
                    assert_eq!(corner(first.then(next), place), corner(next, corner(first, place)));
                }
            }
        }
    }

    #[test]
    fn its_notes_name_the_turn_and_the_mirror() {
        let said = |number| Orientation::from_exif(number).unwrap().said().collect::<Vec<_>>();
        assert_eq!(said(1), []);
        assert_eq!(said(6), [Note::Turned90]);
        assert_eq!(said(4), [Note::Turned180, Note::Mirrored]);
        assert_eq!(Orientation::new(3, true).found().collect::<Vec<_>>(), [Note::FoundTurned270, Note::FoundMirrored]);
    }
}
