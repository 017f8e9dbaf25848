//! The worker: image arrivals in, findings and priority out.
//!
//! [`run::run`] is the service; `commands` are the short-lived ones. A message's way through the service:
//!
//! ```text
//! registration ─► store (study on the list) ─► lane
//! lane ─► objects::get ─► slots { prepare ─► assess } ─► store (finding, priority, outbox) ─► ack
//!    └ any Failure ─► Failure::disposition ─► settle: retry ladder, parked row, hold, give back
//!    └ after the ack, a share of them ─► shadow
//! following ─► registry ─► the network in service, swapped between two images
//! reconcile ─► images without an answer, back to their lanes        probes ─► /readyz
//! outbox ─► results to RabbitMQ       attention ─► status events, labels, dead letters, unrouted
//! relay ─► ageing, gauges              topology ─► what was deleted at the broker is declared again
//! retention ─► what was kept long enough goes
//! ```

pub mod alone;
pub mod arrival;
pub mod commands;
pub mod config;
pub mod consume;
pub mod failure;
pub mod run;
pub mod service;

mod assess;
mod attention;
mod following;
mod labels;
mod lane;
mod metrics;
mod model;
mod network;
mod outbox;
mod prepare;
mod probes;
mod reconcile;
mod registration;
mod relay;
mod retention;
mod settle;
mod shadow;
mod slots;
mod topology;
