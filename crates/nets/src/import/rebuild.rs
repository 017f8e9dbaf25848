//! What PyTorch's own names in a pickle stand for: storages and tensors.

use std::rc::Rc;

use super::pickle::Fault;
use super::raw::Element;
use super::value::{Global, Value};

/// A storage as a persistent id names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StorageRef<'a> {
    pub element: Element,
    pub key: &'a str,
    /// Elements.
    pub len: usize,
}

/// A tensor: a view of a storage, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorRef<'a> {
    pub storage: StorageRef<'a>,
    /// Elements before the first.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Elements from one to the next along each dimension.
    pub strides: Vec<usize>,
}

/// `('storage', torch.FloatStorage, key, device, elements)`, before 1.6 with a view after it, which is `None`.
pub(super) fn storage<'a>(id: &Value<'a>) -> Result<StorageRef<'a>, Fault> {
    const WRONG: Fault = Fault::Structure("a persistent id that names no storage");
    let Value::Tuple(id) = id else { return Err(WRONG) };
    let id = match &id.values[..] {
        [id @ .., Value::None] => id,
        id => id,
    };
    match id {
        [
            Value::Text("storage"),
            Value::Global(Global::Storage(element)),
            Value::Text(key),
            Value::Text(_),
            Value::Int(len),
        ] => Ok(StorageRef { element: *element, key, len: usize::try_from(*len).map_err(|_| WRONG)? }),
        _ => Err(WRONG),
    }
}

/// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, …)`.
pub(super) fn tensor<'a>(arguments: &[Value<'a>]) -> Result<TensorRef<'a>, Fault> {
    let [Value::Storage(storage), Value::Int(offset), size, stride, _, _, ..] = arguments else {
        return Err(Fault::Structure("a tensor that is not made as PyTorch makes it"));
    };
    let (shape, strides) = (lengths(size)?, lengths(stride)?);
    if shape.len() != strides.len() {
        return Err(Fault::Structure("a tensor with more sizes than strides, or fewer"));
    }
    Ok(TensorRef { storage: **storage, offset: length(*offset)?, shape, strides })
}

/// `_rebuild_parameter(tensor, requires_grad, backward_hooks)`.
pub(super) fn parameter<'a>(arguments: &[Value<'a>]) -> Result<Rc<TensorRef<'a>>, Fault> {
    match arguments {
        [Value::Tensor(tensor), _, _] => Ok(Rc::clone(tensor)),
        _ => Err(Fault::Structure("a parameter that is not made as PyTorch makes it")),
    }
}

fn lengths(value: &Value) -> Result<Vec<usize>, Fault> {
    let Value::Tuple(items) = value else { return Err(Fault::Structure("sizes that are no tuple")) };
    items
        .values
        .iter()
        .map(|item| match item {
            Value::Int(number) => length(*number),
            _ => Err(Fault::Structure("a size that is no number")),
        })
        .collect()
}

fn length(number: i64) -> Result<usize, Fault> {
    usize::try_from(number).map_err(|_| Fault::Structure("a negative size"))
}
