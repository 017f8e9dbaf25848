//! The store on a real Postgres, a database a test.

mod constraints;
mod drift;
mod evidence;
mod findings;
mod label_rules;
mod label_uses;
mod labels;
mod models;
mod outbox;
mod parked;
mod priority;
mod reference;
mod registration;
mod rescore;
mod samples;
mod serving;
mod shadow;
mod sides;
mod study;
mod training;
mod worklist;
