//! A running average of a network's weights: batch norm's statistics are noisy in small batches, their average is not.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result};
use rayon::prelude::*;

use crate::layers::StateDict;

/// An exponential average of a state dict.
#[derive(Debug)]
pub struct Average {
    state: StateDict,
    updates: u64,
    decay: f32,
}

impl Average {
    /// Starts at `state`, having followed `updates` steps; a step moves it by `1 − decay`, by more in the beginning.
    pub fn new(state: &StateDict, updates: u64, decay: f32) -> Result<Self> {
        let state = state.iter().map(|(k, v)| Ok((k.clone(), v.copy()?))).collect::<Result<_>>()?;
        Ok(Self { state, updates, decay })
    }

    /// Moves towards `state`.
    pub fn follow(&mut self, state: &StateDict) -> Result<()> {
        self.updates += 1;
        let step = (1.0 - self.decay).max(1.0 / (1.0 + self.updates as f32 / 10.0));
        for (name, average) in &self.state {
            let Some(new) = state.get(name) else { candle_core::bail!("{name} is missing") };
            average.inplace_op2(new, &Towards(step))?;
        }
        Ok(())
    }

    /// The average.
    pub fn state(&self) -> &StateDict {
        &self.state
    }
}

struct Towards(f32);

impl InplaceOp2 for Towards {
    fn name(&self) -> &'static str {
        "towards"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        let (Some((a0, a1)), Some((b0, b1)), CpuStorage::F32(a)) =
            (la.contiguous_offsets(), lb.contiguous_offsets(), a)
        else {
            candle_core::bail!("averages are contiguous f32")
        };
        let b = &b.as_slice::<f32>()?[b0..b1];
        a[a0..a1].par_chunks_mut(1 << 16).zip(b.par_chunks(1 << 16)).for_each(|(a, b)| {
            for (a, b) in a.iter_mut().zip(b) {
                *a += self.0 * (b - *a);
            }
        });
        Ok(())
    }
}
