//! What every service has: flags, the object store, what `/healthz`, `/readyz` and `/metrics` answer, logs, the signal to
//! stop. No service's own concern, and no broker: who consumes events has `cspine_wire` beside it.

pub mod admin;
mod bucket;
pub mod config;
pub mod exit;
pub mod logs;
pub mod record;
pub mod signals;

mod health;
mod objects;

pub use health::{Health, Waiting};
pub use objects::{ObjectError, Objects};
