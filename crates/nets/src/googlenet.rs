//! GoogLeNet (Szegedy et al. 2015, arXiv 1409.4842) as torchvision has it: batch norm after every convolution, ceil-mode
//! pools, a 3×3 in the "5×5" branch (pytorch/vision#906), no auxiliary heads.

use crate::kernels::conv::Window;
use crate::kernels::pool::MaxPool;
use crate::layers::{Kind, LayerShape};
use crate::network::{Plan, Step};

/// Channels of the last feature map, and length of the feature vector.
pub const FEATURES: usize = 1024;
/// Channels of the map after `inception4e`, 16 pixels apart.
pub const MAP_4E: usize = 832;
/// The share of features dropped while training.
pub const DROPOUT: f64 = 0.2;

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

const HALVING: MaxPool = MaxPool { kernel: 3, stride: 2, padding: 0, ceil: true };

fn shape(name: String, ins: usize, outs: usize, kernel: usize, stride: usize) -> LayerShape {
    LayerShape { name, ins, outs, window: Window { kernel, stride, padding: kernel / 2 }, kind: Kind::Normed }
}

/// Every layer but the head, in the order of the state dict.
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

/// How its layers follow each other.
pub(crate) fn plan() -> Plan {
    let (layer, halving) = (Step::Layer, Step::Pool(HALVING));
    let mut trunk = vec![layer, halving, layer, layer, halving];
    let mut top = vec![Step::Pool(MaxPool { kernel: 2, stride: 2, padding: 0, ceil: true })];
    for (name, ..) in BLOCKS {
        if name == "inception4a" {
            trunk.push(halving);
        }
        if name.starts_with("inception5") { &mut top } else { &mut trunk }.push(Step::Inception);
    }
    Plan { trunk, top, hidden: Vec::new() }
}
