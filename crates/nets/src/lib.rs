//! Networks on Candle's CPU backend, with our own kernels where Candle's are wrong or slow.
//!
//! Pure: it knows no files' places, no environment but the instruction set, no AMQP, SQL or HTTP.

mod activation;
pub mod googlenet;
pub mod kernels;
pub mod layers;
pub mod learner;
pub mod optimiser;

pub use learner::Learner;
