//! A network without its head, written once over its layers: those that learn, and those with constant weights.

use std::sync::Arc;

use candle_core::{Result, Tensor, Var};

use crate::architecture::Architecture;
use crate::kernels::pool::MaxPool;
use crate::layers::{Chain, Inception, Layer, LayerShape, Mode, Stage, channels_last};
use crate::{alexnet, googlenet};

/// One stage of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// The next layer.
    Layer,
    /// A pool.
    Pool(MaxPool),
    /// The next six layers, side by side.
    Inception,
}

/// How an architecture's layers follow each other.
pub(crate) struct Plan {
    /// To the map 16 pixels apart.
    pub trunk: Vec<Step>,
    /// From there to the last map.
    pub top: Vec<Step>,
    /// From the last map to the features, with a dropout before each chain but the first; empty for the mean over pixels.
    pub hidden: Vec<Vec<Step>>,
}

/// What a pass leaves to look at.
#[derive(Debug, Clone)]
pub struct Maps {
    /// The map in the middle, `[n, h, w, c]`: after `inception4e`, 16 pixels apart; AlexNet's after its second pool.
    pub middle: Tensor,
    /// The last map with places, `[n, h, w, c]`: after `inception5b`; AlexNet's after its last convolution.
    pub last: Tensor,
}

/// From images to features.
#[derive(Debug)]
pub struct Network<L> {
    trunk: Arc<Chain<L>>,
    top: Arc<Chain<L>>,
    hidden: Vec<Arc<Chain<L>>>,
}

impl<L: Layer> Network<L> {
    /// Builds the network of its layers, asked for in the order of [`Architecture::layers`].
    pub fn build<E>(
        architecture: Architecture,
        layer: impl FnMut(&LayerShape) -> std::result::Result<L, E>,
    ) -> std::result::Result<Self, E> {
        let plan = match architecture {
            Architecture::GoogLeNet => googlenet::plan(),
            Architecture::AlexNet => alexnet::plan(),
        };
        let shapes = architecture.layers();
        let mut layers = shapes.iter().map(layer).collect::<std::result::Result<Vec<_>, _>>()?.into_iter();
        let mut next = || layers.next().expect("the architecture lists every layer of its plan");
        let mut chain = |steps: Vec<Step>| {
            let stages = steps.into_iter().map(|step| match step {
                Step::Layer => Stage::Layer(next()),
                Step::Pool(pool) => Stage::Pool(pool),
                Step::Inception => Stage::Inception(Box::new(Inception { layers: std::array::from_fn(|_| next()) })),
            });
            Arc::new(Chain(stages.collect()))
        };
        let (trunk, top) = (chain(plan.trunk), chain(plan.top));
        Ok(Self { trunk, top, hidden: plan.hidden.into_iter().map(chain).collect() })
    }

    /// Its layers, in the order of [`Architecture::layers`].
    pub fn layers(&self) -> impl Iterator<Item = &L> {
        [&self.trunk, &self.top].into_iter().chain(&self.hidden).flat_map(|chain| chain.layers())
    }

    /// The pass from images `[n, 3, h, w]`, normalised as the model card says. A gradient by the images needs them to be
    /// a Candle variable, a gradient by the weights nothing.
    pub fn maps(&self, images: &Tensor, mode: Mode) -> Result<Maps> {
        let middle = self.middle(images, mode)?;
        let last = self.last(&middle, mode.after())?;
        Ok(Maps { middle, last })
    }

    /// The pass from images to [`Maps::middle`].
    pub(crate) fn middle(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = channels_last(images)?;
        if mode.phase().learns() {
            // Candle passes gradients on only to where a variable is.
            x = Var::from_tensor(&x)?.into_inner();
        }
        self.trunk.apply(&x, mode)
    }

    /// The pass from [`Maps::middle`] to [`Maps::last`].
    pub(crate) fn last(&self, middle: &Tensor, mode: Mode) -> Result<Tensor> {
        self.top.apply(middle, mode)
    }

    /// The features `[n, f]` of the last map. `drop` is handed what a dropout stands before: AlexNet's two hidden layers,
    /// GoogLeNet's head.
    pub fn features(
        &self,
        last: &Tensor,
        mode: Mode,
        mut drop: impl FnMut(Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Some((first, rest)) = self.hidden.split_first() else { return drop(last.mean((1, 2))?) };
        let mut x = first.apply(last, mode.after())?;
        for chain in rest {
            x = chain.apply(&drop(x)?, mode.after())?;
        }
        x.flatten_from(1)
    }
}
