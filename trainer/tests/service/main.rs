//! `cspine-trainer run` as a process, on a real Postgres and a folder for an object store.

mod drift;
mod labels;
mod runs;
mod site;
mod trainers;
mod trials;
