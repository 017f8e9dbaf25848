//! The worker: image arrivals in, findings and priority out.
//!
//! [`run::run`] is the service; `commands` are the short-lived ones. A message's way through the service:
//!
//! ```text
//! registration ─► store (study on the list)
//! lane ─► objects::get ─► slots { prepare ─► assess } ─► store (finding, priority, outbox) ─► ack
//!    └ any Failure ─► Failure::disposition ─► settle: retry ladder, parked row, hold, give back
//!    └ after the ack, a share of them ─► shadow
//! following ─► registry ─► the network in service, swapped between two images
//! relay ─► outbox to RabbitMQ        attention ─► status events, labels, dead letters, unrouted
//! ```

pub mod alone;
pub mod commands;
pub mod config;
pub mod failure;
pub mod run;

mod arrival;
mod assess;
mod attention;
mod following;
mod labels;
mod lane;
mod metrics;
mod model;
mod network;
mod prepare;
mod registration;
mod relay;
mod service;
mod settle;
mod shadow;
mod slots;
