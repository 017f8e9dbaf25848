//! GoogLeNet (Szegedy et al. 2015, arXiv 1409.4842) as torchvision has it: batch norm after every convolution, ceil-mode
//! pools, a 3×3 in the "5×5" branch (pytorch/vision#906), no auxiliary heads.
//!
//! The network is written once, over its convolution blocks: [`ConvNorm`](crate::layers::ConvNorm) learns,
//! [`FrozenConv`](crate::layers::FrozenConv) has its batch norm folded in.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::kernels::conv::Window;
use crate::kernels::pool::MaxPool;
use crate::layers::{Chain, Inception, Layer, LayerShape, Mode, Stage, channels_last};

/// Channels of the last feature map, and length of the feature vector.
pub const FEATURES: usize = 1024;
/// Channels of the map after `inception4e`, 16 pixels apart.
pub const MAP_4E: usize = 832;
/// The share of features dropped while training.
pub const DROPOUT: f32 = 0.2;

/// Name, input channels, then output channels of: 1×1; 3×3's reduction, 3×3; "5×5"'s reduction, "5×5"; pool projection.
const BLOCKS: [(&str, usize, [usize; 6]); 9] = [
    ("inception3a", 192, [64, 96, 128, 16, 32, 32]),
    ("inception3b", 256, [128, 128, 192, 32, 96, 64]),
    ("inception4a", 480, [192, 96, 208, 16, 48, 64]),
    ("inception4b", 512, [160, 112, 224, 24, 64, 64]),
    ("inception4c", 512, [128, 128, 256, 24, 64, 64]),
    ("inception4d", 512, [112, 144, 288, 32, 64, 64]),
    ("inception4e", 528, [256, 160, 320, 32, 128, 128]),
    ("inception5a", 832, [256, 160, 320, 32, 128, 128]),
    ("inception5b", 832, [384, 192, 384, 48, 128, 128]),
];

const HALVING: MaxPool = MaxPool { kernel: 3, stride: 2, padding: 0 };

fn shape(name: String, ins: usize, outs: usize, kernel: usize, stride: usize) -> LayerShape {
    LayerShape { name, ins, outs, window: Window { kernel, stride, padding: kernel / 2 } }
}

/// Every convolution block, in the order of the state dict.
pub fn layer_shapes() -> Vec<LayerShape> {
    let mut shapes = vec![
        shape("conv1".into(), 3, 64, 7, 2),
        shape("conv2".into(), 64, 64, 1, 1),
        shape("conv3".into(), 64, 192, 3, 1),
    ];
    for (name, ins, [one, three_reduce, three, five_reduce, five, pool]) in BLOCKS {
        shapes.extend([
            shape(format!("{name}.branch1"), ins, one, 1, 1),
            shape(format!("{name}.branch2.0"), ins, three_reduce, 1, 1),
            shape(format!("{name}.branch2.1"), three_reduce, three, 3, 1),
            shape(format!("{name}.branch3.0"), ins, five_reduce, 1, 1),
            shape(format!("{name}.branch3.1"), five_reduce, five, 3, 1),
            shape(format!("{name}.branch4.1"), ins, pool, 1, 1),
        ]);
    }
    shapes
}

/// The network up to its last feature map; the head is the model's own.
#[derive(Debug)]
pub struct GoogLeNet<L> {
    /// `conv1` to `inception4e`.
    trunk: Arc<Chain<L>>,
    /// `maxpool4` to `inception5b`.
    top: Arc<Chain<L>>,
}

/// What a forward pass leaves to look at.
#[derive(Debug, Clone)]
pub struct Activations {
    /// After `inception4e`, `[n, h/16, w/16, 832]`.
    pub map_4e: Tensor,
    /// After `inception5b`, `[n, h/32, w/32, 1024]`.
    pub map_5b: Tensor,
}

impl<L: Layer> GoogLeNet<L> {
    /// Builds the network from its convolution blocks, asked for in the order of [`layer_shapes`].
    pub fn build<E>(layer: impl FnMut(&LayerShape) -> std::result::Result<L, E>) -> std::result::Result<Self, E> {
        let shapes = layer_shapes();
        let mut layers = shapes.iter().map(layer).collect::<std::result::Result<Vec<_>, _>>()?.into_iter();
        let mut next = || layers.next().expect("layer_shapes lists every block");
        let mut trunk = vec![
            Stage::Conv(next()),
            Stage::Pool(HALVING),
            Stage::Conv(next()),
            Stage::Conv(next()),
            Stage::Pool(HALVING),
        ];
        let mut top = vec![Stage::Pool(MaxPool { kernel: 2, stride: 2, padding: 0 })];
        for (name, ..) in BLOCKS {
            if name == "inception4a" {
                trunk.push(Stage::Pool(HALVING));
            }
            let block = Stage::Inception(Box::new(Inception { layers: std::array::from_fn(|_| next()) }));
            if name.starts_with("inception5") { top.push(block) } else { trunk.push(block) }
        }
        Ok(Self { trunk: Arc::new(Chain(trunk)), top: Arc::new(Chain(top)) })
    }

    /// Its convolution blocks, in the order of [`layer_shapes`].
    pub fn layers(&self) -> impl Iterator<Item = &L> {
        self.trunk.layers().chain(self.top.layers())
    }

    /// The pass from images `[n, 3, h, w]`, normalised as the model card says. A gradient by the images needs them to be
    /// a Candle variable, a gradient by the weights nothing.
    pub fn activations(&self, images: &Tensor, mode: Mode) -> Result<Activations> {
        let mut x = channels_last(images)?;
        let mut top = mode;
        if let Mode::Train { .. } = mode {
            // Candle passes gradients on only to where a variable is.
            x = candle_core::Var::from_tensor(&x)?.into_inner();
            top = Mode::Train { input: true };
        }
        let map_4e = self.trunk.apply(&x, mode)?;
        let map_5b = self.top.apply(&map_4e, top)?;
        Ok(Activations { map_4e, map_5b })
    }
}
