//! What every service has: flags, the object store, what `/healthz`, `/readyz` and `/metrics` answer, logs, the signal to
//! stop. No service's own concern, and no broker: who consumes events has `cspine_wire` beside it.

pub mod admin;
pub mod config;
pub mod logs;
pub mod record;
pub mod signals;

mod health;
mod objects;

pub use health::Health;
pub use objects::{ObjectError, Objects};
