//! Foreign files of weights to models: torchvision's state dicts as `.pth`, old and new, and `.safetensors`.
//!
//! Nothing in a file is ever executed: the reader of pickles knows the instructions of a state dict and refuses all others.

mod error;
mod legacy;
mod pickle;
mod raw;
mod rebuild;
mod value;
mod zipped;

#[cfg(test)]
mod tests;

use cspine_domain::Class;
use cspine_imaging::Preprocessing;

pub use error::ImportError;
pub use pickle::{Fault, PickleError};

use crate::init;
use crate::layers::StateDict;
use crate::{Architecture, Checkpoint, ModelCard, ModelError};
use raw::RawTensors;

/// What to make of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What becomes of its head; `None` keeps one of three classes and replaces any other.
    pub head: Option<Head>,
    /// The seed of a fresh head.
    pub seed: u64,
    /// Whether the network was fitted behind torchvision's `transform_input`; `None` means if it has 1000 classes, since
    /// torchvision's ImageNet weights were.
    pub transform_input: Option<bool>,
    /// Side of its input, pixels; `None` means the one it was published with.
    pub size: Option<u32>,
    /// The preprocessing it was fitted with, `transform_input` and size not counted.
    pub preprocessing: Preprocessing,
}

/// What becomes of a file's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Its outputs are dislocation, fracture and normal, in this order.
    Keep,
    /// Three fresh outputs take its place.
    Fresh,
}

/// A model made of a foreign file.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Uncalibrated, with 32-bit weights.
    pub checkpoint: Checkpoint,
    /// Classes of the file's head.
    pub classes: usize,
    /// What became of it.
    pub head: Head,
    /// Whether `transform_input` was folded into mean and deviation.
    pub transform_input: bool,
    /// Names of tensors that the network does not use: auxiliary heads, counters of batches.
    pub dropped: Vec<String>,
}

/// Makes a model of a file's bytes.
///
/// # Errors
/// [`ImportError`]: no file of weights, weights of another network, or a head that cannot be kept.
pub fn import(bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    let mut tensors = read(bytes)?;
    // What is no network we know is told what the one it might be lacks.
    let architecture = Architecture::of(tensors.keys().map(String::as_str)).unwrap_or(Architecture::GoogLeNet);
    let dropped: Vec<String> = tensors.keys().filter(|name| unused(name)).cloned().collect();
    tensors.retain(|name, _| !unused(name));
    let classes = classes(architecture, &tensors)?;
    check(architecture, &tensors, classes)?;
    let head = match options.head {
        None if classes == Class::COUNT => Head::Keep,
        None => Head::Fresh,
        Some(Head::Keep) if classes != Class::COUNT => return Err(ImportError::CannotKeep(classes)),
        Some(head) => head,
    };
    if head == Head::Fresh {
        tensors.retain(|name, _| name.strip_prefix(architecture.head()).is_none_or(|rest| !rest.starts_with('.')));
    }
    let mut state = StateDict::new();
    for (name, tensor) in tensors {
        let tensor = tensor.to_tensor().map_err(ModelError::from)?;
        state.insert(name, tensor);
    }
    if head == Head::Fresh {
        state.extend(init::head(architecture, options.seed, Class::COUNT).map_err(ModelError::from)?);
    }
    let by_default = classes == 1000 && architecture == Architecture::GoogLeNet;
    let transform_input = options.transform_input.unwrap_or(by_default);
    let mut preprocessing = options.preprocessing.clone();
    preprocessing.size = options.size.unwrap_or(architecture.input_size());
    if transform_input {
        fold_transform_input(&mut preprocessing);
    }
    let card = ModelCard::uncalibrated(architecture, preprocessing, &history(classes, head, options.seed));
    if let Some(fault) = card.fault() {
        return Err(ModelError::CardFault(fault).into());
    }
    // Weights that 16 bits cannot hold would show only when the model is loaded.
    let checkpoint = Checkpoint { card, state };
    crate::checkpoint::check_shapes(&architecture.tensors(Class::COUNT), &checkpoint.as_stored()?.state)?;
    Ok(Imported { checkpoint, classes, head, transform_input, dropped })
}

fn read(bytes: &[u8]) -> Result<RawTensors<'_>, ImportError> {
    if bytes.starts_with(zipped::MAGIC) {
        zipped::read(bytes)
    } else if bytes.starts_with(legacy::MAGIC) {
        legacy::read(bytes)
    } else {
        raw::of_safetensors(bytes)
    }
}

/// Tensors of torchvision's GoogLeNet that inference does without.
fn unused(name: &str) -> bool {
    name.starts_with("aux1.") || name.starts_with("aux2.") || name.ends_with(".num_batches_tracked")
}

/// The number of classes of the head.
fn classes(architecture: Architecture, tensors: &RawTensors) -> Result<usize, ImportError> {
    let shape = |part: &str| {
        let name = format!("{}.{part}", architecture.head());
        let tensor = tensors.get(&name).ok_or(ModelError::Missing(name))?;
        Ok::<_, ModelError>(&tensor.shape[..])
    };
    match (shape("weight")?, shape("bias")?) {
        (&[classes, features], [biases])
            if features == architecture.features() && *biases == classes && classes > 0 =>
        {
            Ok(classes)
        }
        (weight, bias) => Err(ImportError::Head {
            head: architecture.head(),
            features: architecture.features(),
            weight: weight.to_vec(),
            bias: bias.to_vec(),
        }),
    }
}

/// Every tensor there, of the right shape, and none over: before any is copied.
fn check(architecture: Architecture, tensors: &RawTensors, classes: usize) -> Result<(), ModelError> {
    let expected = architecture.tensors(classes);
    for (name, shape) in &expected {
        let found = &tensors.get(name).ok_or_else(|| ModelError::Missing(name.clone()))?.shape;
        if found != shape {
            let (name, found, expected) = (name.clone(), found.clone(), shape.clone());
            return Err(ModelError::Shape { name, found, expected });
        }
    }
    match tensors.keys().find(|name| !expected.iter().any(|(known, _)| known == *name)) {
        Some(name) => Err(ModelError::Unexpected(name.clone())),
        None => Ok(()),
    }
}

/// torchvision's `transform_input`: each channel of the normalised input times the first number, plus the second.
const TRANSFORM_INPUT: [(f32, f32); 3] =
    [(0.229 / 0.5, (0.485 - 0.5) / 0.5), (0.224 / 0.5, (0.456 - 0.5) / 0.5), (0.225 / 0.5, (0.406 - 0.5) / 0.5)];

/// `a·(g − m)/s + b = (g − (m − b·s/a)) / (s/a)`: with ImageNet's mean and deviation, 0.5 and 0.5.
fn fold_transform_input(preprocessing: &mut Preprocessing) {
    for (channel, (a, b)) in TRANSFORM_INPUT.into_iter().enumerate() {
        let std = preprocessing.std[channel] / a;
        preprocessing.mean[channel] -= b * std;
        preprocessing.std[channel] = std;
    }
}

/// For the card: what is known of the weights.
fn history(classes: usize, head: Head, seed: u64) -> String {
    match head {
        Head::Fresh => format!(
            "imported weights; their head of {classes} classes is replaced by a fresh one (seed {seed}), which has learnt \
             nothing yet. Uncalibrated, and measured on no patients"
        ),
        Head::Keep => {
            "imported weights with their own head; on what they were fitted is not known here. Uncalibrated, \
                       and measured on no patients"
                .to_owned()
        }
    }
}
