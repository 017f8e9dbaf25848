//! What a network makes of films, and what a score makes of that.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cspine_imaging::{Limits, Radiograph, decode};
use cspine_nets::gate::{Gate, Observation, Score};
use cspine_nets::{Classifier, mirrored};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::films::Films;
use super::outside::Outside;
use crate::augment::Augmentation;
use crate::metrics::area;
use crate::progress::bar;

/// A film as the worker has it looked at: one that the gate knows nothing of is looked at once more.
#[derive(Debug, Clone)]
pub struct Look {
    /// As it is.
    pub as_it_faces: Observation,
    /// With left for right.
    pub mirrored: Observation,
}

impl Look {
    /// The score that decides: a film is known if it is known either way.
    pub fn score(&self, gate: &Gate) -> f32 {
        gate.score(&self.as_it_faces).min(gate.score(&self.mirrored))
    }
}

/// A network that looks at films, on rayon's current pool, a thread a film.
pub struct Looks {
    /// The network.
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

    /// At films spoilt in every way, by [`Outside::ALL`].
    pub fn outside(&self, doing: &str, films: &Films) -> Result<Vec<Vec<Look>>> {
        let rows = over(doing, films.count(), |i| {
            let (film, mut rng) = (films.film(i)?, self.rng(i));
            Outside::ALL.iter().map(|outside| self.look(&outside.of(&film, &mut rng))).collect::<Result<Vec<_>>>()
        })?;
        Ok((0..Outside::ALL.len()).map(|k| rows.iter().map(|row| row[k].clone()).collect()).collect())
    }

    /// At films that something was done to.
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
        let preprocessing = &self.model.card().preprocessing;
        let input = preprocessing.apply(film);
        let other = mirrored(&input, preprocessing.size as usize);
        let observed: [Observation; 2] = self.model.observe(&[input, other])?.try_into().expect("as many as inputs");
        let [as_it_faces, mirrored] = observed;
        Ok(Look { as_it_faces, mirrored })
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
pub fn mean_area(score: &Score, inside: &[Observation], outside: &[Vec<Look>]) -> f64 {
    let scored = |observation: &Observation, stranger: bool| (f64::from(score.of(observation)), stranger);
    let inside: Vec<(f64, bool)> = inside.iter().map(|observation| scored(observation, false)).collect();
    let areas = outside
        .iter()
        .filter_map(|sort| area(inside.iter().copied().chain(sort.iter().map(|look| scored(&look.as_it_faces, true)))));
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

    use super::{Look, mean_area, quantile};

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
        let look = |z| Look { as_it_faces: observed(z), mirrored: observed(9.0) };
        let far = vec![look(0.0); 9];
        let near = vec![look(1.5)];
        assert_eq!(mean_area(&Score::Energy, &inside, &[far, near]), 0.75);
    }
}
