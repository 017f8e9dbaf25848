//! What a pickle of weights is made of.

use std::rc::Rc;

use super::pickle::Fault;
use super::raw::Element;
use super::rebuild::{StorageRef, TensorRef};

/// Deepest nesting; a state dict needs four levels.
const DEPTH_MAX: u8 = 8;

/// Names that stand for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
}

impl Global {
    pub fn find(module: &str, name: &str) -> Option<Global> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", "FloatStorage") => Global::Storage(Element::F32),
            ("torch", "HalfStorage") => Global::Storage(Element::F16),
            ("torch", "BFloat16Storage") => Global::Storage(Element::BF16),
            ("torch", "DoubleStorage") => Global::Storage(Element::F64),
            ("torch", "LongStorage") => Global::Storage(Element::I64),
            _ => return None,
        })
    }
}

/// What a pickle makes. Dictionaries and lists have one owner, so there are no cycles.
#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Global(Global),
    Tuple(Rc<Items<'a>>),
    List(Items<'a>),
    /// Keys and values in turn.
    Dict(Items<'a>),
    Storage(Rc<StorageRef<'a>>),
    Tensor(Rc<TensorRef<'a>>),
}

/// Values in a container, and how deep they nest: dropping them recurses.
#[derive(Debug, Default)]
pub(super) struct Items<'a> {
    pub values: Vec<Value<'a>>,
    depth: u8,
}

impl<'a> Items<'a> {
    pub fn add(&mut self, values: Vec<Value<'a>>) -> Result<(), Fault> {
        let deepest = values.iter().map(Value::depth).max().unwrap_or(0);
        self.depth = self.depth.max(deepest + 1);
        self.values.extend(values);
        if self.depth > DEPTH_MAX { Err(Fault::Structure("nested too deeply")) } else { Ok(()) }
    }
}

impl<'a> Value<'a> {
    fn depth(&self) -> u8 {
        match self {
            Value::Tuple(items) => items.depth,
            Value::List(items) | Value::Dict(items) => items.depth,
            _ => 0,
        }
    }

    /// A second reference, for the memo; none of what has one owner.
    pub fn share(&self) -> Option<Value<'a>> {
        Some(match self {
            Value::None => Value::None,
            Value::Bool(value) => Value::Bool(*value),
            Value::Int(value) => Value::Int(*value),
            Value::Text(text) => Value::Text(text),
            Value::Global(global) => Value::Global(*global),
            Value::Tuple(items) => Value::Tuple(Rc::clone(items)),
            Value::Storage(storage) => Value::Storage(Rc::clone(storage)),
            Value::Tensor(tensor) => Value::Tensor(Rc::clone(tensor)),
            Value::List(_) | Value::Dict(_) => return None,
        })
    }
}
