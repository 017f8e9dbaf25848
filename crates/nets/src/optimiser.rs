//! Optimisers whose state can be saved. Both work in place.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var};
use rayon::prelude::*;

use crate::activation::storage_values;
use crate::layers::StateDict;

/// Stochastic gradient descent with momentum, as PyTorch's: `v ← μ·v + g + λ·w`, `w ← w − η·v`.
#[derive(Debug)]
pub struct Sgd {
    parameters: Vec<(String, Var)>,
    velocity: BTreeMap<String, Tensor>,
    /// μ.
    pub momentum: f32,
    /// λ, on weights only: not on norms and biases.
    pub weight_decay: f32,
}

impl Sgd {
    /// Starts with zero velocity.
    pub fn new(parameters: Vec<(String, Var)>, momentum: f32, weight_decay: f32) -> Result<Self> {
        let velocity =
            parameters.iter().map(|(name, var)| Ok((name.clone(), var.zeros_like()?))).collect::<Result<_>>()?;
        Ok(Self { parameters, velocity, momentum, weight_decay })
    }

    /// Moves every parameter that has a gradient; `rate` is η.
    pub fn step(&mut self, gradients: &GradStore, rate: f32) -> Result<()> {
        for (name, var) in &self.parameters {
            let Some(gradient) = gradients.get(var) else { continue };
            let velocity = &self.velocity[name];
            let decay = if var.dims().len() > 1 { self.weight_decay } else { 0.0 };
            velocity.inplace_op3(&gradient.contiguous()?, var, &Gather { momentum: self.momentum, decay })?;
            var.inplace_op2(velocity, &Add { factor: -rate })?;
        }
        Ok(())
    }

    /// The velocity by parameter name.
    pub fn state(&self) -> StateDict {
        self.velocity.clone()
    }

    /// Takes up a velocity saved by [`state`](Self::state).
    pub fn restore(&mut self, state: &StateDict) -> Result<()> {
        for (name, velocity) in &mut self.velocity {
            let saved = state.get(name).ok_or_else(|| candle_core::Error::Msg(format!("no velocity of {name}")))?;
            *velocity = saved.copy()?;
        }
        Ok(())
    }
}

const CHUNK: usize = 1 << 16;

fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        return Err(candle_core::Error::RequiresContiguous { op: "optimiser" });
    };
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("parameters are f32"),
    }
}

struct Gather {
    momentum: f32,
    decay: f32,
}

impl InplaceOp3 for Gather {
    fn name(&self) -> &'static str {
        "sgd-velocity"
    }

    fn cpu_fwd(
        &self,
        v: &mut CpuStorage,
        lv: &Layout,
        g: &CpuStorage,
        lg: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<()> {
        let (v, g, w) = (slice_mut(v, lv)?, storage_values(g, lg)?, storage_values(w, lw)?);
        v.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).zip(w.par_chunks(CHUNK)).for_each(|((v, g), w)| {
            for ((v, g), w) in v.iter_mut().zip(g).zip(w) {
                *v = self.momentum * *v + g + self.decay * w;
            }
        });
        Ok(())
    }
}

struct Add {
    factor: f32,
}

impl InplaceOp2 for Add {
    fn name(&self) -> &'static str {
        "add-scaled"
    }

    fn cpu_fwd(&self, w: &mut CpuStorage, lw: &Layout, v: &CpuStorage, lv: &Layout) -> Result<()> {
        let (w, v) = (slice_mut(w, lw)?, storage_values(v, lv)?);
        w.par_chunks_mut(CHUNK).zip(v.par_chunks(CHUNK)).for_each(|(w, v)| {
            for (w, v) in w.iter_mut().zip(v) {
                *w += self.factor * v;
            }
        });
        Ok(())
    }
}
