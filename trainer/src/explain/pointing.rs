//! The pointing game: does a map's largest value lie on the injury?

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;

use super::explainer::{Explainer, Scene};
use crate::metrics::{McNemar, Proportion};

/// How far beside the mask a hit may lie, as a share of the picture's side: 4 pixels of 224, about 3 mm in the patient.
/// Zhang et al. 2016 allow 15 pixels of a photograph.
const TOLERANCE: f32 = 4.0 / 224.0;
/// Below it a difference is significant.
const LEVEL: f64 = 0.05;

/// What the pointing game and the energy inside the masks gave.
#[derive(Debug, Clone, Serialize)]
pub struct Pointing {
    /// Injured images with a mask.
    pub images: usize,
    /// How far beside the mask a hit may lie, pixels of the network's input.
    pub tolerance_px: f32,
    /// Mean share of the picture that a mask covers: the energy that a flat map has inside.
    pub area: f64,
    /// The same of the masks grown by the tolerance: how often a point anywhere hits.
    pub area_grown: f64,
    /// Images by kind of injury.
    pub kinds: BTreeMap<String, usize>,
    /// Methods first, then baselines.
    pub rows: Vec<Pointed>,
}

/// One method or baseline.
#[derive(Debug, Clone, Serialize)]
pub struct Pointed {
    /// Its word.
    pub name: String,
    /// Whether it does not ask the network.
    pub baseline: bool,
    /// Share of hits within the tolerance, of maps for the true class.
    pub hits: f64,
    /// Its 95 % interval, Wilson's.
    pub interval: [f64; 2],
    /// Share of hits on the mask itself.
    pub hits_exact: f64,
    /// Share of hits within the tolerance, of maps for the class that the model itself explains.
    pub hits_own: f64,
    /// Mean share of the map's sum inside the mask.
    pub energy: f64,
    /// Share of hits within the tolerance by kind of injury.
    pub kinds: BTreeMap<String, f64>,
    /// A method against the baseline with the most hits.
    pub hits_against: Option<Contest>,
    /// A method against the baseline with the most energy inside.
    pub energy_against: Option<Contest>,
}

/// A method against a baseline, image by image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contest {
    /// The baseline.
    pub baseline: String,
    /// Images on which the method is better.
    pub better: usize,
    /// Images on which it is worse.
    pub worse: usize,
    /// Two-sided: McNemar's test of hits, which of energies is the sign test.
    pub p: f64,
    /// Whether it is better significantly more often than worse.
    pub beats: bool,
}

/// One map's result.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    hit: f64,
    exact: f64,
    own: f64,
    energy: f64,
}

/// Plays it with every explainer on every sample that has a mask; `tell` hears of each map. `None` without a mask.
pub fn measure(scene: &Scene<'_>, explainers: &[Explainer], tell: impl Fn() + Sync) -> Result<Option<Pointing>> {
    let tolerance = TOLERANCE * scene.side() as f32;
    let masked: Vec<usize> = (0..scene.samples.len()).filter(|&i| scene.samples[i].mask.is_some()).collect();
    if masked.is_empty() {
        return Ok(None);
    }
    let scores = |explainer: Explainer| {
        let score = |&i: &usize| {
            let score = score(scene, explainer, i, tolerance);
            tell();
            score
        };
        masked.par_iter().with_max_len(1).map(score).collect::<Result<Vec<Score>>>()
    };
    let kinds: Vec<&str> = masked.iter().map(|&i| scene.samples[i].kind.as_str()).collect();
    let scores = explainers.iter().map(|explainer| scores(*explainer)).collect::<Result<Vec<Vec<Score>>>>()?;
    let row = |(explainer, scores): (&Explainer, &Vec<Score>)| Pointed::new(*explainer, scores, &kinds);
    let mut rows: Vec<Pointed> = explainers.iter().zip(&scores).map(row).collect();
    let by_hits = contests(&rows, &scores, |score| score.hit, |row| row.hits);
    let by_energy = contests(&rows, &scores, |score| score.energy, |row| row.energy);
    for ((row, by_hits), by_energy) in rows.iter_mut().zip(by_hits).zip(by_energy) {
        (row.hits_against, row.energy_against) = (by_hits, by_energy);
    }
    let masks = || masked.iter().filter_map(|&i| scene.samples[i].mask.as_ref());
    let mut counts = BTreeMap::new();
    kinds.iter().for_each(|kind| *counts.entry((*kind).to_owned()).or_insert(0) += 1);
    Ok(Some(Pointing {
        images: masked.len(),
        tolerance_px: tolerance,
        area: mean(masks().map(super::mask::Mask::area)),
        area_grown: mean(masks().map(|mask| mask.grown(tolerance).area())),
        kinds: counts,
        rows,
    }))
}

fn score(scene: &Scene<'_>, explainer: Explainer, i: usize, tolerance: f32) -> Result<Score> {
    let sample = &scene.samples[i];
    let Some(mask) = &sample.mask else { return Ok(Score::default()) };
    let grown = mask.grown(tolerance);
    let map = scene.map(explainer, i, sample.class)?;
    let hit = grown.hit(&map);
    let own = if sample.explained == sample.class || explainer.is_baseline() {
        hit
    } else {
        grown.hit(&scene.map(explainer, i, sample.explained)?)
    };
    Ok(Score { hit, exact: mask.hit(&map), own, energy: mask.energy(&map) })
}

/// Each method, by an image's figure, against the baseline whose mean of it is the largest; none of a baseline.
fn contests(
    rows: &[Pointed],
    scores: &[Vec<Score>],
    figure: fn(&Score) -> f64,
    mean: fn(&Pointed) -> f64,
) -> Vec<Option<Contest>> {
    let baselines = rows.iter().zip(scores).filter(|(row, _)| row.baseline);
    let best = baselines.max_by(|(a, _), (b, _)| mean(a).total_cmp(&mean(b)));
    let contest = |(row, own): (&Pointed, &Vec<Score>)| {
        let (baseline, others) = best.filter(|_| !row.baseline)?;
        let pairs = own.iter().zip(others).map(|(own, other)| [figure(own), figure(other)]);
        Some(Contest::of(&baseline.name, pairs))
    };
    rows.iter().zip(scores).map(contest).collect()
}

impl Contest {
    /// Of each image's figures, the method's and the baseline's.
    fn of(baseline: &str, pairs: impl Iterator<Item = [f64; 2]>) -> Self {
        let test = McNemar::of(pairs.map(|[method, baseline]| [method > baseline, baseline > method]));
        let (better, worse, p) = (test.only_first, test.only_second, test.p);
        Self { baseline: baseline.to_owned(), better, worse, p, beats: better > worse && p < LEVEL }
    }
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contest { baseline, better, worse, p, beats } = self;
        let verb = if *beats { "beats" } else { "does not beat" };
        let p = if *p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
        write!(f, "{verb} {baseline}: {better} better, {worse} worse, {p}")
    }
}

impl Pointed {
    fn new(explainer: Explainer, scores: &[Score], kinds: &[&str]) -> Self {
        let share = |of: fn(&Score) -> f64| mean(scores.iter().map(of));
        let hits = share(|score| score.hit);
        let mut by_kind: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (score, kind) in scores.iter().zip(kinds) {
            by_kind.entry((*kind).to_owned()).or_default().push(score.hit);
        }
        let count = (hits * scores.len() as f64).round() as usize;
        Self {
            name: explainer.to_string(),
            baseline: explainer.is_baseline(),
            hits,
            interval: Proportion { count, of: scores.len() }.interval().unwrap_or([0.0, 1.0]),
            hits_exact: share(|score| score.exact),
            hits_own: share(|score| score.own),
            energy: share(|score| score.energy),
            kinds: by_kind.into_iter().map(|(kind, hits)| (kind, mean(hits.into_iter()))).collect(),
            hits_against: None,
            energy_against: None,
        }
    }

    /// Where a method does not beat the best baseline: `hits`, `energy`.
    pub fn fails_in(&self) -> Vec<&'static str> {
        let contests = [("hits", &self.hits_against), ("energy", &self.energy_against)];
        let lost = contests.into_iter().filter(|(_, contest)| contest.as_ref().is_some_and(|contest| !contest.beats));
        lost.map(|(name, _)| name).collect()
    }
}

impl Pointing {
    /// The method with the most hits of those that beat the baselines in hits, and among equals the most energy.
    pub fn best(&self, among: impl Fn(&str) -> bool) -> Option<&Pointed> {
        let beats = |row: &&Pointed| row.hits_against.as_ref().is_some_and(|contest| contest.beats);
        let fit = self.rows.iter().filter(beats).filter(|row| among(&row.name));
        fit.max_by(|a, b| a.hits.total_cmp(&b.hits).then(a.energy.total_cmp(&b.energy)))
    }

    /// The largest share of hits of a baseline.
    pub fn best_baseline(&self) -> Option<&Pointed> {
        self.rows.iter().filter(|row| row.baseline).max_by(|a, b| a.hits.total_cmp(&b.hits))
    }
}

/// The mean; 0 of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::{Contest, Pointed, Score, contests};
    use crate::explain::explainer::{Baseline, Explainer};
    use cspine_nets::SaliencyMethod;

    #[test]
    fn a_method_is_held_against_the_best_baseline_image_by_image() {
        // The method hits all images but the first, the centre the first two, noise none; noise has the most energy.
        let score = |hit: bool, energy: f64| Score { hit: f64::from(u8::from(hit)), energy, ..Score::default() };
        let of = |hit: fn(usize) -> bool, energy: f64| (0..7).map(|i| score(hit(i), energy)).collect::<Vec<Score>>();
        let scores = [of(|i| i > 0, 0.3), of(|i| i < 2, 0.1), of(|_| false, 0.4)];
        let explainers = [
            Explainer::Method(SaliencyMethod::HiResCam),
            Explainer::Baseline(Baseline::Centre),
            Explainer::Baseline(Baseline::Noise),
        ];
        let rows: Vec<Pointed> = explainers
            .into_iter()
            .zip(&scores)
            .map(|(explainer, scores)| Pointed::new(explainer, scores, &["a"; 7]))
            .collect();
        let by_hits = contests(&rows, &scores, |score| score.hit, |row| row.hits);
        // Five of six discordant images: twice 7 of 64 ways.
        let expected = Contest { baseline: "centre".to_owned(), better: 5, worse: 1, p: 14.0 / 64.0, beats: false };
        assert_eq!(by_hits, [Some(expected), None, None]);
        let by_energy = contests(&rows, &scores, |score| score.energy, |row| row.energy);
        let worse = by_energy[0].clone().unwrap();
        assert_eq!((worse.baseline.as_str(), worse.better, worse.worse, worse.beats), ("random", 0, 7, false));
        assert!(worse.p < 0.05, "to be worse significantly is not to beat");
    }

    #[test]
    fn seven_better_and_none_worse_beat() {
        let contest = Contest::of("centre", (0..9).map(|i| if i < 7 { [0.5, 0.25] } else { [0.0, 0.0] }));
        assert_eq!(contest.to_string(), "beats centre: 7 better, 0 worse, p = 0.016");
    }
}
