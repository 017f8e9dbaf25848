//! A batch of feature maps between two layers.

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Tensor};

use crate::kernels::conv::Extent;

/// Values `[images, height, width, channels]`.
#[derive(Debug, Clone)]
pub struct Activation {
    /// Row-major values.
    pub values: Vec<f32>,
    /// Their extents.
    pub extent: Extent,
}

impl Activation {
    /// Copies a contiguous op argument.
    pub(crate) fn from_storage(storage: &CpuStorage, layout: &Layout) -> Result<Self> {
        let (images, height, width, channels) = layout.shape().dims4()?;
        let values = storage_values(storage, layout)?.to_vec();
        Ok(Self { values, extent: Extent { images, height, width, channels } })
    }

    /// Hands its values over to Candle.
    pub(crate) fn into_storage(self) -> (CpuStorage, Shape) {
        let e = self.extent;
        (CpuStorage::F32(self.values), Shape::from((e.images, e.height, e.width, e.channels)))
    }
}

/// A contiguous op argument's values.
pub(crate) fn storage_values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => Err(candle_core::Error::RequiresContiguous { op: "cspine-nets" }),
    }
}

/// Calls `f` with a tensor's values.
pub(crate) fn with_values<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => Ok(f(storage_values(storage, layout)?)),
        _ => candle_core::bail!("these kernels run on the CPU"),
    }
}

/// A tensor of the given shape.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}
