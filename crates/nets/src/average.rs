//! A running average of a network's weights: batch norm's statistics are noisy in small batches, their average is not.

use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result};
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
        Ok(Self { state: copied(state)?, updates, decay })
    }

    /// Starts at `state`, which counts as weights that were followed long since: every step moves it by `1 − decay`.
    pub fn steady(state: &StateDict, decay: f32) -> Result<Self> {
        Self::new(state, u64::from(u32::MAX), decay)
    }

    /// Moves towards `state`. What is no f32, a count of batches, is no matter of averages and taken as it is.
    pub fn follow(&mut self, state: &StateDict) -> Result<()> {
        self.updates += 1;
        let step = (1.0 - self.decay).max(1.0 / (1.0 + self.updates as f32 / 10.0));
        for (name, average) in &mut self.state {
            let Some(new) = state.get(name) else { candle_core::bail!("{name} is missing") };
            if average.dtype() == DType::F32 {
                average.inplace_op2(new, &Towards(step))?;
            } else {
                *average = new.copy()?;
            }
        }
        Ok(())
    }

    /// The average.
    pub fn state(&self) -> &StateDict {
        &self.state
    }

    /// The average as it is now, which follows nothing any more.
    ///
    /// # Errors
    /// A tensor cannot be copied.
    pub fn copy(&self) -> Result<StateDict> {
        copied(&self.state)
    }
}

fn copied(state: &StateDict) -> Result<StateDict> {
    state.iter().map(|(name, tensor)| Ok((name.clone(), tensor.copy()?))).collect()
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

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    fn state(weight: f32, batches: i64) -> StateDict {
        let [weight, batches] =
            [Tensor::new(&[weight], &Device::Cpu).unwrap(), Tensor::new(batches, &Device::Cpu).unwrap()];
        StateDict::from([("weight".into(), weight), ("batches".into(), batches)])
    }

    #[test]
    fn a_steady_average_moves_by_its_share_each_step_and_takes_counts_as_they_are() {
        let mut average = Average::steady(&state(0.0, 1), 0.75).unwrap();
        average.follow(&state(4.0, 2)).unwrap();
        let kept = average.copy().unwrap();
        average.follow(&state(4.0, 3)).unwrap();
        let read = |state: &StateDict| {
            let weight = state["weight"].to_vec1::<f32>().unwrap()[0];
            (weight, state["batches"].to_scalar::<i64>().unwrap())
        };
        assert_eq!([read(&kept), read(average.state())], [(1.0, 2), (1.75, 3)]);
    }
}
