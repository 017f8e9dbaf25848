//! Layers one after another as one Candle op.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{Inception, Layer, Pass, Phase, UNPOISONED};
use crate::activation::{Activation, tensor, with_values};
use crate::kernels::pool::{MaxPool, Pooled};

/// One step of a chain.
#[derive(Debug)]
pub enum Stage<L> {
    /// A layer.
    Layer(L),
    /// A pool.
    Pool(MaxPool),
    /// An inception block.
    Inception(Box<Inception<L>>),
}

/// What a stage saved for its backward pass.
enum StageSaved<L: Layer> {
    Layer(L::Saved),
    /// Where each of a pool's values came from.
    Pool(Vec<u8>),
    Inception(Box<<Inception<L> as Layer>::Saved>),
}

impl<L: Layer> Stage<L> {
    fn forward(&self, x: &Activation, phase: Phase) -> Result<(Activation, StageSaved<L>)> {
        Ok(match self {
            Stage::Layer(layer) => {
                let (y, saved) = layer.forward(x, phase)?;
                (y, StageSaved::Layer(saved))
            }
            Stage::Pool(pool) => {
                let Pooled { values, places, extent } = pool.forward(&x.values, x.extent);
                (Activation { values, extent }, StageSaved::Pool(places))
            }
            Stage::Inception(block) => {
                let (y, saved) = block.forward(x, phase)?;
                (y, StageSaved::Inception(Box::new(saved)))
            }
        })
    }

    fn backward(
        &self,
        x: &Activation,
        y: &Activation,
        saved: &StageSaved<L>,
        dy: Vec<f32>,
        wanted: bool,
    ) -> Result<Option<Vec<f32>>> {
        match (self, saved) {
            (Stage::Layer(layer), StageSaved::Layer(saved)) => layer.backward(Pass { x, y, saved }, dy, wanted),
            (Stage::Pool(pool), StageSaved::Pool(places)) => Ok(wanted.then(|| pool.gradient(x.extent, places, &dy))),
            (Stage::Inception(block), StageSaved::Inception(saved)) => block.backward(Pass { x, y, saved }, dy, wanted),
            _ => unreachable!("a stage is handed what it saved"),
        }
    }
}

/// Stages one after another.
#[derive(Debug)]
pub struct Chain<L>(pub Vec<Stage<L>>);

/// How a chain is to be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only the result matters; nothing is kept.
    Infer,
    /// With the running statistics, keeping what the gradient by the input needs.
    Differentiate,
    /// With the batch's statistics, for gradients by the weights; `input` if the chain's input needs one too.
    Train {
        /// Whether the chain's input gets a gradient.
        input: bool,
    },
    /// As `Train`, with the running statistics, which stay: the batch may be of other images than the network's.
    Tune {
        /// Whether the chain's input gets a gradient.
        input: bool,
    },
}

impl Mode {
    /// For a chain whose input is another's output.
    pub(crate) fn after(self) -> Self {
        match self {
            Mode::Train { .. } => Mode::Train { input: true },
            Mode::Tune { .. } => Mode::Tune { input: true },
            other => other,
        }
    }

    /// What it is to its layers.
    pub(crate) fn phase(self) -> Phase {
        match self {
            Mode::Infer => Phase::Answer,
            Mode::Differentiate => Phase::Constant,
            Mode::Tune { .. } => Phase::Tune,
            Mode::Train { .. } => Phase::Fit,
        }
    }

    /// Whether the gradients of the weights alone are wanted.
    fn stops_at_weights(self) -> bool {
        matches!(self, Mode::Train { input: false } | Mode::Tune { input: false })
    }
}

impl<L> Chain<L> {
    /// The layers in order.
    pub fn layers(&self) -> impl Iterator<Item = &L> {
        self.0.iter().flat_map(|stage| match stage {
            Stage::Layer(layer) => std::slice::from_ref(layer),
            Stage::Pool(_) => &[],
            Stage::Inception(block) => &block.layers,
        })
    }
}

impl<L: Layer> Chain<L> {
    /// `[n, h, w, c]` through every stage. With gradients the input must be tracked by Candle.
    pub fn apply(self: &Arc<Self>, x: &Tensor, mode: Mode) -> Result<Tensor> {
        x.contiguous()?.apply_op1(ChainOp { chain: Arc::clone(self), mode, trace: Mutex::default() })
    }

    fn infer(&self, mut x: Activation) -> Result<Activation> {
        for stage in &self.0 {
            x = stage.forward(&x, Phase::Answer)?.0;
        }
        Ok(x)
    }

    /// Uses up a trace; the gradient by the input, unless it is not wanted.
    fn backward(&self, trace: &mut Trace<L>, dy: Vec<f32>, input: bool) -> Result<Option<Vec<f32>>> {
        let mut gradient = Some(dy);
        for (i, stage) in self.0.iter().enumerate().rev() {
            let (y, saved) = (trace.activations.pop(), trace.saved.pop());
            let (Some(y), Some(saved), Some(dy)) = (y, saved, gradient) else { unreachable!("one trace a stage") };
            gradient = stage.backward(&trace.activations[i], &y, &saved, dy, input || i > 0)?;
        }
        Ok(gradient)
    }

    /// The smallest side of a square input that no window overhangs.
    fn check(&self, x: &Activation) -> Result<()> {
        let mut extent = x.extent;
        for stage in &self.0 {
            if let Stage::Pool(pool) = stage {
                if extent.height.min(extent.width) + 2 * pool.padding < pool.kernel {
                    candle_core::bail!("an input of {:?} is too small", x.extent);
                }
                extent = pool.output(extent);
            }
        }
        Ok(())
    }
}

/// One pass through a chain: every activation, and what each stage saved.
struct Trace<L: Layer> {
    activations: Vec<Activation>,
    saved: Vec<StageSaved<L>>,
}

struct ChainOp<L: Layer> {
    chain: Arc<Chain<L>>,
    mode: Mode,
    trace: Mutex<Option<Trace<L>>>,
}

impl<L: Layer> ChainOp<L> {
    /// The result, with what a backward pass needs kept.
    fn traced(&self, x: Activation) -> Result<Activation> {
        let phase = self.mode.phase();
        let mut trace = Trace { activations: vec![x], saved: Vec::new() };
        for stage in &self.chain.0 {
            let (y, saved) = stage.forward(&trace.activations[trace.saved.len()], phase)?;
            trace.activations.push(y);
            trace.saved.push(saved);
        }
        let result = trace.activations[trace.saved.len()].clone();
        *self.trace.lock().expect(UNPOISONED) = Some(trace);
        Ok(result)
    }
}

impl<L: Layer> CustomOp1 for ChainOp<L> {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = Activation::from_storage(storage, layout)?;
        self.chain.check(&x)?;
        // A pool's thread finds its tasks at once; another would sleep and be woken at every kernel.
        rayon::scope(|_| if self.mode == Mode::Infer { self.chain.infer(x) } else { self.traced(x) })
            .map(Activation::into_storage)
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let Some(mut trace) = self.trace.lock().expect(UNPOISONED).take() else {
            candle_core::bail!("a chain has one backward pass for each forward pass that keeps a trace")
        };
        let input = !self.mode.stops_at_weights();
        let dy = with_values(dy, <[f32]>::to_vec)?;
        let gradient = rayon::scope(|_| self.chain.backward(&mut trace, dy, input))?;
        gradient.map(|values| tensor(values, x.shape())).transpose()
    }
}
