//! Model files: safetensors with the model card as metadata. Weights are 16-bit, norms and biases 32-bit.

use std::collections::HashMap;

use candle_core::{DType, Device};
use cspine_domain::Class;
use safetensors::SafeTensors;

use crate::ModelError;
use crate::card::ModelCard;
use crate::gate::Gate;
use crate::layers::StateDict;

pub(crate) const CARD: &str = "card";

/// A network's weights with its card.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The card.
    pub card: ModelCard,
    /// Weights and running statistics by torchvision's names, and the gate's tensors under `gate.`.
    pub state: StateDict,
}

impl Checkpoint {
    /// Reads a model file and checks its card and every tensor's name and shape.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|_| ModelError::NotSafetensors)?;
        let card = metadata.metadata().as_ref().and_then(|m| m.get(CARD)).ok_or(ModelError::NoCard)?;
        let card: ModelCard = serde_json::from_str(card).map_err(ModelError::BadCard)?;
        if let Some(fault) = card.fault() {
            return Err(ModelError::CardFault(fault));
        }
        let state: StateDict = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?.into_iter().collect();
        let checkpoint = Self { card, state };
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// The bytes of a model file: the same card and weights give the same bytes.
    ///
    /// # Errors
    /// Tensors that do not fit the card, or a card with a number that is none.
    pub fn write(&self) -> Result<Vec<u8>, ModelError> {
        self.check()?;
        let card = serde_json::to_string(&self.card).map_err(ModelError::BadCard)?;
        // JSON has no word for a number that is none: the file could not be read again.
        serde_json::from_str::<ModelCard>(&card).map_err(ModelError::BadCard)?;
        let stored = self.as_stored()?;
        let metadata = HashMap::from([(CARD.to_owned(), card)]);
        safetensors::serialize(stored.state.iter(), Some(metadata)).map_err(|_| ModelError::NotSafetensors)
    }

    /// Holds the tensors against what network and gate need.
    fn check(&self) -> Result<(), ModelError> {
        let gate = self.card.gate.iter().flat_map(|gate| gate.tensors(self.card.architecture));
        check_shapes(
            &self.card.architecture.tensors(Class::COUNT).into_iter().chain(gate).collect::<Vec<_>>(),
            &self.state,
        )?;
        Gate::of(self).map(|_| ())
    }

    /// The weights as a file would give them back: convolutions and the head's weights rounded to 16 bits.
    pub fn as_stored(&self) -> Result<Self, ModelError> {
        let state = self.state.iter().map(|(name, tensor)| {
            let dtype = if tensor.dims().len() > 1 { DType::F16 } else { DType::F32 };
            Ok((name.clone(), tensor.to_dtype(dtype)?))
        });
        Ok(Self { card: self.card.clone(), state: state.collect::<Result<_, ModelError>>()? })
    }
}

/// Holds a state dict against names and shapes: nothing missing, nothing over, every shape right, all finite.
pub fn check_shapes(expected: &[(String, Vec<usize>)], state: &StateDict) -> Result<(), ModelError> {
    for (name, shape) in expected {
        let tensor = state.get(name).ok_or_else(|| ModelError::Missing(name.clone()))?;
        if tensor.dims() != shape {
            let (found, expected) = (tensor.dims().to_vec(), shape.clone());
            return Err(ModelError::Shape { name: name.clone(), found, expected });
        }
        let sum = tensor.to_dtype(DType::F32)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        if !sum.is_finite() {
            return Err(ModelError::NotFiniteWeights(name.clone()));
        }
    }
    match state.keys().find(|name| !expected.iter().any(|(known, _)| known == *name)) {
        Some(name) => Err(ModelError::Unexpected(name.clone())),
        None => Ok(()),
    }
}
