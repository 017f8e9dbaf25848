//! The store on a real Postgres, a database a test.

mod constraints;
mod findings;
mod models;
mod outbox;
mod parked;
mod priority;
mod registration;
mod samples;
mod study;
mod worklist;
