//! `cspine-trainer`'s commands: on files, and from outside.

mod compare;
mod dataset;
mod drift;
mod duplicates;
mod evaluate;
mod explain;
mod fit;
mod gate;
mod import;
mod labels;
mod models;
mod phantoms;
mod reproduce;
mod resolution;
