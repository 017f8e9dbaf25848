//! What a network makes of films, and what a score makes of that.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cspine_domain::{Class, Orientation};
use cspine_imaging::{Limits, Radiograph, decode};
use cspine_nets::gate::{Observation, Score};
use cspine_nets::{Classifier, Inference, Standing};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::films::Films;
use super::outside::Outside;
use crate::augment::Augmentation;
use crate::metrics::area;
use crate::progress::bar;

/// What a worker makes of a film: one that the gate knows nothing of is looked at in other orientations too.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Where it stands.
    pub standing: Standing,
    /// The score of the look that it is answered by, of the film as it lies where it is not.
    pub score: f32,
    /// How it was turned and mirrored to be answered.
    pub look: Orientation,
    /// The class of the highest probability.
    pub class: Class,
    /// Whether it is flagged.
    pub flagged: bool,
}

/// A network that looks at films, on rayon's current pool, a thread a film.
pub struct Looks {
    /// The network, with its gate where looks are a worker's.
    pub model: Classifier,
    /// Of what is random: augmentation, and how films are spoilt.
    pub seed: u64,
}

impl Looks {
    /// At films in scope, each as it is and augmented once as training does: to fit to.
    pub fn inside(&self, doing: &str, films: &Films) -> Result<Vec<Observation>> {
        let looks = over(doing, films.count(), |i| {
            let grey = self.model.card().preprocessing.grey(&films.film(i)?);
            as_is_and_augmented(&self.model, &grey, &mut self.rng(i))
        })?;
        Ok(looks.into_iter().flatten().collect())
    }

    /// At films spoilt in every way as they lie, by [`Outside::ALL`]: to choose a score by.
    pub fn spoilt(&self, doing: &str, films: &Films) -> Result<Vec<Vec<Observation>>> {
        self.every_way(doing, films, |film| {
            let input = self.model.card().preprocessing.apply(film);
            Ok(self.model.observe(&[input])?.swap_remove(0))
        })
    }

    /// A worker's at films spoilt in every way, by [`Outside::ALL`].
    pub fn outside(&self, doing: &str, films: &Films) -> Result<Vec<Vec<Look>>> {
        self.every_way(doing, films, |film| self.look(film))
    }

    fn every_way<T: Clone + Send>(
        &self,
        doing: &str,
        films: &Films,
        look: impl Fn(&Radiograph) -> Result<T> + Sync,
    ) -> Result<Vec<Vec<T>>> {
        let rows = over(doing, films.count(), |i| {
            let (film, mut rng) = (films.film(i)?, self.rng(i));
            Outside::ALL.iter().map(|outside| look(&outside.of(&film, &mut rng))).collect::<Result<Vec<_>>>()
        })?;
        Ok((0..Outside::ALL.len()).map(|k| rows.iter().map(|row| row[k].clone()).collect()).collect())
    }

    /// A worker's at films that something was done to.
    pub fn changed(
        &self,
        doing: &str,
        films: &Films,
        change: impl Fn(&Radiograph) -> Radiograph + Sync,
    ) -> Result<Vec<Look>> {
        over(doing, films.count(), |i| self.look(&change(&films.film(i)?)))
    }

    /// At every file of a folder and the folders in it, sorted by name, in grey: what is in colour never gets as far.
    pub fn folder(&self, doing: &str, folder: &Path) -> Result<Vec<(String, Look)>> {
        let mut files = Vec::new();
        list(folder, &mut files)?;
        files.sort();
        over(doing, files.len(), |i| {
            let name = files[i].strip_prefix(folder).unwrap_or(&files[i]).to_string_lossy().into_owned();
            let bytes = std::fs::read(&files[i]).with_context(|| name.clone())?;
            let film = decode(&bytes, None, &Limits::default()).with_context(|| name.clone())?;
            Ok((name, self.look(&film)?))
        })
    }

    fn look(&self, film: &Radiograph) -> Result<Look> {
        let inference = self.model.infer(&self.model.card().preprocessing.apply(film), None)?;
        let score = inference.atypicality.context("a model without a scope gate")?;
        let Inference { standing, look, class, flagged, .. } = inference;
        Ok(Look { standing, score, look, class, flagged })
    }

    fn rng(&self, i: usize) -> StdRng {
        StdRng::seed_from_u64(self.seed << 24 ^ i as u64)
    }
}

/// A network's view of one grey plane (0 to 1, row by row), and of it augmented once as training does.
pub(crate) fn as_is_and_augmented(model: &Classifier, grey: &[f32], rng: &mut StdRng) -> Result<Vec<Observation>> {
    let preprocessing = &model.card().preprocessing;
    let changed = Augmentation::DEFAULT.apply(grey, preprocessing.size as usize, rng);
    Ok(model.observe(&[preprocessing.normalise(grey), preprocessing.normalise(&changed)])?)
}

/// One after another in their order, with a bar.
fn over<T: Send>(doing: &str, count: usize, each: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let template = "{msg} {bar:30} {pos}/{len} films, {per_sec}, {eta} left";
    let progress = bar(count, template).with_message(doing.to_owned());
    let done = (0..count)
        .into_par_iter()
        .with_max_len(1)
        .map(|i| {
            let one = each(i);
            progress.inc(1);
            one
        })
        .collect();
    progress.finish_and_clear();
    done
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = || format!("cannot list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// How well a score tells films in scope from those out of it: the area under the ROC curve, the mean over the sorts.
pub fn mean_area(score: &Score, inside: &[Observation], outside: &[Vec<Observation>]) -> f64 {
    let scored = |observation: &Observation, stranger: bool| (f64::from(score.of(observation)), stranger);
    let inside: Vec<(f64, bool)> = inside.iter().map(|observation| scored(observation, false)).collect();
    let areas = outside
        .iter()
        .filter_map(|sort| area(inside.iter().copied().chain(sort.iter().map(|film| scored(film, true)))));
    areas.sum::<f64>() / outside.len() as f64
}

/// The score that a share of films in scope is over: in the middle between two of them, and at least one is over it.
pub(crate) fn quantile(score: &Score, inside: &[Observation], share: f64) -> f32 {
    let mut scores: Vec<f32> = inside.iter().map(|observation| score.of(observation)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    let over = ((share * scores.len() as f64).round() as usize).clamp(1, scores.len() - 1);
    (scores[over - 1] + scores[over]) / 2.0
}

#[cfg(test)]
mod tests {
    use cspine_nets::gate::{Observation, Score};

    use super::{mean_area, quantile};

    /// Energies of about −z, since the other outputs are far below.
    fn observed(z: f32) -> Observation {
        Observation { logits: [z, -50.0, -50.0], features: Vec::new() }
    }

    #[test]
    fn a_threshold_leaves_its_share_over_it() {
        let inside: Vec<Observation> = (0..200).map(|i| observed(((i * 7) % 200) as f32)).collect();
        for (share, over) in [(0.05, 10), (0.005, 1), (0.0001, 1)] {
            let threshold = quantile(&Score::Energy, &inside, share);
            assert_eq!(inside.iter().filter(|o| Score::Energy.of(o) > threshold).count(), over, "{share}");
        }
    }

    #[test]
    fn sorts_weigh_alike_however_many_films_they_have() {
        let inside = [observed(1.0), observed(2.0)];
        let far = vec![observed(0.0); 9];
        let near = vec![observed(1.5)];
        assert_eq!(mean_area(&Score::Energy, &inside, &[far, near]), 0.75);
    }
}
