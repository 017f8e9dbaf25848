//! See ARCHITECTURE.md.

pub mod phantoms;
