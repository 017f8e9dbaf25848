//! The events that others send us.

use cspine_domain::{ConfirmationSource, Label, ObjectKey, OrderPriority, Sha256, Uid};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::Lane;
use crate::event::{EventError, EventKind, Payload};
use crate::fields::{Fields, rfc3339};
use crate::words::words;

/// The longest image that an event may declare: what JSON can say exactly.
const SIZE_BYTES_MAX: i64 = (1 << 53) - 1;
const MEDIA_TYPES: [&str; 4] = ["application/dicom", "image/png", "image/jpeg", "image/tiff"];

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
}

/// An object in the object store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageObject {
    /// Its key.
    pub key: ObjectKey,
    /// One of `application/dicom`, `image/png`, `image/jpeg`, `image/tiff`.
    pub media_type: String,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// How many bytes it has once it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

impl ImageArrived {
    /// The routing key with which it is published.
    pub fn routing_key(&self) -> &'static str {
        Lane::routing_key(self.order_priority)
    }
}

impl Payload for ImageArrived {
    const KIND: EventKind = EventKind::ImageArrived;
    fn read(data: &Fields<'_>) -> Result<Self, EventError> {
        let image = data.object("image")?;
        let media_type = image.text("media_type", 64)?;
        if !MEDIA_TYPES.contains(&media_type.as_str()) {
            return Err(image.invalid("media_type", format_args!("not one of {}", MEDIA_TYPES.join(", "))));
        }
        Ok(Self {
            study_instance_uid: data.parsed("study_instance_uid")?,
            series_instance_uid: data.parsed("series_instance_uid")?,
            sop_instance_uid: data.parsed("sop_instance_uid")?,
            accession_number: data.optional_text("accession_number", 64)?,
            patient_key: data.optional_text("patient_key", 255)?,
            site: data.optional_text("site", 64)?,
            order_priority: data.optional_parsed("order_priority")?.unwrap_or_default(),
            acquired_at: data.optional_time("acquired_at")?,
            modality: data.optional_text("modality", 64)?,
            body_part: data.optional_text("body_part", 64)?,
            view: data.optional_text("view", 64)?,
            image: ImageObject {
                key: image.raw_text("key")?.parse()?,
                media_type,
                sha256: image.parsed("sha256")?,
                size_bytes: image.optional_whole("size_bytes", 1..=SIZE_BYTES_MAX)?.map(i64::unsigned_abs),
            },
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
            label: data.parsed("label")?,
            reviewer: data.text("reviewer", 255)?,
            source: data.parsed("source")?,
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
            state: data.parsed("state")?,
            by: data.optional_text("by", 255)?,
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
    serializer.serialize_str(&rfc3339(*time))
}

fn optional_rfc3339<S: Serializer>(time: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(rfc3339).serialize(serializer)
}
