//! `cspine-trainer models golden`: for files that were made before cards had a golden inference.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cspine_domain::Sha256;
use cspine_nets::Checkpoint;

use crate::snapshot::write_atomically;

/// Which file, and where to.
#[derive(Debug, Clone, clap::Args)]
pub struct GoldenArgs {
    /// Model file
    #[arg(long, env = "CSPINE_MODEL", value_name = "FILE")]
    pub model: PathBuf,
    /// Model file to write: the same network with its golden inference
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Writes it, and prints its new name.
pub(super) fn write(args: &GoldenArgs) -> Result<()> {
    let bytes = std::fs::read(&args.model).with_context(|| format!("cannot read {}", args.model.display()))?;
    let checkpoint = Checkpoint::read(&bytes).with_context(|| format!("cannot use {}", args.model.display()))?;
    let bytes = checkpoint.with_golden()?.write()?;
    write_atomically(&args.out, &bytes)?;
    println!("wrote {} ({:.1} MB), sha256 {}", args.out.display(), bytes.len() as f64 / 1e6, Sha256::of(&bytes));
    Ok(())
}
