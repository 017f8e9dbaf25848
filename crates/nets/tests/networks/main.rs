//! The networks, from kernels to answers.

mod golden;
mod gradients;
mod reference;
mod saliency;
mod service;
mod tuning;
mod uniform;
