//! The epochs of a fit, from its start or its checkpoint to the last.

use std::path::Path;

use anyhow::Result;
use cspine_nets::layers::StateDict;

use super::Recipe;
use super::history::{self, Epoch};
use super::images::Images;
use super::session::Session;
use super::split::Split;
use crate::metrics::collapse;
use crate::progress::bar;

/// Runs what epochs are left, each told of in a line and kept by a checkpoint in `out`.
///
/// # Errors
/// A checkpoint of another recipe, a loss that is not finite, a disk that is full.
pub(super) fn run(
    state: &StateDict,
    images: &Images,
    split: &Split,
    recipe: &Recipe,
    out: &Path,
) -> Result<(Session, Vec<Epoch>)> {
    let file = out.join("checkpoint.safetensors");
    let mut session = if file.exists() {
        let session = Session::resume(&file, recipe)?;
        println!("going on after epoch {}", session.epoch);
        session
    } else {
        Session::start(state, recipe)?
    };
    let mut history = history::read(out, session.epoch)?;
    while session.epoch < recipe.epochs {
        let epoch = epoch(&mut session, images, split, recipe)?;
        println!(
            "epoch {}/{}: loss {:.4}, right {:.2} %, {:.1} images/s; validation loss {:.4}, right {:.2} %",
            session.epoch,
            recipe.epochs,
            epoch.loss,
            100.0 * epoch.accuracy,
            split.training.len() as f64 / epoch.seconds,
            epoch.validation_loss,
            100.0 * epoch.validation_accuracy
        );
        if let Some(collapse) = &epoch.collapsed {
            println!("  COLLAPSED on the validation set: {collapse}");
        }
        history.push(epoch);
        history::write(out, &history)?;
        session.save(&file, recipe)?;
    }
    Ok((session, history))
}

fn epoch(session: &mut Session, images: &Images, split: &Split, recipe: &Recipe) -> Result<Epoch> {
    let template = "epoch {prefix} {bar:30} {pos}/{len} images, {per_sec}, {eta} left; {msg}";
    let bar = bar(split.training.len(), template).with_prefix(format!("{}/{}", session.epoch + 1, recipe.epochs));
    let done = session.learn(images, &split.training, recipe, |progress, count| {
        bar.set_message(format!("loss {:.4}, right {:.1} %", progress.loss(), 100.0 * progress.accuracy()));
        bar.inc(count as u64);
    })?;
    let seconds = bar.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let validated = session.validate(images, &split.validation)?;
    Ok(Epoch {
        loss: done.loss(),
        accuracy: done.accuracy(),
        validation_loss: validated.loss,
        validation_accuracy: validated.confusion.accuracy().value().unwrap_or_default(),
        seconds,
        collapsed: collapse(&validated.confusion).map(|collapse| collapse.to_string()),
    })
}
