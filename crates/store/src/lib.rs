//! Every SQL statement of the services: studies, images, findings, priority, parked messages, outbox, worklist; and models,
//! labels, training runs, their evidence, drift.
//!
//! Each method of [`Store`] is one short transaction. What must never happen is forbidden by the constraints in
//! `migrations/`; what must happen once happens once by their unique keys. There is no cache and no other memory.
//!
//! Every statement is bounded, by the server's timeouts and by a limit on the wait for its answer (`session.rs`): a call
//! ends, whatever became of the server or the network, and it may be dropped half-way. [`StoreError::fault`] says whose
//! fault it is that a call did nothing.

mod arrival;
mod columns;
mod connect;
mod drift;
mod error;
pub mod events;
mod evidence;
mod features;
mod finding;
mod label_uses;
mod models;
mod outbox;
mod parked;
mod priority;
mod reconcile;
mod reference;
mod rescore;
mod retention;
mod reviews;
mod serving;
mod session;
mod shadow;
mod sides;
mod study;
mod training;
mod trial;
mod words;
mod worklist;

pub use arrival::{Arrival, NamedStudy, Registered};
pub use connect::{Store, StoreOptions};
pub use drift::{DriftReport, Scored};
pub use error::{Fault, StoreError};
pub use evidence::{Link, broken_link};
pub use finding::{Answer, NewFinding, Purpose, Recorded, Saliency};
pub use label_uses::NewLabels;
pub use models::{ModelRow, ModelState, NewModel, Registration};
pub use outbox::{Destination, OutboxMessage};
pub use parked::{Parked, ParkedRow};
pub use reconcile::{Awaited, Overdue};
pub use reference::{AddedReference, ReferenceImage};
pub use rescore::ToRescore;
pub use retention::{Cleared, Retention};
pub use reviews::{LabelTally, LabelledImage, NewReview};
pub use serving::{ModelChange, Move, Moved, Served, Serving, ServingHints};
pub use shadow::ShadowTally;
pub use sides::{LearningSet, Patient};
pub use study::{StateChange, StateChanged, StudyState, UnknownStudyState};
pub use training::{Fence, NewRun, Run, RunCause, RunEnd, RunState, Standing};
pub use trial::{Settlement, TrialImages, TrialVerdict};
pub use worklist::{ImageFinding, StudyImage, WorklistRow};
