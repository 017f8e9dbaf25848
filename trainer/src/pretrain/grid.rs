//! The map from which a network says where the injury is, cell by cell of [`Grid::fine`].

use candle_core::Tensor;
use cspine_nets::network::Maps;
use cspine_nets::saliency::Grid;
use cspine_nets::{Architecture, alexnet, googlenet};

/// The map with the cells: GoogLeNet's after `inception4e`, AlexNet's after its last convolution.
pub fn map(architecture: Architecture, maps: &Maps) -> &Tensor {
    match architecture {
        Architecture::GoogLeNet => &maps.middle,
        Architecture::AlexNet => &maps.last,
    }
}

/// Its channels.
pub fn channels(architecture: Architecture) -> usize {
    match architecture {
        Architecture::GoogLeNet => googlenet::MAP_4E,
        Architecture::AlexNet => alexnet::LAST_MAP,
    }
}

/// How many cells lie along the side of a window or a film.
pub fn cells(architecture: Architecture, side: usize) -> usize {
    match architecture {
        Architecture::GoogLeNet => side.div_ceil(Grid::fine(architecture).step),
        Architecture::AlexNet => {
            let pool = |n: usize| (n - 3) / 2 + 1;
            pool(pool((side + 4 - 11) / 4 + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use cspine_nets::layers::Mode;
    use cspine_nets::{Architecture, Learner, init};

    use super::{cells, channels, map};

    #[test]
    fn the_map_has_the_cells_and_channels_that_are_named() {
        for (architecture, sides) in [(Architecture::GoogLeNet, [112, 224]), (Architecture::AlexNet, [112, 227])] {
            let learner = Learner::new(architecture, &init::network(architecture, 1, 3).unwrap()).unwrap();
            for side in sides {
                let images = Tensor::zeros((1, 3, side, side), DType::F32, &Device::Cpu).unwrap();
                let maps = learner.maps(&images, Mode::Infer).unwrap();
                let count = cells(architecture, side);
                assert_eq!(map(architecture, &maps).dims(), [1, count, count, channels(architecture)]);
            }
        }
    }
}
