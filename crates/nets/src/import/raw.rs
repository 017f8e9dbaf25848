//! Tensors as they lie in a file.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};

use super::ImportError;
use super::rebuild::TensorRef;
use super::value::Value;

/// Tensors by name.
pub(super) type RawTensors<'a> = BTreeMap<String, RawTensor<'a>>;

/// Element types that weights and counters have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    BF16,
    F32,
    F64,
    I64,
}

impl Element {
    pub fn bytes(self) -> usize {
        self.dtype().size_in_bytes()
    }

    fn dtype(self) -> DType {
        match self {
            Element::F16 => DType::F16,
            Element::BF16 => DType::BF16,
            Element::F32 => DType::F32,
            Element::F64 => DType::F64,
            Element::I64 => DType::I64,
        }
    }
}

/// A view of a file's bytes; every element lies within them.
#[derive(Debug, Clone)]
pub(super) struct RawTensor<'a> {
    element: Element,
    /// Sizes.
    pub shape: Vec<usize>,
    strides: Vec<usize>,
    /// From the first element to the last.
    bytes: &'a [u8],
}

impl<'a> RawTensor<'a> {
    /// Checks a view of a storage, little-endian, whose length is `tensor.storage.len` elements.
    fn new(name: &str, tensor: &TensorRef, storage: &'a [u8]) -> Result<Self, ImportError> {
        let element = tensor.storage.element;
        let outside = || ImportError::Tensor { name: name.to_owned(), fault: "it points outside its storage" };
        let span = span(&tensor.shape, &tensor.strides).ok_or_else(outside)?;
        let place = |elements: usize| elements.checked_mul(element.bytes());
        let start = place(tensor.offset).ok_or_else(outside)?;
        let end = tensor.offset.checked_add(span).and_then(place).ok_or_else(outside)?;
        let bytes = storage.get(start..end).ok_or_else(outside)?;
        Ok(Self { element, shape: tensor.shape.clone(), strides: tensor.strides.clone(), bytes })
    }

    /// A 32-bit copy. The shape is checked first by the caller: strides of 0 make large tensors of small files.
    pub fn to_tensor(&self) -> Result<Tensor, candle_core::Error> {
        let elements = self.bytes.len() / self.element.bytes();
        let span = Tensor::from_raw_buffer(self.bytes, self.element.dtype(), &[elements], &Device::Cpu)?;
        let span = span.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let mut places = vec![0];
        if self.shape.contains(&0) {
            places.clear();
        }
        for (size, stride) in self.shape.iter().zip(&self.strides) {
            places = places.iter().flat_map(|place| (0..*size).map(move |i| place + i * stride)).collect();
        }
        let values: Vec<f32> = places.into_iter().map(|place| span[place]).collect();
        Tensor::from_vec(values, self.shape.clone(), &Device::Cpu)
    }
}

/// Elements from a view's first to its last; `None` if they are too many to count.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape
        .iter()
        .zip(strides)
        .try_fold(1_usize, |span, (size, stride)| span.checked_add((size - 1).checked_mul(*stride)?))
}

/// The tensors of a state dict; `storage` gives a storage's bytes.
pub(super) fn of_state_dict<'a>(
    state: &Value,
    storage: impl Fn(&str, usize) -> Result<&'a [u8], ImportError>,
) -> Result<RawTensors<'a>, ImportError> {
    let Value::Dict(items) = state else {
        return Err(ImportError::Damaged("it holds no state dict"));
    };
    let mut tensors = RawTensors::new();
    for item in items.values.chunks_exact(2) {
        let [Value::Text(name), Value::Tensor(tensor)] = item else {
            return Err(ImportError::Damaged("it holds more than names and tensors: write the state dict alone"));
        };
        let len = tensor.storage.len.checked_mul(tensor.storage.element.bytes());
        let len = len.ok_or(ImportError::Damaged("a storage larger than memory"))?;
        let raw = RawTensor::new(name, tensor, storage(tensor.storage.key, len)?)?;
        tensors.insert((*name).to_owned(), raw);
    }
    Ok(tensors)
}

/// The tensors of a safetensors file without a model card.
pub(super) fn of_safetensors(bytes: &[u8]) -> Result<RawTensors<'_>, ImportError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|_| ImportError::UnknownFormat)?;
    if metadata.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(crate::checkpoint::CARD)) {
        return Err(ImportError::AlreadyAModel);
    }
    let file = SafeTensors::deserialize(bytes).map_err(|_| ImportError::UnknownFormat)?;
    file.iter()
        .map(|(name, view)| {
            let element = match view.dtype() {
                Dtype::F16 => Element::F16,
                Dtype::BF16 => Element::BF16,
                Dtype::F32 => Element::F32,
                Dtype::F64 => Element::F64,
                Dtype::I64 => Element::I64,
                _ => {
                    return Err(ImportError::Tensor {
                        name: name.to_owned(),
                        fault: "its type is not that of weights",
                    });
                }
            };
            let shape = view.shape().to_vec();
            let mut strides = vec![1_usize; shape.len()];
            for i in (1..shape.len()).rev() {
                strides[i - 1] = strides[i].saturating_mul(shape[i]);
            }
            Ok((name.to_owned(), RawTensor { element, shape, strides, bytes: view.data() }))
        })
        .collect()
}
