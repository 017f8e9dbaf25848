//! The networks, from kernels to answers.

mod close;
mod golden;
mod gradients;
mod reference;
mod saliency;
mod service;
mod tuning;
mod uniform;
