//! What a fit begins with: fresh weights, or those of a model file.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cspine_domain::{Class, Sha256};
use cspine_imaging::Preprocessing;
use cspine_nets::layers::StateDict;
use cspine_nets::{Architecture, Checkpoint, init};

use super::FitArgs;

/// First weights, and how images are to be prepared for them.
pub(super) struct Start {
    pub architecture: Architecture,
    pub state: StateDict,
    /// The model the weights come from.
    pub parent: Option<Sha256>,
    pub preprocessing: Preprocessing,
}

impl Start {
    /// As the arguments ask.
    pub fn of(args: &FitArgs) -> Result<Self> {
        let start = match &args.init {
            None => Self::fresh(args)?,
            Some(file) => Self::given(file, args.size).with_context(|| format!("reading {}", file.display()))?,
        };
        let size = start.preprocessing.size;
        if !start.architecture.takes(size) {
            bail!("{} takes no inputs of {size} pixels", start.architecture.as_str());
        }
        match args.architecture {
            Some(asked) if asked != start.architecture => bail!("--init is not of --architecture {}", asked.as_str()),
            _ => Ok(start),
        }
    }

    fn fresh(args: &FitArgs) -> Result<Self> {
        let architecture = args.architecture.unwrap_or(Architecture::GoogLeNet);
        let size = args.size.unwrap_or(architecture.input_size());
        let preprocessing = Preprocessing { size, ..Preprocessing::default() };
        let state = init::network(architecture, args.recipe.seed, Class::COUNT)?;
        Ok(Self { architecture, state, parent: None, preprocessing })
    }

    fn given(file: &Path, size: Option<u32>) -> Result<Self> {
        let bytes = std::fs::read(file)?;
        let Checkpoint { card, state } = Checkpoint::read(&bytes)?;
        let mut preprocessing = card.preprocessing;
        preprocessing.size = size.unwrap_or(preprocessing.size);
        Ok(Self { architecture: card.architecture, state, parent: Some(Sha256::of(&bytes)), preprocessing })
    }
}
