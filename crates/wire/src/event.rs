//! The envelope: CloudEvents 1.0, structured JSON.

use cspine_domain::{KeyError, Note, Reason};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::fields::{Fields, unpadded};
use crate::tolerant::Receipt;
use crate::{FindingCreated, ImageArrived, ImageConfirmed, ModelDrifted, StudyReprioritised, StudyStatus};

/// The longest event, in bytes. Events carry references, never pixels.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// The longest id, source or subject, in characters.
const NAME: usize = 255;

/// One event of a known type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event<T> {
    /// Unique within its source.
    pub id: String,
    /// Who made it, a URI reference.
    pub source: String,
    /// What it is about: a UID.
    pub subject: Option<String>,
    /// When it happened.
    pub time: OffsetDateTime,
    /// What happened.
    pub data: T,
}

/// Any event that this version knows.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyEvent {
    /// A radiograph is in the object store.
    ImageArrived(Event<ImageArrived>),
    /// A person has said what a radiograph shows.
    ImageConfirmed(Event<ImageConfirmed>),
    /// A study is being read, was read, or waits again.
    StudyStatus(Event<StudyStatus>),
    /// The network has answered.
    FindingCreated(Event<FindingCreated>),
    /// A study has another place in the list.
    StudyReprioritised(Event<StudyReprioritised>),
    /// A model's images are no longer those that it was measured on.
    ModelDrifted(Event<ModelDrifted>),
}

/// The types of events, without their version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `org.cspine.image.arrived.v1`
    ImageArrived,
    /// `org.cspine.image.confirmed.v1`
    ImageConfirmed,
    /// `org.cspine.study.status.v1`
    StudyStatus,
    /// `org.cspine.finding.created.v1`
    FindingCreated,
    /// `org.cspine.study.reprioritised.v1`
    StudyReprioritised,
    /// `org.cspine.model.drifted.v1`
    ModelDrifted,
}

/// What an event's `data` must offer.
pub trait Payload: Sized + Serialize {
    /// Its type's kind.
    const KIND: EventKind;
    /// Reads and checks `data`.
    fn read(data: &Fields<'_>) -> Result<Self, EventError>;
}

/// A body that is no event we can take. No message quotes a value: it may be patient data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Over [`EVENT_BYTES_MAX`].
    #[error("{0} bytes; an event has at most {EVENT_BYTES_MAX}")]
    TooLarge(usize),
    /// No JSON.
    #[error("not JSON: wrong at line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A `specversion` other than 1.0.
    #[error("not CloudEvents 1.0")]
    NotCloudEvents,
    /// A type that is none of ours.
    #[error("an event type that is not known here")]
    UnknownType,
    /// One of our types in a major version that we do not know.
    #[error("an event of a major version that is not known here")]
    UnknownVersion,
    /// A well-formed event of another type than this place takes.
    #[error("a {0} event has no business here")]
    OtherType(&'static str),
    /// A field that must be there.
    #[error("{0} is missing")]
    Missing(String),
    /// A field that is not what it should be.
    #[error("{field}: {problem}")]
    Invalid {
        /// Its name, with `data.` before it where it belongs there.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An object key that may not be used.
    #[error("data.image.key: {0}")]
    Key(#[from] KeyError),
}

impl EventError {
    /// The code with which such a message is parked.
    pub fn reason(&self) -> Reason {
        match self {
            EventError::UnknownType | EventError::UnknownVersion => Reason::BadVersion,
            EventError::Key(_) => Reason::BadKey,
            _ => Reason::BadSchema,
        }
    }
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 6] = [
        EventKind::ImageArrived,
        EventKind::ImageConfirmed,
        EventKind::StudyStatus,
        EventKind::FindingCreated,
        EventKind::StudyReprioritised,
        EventKind::ModelDrifted,
    ];

    /// The CloudEvents `type` in the version that this crate writes.
    pub fn as_type(self) -> &'static str {
        match self {
            EventKind::ImageArrived => "org.cspine.image.arrived.v1",
            EventKind::ImageConfirmed => "org.cspine.image.confirmed.v1",
            EventKind::StudyStatus => "org.cspine.study.status.v1",
            EventKind::FindingCreated => "org.cspine.finding.created.v1",
            EventKind::StudyReprioritised => "org.cspine.study.reprioritised.v1",
            EventKind::ModelDrifted => "org.cspine.model.drifted.v1",
        }
    }

    fn parse(word: &str) -> Result<Self, EventError> {
        let (name, version) = word.rsplit_once(".v").ok_or(EventError::UnknownType)?;
        let kind = EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_type().strip_suffix(".v1") == Some(name))
            .ok_or(EventError::UnknownType)?;
        if version == "1" { Ok(kind) } else { Err(EventError::UnknownVersion) }
    }
}

impl AnyEvent {
    /// Reads a body: size, JSON, envelope, type and version, then the data of that type. Unknown fields are ignored.
    ///
    /// Of an arrival only what identifies the image and lets it be fetched may be wrong; what else is odd about it is in its
    /// notes, and an odd time is that of now.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        Self::parse_received(body, OffsetDateTime::now_utc())
    }

    /// The same of a body received at a time, which stands in for an odd one.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse_received(body: &[u8], received: OffsetDateTime) -> Result<Self, EventError> {
        let value = json(body)?;
        let receipt = Receipt::new(body, received);
        let envelope = Fields::of(&value, "", &receipt).ok_or(EventError::NotAnObject)?;
        if envelope.text("specversion", 16)?.as_str() != "1.0" {
            return Err(EventError::NotCloudEvents);
        }
        Ok(match EventKind::parse(&envelope.text("type", 255)?)? {
            EventKind::ImageArrived => AnyEvent::ImageArrived(Event::read(&envelope)?),
            EventKind::ImageConfirmed => AnyEvent::ImageConfirmed(Event::read(&envelope)?),
            EventKind::StudyStatus => AnyEvent::StudyStatus(Event::read(&envelope)?),
            EventKind::FindingCreated => AnyEvent::FindingCreated(Event::read(&envelope)?),
            EventKind::StudyReprioritised => AnyEvent::StudyReprioritised(Event::read(&envelope)?),
            EventKind::ModelDrifted => AnyEvent::ModelDrifted(Event::read(&envelope)?),
        })
    }

    /// Its kind.
    pub fn kind(&self) -> EventKind {
        match self {
            AnyEvent::ImageArrived(_) => EventKind::ImageArrived,
            AnyEvent::ImageConfirmed(_) => EventKind::ImageConfirmed,
            AnyEvent::StudyStatus(_) => EventKind::StudyStatus,
            AnyEvent::FindingCreated(_) => EventKind::FindingCreated,
            AnyEvent::StudyReprioritised(_) => EventKind::StudyReprioritised,
            AnyEvent::ModelDrifted(_) => EventKind::ModelDrifted,
        }
    }

    /// The arrival it must be.
    ///
    /// # Errors
    /// [`EventError::OtherType`] for every other event.
    pub fn into_arrival(self) -> Result<Event<ImageArrived>, EventError> {
        match self {
            AnyEvent::ImageArrived(event) => Ok(event),
            other => Err(EventError::OtherType(other.kind().as_type())),
        }
    }

    /// The label it must be.
    ///
    /// # Errors
    /// [`EventError::OtherType`] for every other event.
    pub fn into_confirmed(self) -> Result<Event<ImageConfirmed>, EventError> {
        match self {
            AnyEvent::ImageConfirmed(event) => Ok(event),
            other => Err(EventError::OtherType(other.kind().as_type())),
        }
    }

    /// The change of a study's state it must be.
    ///
    /// # Errors
    /// [`EventError::OtherType`] for every other event.
    pub fn into_status(self) -> Result<Event<StudyStatus>, EventError> {
        match self {
            AnyEvent::StudyStatus(event) => Ok(event),
            other => Err(EventError::OtherType(other.kind().as_type())),
        }
    }
}

impl<T: Payload> Event<T> {
    fn read(envelope: &Fields<'_>) -> Result<Self, EventError> {
        if envelope.given("datacontenttype").is_some_and(|content_type| !is_json(content_type)) {
            envelope.note(Note::EventDataContentType);
        }
        let subject = envelope.noted_text("subject", NAME, Note::EventSubject);
        let Origin { id, source, time } = match T::KIND {
            EventKind::ImageArrived => Origin::made_up(envelope),
            _ => Origin::read(envelope)?,
        };
        Ok(Event { id, source, subject, time, data: T::read(&envelope.object("data")?)? })
    }

    /// The event as it travels.
    pub fn to_json(&self) -> Vec<u8> {
        let mut envelope = serde_json::json!({
            "specversion": "1.0",
            "type": T::KIND.as_type(),
            "id": self.id,
            "source": self.source,
            "time": crate::times::written(self.time),
            "datacontenttype": "application/json",
            "data": self.data,
        });
        if let Some(subject) = &self.subject {
            envelope["subject"] = Value::from(subject.as_str());
        }
        envelope.to_string().into_bytes()
    }
}

/// Which event it is, and of when.
struct Origin {
    id: String,
    source: String,
    time: OffsetDateTime,
}

impl Origin {
    fn read(envelope: &Fields<'_>) -> Result<Self, EventError> {
        let (id, source) = (envelope.text("id", NAME)?, envelope.text("source", NAME)?);
        Ok(Self { id, source, time: envelope.time("time")? })
    }

    /// None of it identifies the image, so something stands in for what is absent or odd.
    fn made_up(envelope: &Fields<'_>) -> Self {
        fn or<T>(envelope: &Fields<'_>, said: Option<T>, note: Note, otherwise: impl Fn() -> T) -> T {
            said.unwrap_or_else(|| {
                envelope.note(note);
                otherwise()
            })
        }
        let id = envelope.noted_text("id", NAME, Note::EventId);
        let source = envelope.noted_text("source", NAME, Note::EventSource);
        let time = envelope.noted_moment("time", Note::EventTime);
        Self {
            id: or(envelope, id, Note::EventId, || envelope.digest()),
            source: or(envelope, source, Note::EventSource, || "/unknown".to_owned()),
            time: or(envelope, time, Note::EventTime, || envelope.receipt.at),
        }
    }
}

fn is_json(content_type: &Value) -> bool {
    let essence = content_type.as_str().and_then(|text| text.split(';').next()).unwrap_or_default();
    unpadded(essence).eq_ignore_ascii_case("application/json")
}

/// `(source, id)` of a body, where they can be read, whatever else is wrong with it.
pub fn identity(body: &[u8]) -> Option<(String, String)> {
    let value = json(body).ok()?;
    let receipt = Receipt::new(body, OffsetDateTime::UNIX_EPOCH);
    let envelope = Fields::of(&value, "", &receipt)?;
    Some((envelope.lenient_text("source", NAME)?, envelope.lenient_text("id", NAME)?))
}

fn json(body: &[u8]) -> Result<Value, EventError> {
    if body.len() > EVENT_BYTES_MAX {
        return Err(EventError::TooLarge(body.len()));
    }
    serde_json::from_slice(body).map_err(|error| EventError::NotJson { line: error.line(), column: error.column() })
}
