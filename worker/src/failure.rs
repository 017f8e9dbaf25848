//! What can go wrong with a message, and what then becomes of it.

use std::time::Duration;

use cspine_domain::Reason;
use cspine_imaging::{DecodeError, Limit};
use cspine_nets::ModelError;
use cspine_service::ObjectError;
use cspine_store::{Fault, StoreError};
use cspine_wire::{EventError, WireError};

/// Why a message could not be answered. No text quotes patient data.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The body is no event that belongs here.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The object is not there, or cannot be read while the store itself can.
    #[error("no object under the event's key")]
    ObjectMissing,
    /// The object is there in part.
    #[error("the object has {found} bytes of {expected}")]
    ObjectShort {
        /// What the event says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The object cannot be read in time, while the store itself answers.
    #[error("the object was not read within {0:?}, though the store answers")]
    ObjectSlow(Duration),
    /// The object is not the event's.
    #[error("the object's SHA-256 is not the event's")]
    HashMismatch,
    /// Undecodable, or over a limit.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The event's UIDs are not the header's.
    #[error("study, series or SOP instance UID of event and header differ")]
    IdentityMismatch,
    /// The decoder or the network panicked: a bug of ours.
    #[error("panicked while working on the image")]
    Panicked,
    /// Decoder or network did not end: a bug of ours, and its thread is lost until this process ends.
    #[error("the image was worked on for too long")]
    Stuck,
    /// The child process could not be started.
    #[error("the decoder's process did not start: {0}")]
    ChildNotStarted(std::io::ErrorKind),
    /// What the child process said of an image that it decoded alone.
    #[error("decoded alone: {detail}")]
    Alone {
        /// Its code.
        reason: Reason,
        /// In words.
        detail: String,
    },
    /// The network did not answer.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A status event of a study that no image has made known yet.
    #[error("no such study")]
    UnknownStudy,
    /// Postgres is away, or refused.
    #[error("Postgres: {0}")]
    Database(#[from] StoreError),
    /// The object store is away.
    #[error("object store: {0}")]
    Objects(String),
    /// RabbitMQ did not take what had to be published.
    #[error(transparent)]
    Broker(#[from] WireError),
    /// The worker stops, and could not finish this one.
    #[error("stopping")]
    Stopping,
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Missing => Failure::ObjectMissing,
            ObjectError::Short { expected, found } => Failure::ObjectShort { expected, found },
            ObjectError::Slow(limit) => Failure::ObjectSlow(limit),
            ObjectError::TooLarge(_) => DecodeError::OverLimit(Limit::Bytes).into(),
            ObjectError::Away(why) => Failure::Objects(why),
        }
    }
}

/// What others provide and what may be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// The database.
    Postgres,
    /// The broker, as far as publishing goes.
    RabbitMq,
    /// Where the images are.
    ObjectStore,
}

impl Dependency {
    /// Its name in `/readyz` and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Dependency::Postgres => "postgres",
            Dependency::RabbitMq => "rabbitmq",
            Dependency::ObjectStore => "object_store",
        }
    }
}

/// What becomes of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Down the retry ladder, and parked at its end.
    Retry(Reason),
    /// Parked at once: a person must look.
    Park(Reason),
    /// Nobody's fault: kept, and the step done again once the dependency is back.
    Hold(Dependency),
    /// Back to the queue: it costs a delivery, and the third one is decoded alone.
    GiveBack,
    /// Left unacknowledged: it comes again elsewhere.
    Leave,
}

impl Failure {
    /// The one place that decides.
    pub fn disposition(&self) -> Disposition {
        use Disposition::{GiveBack, Hold, Leave, Park, Retry};
        match self {
            Failure::Event(error) => Park(error.reason()),
            Failure::ObjectMissing | Failure::ObjectSlow(_) => Retry(Reason::ObjectMissing),
            Failure::ObjectShort { .. } => Retry(Reason::ObjectShort),
            Failure::HashMismatch => Park(Reason::HashMismatch),
            Failure::Decode(error) => Park(error.reason()),
            Failure::IdentityMismatch => Park(Reason::IdentityMismatch),
            Failure::Panicked | Failure::ChildNotStarted(_) => GiveBack,
            Failure::Alone { reason, .. } => Park(*reason),
            Failure::Model(ModelError::NotFinite) => Park(Reason::NotFinite),
            Failure::Model(_) => Park(Reason::Poison),
            Failure::UnknownStudy => Retry(Reason::UnknownStudy),
            Failure::Database(error) => match error.fault() {
                Fault::Message(reason) => Park(reason),
                Fault::Row => Retry(Reason::Locked),
                Fault::Server => Hold(Dependency::Postgres),
            },
            Failure::Objects(_) => Hold(Dependency::ObjectStore),
            Failure::Broker(_) => Hold(Dependency::RabbitMq),
            Failure::Stuck | Failure::Stopping => Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cspine_domain::Reason;
    use cspine_imaging::{DecodeError, Limit, MediaType};
    use cspine_nets::ModelError;
    use cspine_service::ObjectError;
    use cspine_wire::{AnyEvent, WireError};

    use super::Disposition::{GiveBack, Hold, Park, Retry};
    use super::{Dependency, Failure};

    #[test]
    fn the_databases_faults_are_nobodys_but_for_what_the_message_says_itself() {
        use cspine_store::StoreError;
        let table = [
            (StoreError::OtherStudy, Park(Reason::IdentityMismatch)),
            (StoreError::ReadOnly, Hold(Dependency::Postgres)),
            (StoreError::MissingRight("findings".into()), Hold(Dependency::Postgres)),
            (StoreError::SettingsLost, Hold(Dependency::Postgres)),
            (StoreError::Encoding("LATIN1".into()), Hold(Dependency::Postgres)),
        ];
        for (error, expected) in table {
            assert_eq!(Failure::from(error).disposition(), expected);
        }
    }

    #[test]
    fn the_designs_table_of_failures_is_what_happens() {
        let event = |body: &[u8]| Failure::Event(AnyEvent::parse(body).unwrap_err());
        let table = [
            (ObjectError::Missing.into(), Retry(Reason::ObjectMissing)),
            (ObjectError::Short { expected: 2, found: 1 }.into(), Retry(Reason::ObjectShort)),
            (ObjectError::Slow(Duration::ZERO).into(), Retry(Reason::ObjectMissing)),
            (Failure::UnknownStudy, Retry(Reason::UnknownStudy)),
            (Failure::HashMismatch, Park(Reason::HashMismatch)),
            (DecodeError::Malformed(MediaType::Png, "").into(), Park(Reason::Undecodable)),
            (DecodeError::OverLimit(Limit::Pixels).into(), Park(Reason::OverLimit)),
            (event(b"{"), Park(Reason::BadSchema)),
            (event(br#"{"specversion":"1.0","type":"org.cspine.image.arrived.v2"}"#), Park(Reason::BadVersion)),
            (Failure::IdentityMismatch, Park(Reason::IdentityMismatch)),
            (ModelError::NotFinite.into(), Park(Reason::NotFinite)),
            (Failure::Alone { reason: Reason::Poison, detail: String::new() }, Park(Reason::Poison)),
            (WireError::Timeout.into(), Hold(Dependency::RabbitMq)),
            (ObjectError::TooLarge(9).into(), Park(Reason::OverLimit)),
            (ObjectError::Away(String::new()).into(), Hold(Dependency::ObjectStore)),
            (Failure::Panicked, GiveBack),
        ];
        for (failure, expected) in table {
            assert_eq!(failure.disposition(), expected, "{failure}");
        }
    }
}
