//! How the patient lies in the image, and the shape of its pixels (PS3.3 C.7.6.1.1.1, 10.7, C.7.6.3.1.7).

use cspine_domain::{Note, Notes, Orientation};

use super::dataset::{Dataset, Value};
use super::decimal::Decimal;
use super::tags::{self, Tag};
use crate::Radiograph;

/// A pixel that is said to be more than so many times as long as wide is none that a detector or a scanner makes.
const ASPECT_MAX: f64 = 4.0;
/// Pixels whose sides differ by no more than this share are square: detectors are measured no better.
const SQUARE: f64 = 0.01;
/// What says how long and how wide a pixel is, the first by rank first, as dcmtk takes them. Each has two values: between
/// rows (down), between columns (across).
const SIDES: [Tag; 4] =
    [tags::PIXEL_SPACING, tags::IMAGER_PIXEL_SPACING, tags::NOMINAL_SCANNED_PIXEL_SPACING, tags::PIXEL_ASPECT_RATIO];

/// The radiograph with the patient upright, and with the shape of its pixels.
pub(super) fn upright(mut radiograph: Radiograph, dataset: &Dataset<'_>) -> Radiograph {
    radiograph.pose.pixel_aspect = aspect(dataset, &mut radiograph.notes) as f32;
    match directions(dataset) {
        Directions::Silent => radiograph,
        Directions::Said([row, column]) => radiograph.upright_by_its_file(turn(row, column)),
        Directions::Unknown => radiograph.upright_by_its_file(None),
    }
}

/// Where a row mainly runs to once the image is upright: a letter. `None` unless rows and columns run along two axes of
/// which one is the body's own: words such as `AP` or `AXIAL` say something else, and `A\L` is no plane of a radiograph.
pub(super) fn row(dataset: &Dataset<'_>) -> Option<String> {
    let Directions::Said([row, column]) = directions(dataset) else { return None };
    let along_body = [row, column].iter().any(|&letter| axis(letter) == axis('H'));
    let turn = turn(row, column).filter(|_| along_body)?;
    let upright = match turn.quarters() {
        0 => row,
        1 => opposite(column),
        2 => opposite(row),
        _ => column,
    };
    Some(upright.to_string())
}

/// What Patient Orientation (0020,0020) says.
enum Directions {
    /// Nothing.
    Silent,
    /// Where rows, from left to right, and columns, from top to bottom, mainly run to: A, P, R, L, H or F.
    Said([char; 2]),
    /// Something else, as of an animal.
    Unknown,
}

fn directions(dataset: &Dataset<'_>) -> Directions {
    let Some(value) = dataset.value(tags::PATIENT_ORIENTATION) else { return Directions::Silent };
    let words: Vec<&str> = value.parts().take(3).collect();
    if value.bytes.iter().all(|byte| matches!(byte, b' ' | b'\\' | 0)) {
        return Directions::Silent;
    }
    match words[..] {
        [row, column] => direction(row)
            .zip(direction(column))
            .map_or(Directions::Unknown, |(row, column)| Directions::Said([row, column])),
        _ => Directions::Unknown,
    }
}

/// The main one of up to three directions, each along another axis of the body.
fn direction(word: &str) -> Option<char> {
    let letters: Vec<char> = word.chars().map(|letter| letter.to_ascii_uppercase()).collect();
    let axes: Vec<usize> = letters.iter().map(|&letter| axis(letter)).collect::<Option<_>>()?;
    let apart = axes.iter().enumerate().all(|(i, axis)| !axes[..i].contains(axis));
    letters.first().copied().filter(|_| apart)
}

/// The axis of the body along which a letter points.
fn axis(letter: char) -> Option<usize> {
    [['A', 'P'], ['R', 'L'], ['H', 'F']].iter().position(|ends| ends.contains(&letter))
}

fn opposite(letter: char) -> char {
    match letter {
        'A' => 'P',
        'P' => 'A',
        'R' => 'L',
        'L' => 'R',
        'H' => 'F',
        _ => 'H',
    }
}

/// What makes an image upright. A lateral one is turned until its columns run to the feet; whether the patient faces left
/// or right then is left as it is. One in another plane is left as it is too. `None` where both run along one axis.
fn turn(row: char, column: char) -> Option<Orientation> {
    let turned = |quarters| Some(Orientation::new(quarters, false));
    match (row, column) {
        ('F', 'A' | 'P') => turned(1),
        ('A' | 'P', 'H') => turned(2),
        ('H', 'A' | 'P') => turned(3),
        _ if axis(row) == axis(column) => None,
        _ => turned(0),
    }
}

/// The height of a pixel over its width; 1 where nothing is said that can be true.
fn aspect(dataset: &Dataset<'_>, notes: &mut Notes) -> f64 {
    let said: Vec<Option<f64>> = SIDES.iter().filter_map(|&tag| dataset.value(tag)).map(ratio).collect();
    if said.contains(&None) {
        notes.insert(Note::AspectIgnored);
    }
    let mut ratios = said.into_iter().flatten();
    let aspect = ratios.next().unwrap_or(1.0);
    if ratios.any(|other| !alike(other, aspect)) {
        notes.insert(Note::AspectContradicted);
    }
    if alike(aspect, 1.0) {
        return 1.0;
    }
    notes.insert(Note::Stretched);
    aspect
}

/// Of two sides, down and across, their ratio, if both are lengths and it is one that pixels have.
fn ratio(value: Value<'_>) -> Option<f64> {
    let number = |part: &[u8]| match Decimal::parse(part) {
        Decimal::Number { value, .. } => Some(value),
        Decimal::Absent | Decimal::Unreadable => None,
    };
    let sides: Vec<f64> = value.bytes.split(|&byte| byte == b'\\').take(3).map(number).collect::<Option<_>>()?;
    let [down, across] = sides[..] else { return None };
    let is_length = |side: f64| side.is_finite() && side > 0.0;
    let ratio = down / across;
    (is_length(down) && is_length(across) && (1.0 / ASPECT_MAX..=ASPECT_MAX).contains(&ratio)).then_some(ratio)
}

fn alike(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() <= SQUARE
}
