//! Every SQL statement of the services: studies, images, findings, priority, parked messages, outbox, worklist, models.
//!
//! Each method of [`Store`] is one short transaction. What must never happen is forbidden by the constraints in
//! `migrations/`; what must happen once happens once by their unique keys. There is no cache and no other memory.
//!
//! A call must not be dropped half-way (no `select!`, no `timeout` around one): the connection's own statement, lock and
//! idle timeouts bound it.

mod arrival;
mod columns;
mod connect;
mod error;
pub mod events;
mod finding;
mod models;
mod outbox;
mod parked;
mod priority;
mod study;
mod worklist;

pub use arrival::{Arrival, Registered};
pub use connect::{Store, StoreOptions};
pub use error::StoreError;
pub use finding::{Answer, NewFinding, Purpose, Recorded, Saliency};
pub use models::{ModelRow, NewModel, Registration};
pub use outbox::OutboxMessage;
pub use parked::{Parked, ParkedRow};
pub use study::{StateChange, StateChanged, StudyState, UnknownStudyState};
pub use worklist::{ImageFinding, StudyImage, WorklistRow};
