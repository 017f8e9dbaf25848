//! Checkpoints of a training: tensors by prefix, written whole or not at all.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use cspine_nets::layers::StateDict;

/// Everything a training needs to go on as if it had never stopped.
#[derive(Debug, Default)]
pub struct Snapshot(HashMap<String, Tensor>);

impl Snapshot {
    /// Puts a state dict under a prefix.
    pub fn put(&mut self, prefix: &str, state: &StateDict) {
        self.0.extend(state.iter().map(|(name, tensor)| (format!("{prefix}/{name}"), tensor.clone())));
    }

    /// Puts a number.
    pub fn put_number(&mut self, name: &str, number: f64) -> Result<()> {
        self.0.insert(name.to_owned(), Tensor::new(number, &Device::Cpu)?);
        Ok(())
    }

    /// The state dict under a prefix; empty if there is none.
    pub fn part(&self, prefix: &str) -> StateDict {
        let name = |key: &str| Some(key.strip_prefix(prefix)?.strip_prefix('/')?.to_owned());
        self.0.iter().filter_map(|(key, tensor)| Some((name(key)?, tensor.clone()))).collect()
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<f64> {
        let number = self.0.get(name).with_context(|| format!("the checkpoint has no {name}"))?;
        Ok(number.to_dtype(DType::F64)?.to_scalar()?)
    }

    /// Reads a checkpoint.
    pub fn read(file: &Path) -> Result<Self> {
        let read = || anyhow::Ok(candle_core::safetensors::load(file, &Device::Cpu)?);
        Ok(Self(read().with_context(|| format!("reading the checkpoint {}", file.display()))?))
    }

    /// Writes a checkpoint over the one before.
    pub fn write(&self, file: &Path) -> Result<()> {
        let bytes = safetensors::serialize(&self.0, None).context("serialising a checkpoint")?;
        write_atomically(file, &bytes)
    }
}

/// Writes beside the file, syncs, renames.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    let new = file.with_extension("new");
    let write = || {
        let mut out = std::fs::File::create(&new)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        std::fs::rename(&new, file)
    };
    write().with_context(|| format!("writing {}", file.display()))
}
