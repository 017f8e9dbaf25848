//! What the gate keeps out, and what it lets in.

use std::fmt::Write as _;

use anyhow::Result;
use cspine_imaging::Radiograph;
use cspine_nets::Standing;
use cspine_nets::gate::{Gate, GateCard, Method};
use serde::Serialize;

use super::measure::{Look, Looks};
use super::outside::{Outside, mirrored};
use super::{GateArgs, Sets};
use crate::metrics::Proportion;

/// What was measured, on images that neither fitted the gate nor found its thresholds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The gate as it stands in the model's card.
    pub gate: GateCard,
    /// Area under the ROC curve of both scores, the mean over the sorts of films out of scope: what the choice was made by.
    pub areas: Vec<(Method, f64)>,
    /// Films in scope.
    pub inside: Vec<Rate>,
    /// Films out of scope.
    pub outside: Vec<Rate>,
    /// Radiographs of other body parts: too few for a rate.
    pub radiographs: Vec<Single>,
}

/// Where the films of one sort stand.
#[derive(Debug, Clone, Serialize)]
pub struct Rate {
    /// The sort.
    pub sort: String,
    /// How many.
    pub images: usize,
    /// Of them beyond the outer threshold.
    pub beyond: usize,
    /// Their share; none of no film.
    pub share: Option<f64>,
    /// Its 95 % interval, Wilson's.
    pub interval: [f64; 2],
    /// Of all, between the thresholds.
    pub atypical: usize,
    /// The scores' 5th, 50th and 95th percentile; none of no film.
    pub scores: Option<[f32; 3]>,
}

/// Where one image stands.
#[derive(Debug, Clone, Serialize)]
pub struct Single {
    /// The file.
    pub file: String,
    /// Its score.
    pub score: f32,
    /// Where it stands.
    pub standing: Standing,
}

/// Looks at every set that is to be reported on.
pub(super) fn measure(
    args: &GateArgs,
    sets: &Sets,
    looks: &Looks,
    gate: &Gate,
    areas: [(Method, f64); 2],
) -> Result<Report> {
    let rate = |sort: &str, of: &[Look]| Rate::new(sort, gate, of);
    let mut inside = Vec::new();
    for (sort, films) in &sets.inside {
        inside.push(rate(sort, &looks.changed("in scope", films, Radiograph::clone)?));
    }
    let made = looks.outside("out of scope", &sets.outside)?;
    let mut outside: Vec<Rate> = Outside::ALL.iter().zip(&made).map(|(sort, of)| rate(sort.as_str(), of)).collect();
    if let Some(folder) = &args.photographs {
        let of: Vec<Look> = looks.folder("photographs", folder)?.into_iter().map(|(_, one)| one).collect();
        outside.push(rate("photographs", &of));
    }
    inside.push(rate("facing the other way", &looks.changed("mirrored", &sets.outside, mirrored)?));
    let radiographs = match &args.radiographs {
        None => Vec::new(),
        Some(folder) => looks.folder("radiographs", folder)?,
    };
    let single = |(file, look): (String, Look)| {
        let score = look.score(gate);
        Single { file, score, standing: gate.standing(score) }
    };
    let radiographs = radiographs.into_iter().map(single).collect();
    Ok(Report { gate: gate.card().clone(), areas: areas.to_vec(), inside, outside, radiographs })
}

impl Rate {
    fn new(sort: &str, gate: &Gate, of: &[Look]) -> Self {
        let mut scores: Vec<f32> = of.iter().map(|look| look.score(gate)).collect();
        scores.sort_by(f32::total_cmp);
        let standing = |wanted: Standing| scores.iter().filter(|score| gate.standing(**score) == wanted).count();
        let at = |share: f64| scores[(share * scores.len() as f64) as usize];
        let beyond = Proportion { count: standing(Standing::OutOfDistribution), of: scores.len() };
        Self {
            sort: sort.to_owned(),
            images: scores.len(),
            beyond: beyond.count,
            share: beyond.value(),
            interval: beyond.interval().unwrap_or([0.0, 1.0]),
            atypical: standing(Standing::Atypical),
            scores: (!scores.is_empty()).then(|| [0.05, 0.5, 0.95].map(at)),
        }
    }

    /// The share in per cent.
    pub(super) fn share_text(&self) -> String {
        self.share.map_or_else(|| "–".to_owned(), |share| format!("{:.2} %", 100.0 * share))
    }

    /// The scores' percentiles, one after the other.
    pub(super) fn scores_text(&self) -> String {
        self.scores.map_or_else(|| "–".to_owned(), |scores| scores.map(|score| format!("{score:.2}")).join(", "))
    }
}

impl Report {
    /// For a model's card: the share beyond the outer threshold of each sort in scope, and the least of those out of it.
    pub(super) fn figures(&self) -> Vec<(String, f64)> {
        let figure = |rate: &Rate| Some((format!("gate_beyond_{}", rate.sort.replace([' ', '-'], "_")), rate.share?));
        let least = self.outside.iter().filter_map(|rate| rate.share).reduce(f64::min);
        let least = least.map(|least| ("gate_beyond_least_of_out_of_scope".to_owned(), least));
        self.inside.iter().filter_map(figure).chain(least).collect()
    }

    /// To be read by people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let gate = &self.gate;
        writeln!(
            text,
            "Score        {}, {} components; fitted to {}",
            gate.method.as_str(),
            gate.components,
            gate.fitted_on
        )?;
        for (method, area) in &self.areas {
            writeln!(text, "             {}: mean AUC {area:.4} against films out of scope", method.as_str())?;
        }
        writeln!(text, "Thresholds   inner {:.4}, outer {:.4}", gate.inner, gate.outer)?;
        for (title, rates) in [("In scope", &self.inside), ("Out of scope", &self.outside)] {
            writeln!(
                text,
                "\n{title:30} {:>7} {:>8}  {:25} {:>8}  scores 5, 50, 95 %",
                "images", "beyond", "", "atypical"
            )?;
            for rate in rates {
                let [low, high] = rate.interval.map(|share| 100.0 * share);
                let share = format!("{} ({low:.1}–{high:.1})", rate.share_text());
                let (sort, images, beyond, atypical) = (&rate.sort, rate.images, rate.beyond, rate.atypical);
                let scores = rate.scores_text();
                writeln!(text, "  {sort:28} {images:>7} {beyond:>8}  {share:25} {atypical:>8}  {scores}")?;
            }
        }
        if !self.radiographs.is_empty() {
            writeln!(text, "\nRadiographs of other body parts, too few for a rate")?;
            for one in &self.radiographs {
                writeln!(text, "  {:50} {:8.3}  {}", one.file, one.score, one.standing.as_str())?;
            }
        }
        Ok(())
    }
}
