//! Maps of activations and the gradients by them.

use candle_core::Tensor;

use super::{Grid, Map};
use crate::ModelError;

/// Grad-CAM of feature maps `[1, h, w, c]`, whose cells lie on a grid, and the score's gradient by them.
pub(crate) fn grad_cam(maps: &Tensor, gradient: &Tensor, grid: Grid) -> Result<Map, ModelError> {
    let weights = gradient.mean((1, 2))?;
    let (_, side, _, channels) = maps.dims4()?;
    let cam = maps.reshape((side * side, channels))?.matmul(&weights.reshape((channels, 1))?)?.relu()?;
    Map::of(cam.flatten_all()?.to_vec1()?, grid)
}

/// HiResCAM of the same.
pub(crate) fn hires_cam(maps: &Tensor, gradient: &Tensor, grid: Grid) -> Result<Map, ModelError> {
    Map::of((maps * gradient)?.sum(3)?.relu()?.flatten_all()?.to_vec1()?, grid)
}
