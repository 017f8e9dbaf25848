//! What a model makes of films at hand that were spoilt in every way.

use cspine_domain::Orientation;
use cspine_imaging::{Radiograph, resize};
use cspine_nets::gate::Score;
use cspine_nets::{Classifier, ModelError, oriented_input};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::outside::Outside;
use crate::fit::Images;
use crate::metrics::Proportion;

/// Pixels a side of a film that is spoilt, at least: a window of a smaller one might be too small to be assessed.
const SIDE_MIN: usize = 448;
/// Films of a set that are spoilt: each gives one of every sort.
const FILMS: usize = 8;

/// Films to spoil, from all over a set.
pub(crate) fn films_to_spoil(images: &Images, set: &[usize]) -> Vec<Vec<f32>> {
    set.iter().step_by(set.len().div_ceil(FILMS).max(1)).map(|&i| images.grey(i)).collect()
}

/// Spoils films in scope in every way there is, and looks at them as a worker does: how many of each sort get no answer,
/// by [`Outside::ALL`]. A model without a gate answers all. A film that is turned has its answer once it is turned back:
/// of those all are counted that are not answered as they lie.
///
/// A film is a plane of the network's own size, `size * size` grey values from 0 to 1 as `Preprocessing::grey` gives it.
/// Each takes up to eighty passes, on rayon's current pool. One seed gives the same whatever the number of threads.
///
/// # Errors
/// An output that is not finite.
pub fn kept_out(model: &Classifier, films: &[Vec<f32>], seed: u64) -> Result<Vec<(Outside, Proportion)>, ModelError> {
    let refused = each(model, films, seed, |outside, input| {
        let inference = model.infer(input, None)?;
        Ok(!if outside.is_turned() { inference.is_answered_as_it_lies() } else { inference.standing.is_answered() })
    })?;
    let share = |sort: usize| Proportion { count: refused.iter().filter(|film| film[sort]).count(), of: films.len() };
    Ok(Outside::ALL.into_iter().enumerate().map(|(sort, outside)| (outside, share(sort))).collect())
}

/// Spoils films as [`kept_out`] does: the scores of all of them, each the lower of it as it is and with left for right. In
/// the other orientations a worker asks for more than what this is for, the outer threshold.
///
/// # Errors
/// An output that is not finite.
pub(crate) fn scores_of_spoilt(
    model: &Classifier,
    score: &Score,
    films: &[Vec<f32>],
    seed: u64,
) -> Result<Vec<f32>, ModelError> {
    let size = model.card().preprocessing.size as usize;
    let scores = each(model, films, seed, |_, input| {
        let looks = model.observe(&[input.to_vec(), oriented_input(input, size, Orientation::MIRRORED)])?;
        Ok(looks.iter().map(|look| score.of(look)).fold(f32::INFINITY, f32::min))
    })?;
    Ok(scores.concat())
}

/// A look at the network's input of every film spoilt in every way: by film, then by [`Outside::ALL`].
fn each<T: Send>(
    model: &Classifier,
    films: &[Vec<f32>],
    seed: u64,
    look: impl Fn(Outside, &[f32]) -> Result<T, ModelError> + Sync,
) -> Result<Vec<Vec<T>>, ModelError> {
    let preprocessing = &model.card().preprocessing;
    let looks = films.par_iter().enumerate().with_max_len(1).map(|(i, grey)| {
        let (film, mut rng) = (film(grey, preprocessing.size as usize), StdRng::seed_from_u64(seed << 24 ^ i as u64));
        let spoil = |outside: &Outside| look(*outside, &preprocessing.apply(&outside.of(&film, &mut rng)));
        Outside::ALL.iter().map(spoil).collect()
    });
    looks.collect()
}

/// A plane as the film that it might come from.
fn film(grey: &[f32], size: usize) -> Radiograph {
    let side = SIDE_MIN.max(size);
    let luminance = resize(grey, size, size, side, side).into_iter().map(|v| (v * 65535.0).round() as u16).collect();
    Radiograph::grey(side as u32, side as u32, luminance)
}
