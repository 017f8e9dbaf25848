//! Fits, evaluates and compares networks; makes phantoms.

mod augment;
pub mod phantoms;
pub mod pretrain;
