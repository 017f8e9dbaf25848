//! `fit.json`: what came of every epoch.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::page::plot::{Axis, Chart, Series, Style};
use crate::snapshot::write_atomically;

/// Its name in the fit's folder.
const FILE: &str = "fit.json";

/// An epoch of a fit. Losses are mean cross-entropies in nats, shares go from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Over the training images as the epoch showed them.
    pub loss: f64,
    /// Share of right answers on them.
    pub accuracy: f64,
    /// Over the validation images, after the epoch.
    pub validation_loss: f64,
    /// Share of right answers on them.
    pub validation_accuracy: f64,
    /// How long it took, validation apart.
    pub seconds: f64,
    /// Why the network counts as collapsed after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapsed: Option<String>,
}

/// The epochs that a fit's folder tells of, at most the first `epochs`: an epoch is written before its checkpoint, so that
/// one too many may be there.
///
/// # Errors
/// A file that is none of a fit, or that tells of fewer.
pub(super) fn read(folder: &Path, epochs: usize) -> Result<Vec<Epoch>> {
    if epochs == 0 {
        return Ok(Vec::new());
    }
    let file = folder.join(FILE);
    let read = || -> Result<Vec<Epoch>> {
        let mut history: Vec<Epoch> = serde_json::from_slice(&std::fs::read(&file)?)?;
        anyhow::ensure!(history.len() >= epochs, "it tells of {} epochs of {epochs}", history.len());
        history.truncate(epochs);
        Ok(history)
    };
    read().with_context(|| format!("reading {}", file.display()))
}

/// Writes all epochs.
pub(super) fn write(folder: &Path, history: &[Epoch]) -> Result<()> {
    write_atomically(&folder.join(FILE), &serde_json::to_vec_pretty(history)?)
}

/// The losses of every epoch, as a plot.
pub(crate) fn learning_curves(history: &[Epoch]) -> String {
    let points = |value: fn(&Epoch) -> f64| {
        history.iter().enumerate().map(|(i, epoch)| ((i + 1) as f64, value(epoch))).collect::<Vec<_>>()
    };
    let (training, validation) = (points(|e| e.loss), points(|e| e.validation_loss));
    let highest = training.iter().chain(&validation).map(|(_, loss)| *loss).fold(0.1, f64::max);
    Chart {
        title: "Learning".into(),
        x: Axis { label: "epoch".into(), from: 0.0, to: history.len().max(1) as f64 },
        y: Axis { label: "loss, nats".into(), from: 0.0, to: highest },
        series: vec![
            Series { name: "training, with augmentation and dropout".into(), points: training, style: Style::Line },
            Series { name: "validation".into(), points: validation, style: Style::Line },
        ],
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_beyond_the_checkpoints_is_forgotten_and_a_missing_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let epoch = |loss| Epoch {
            loss,
            accuracy: 0.5,
            validation_loss: 1.0,
            validation_accuracy: 0.5,
            seconds: 2.0,
            collapsed: None,
        };
        assert_eq!(read(folder.path(), 0).unwrap(), []);
        assert!(read(folder.path(), 1).is_err());
        write(folder.path(), &[epoch(3.0), epoch(2.0)]).unwrap();
        assert_eq!(read(folder.path(), 1).unwrap(), [epoch(3.0)]);
        let refused = format!("{:#}", read(folder.path(), 3).unwrap_err());
        assert!(refused.contains("2 epochs of 3"), "{refused}");
    }
}
