//! The pointing game: does a map's largest value lie on the injury?

use std::collections::BTreeMap;

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;

use super::explainer::{Explainer, Scene};
use crate::metrics::Proportion;

/// How far beside the mask a hit may lie, as a share of the picture's side: 4 pixels of 224, about 3 mm in the patient.
/// Zhang et al. 2016 allow 15 pixels of a photograph.
const TOLERANCE: f32 = 4.0 / 224.0;

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
    /// Whether the interval lies above every baseline's share; a baseline beats nothing.
    pub beats_baselines: bool,
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
    let row = |explainer: &Explainer| Ok(Pointed::new(*explainer, &scores(*explainer)?, &kinds));
    let mut rows = explainers.iter().map(row).collect::<Result<Vec<Pointed>>>()?;
    let bar = rows.iter().filter(|row| row.baseline).map(|row| row.hits).fold(0.0, f64::max);
    rows.iter_mut().for_each(|row| row.beats_baselines = !row.baseline && row.interval[0] > bar);
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
            beats_baselines: false,
        }
    }
}

impl Pointing {
    /// The method with the most hits of those that beat the baselines, and among equals the most energy.
    pub fn best(&self, among: impl Fn(&str) -> bool) -> Option<&Pointed> {
        let fit = self.rows.iter().filter(|row| row.beats_baselines && among(&row.name));
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
