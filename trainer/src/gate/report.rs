//! What the gate keeps out, and what it lets in.

use std::fmt::Write as _;

use anyhow::Result;
use cspine_domain::Orientation;
use cspine_imaging::Radiograph;
use cspine_nets::Standing;
use cspine_nets::gate::{GateCard, Method};
use serde::Serialize;

use super::measure::{Look, Looks};
use super::orientations::{self, Oriented};
use super::outside::Outside;
use super::{GateArgs, Sets};
use crate::metrics::Proportion;

/// What was measured, on images that neither fitted the gate nor found its thresholds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The gate as it stands in the model's card.
    pub gate: GateCard,
    /// Area under the ROC curve of both scores, the mean over the sorts of films out of scope: what the choice was made by.
    /// None where nothing was chosen.
    pub areas: Vec<(Method, f64)>,
    /// Films in scope.
    pub inside: Vec<Rate>,
    /// Films out of scope.
    pub outside: Vec<Rate>,
    /// Films in scope that lie otherwise than upright: not to be answered as they lie.
    pub turned: Vec<Rate>,
    /// The same by quarter turns: what they are answered like.
    pub orientations: Vec<Oriented>,
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
    /// Of all, answered, but only once turned.
    pub turned: usize,
    /// Of all, between the thresholds.
    pub atypical: usize,
    /// The 5th, 50th and 95th percentile of the scores: of the look that is answered, else of the film as it lies; none of
    /// no film.
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

/// Looks at every set that is to be reported on, with a model that has the gate.
pub(super) fn measure(
    args: &GateArgs,
    sets: &Sets,
    looks: &Looks,
    gate: GateCard,
    areas: Vec<(Method, f64)>,
) -> Result<Report> {
    let mut inside = Vec::new();
    for (sort, films) in &sets.inside {
        inside.push(Rate::new(sort, &looks.changed("in scope", films, Radiograph::clone)?));
    }
    let made = looks.outside("out of scope", &sets.outside)?;
    let rates = |turned: bool| -> Vec<Rate> {
        let sorts = Outside::ALL.iter().zip(&made).filter(|(sort, _)| sort.is_turned() == turned);
        sorts.map(|(sort, of)| Rate::new(sort.as_str(), of)).collect()
    };
    let (mut outside, turned) = (rates(false), rates(true));
    if let Some(folder) = &args.photographs {
        let of: Vec<Look> = looks.folder("photographs", folder)?.into_iter().map(|(_, one)| one).collect();
        outside.push(Rate::new("photographs", &of));
    }
    let oriented = orientations::looks(looks, &sets.outside)?;
    let mirrored = Orientation::ALL.iter().position(|orientation| *orientation == Orientation::MIRRORED);
    inside.extend(mirrored.map(|i| Rate::new("facing the other way", &oriented[i])));
    let radiographs = match &args.radiographs {
        None => Vec::new(),
        Some(folder) => looks.folder("radiographs", folder)?,
    };
    let single = |(file, look): (String, Look)| Single { file, score: look.score, standing: look.standing };
    let radiographs = radiographs.into_iter().map(single).collect();
    Ok(Report { gate, areas, inside, outside, turned, orientations: orientations::count(&oriented), radiographs })
}

impl Rate {
    fn new(sort: &str, of: &[Look]) -> Self {
        let mut scores: Vec<f32> = of.iter().map(|look| look.score).collect();
        scores.sort_by(f32::total_cmp);
        let count = |is: fn(&Look) -> bool| of.iter().filter(|look| is(look)).count();
        let at = |share: f64| scores[(share * scores.len() as f64) as usize];
        let beyond = Proportion { count: count(|look| !look.standing.is_answered()), of: of.len() };
        Self {
            sort: sort.to_owned(),
            images: of.len(),
            beyond: beyond.count,
            share: beyond.value(),
            interval: beyond.interval().unwrap_or([0.0, 1.0]),
            turned: count(|look| look.standing.is_answered() && look.look.quarters() > 0),
            atypical: count(|look| look.standing == Standing::Atypical),
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
        for (title, rates) in
            [("In scope", &self.inside), ("Out of scope", &self.outside), ("In scope, but turned", &self.turned)]
        {
            writeln!(
                text,
                "\n{title:30} {:>7} {:>8}  {:25} {:>6} {:>8}  scores 5, 50, 95 %",
                "images", "beyond", "", "turned", "atypical"
            )?;
            for rate in rates {
                let [low, high] = rate.interval.map(|share| 100.0 * share);
                let share = format!("{} ({low:.1}–{high:.1})", rate.share_text());
                let Rate { sort, images, beyond, turned, atypical, .. } = rate;
                let scores = rate.scores_text();
                writeln!(text, "  {sort:28} {images:>7} {beyond:>8}  {share:25} {turned:>6} {atypical:>8}  {scores}")?;
            }
        }
        writeln!(
            text,
            "\n{:30} {:>7} {:>8} {:>8} {:>12} {:>13}",
            "Films by how they lie", "films", "answered", "upright", "same answer", "other answer"
        )?;
        for one in &self.orientations {
            let Oriented { films, answered, upright, same_answer, other_answer, .. } = one;
            let name = one.name();
            writeln!(text, "  {name:28} {films:>7} {answered:>8} {upright:>8} {same_answer:>12} {other_answer:>13}")?;
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
