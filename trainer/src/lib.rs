//! Fits, evaluates and compares networks; makes phantoms.

mod augment;
pub mod compare;
mod database;
pub mod dataset;
pub mod drift;
pub mod evaluate;
pub mod explain;
pub mod fit;
pub mod gate;
pub mod import;
pub mod labels;
pub mod metrics;
pub mod models;
pub mod page;
pub mod phantoms;
pub mod pretrain;
mod progress;
pub mod promotion;
pub mod reproduce;
pub mod resolution;
pub mod runs;
pub mod service;
mod snapshot;
mod table;
pub mod tune;
