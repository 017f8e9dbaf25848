//! Four views of one input side by side.

use candle_core::Result;

use super::{Layer, Pass, Phase};
use crate::activation::Activation;
use crate::kernels::map;
use crate::kernels::pool::{MaxPool, Pooled};

const POOL: MaxPool = MaxPool { kernel: 3, stride: 1, padding: 1, ceil: true };

/// An inception block: 1×1; 1×1 then 3×3; 1×1 then 3×3 (the "5×5"); pool then 1×1. Outputs are joined along channels.
#[derive(Debug)]
pub struct Inception<L> {
    /// `branch1`, `branch2.0`, `branch2.1`, `branch3.0`, `branch3.1`, `branch4.1`.
    pub layers: [L; 6],
}

/// The six outputs, what their layers saved, the pooled input and where each of its values came from.
pub struct InceptionSaved<S> {
    outputs: [Activation; 6],
    saved: [S; 6],
    pooled: Activation,
    places: Vec<u8>,
}

/// The layers whose outputs are joined, in order.
const JOINED: [usize; 4] = [0, 2, 4, 5];

impl<L: Layer> Layer for Inception<L> {
    type Saved = InceptionSaved<L::Saved>;

    fn forward(&self, x: &Activation, phase: Phase) -> Result<(Activation, Self::Saved)> {
        let [one, three_reduce, three, five_reduce, five, projection] = &self.layers;
        let (one, s0) = one.forward(x, phase)?;
        let (three_reduce, s1) = three_reduce.forward(x, phase)?;
        let (three, s2) = three.forward(&three_reduce, phase)?;
        let (five_reduce, s3) = five_reduce.forward(x, phase)?;
        let (five, s4) = five.forward(&five_reduce, phase)?;
        let Pooled { values, places, extent } = POOL.forward(&x.values, x.extent);
        let pooled = Activation { values, extent };
        let (projection, s5) = projection.forward(&pooled, phase)?;
        let outputs = [one, three_reduce, three, five_reduce, five, projection];
        let parts = JOINED.map(|i| (outputs[i].values.as_slice(), outputs[i].extent.channels));
        let mut extent = x.extent;
        extent.channels = parts.iter().map(|(_, c)| c).sum();
        let joined = Activation { values: map::join(&parts), extent };
        Ok((joined, InceptionSaved { outputs, saved: [s0, s1, s2, s3, s4, s5], pooled, places }))
    }

    fn backward(&self, pass: Pass<'_, Self::Saved>, dy: Vec<f32>, wanted: bool) -> Result<Option<Vec<f32>>> {
        let InceptionSaved { outputs, saved, pooled, places } = pass.saved;
        let layer = |i: usize, x: &Activation, dy: Vec<f32>| {
            let inner = Pass { x, y: &outputs[i], saved: &saved[i] };
            let dx = self.layers[i].backward(inner, dy, wanted || i == 2 || i == 4)?;
            Ok::<_, candle_core::Error>(dx.unwrap_or_default())
        };
        let mut start = 0;
        let [one, three, five, projection] = JOINED.map(|i| {
            let count = outputs[i].extent.channels;
            start += count;
            map::part(&dy, pass.y.extent.channels, start - count, count)
        });
        let mut dx = layer(0, pass.x, one)?;
        map::add(&mut dx, &layer(1, pass.x, layer(2, &outputs[1], three)?)?);
        map::add(&mut dx, &layer(3, pass.x, layer(4, &outputs[3], five)?)?);
        let dpooled = layer(5, pooled, projection)?;
        if !wanted {
            return Ok(None);
        }
        POOL.add_gradient(&mut dx, pass.x.extent, places, &dpooled);
        Ok(Some(dx))
    }
}
