//! The paper's Figure 15: what a map becomes when the film is turned. A convolutional network does not turn with its
//! input; how far its maps do is measured.

use anyhow::{Context, Result};
use cspine_nets::{ModelError, SaliencyMethod};
use rayon::prelude::*;
use serde::Serialize;

use super::explainer::Scene;
use super::pointing::mean;
use crate::augment::sample;
use crate::metrics::spearman;

/// Degrees, counter-clockwise.
pub const ANGLES: [f32; 8] = [0.0, 90.0, 180.0, 270.0, 10.0, -10.0, 20.0, -20.0];

/// What turning the films did.
#[derive(Debug, Clone, Serialize)]
pub struct Rotation {
    /// Images measured on, with the class that the model explains of the film as it is.
    pub images: usize,
    /// Degrees, counter-clockwise.
    pub angles: Vec<f32>,
    /// Mean change of that class's calibrated probability, by angle.
    pub probability_change: Vec<f64>,
    /// Share of films that are still explained as of that class, by angle.
    pub same_class: Vec<f64>,
    /// Share of films that the scope gate keeps from being answered as they lie, the figures above notwithstanding; by angle.
    /// A worker then turns them by quarters until it knows them, or refuses them.
    pub refused: Vec<f64>,
    /// One a method.
    pub rows: Vec<Turned>,
}

/// One method.
#[derive(Debug, Clone, Serialize)]
pub struct Turned {
    /// Its word.
    pub name: String,
    /// Mean rank correlation of the map, turned back, with that of the film as it is, within the circle that every turn
    /// leaves in the picture; by angle. A flat map counts as 0.
    pub rho: Vec<f64>,
}

/// Turns some samples; `tell` hears of each map.
pub fn measure(
    scene: &Scene<'_>,
    chosen: &[usize],
    methods: &[SaliencyMethod],
    tell: impl Fn() + Sync,
) -> Result<Rotation> {
    let places: Vec<(usize, f32)> = ANGLES.iter().flat_map(|angle| chosen.iter().map(move |&i| (i, *angle))).collect();
    let answers = places.par_iter().with_max_len(1).map(|&(i, angle)| answer(scene, i, angle));
    let answers = answers.collect::<Result<Vec<Answer>>>()?;
    let by_angle = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
        (0..ANGLES.len()).map(|a| mean((0..chosen.len()).map(|c| value(a * chosen.len() + c)))).collect()
    };
    let share = |of: fn(&Answer) -> bool| by_angle(&|place| f64::from(u8::from(of(&answers[place]))));
    let upright = |place: usize| answers[place % chosen.len()].probability;
    let row = |method: &SaliencyMethod| {
        let maps = places.par_iter().with_max_len(1).map(|&(i, angle)| {
            tell();
            Ok(turned_back(&map(scene, *method, i, angle)?, scene.side(), angle))
        });
        let maps = maps.collect::<Result<Vec<Vec<f32>>>>()?;
        let rho = |place: usize| spearman(&maps[place % chosen.len()], &maps[place]).unwrap_or(0.0);
        Ok(Turned { name: method.to_string(), rho: by_angle(&rho) })
    };
    Ok(Rotation {
        images: chosen.len(),
        angles: ANGLES.to_vec(),
        probability_change: by_angle(&|place| answers[place].probability - upright(place)),
        same_class: share(|answer| answer.same_class),
        refused: share(|answer| answer.refused),
        rows: methods.iter().map(row).collect::<Result<_>>()?,
    })
}

/// What the network says of a turned film as it faces.
pub struct Answer {
    /// The probability of the upright film's class.
    pub probability: f64,
    /// Whether that would be explained too.
    pub same_class: bool,
    /// Whether the scope gate keeps the film from being answered as it lies, mirrored or not.
    pub refused: bool,
}

/// Asks the network about a turned film.
pub fn answer(scene: &Scene<'_>, i: usize, angle: f32) -> Result<Answer> {
    let (sample, input) = (&scene.samples[i], input(scene, i, angle));
    let asked = || {
        let answer = scene.model.infer_as_it_faces(&input, None)?;
        let refused = !scene.model.infer(&input, None)?.is_answered_as_it_lies();
        let probability = f64::from(answer.probabilities[sample.explained.index()]);
        Ok::<_, ModelError>(Answer { probability, same_class: answer.explained == sample.explained, refused })
    };
    asked().with_context(|| sample.name.clone())
}

/// The turned film as the network's input.
fn input(scene: &Scene<'_>, i: usize, angle: f32) -> Vec<f32> {
    scene.model.card().preprocessing.normalise(&turn(&scene.samples[i].grey, scene.side(), angle))
}

/// The map of a turned film.
pub fn map(scene: &Scene<'_>, method: SaliencyMethod, i: usize, angle: f32) -> Result<Vec<f32>> {
    let sample = &scene.samples[i];
    let map = scene.model.explain(&input(scene, i, angle), sample.explained, method);
    map.with_context(|| format!("explaining {}, turned by {angle}°", sample.name))
}

/// The map of a turned film, turned back, within the circle.
fn turned_back(plane: &[f32], side: usize, angle: f32) -> Vec<f32> {
    circle(&turn(plane, side, -angle), side)
}

/// A plane turned counter-clockwise about its centre, bilinear, the edge's value beyond the edge.
pub fn turn(plane: &[f32], side: usize, degrees: f32) -> Vec<f32> {
    let (sin, cos) = match degrees.rem_euclid(360.0) {
        0.0 => (0.0, 1.0),
        90.0 => (1.0, 0.0),
        180.0 => (0.0, -1.0),
        270.0 => (-1.0, 0.0),
        other => other.to_radians().sin_cos(),
    };
    let middle = (side as f32 - 1.0) / 2.0;
    let source = |i: usize| {
        let (x, y) = ((i % side) as f32 - middle, (i / side) as f32 - middle);
        sample(plane, side, cos * x - sin * y + middle, sin * x + cos * y + middle)
    };
    (0..side * side).map(source).collect()
}

/// The values within a pixel of the largest circle in the picture.
fn circle(plane: &[f32], side: usize) -> Vec<f32> {
    let (middle, radius) = ((side as f32 - 1.0) / 2.0, side as f32 / 2.0 - 1.0);
    let inside = |i: usize| ((i % side) as f32 - middle).hypot((i / side) as f32 - middle) <= radius;
    plane.iter().enumerate().filter(|(i, _)| inside(*i)).map(|(_, value)| *value).collect()
}

#[cfg(test)]
mod tests {
    use super::{ANGLES, circle, turn, turned_back};
    use crate::metrics::spearman;

    #[test]
    fn a_quarter_turn_takes_the_right_edge_to_the_top_and_four_change_nothing() {
        let plane = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(turn(&plane, 2, 90.0), [2.0, 4.0, 1.0, 3.0]);
        assert_eq!(turn(&plane, 2, -90.0), turn(&plane, 2, 270.0));
        let plane: Vec<f32> = (0..49).map(|i| (i * i % 31) as f32).collect();
        let four = (0..4).fold(plane.clone(), |plane, _| turn(&plane, 7, 90.0));
        assert_eq!(four, plane);
        assert_eq!(turn(&turn(&plane, 7, 180.0), 7, -180.0), plane);
    }

    #[test]
    fn a_map_that_turns_with_its_film_is_back_where_it_was_at_every_angle() {
        let side = 64;
        let wave = |i: usize| ((i % side) as f32 / 9.0).sin() + ((i / side) as f32 / 7.0).cos();
        let plane: Vec<f32> = (0..side * side).map(wave).collect();
        let upright = circle(&plane, side);
        for angle in ANGLES {
            let turned = turn(&plane, side, angle);
            let back = turned_back(&turned, side, angle);
            assert!(back.iter().zip(&upright).all(|(a, b)| (a - b).abs() < 0.1), "{angle}°");
            // Half a turn is the same either way.
            if angle % 180.0 != 0.0 {
                let further = spearman(&turned_back(&turned, side, -angle), &upright).unwrap();
                assert!(further < 0.95, "turned by {angle}° once more: {further}");
            }
        }
    }
}
