//! AlexNet (Krizhevsky 2014, arXiv 1404.5997, "one weird trick") as torchvision has it: one tower, no local response
//! normalisation, biases, dropout before the two hidden layers. At 227 × 227 as at 224 × 224 the last map is 6 × 6, so
//! its adaptive pool is the identity.

use crate::kernels::conv::Window;
use crate::kernels::pool::MaxPool;
use crate::layers::{Kind, LayerShape};
use crate::network::{Plan, Step};

/// Length of the feature vector.
pub const FEATURES: usize = 4096;
/// Channels of the map after the last convolution.
pub const LAST_MAP: usize = 256;
/// The share of activations dropped while training, before each hidden layer.
pub const DROPOUT: f64 = 0.5;

/// Index in torchvision's `features`, channels in and out, kernel, stride, padding.
const CONVOLUTIONS: [(usize, usize, usize, usize, usize, usize); 5] = [
    (0, 3, 64, 11, 4, 2),
    (3, 64, 192, 5, 1, 2),
    (6, 192, 384, 3, 1, 1),
    (8, 384, 256, 3, 1, 1),
    (10, 256, 256, 3, 1, 1),
];

const POOL: MaxPool = MaxPool { kernel: 3, stride: 2, padding: 0, ceil: false };

/// Every layer but the head.
pub fn layer_shapes() -> Vec<LayerShape> {
    let convolution = |(index, ins, outs, kernel, stride, padding)| LayerShape {
        name: format!("features.{index}"),
        ins,
        outs,
        window: Window { kernel, stride, padding },
        kind: Kind::Biased,
    };
    let dense = |index: usize, ins: usize| LayerShape {
        name: format!("classifier.{index}"),
        ins,
        outs: FEATURES,
        window: Window { kernel: 1, stride: 1, padding: 0 },
        kind: Kind::Dense,
    };
    CONVOLUTIONS.into_iter().map(convolution).chain([dense(1, 256 * 6 * 6), dense(4, FEATURES)]).collect()
}

/// How its layers follow each other.
pub(crate) fn plan() -> Plan {
    let (conv, pool) = (Step::Layer, Step::Pool(POOL));
    Plan {
        trunk: vec![conv, pool, conv, pool],
        top: vec![conv, conv, conv],
        hidden: vec![vec![pool], vec![Step::Layer], vec![Step::Layer]],
    }
}
