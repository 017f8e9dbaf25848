//! The events that others send us.

use cspine_domain::{ConfirmationSource, Label, Note, Notes, ObjectKey, OrderPriority, Sha256, Uid};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::Lane;
use crate::event::{EventError, EventKind, Payload};
use crate::fields::Fields;
use crate::synonyms;
use crate::times::written;
use crate::words::words;

/// The longest image that an event may declare: what JSON can say exactly.
const SIZE_BYTES_MAX: i64 = (1 << 53) - 1;
/// The media type of bytes whose format nobody told: they tell it themselves.
const UNKNOWN_MEDIA_TYPE: &str = "application/octet-stream";
/// The longest texts, in characters.
pub(crate) const ACCESSION_NUMBER: usize = 255;
pub(crate) const PATIENT_KEY: usize = 255;
pub(crate) const SITE: usize = 64;
const SCOPE_TEXT: usize = 64;

/// `image.arrived.v1`: a radiograph is in the object store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageArrived {
    /// The study the image belongs to.
    pub study_instance_uid: Uid,
    /// Its series.
    pub series_instance_uid: Uid,
    /// The image itself.
    pub sop_instance_uid: Uid,
    /// The order's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accession_number: Option<String>,
    /// A keyed hash of the patient's identity; never a name or a number a person could read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_key: Option<String>,
    /// Where it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// What the order asked for; routine when absent.
    pub order_priority: OrderPriority,
    /// When it was taken.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_rfc3339")]
    pub acquired_at: Option<OffsetDateTime>,
    /// DICOM's modality, such as DX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// DICOM's body part examined, such as CSPINE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_part: Option<String>,
    /// DICOM's view position, such as LL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// Where its bytes are.
    pub image: ImageObject,
    /// What was odd about the event and was tolerated; no part of it.
    #[serde(skip)]
    pub notes: Notes,
}

/// An object in the object store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageObject {
    /// Its key.
    pub key: ObjectKey,
    /// One of `application/dicom`, `image/png`, `image/jpeg`, `image/tiff`; `application/octet-stream` where the event names
    /// none of them.
    pub media_type: String,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// How many bytes it has once it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

impl ImageArrived {
    /// The routing key with which it is published. It only chooses the queue of its registration; `order_priority` decides
    /// its lane.
    pub fn routing_key(&self) -> &'static str {
        Lane::of(self.order_priority).routing_key()
    }
}

impl Payload for ImageArrived {
    const KIND: EventKind = EventKind::ImageArrived;
    /// Only what identifies the image and lets it be fetched may fail.
    fn read(data: &Fields<'_>) -> Result<Self, EventError> {
        let image = data.object("image")?;
        let media_type = image.noted("media_type", Note::EventMediaType, synonyms::media_type);
        if media_type.is_none() {
            image.note(Note::EventMediaType);
        }
        let priority = data.noted("order_priority", Note::EventOrderPriority, synonyms::order_priority);
        Ok(Self {
            study_instance_uid: data.parsed("study_instance_uid")?,
            series_instance_uid: data.parsed("series_instance_uid")?,
            sop_instance_uid: data.parsed("sop_instance_uid")?,
            accession_number: data.noted_text("accession_number", ACCESSION_NUMBER, Note::EventAccessionNumber),
            patient_key: data.noted_text("patient_key", PATIENT_KEY, Note::EventPatientKey),
            site: data.noted_text("site", SITE, Note::EventSite),
            order_priority: priority.unwrap_or_default(),
            acquired_at: data.noted_moment("acquired_at", Note::EventAcquiredAt),
            modality: data.noted_text("modality", SCOPE_TEXT, Note::EventModality),
            body_part: data.noted_text("body_part", SCOPE_TEXT, Note::EventBodyPart),
            view: data.noted_text("view", SCOPE_TEXT, Note::EventView),
            image: ImageObject {
                // An object's name may end in a blank, never in a NUL.
                key: image.raw_text("key")?.trim_end_matches('\0').parse()?,
                media_type: media_type.unwrap_or(UNKNOWN_MEDIA_TYPE).to_owned(),
                sha256: image.parsed("sha256")?,
                size_bytes: image.noted_size("size_bytes", SIZE_BYTES_MAX, Note::EventSizeBytes),
            },
            notes: data.receipt.notes.borrow().clone(),
        })
    }
}

/// `image.confirmed.v1`: a person's label of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageConfirmed {
    /// The image.
    pub sop_instance_uid: Uid,
    /// The very bytes that were looked at.
    pub content_sha256: Sha256,
    /// What they show.
    pub label: Label,
    /// The reviewer's pseudonym.
    pub reviewer: String,
    /// What the label rests on.
    pub source: ConfirmationSource,
    /// Whether the reviewer had seen the network's answer.
    pub answer_seen: bool,
    /// When it was said.
    #[serde(serialize_with = "as_rfc3339")]
    pub confirmed_at: OffsetDateTime,
    /// The id of the event that this one corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
}

impl Payload for ImageConfirmed {
    const KIND: EventKind = EventKind::ImageConfirmed;
    fn read(data: &Fields<'_>) -> Result<Self, EventError> {
        Ok(Self {
            sop_instance_uid: data.parsed("sop_instance_uid")?,
            content_sha256: data.parsed("content_sha256")?,
            label: data.word("label")?,
            reviewer: data.text("reviewer", 255)?,
            source: data.word("source")?,
            answer_seen: data.boolean("answer_seen")?,
            confirmed_at: data.time("confirmed_at")?,
            supersedes: data.optional_text("supersedes", 255)?,
        })
    }
}

/// `study.status.v1`: a study is being read, was read, or waits again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyStatus {
    /// The study.
    pub study_instance_uid: Uid,
    /// Its state from now on.
    pub state: StudyState,
    /// The reader's pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Payload for StudyStatus {
    const KIND: EventKind = EventKind::StudyStatus;
    fn read(data: &Fields<'_>) -> Result<Self, EventError> {
        Ok(Self {
            study_instance_uid: data.parsed("study_instance_uid")?,
            state: data.word("state")?,
            by: data.lenient_text("by", 255),
        })
    }
}

words! {
    /// The state of a study.
    StudyState, "study state" {
        /// It waits to be read.
        Open = "open",
        /// Someone reads it: it keeps its row and does not move.
        Reading = "reading",
        /// It was read, and has left the list.
        Finished = "finished",
    }
}

pub(crate) fn as_rfc3339<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(*time))
}

fn optional_rfc3339<S: Serializer>(time: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(written).serialize(serializer)
}
