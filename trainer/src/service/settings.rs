//! All that a run's result depends on beside its images: in its row from its beginning, so that whoever takes it over, with
//! whatever flags, comes to the same.

use anyhow::{Context, Result};
use cspine_domain::Sha256;
use cspine_store::Run;
use serde::{Deserialize, Serialize};

use super::config::RunArgs;
use crate::page::executable;
use crate::promotion::Margins;
use crate::tune::TuneArgs;

/// What a run began with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// How it learns.
    pub tune: TuneArgs,
    /// How much worse is still no worse.
    pub margins: Margins,
    /// Days back to which the newest period reaches.
    pub holdout_days: u16,
    /// SHA-256 of the program.
    pub program: Sha256,
}

impl Settings {
    /// Those of this trainer.
    ///
    /// # Errors
    /// The running program cannot be read.
    pub fn of(config: &RunArgs) -> Result<Self> {
        Ok(Self {
            tune: config.tune.clone(),
            margins: config.margins(),
            holdout_days: config.holdout_days,
            program: executable()?,
        })
    }

    /// Those that a run began with.
    ///
    /// # Errors
    /// It began under a version that kept others.
    pub fn in_row(run: &Run) -> Result<Self> {
        serde_json::from_value(run.settings.clone()).with_context(|| format!("the settings of run {}", run.id))
    }
}
