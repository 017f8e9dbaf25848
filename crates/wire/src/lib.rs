//! The events and the way they travel.
//!
//! Two halves. [`Event`] and its data types are CloudEvents 1.0 in structured JSON, parsed once, here, into types that
//! need no second check; `docs/events/` says the same as JSON Schema and AsyncAPI, and a test holds the two together.
//! [`Broker`], [`Publisher`] and [`Consumer`] are RabbitMQ as this house uses it: nothing outside this crate names lapin.

mod backoff;
mod broker;
mod consumer;
mod declare;
mod delivery;
mod event;
mod fields;
mod incoming;
mod keys;
mod lane;
mod outgoing;
mod publisher;
mod sighting;
mod synonyms;
mod times;
mod tolerant;
mod topology;
mod words;

pub use backoff::Backoff;
pub use broker::{Broker, WireError};
pub use consumer::{Consumer, ConsumerOptions, LinkState};
pub use declare::Depths;
pub use delivery::{Delivery, Lost, Message};
pub use event::{AnyEvent, EVENT_BYTES_MAX, Event, EventError, EventKind, Payload, identity};
pub use incoming::{ImageArrived, ImageConfirmed, ImageObject, StudyState, StudyStatus};
pub use lane::Lane;
pub use outgoing::{FindingCreated, ModelDrifted, Probabilities, Purpose, SaliencyOf, StudyReprioritised};
pub use publisher::{Heard, Publisher};
pub use sighting::{Sighting, studies_in};
pub use topology::{Queue, Topology};
