//! Networks on Candle's CPU backend, with our own kernels where Candle's are wrong or slow.
//!
//! ```text
//! model file --Checkpoint--> StateDict --Frozen----> Classifier: logits, answer, heatmap
//!                                      --Learning--> Learner: logits, gradients, new StateDict
//! ```
//! Pure: it knows no files' places, no environment but the instruction set, no AMQP, SQL or HTTP.

mod activation;
pub mod alexnet;
pub mod architecture;
pub mod average;
pub mod card;
pub mod checkpoint;
mod classifier;
#[cfg(test)]
#[path = "../tests/networks/close.rs"]
mod close;
mod error;
mod explain;
pub mod gate;
pub mod golden;
pub mod googlenet;
pub mod import;
pub mod init;
pub mod kernels;
pub mod layers;
mod learner;
pub mod network;
pub mod optimiser;
mod pass;
pub mod saliency;
mod threads;

pub use architecture::Architecture;
pub use card::{Estimate, ModelCard, Operating, Rule};
pub use checkpoint::Checkpoint;
pub use classifier::{Classifier, Inference, oriented_input};
pub use error::ModelError;
pub use gate::Standing;
pub use golden::Golden;
pub use learner::Learner;
pub use saliency::SaliencyMethod;
pub use threads::keep_candle_to_one_thread;
