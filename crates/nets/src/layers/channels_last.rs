//! Images as Candle holds them, to activations as the kernels want them.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::activation::{storage_values, tensor, with_values};
use crate::kernels::map::transpose;

/// `[n, c, h, w]` to `[n, h, w, c]`, differentiable.
pub fn channels_last(images: &Tensor) -> Result<Tensor> {
    images.contiguous()?.apply_op1(ChannelsLast)
}

/// Candle's own strided copy goes value by value.
struct ChannelsLast;

impl CustomOp1 for ChannelsLast {
    fn name(&self) -> &'static str {
        "channels-last"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        let values = transpose(storage_values(storage, layout)?, c, h * w);
        Ok((CpuStorage::F32(values), Shape::from((n, h, w, c))))
    }

    fn bwd(&self, images: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, c, h, w) = images.dims4()?;
        let values = with_values(gradient, |values| transpose(values, h * w, c))?;
        tensor(values, images.shape()).map(Some)
    }
}
