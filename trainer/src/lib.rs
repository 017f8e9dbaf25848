//! Fits, evaluates and compares networks; makes phantoms.

mod augment;
pub mod dataset;
pub mod phantoms;
pub mod pretrain;
