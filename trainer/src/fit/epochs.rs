//! The epochs of a fit, from its start or its checkpoint to the last.

use std::path::Path;

use anyhow::{Result, ensure};
use cspine_nets::layers::StateDict;

use super::Recipe;
use super::history::{self, Epoch};
use super::images::Images;
use super::session::{Progress, Session};
use crate::metrics::collapse;

/// What is shown, and until when.
pub(crate) struct Course<'a> {
    /// The images of an epoch, counted from 0.
    pub training: &'a dyn Fn(usize) -> Vec<usize>,
    /// The images that each epoch is held against.
    pub validation: &'a [usize],
    /// So many epochs without a lower validation loss end it; `None`: all epochs are run.
    pub patience: Option<usize>,
}

/// What is told of a course while it runs.
pub(crate) enum News<'a> {
    /// It goes on after so many epochs.
    Resumed(usize),
    /// A batch of some images was learnt, of so many in this epoch, counted from 1.
    Batch { epoch: usize, images: usize, of: usize, progress: &'a Progress },
    /// An epoch over so many images ended, counted from 1.
    Epoch { epoch: usize, images: usize, came: &'a Epoch },
}

/// Who listens; an error ends the course after its last whole epoch's checkpoint.
pub(crate) type Listener<'a> = &'a mut dyn FnMut(News<'_>) -> Result<()>;

/// Runs what epochs are left, each kept by a checkpoint in `out`.
///
/// # Errors
/// A checkpoint of another recipe or of more epochs, a loss that is not finite, a disk that is full, a listener that has
/// had enough.
pub(crate) fn run(
    state: &StateDict,
    images: &Images,
    course: &Course<'_>,
    recipe: &Recipe,
    out: &Path,
    tell: Listener<'_>,
) -> Result<(Session, Vec<Epoch>)> {
    let file = out.join("checkpoint.safetensors");
    let mut session = if file.exists() { Session::resume(&file, recipe)? } else { Session::start(state, recipe)? };
    ensure!(
        session.epoch <= recipe.epochs,
        "{} is of {} epochs, more than the {} asked for; use another --out, or remove it",
        file.display(),
        session.epoch,
        recipe.epochs
    );
    let mut history = history::read(out, session.epoch)?;
    if session.epoch > 0 {
        tell(News::Resumed(session.epoch))?;
    }
    while session.epoch < recipe.epochs && !course.is_over(&history) {
        let training = (course.training)(session.epoch);
        let came = epoch(&mut session, images, &training, course.validation, recipe, tell)?;
        tell(News::Epoch { epoch: session.epoch, images: training.len(), came: &came })?;
        history.push(came);
        history::write(out, &history)?;
        session.save(&file, recipe)?;
    }
    Ok((session, history))
}

impl Course<'_> {
    fn is_over(&self, history: &[Epoch]) -> bool {
        let best = history.iter().enumerate().min_by(|a, b| a.1.validation_loss.total_cmp(&b.1.validation_loss));
        self.patience.zip(best).is_some_and(|(patience, (best, _))| history.len() - 1 - best >= patience)
    }
}

fn epoch(
    session: &mut Session,
    images: &Images,
    training: &[usize],
    validation: &[usize],
    recipe: &Recipe,
    tell: Listener<'_>,
) -> Result<Epoch> {
    let begin = std::time::Instant::now();
    let (number, of) = (session.epoch + 1, training.len());
    let done = session.learn(images, training, recipe, |progress, count| {
        tell(News::Batch { epoch: number, images: count, of, progress })
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let validated = session.validate(images, validation)?;
    Ok(Epoch {
        loss: done.loss(),
        accuracy: done.accuracy(),
        validation_loss: validated.loss,
        validation_accuracy: validated.confusion.accuracy().value().unwrap_or_default(),
        seconds,
        collapsed: collapse(&validated.confusion).map(|collapse| collapse.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(losses: &[f64]) -> Vec<Epoch> {
        let epoch = |loss: &f64| Epoch {
            loss: 1.0,
            accuracy: 0.5,
            validation_loss: *loss,
            validation_accuracy: 0.5,
            seconds: 1.0,
            collapsed: None,
        };
        losses.iter().map(epoch).collect()
    }

    #[test]
    fn a_course_ends_when_patience_has_seen_no_lower_loss() {
        let course = |patience| Course { training: &|_| Vec::new(), validation: &[], patience };
        for (losses, over) in [
            (&[][..], false),
            (&[3.0, 2.0], false),
            (&[2.0, 3.0], false),
            (&[2.0, 3.0, 2.5], true),
            (&[3.0, 2.0, 2.5], false),
        ] {
            assert_eq!(course(Some(2)).is_over(&epochs(losses)), over, "{losses:?}");
            assert!(!course(None).is_over(&epochs(losses)));
        }
    }
}
