//! Deletion and insertion (RISE: Petsiuk et al. 2018, arXiv 1806.07421): how the probability falls as what a map calls
//! important is blurred away, and how it rises as that is put back into a blurred film.

use anyhow::Result;
use cspine_domain::Class;
use cspine_imaging::blur;
use cspine_nets::Classifier;
use rayon::prelude::*;
use serde::Serialize;

use super::explainer::{Explainer, Scene};
use super::pointing::mean;

/// Parts of a way. The share of pixels grows as a square, since an injury covers little.
const STEPS: usize = 20;
/// Of the blur that takes information away, as a share of the side: 10 pixels of 224.
const SIGMA: f32 = 10.0 / 224.0;
/// Images that pass the network together.
const TOGETHER: usize = 7;

/// What deletion and insertion gave.
#[derive(Debug, Clone, Serialize)]
pub struct Faithfulness {
    /// Images measured on, with the class that the model itself explains.
    pub images: usize,
    /// Deviation of the blur, pixels of the network's input.
    pub sigma_px: f32,
    /// Mean probability of the class on the film as it is.
    pub whole: f64,
    /// The same on the blurred film.
    pub blurred: f64,
    /// Shares of pixels at which probabilities were taken.
    pub shares: Vec<f64>,
    /// Methods first, then baselines.
    pub rows: Vec<Faithful>,
}

/// One method or baseline.
#[derive(Debug, Clone, Serialize)]
pub struct Faithful {
    /// Its word.
    pub name: String,
    /// Mean area under the curve of deletion, the less the better.
    pub deletion: f64,
    /// Mean area under the curve of insertion, the more the better.
    pub insertion: f64,
    /// Mean probability at each share deleted.
    pub deletion_curve: Vec<f64>,
    /// Mean probability at each share inserted.
    pub insertion_curve: Vec<f64>,
}

/// Measures every explainer on some samples; `tell` hears of each map.
pub fn measure(
    scene: &Scene<'_>,
    chosen: &[usize],
    explainers: &[Explainer],
    tell: impl Fn() + Sync,
) -> Result<Faithfulness> {
    let sigma = SIGMA * scene.side() as f32;
    let shares: Vec<f64> = (0..=STEPS).map(|k| (k as f64 / STEPS as f64).powi(2)).collect();
    let ways = |explainer: Explainer| {
        let way = |&i: &usize| {
            let sample = &scene.samples[i];
            let order = order(&scene.map(explainer, i, sample.explained)?);
            let blurred = blur(&sample.grey, scene.side(), scene.side(), sigma);
            let curve = |from: &[f32], to: &[f32]| {
                probabilities(scene.model, &replaced(from, to, &order, &shares), sample.explained)
            };
            let curves = [curve(&sample.grey, &blurred)?, curve(&blurred, &sample.grey)?];
            tell();
            Ok(curves)
        };
        chosen.par_iter().with_max_len(1).map(way).collect::<Result<Vec<[Vec<f64>; 2]>>>()
    };
    let row = |explainer: &Explainer| {
        let ways = ways(*explainer)?;
        let curve = |which: usize| -> Vec<f64> {
            (0..shares.len()).map(|k| mean(ways.iter().map(|curves| curves[which][k]))).collect()
        };
        let (deletion_curve, insertion_curve) = (curve(0), curve(1));
        let (deletion, insertion) = (area(&shares, &deletion_curve), area(&shares, &insertion_curve));
        Ok(Faithful { name: explainer.to_string(), deletion, insertion, deletion_curve, insertion_curve })
    };
    let rows = explainers.iter().map(row).collect::<Result<Vec<Faithful>>>()?;
    let end = |k: usize| rows.first().map_or(0.0, |row| row.deletion_curve[k]);
    let (whole, blurred) = (end(0), end(STEPS));
    Ok(Faithfulness { images: chosen.len(), sigma_px: sigma, whole, blurred, shares, rows })
}

/// Pixels from the most important on. Equal ones come in an order that looks random, lest their place should count.
fn order(map: &[f32]) -> Vec<usize> {
    let shuffled = |i: usize| (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_unstable_by(|&i, &j| map[j].total_cmp(&map[i]).then(shuffled(i).cmp(&shuffled(j))));
    order
}

/// The plane `from` with the first pixels of `order` taken from `to`, for each share of them.
fn replaced(from: &[f32], to: &[f32], order: &[usize], shares: &[f64]) -> Vec<Vec<f32>> {
    let mut plane = from.to_vec();
    let mut done = 0;
    let step = |share: &f64| {
        let until = (share * order.len() as f64).round() as usize;
        order[done..until].iter().for_each(|&i| plane[i] = to[i]);
        done = until;
        plane.clone()
    };
    shares.iter().map(step).collect()
}

fn probabilities(model: &Classifier, planes: &[Vec<f32>], class: Class) -> Result<Vec<f64>> {
    let mut probabilities = Vec::with_capacity(planes.len());
    for planes in planes.chunks(TOGETHER) {
        let inputs: Vec<Vec<f32>> = planes.iter().map(|plane| model.card().preprocessing.normalise(plane)).collect();
        let logits = model.logits(&inputs)?;
        probabilities.extend(logits.iter().map(|z| f64::from(model.card().probabilities(*z)[class.index()])));
    }
    Ok(probabilities)
}

/// The area under a curve of straight lines.
fn area(x: &[f64], y: &[f64]) -> f64 {
    x.windows(2).zip(y.windows(2)).map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
}

#[cfg(test)]
mod tests {
    use super::{area, order, replaced};

    #[test]
    fn pixels_go_from_the_most_important_on() {
        let (map, from, to) = ([0.1, 0.9, 0.0, 0.5], [1.0, 2.0, 3.0, 4.0], [0.0; 4]);
        let order = order(&map);
        assert_eq!(order, [1, 3, 0, 2]);
        let planes = replaced(&from, &to, &order, &[0.0, 0.25, 0.5, 1.0]);
        assert_eq!(planes[0], from);
        assert_eq!(planes[1], [1.0, 0.0, 3.0, 4.0]);
        assert_eq!(planes[2], [1.0, 0.0, 3.0, 0.0]);
        assert_eq!(planes[3], to);
    }

    #[test]
    fn equal_pixels_do_not_go_row_by_row() {
        let order = order(&[0.0; 1000]);
        let rising = order.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!((300..700).contains(&rising), "{rising}");
    }

    #[test]
    fn the_area_under_a_line_is_its_mean_height_times_its_length() {
        assert!((area(&[0.0, 0.25, 1.0], &[1.0, 0.75, 0.0]) - 0.5).abs() < 1e-12);
    }
}
