//! Phantoms, drawn and rendered.

mod cases;
mod films;
