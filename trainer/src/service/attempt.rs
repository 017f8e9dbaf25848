//! One attempt at a better network: decode, fine-tune, measure beside the champion, judge. It knows no database.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use cspine_imaging::Limits;
use cspine_nets::Classifier;
use rayon::prelude::*;

use crate::fit::epochs::News;
use crate::gate;
use crate::metrics::{Answer, Proportion};
use crate::promotion::{Answers, Examined, Margins, Verdict, judge};
use crate::tune::{Champion, LeftOut, Lesson, Lessons, Role, TuneArgs, Tuned, tune};

/// Seed of the ways that frozen films are spoilt in, to try the scope gates by.
const SPOILING_SEED: u64 = 1;

/// What an attempt is made of.
#[derive(Debug)]
pub struct Attempt {
    /// The network that serves.
    pub champion: Champion,
    /// The images, each for something.
    pub lessons: Vec<Lesson>,
    /// Where their files lie.
    pub images: PathBuf,
    /// How to learn.
    pub tune: TuneArgs,
    /// How much worse is still no worse.
    pub margins: Margins,
    /// What a file may ask for.
    pub limits: Limits,
    /// Where checkpoints lie.
    pub folder: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Attempted {
    /// The challenger.
    pub tuned: Tuned,
    /// Images that were used, by role.
    pub lessons: Vec<Lesson>,
    /// Images that were not.
    pub left_out: LeftOut,
    /// Both networks' answers.
    pub answers: Answers,
    /// What follows.
    pub verdict: Verdict,
}

/// How far it is: in words, and as a share of what is likely to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Such as `epoch 3 of 12`.
    pub stage: String,
    /// From 0 to 1.
    pub share: f32,
}

impl Attempt {
    /// Makes it, on rayon's current pool. `tell` hears how far it is, and what is to be logged; its error ends it.
    ///
    /// # Errors
    /// As [`tune`] and [`Lessons::load`], or `tell`'s own.
    pub fn make(
        self,
        tell: &(dyn Fn(Progress) -> Result<()> + Sync),
        log: &(dyn Fn(String) + Sync),
    ) -> Result<Attempted> {
        let preprocessing = self.champion.checkpoint.card.preprocessing.clone();
        let (of, done) = (self.lessons.len(), AtomicUsize::new(0));
        let lessons = Lessons::load(self.lessons, &self.images, &preprocessing, &self.limits, || {
            let share = 0.1 * done.fetch_add(1, Ordering::Relaxed) as f32 / of.max(1) as f32;
            tell(Progress { stage: "decoding".into(), share })
        })?;
        log(counted(&lessons));

        let epochs = self.tune.epochs;
        let mut seen = 0;
        let listen = &mut |news: News<'_>| match news {
            News::Resumed(epochs) => {
                log(format!("going on after epoch {epochs}"));
                Ok(())
            }
            News::Batch { epoch, images, of, .. } => {
                seen = if seen >= of { images } else { seen + images };
                let epoch_share = (epoch as f32 - 1.0 + seen as f32 / of as f32) / f32::from(epochs);
                tell(Progress { stage: format!("epoch {epoch} of {epochs}"), share: 0.1 + 0.7 * epoch_share })
            }
            News::Epoch { epoch, images, came } => {
                seen = 0;
                log(format!(
                    "epoch {epoch}: {images} images in {:.0} s, loss {:.4}, {:.2} % right; validation loss {:.4}, {:.2} % right{}",
                    came.seconds,
                    came.loss,
                    100.0 * came.accuracy,
                    came.validation_loss,
                    100.0 * came.validation_accuracy,
                    came.collapsed.as_ref().map(|why| format!("; COLLAPSED: {why}")).unwrap_or_default()
                ));
                Ok(())
            }
        };
        let tuned = tune(&self.champion, &lessons, &self.tune, &self.folder, listen)?;
        log(format!(
            "{:.0} % of the way from the champion's weights to the best epoch's validates best",
            100.0 * tuned.share
        ));

        let models =
            [Classifier::new(&self.champion.checkpoint, self.champion.sha256)?, Classifier::load(&tuned.bytes)?];
        let measure = |role, share| {
            tell(Progress { stage: "measuring".into(), share })?;
            measure(&models, &lessons, role)
        };
        let answers = Answers {
            frozen: measure(Role::Frozen, 0.85)?,
            holdout: measure(Role::Holdout, 0.95)?,
            validation: measure(Role::NewValidation, 0.97)?,
            kept_out: kept_out(&models, &lessons)?,
        };
        let verdict = judge(&answers, &self.margins);
        Ok(Attempted { tuned, lessons: lessons.lessons, left_out: lessons.left_out, answers, verdict })
    }
}

fn counted(lessons: &Lessons) -> String {
    let count = |role| lessons.of(role).len();
    let LeftOut { conflicting, contradicted, repeated, unusable } = &lessons.left_out;
    format!(
        "{} new images beside {} known; {} and {} to validate with; {} frozen and {} of the newest period to measure with; \
         left out: {} with labels in conflict, {} that repeat another, {} unusable; {} measure though contradicted by another",
        count(Role::New),
        count(Role::Replay),
        count(Role::NewValidation),
        count(Role::ReplayValidation),
        count(Role::Frozen),
        count(Role::Holdout),
        conflicting.len(),
        repeated.len(),
        unusable.len(),
        contradicted.len()
    )
}

/// How many spoilt films each model's gate keeps out, if there is one: that of the challenger was found anew, on films that
/// are all in scope.
fn kept_out(models: &[Classifier; 2], lessons: &Lessons) -> Result<Option<[Proportion; 2]>> {
    if models[0].card().gate.is_none() {
        return Ok(None);
    }
    let films = gate::films_to_spoil(&lessons.images, &lessons.of(Role::Frozen));
    let of = |model: &Classifier| {
        let sorts = gate::kept_out(model, &films, SPOILING_SEED)?;
        let sum = |of: fn(&Proportion) -> usize| sorts.iter().map(|(_, kept_out)| of(kept_out)).sum();
        anyhow::Ok(Proportion { count: sum(|sort| sort.count), of: sum(|sort| sort.of) })
    };
    Ok(Some([of(&models[0])?, of(&models[1])?]))
}

/// Both networks on the images for something: champion, then challenger.
fn measure(models: &[Classifier; 2], lessons: &Lessons, role: Role) -> Result<Vec<Examined>> {
    let chosen = lessons.of(role);
    let measured = chosen.par_iter().with_max_len(1).map(|&i| {
        let lesson = &lessons.lessons[i];
        let [champion, challenger] = models;
        let input = |model: &Classifier| model.card().preprocessing.normalise(&lessons.images.grey(i));
        let answer = |model: &Classifier| {
            let inference = model.infer(&input(model), None)?;
            let answer =
                Answer { probabilities: inference.probabilities, verdict: inference.class, flagged: inference.flagged };
            anyhow::Ok(inference.standing.is_answered().then_some(answer))
        };
        Ok(Examined {
            label: lesson.class,
            site: lesson.site.clone(),
            patient: Some(lesson.patient.clone()),
            champion: answer(champion)?,
            challenger: answer(challenger)?,
        })
    });
    measured.collect()
}
