//! Fits, evaluates and compares networks; makes phantoms.

mod augment;
pub mod compare;
pub mod dataset;
pub mod drift;
pub mod evaluate;
pub mod explain;
pub mod fit;
pub mod gate;
pub mod import;
pub mod metrics;
pub mod page;
pub mod phantoms;
pub mod pretrain;
mod progress;
pub mod promotion;
pub mod register;
pub mod reproduce;
pub mod resolution;
mod snapshot;
