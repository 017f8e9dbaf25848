//! The events that go out by the outbox: CloudEvents 1.0, structured JSON.

use cspine_domain::{Class, Notes, OrderPriority, Reason, Sha256, Uid, Verdict};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use crate::columns::{parsed, parsed_option};
use crate::{DriftReport, NewFinding, Purpose};

/// Who says it: all workers of a site speak as one, for any of them may commit and any may relay.
pub const SOURCE: &str = "/cspine/worker";

/// Who speaks of models.
pub const TRAINER_SOURCE: &str = "/cspine/trainer";

/// What an event tells, and by which name.
pub trait EventData: Serialize {
    /// The CloudEvents type.
    const TYPE: &'static str;
    /// The routing key on `cspine.events`.
    const ROUTING_KEY: &'static str;
    /// The CloudEvents source.
    const SOURCE: &'static str = SOURCE;
}

/// A CloudEvents 1.0 envelope around its data.
#[derive(Debug, Serialize)]
pub struct Envelope<T> {
    /// Always `1.0`.
    pub specversion: &'static str,
    /// The event's type with its major version.
    pub r#type: &'static str,
    /// A UUID, the same however often the event is sent.
    pub id: String,
    /// [`SOURCE`] or [`TRAINER_SOURCE`].
    pub source: &'static str,
    /// What it is about.
    pub subject: String,
    /// The database's time of the transaction.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// Always `application/json`.
    pub datacontenttype: &'static str,
    /// What happened.
    pub data: T,
}

impl<T: EventData> Envelope<T> {
    /// An envelope whose id and time are the row's columns `event_id` and `time`.
    pub(crate) fn from_row(row: &PgRow, subject: &str, data: T) -> Result<Self, sqlx::Error> {
        Ok(Self {
            specversion: "1.0",
            r#type: T::TYPE,
            id: row.try_get("event_id")?,
            source: T::SOURCE,
            subject: subject.to_owned(),
            time: row.try_get("time")?,
            datacontenttype: "application/json",
            data,
        })
    }
}

/// An image has its answer.
#[derive(Debug, Serialize)]
pub struct FindingCreated {
    study_instance_uid: Uid,
    series_instance_uid: Uid,
    sop_instance_uid: Uid,
    content_sha256: Sha256,
    model_sha256: Sha256,
    purpose: Purpose,
    verdict: Verdict,
    reason: Option<Reason>,
    flagged: bool,
    probabilities: Option<Probabilities>,
    saliency: Option<Explanation>,
    #[serde(skip_serializing_if = "Notes::is_empty")]
    notes: Notes,
    arrival: Cause,
}

/// Calibrated probabilities by the names of the classes.
#[derive(Debug, Serialize)]
struct Probabilities {
    dislocation: f32,
    fracture: f32,
    normal: f32,
}

/// Which class the saliency map explains, and how it was made.
#[derive(Debug, Serialize)]
struct Explanation {
    class: Class,
    method: String,
}

/// The event that led to the answer.
#[derive(Debug, Serialize)]
struct Cause {
    source: String,
    id: String,
}

impl EventData for FindingCreated {
    const TYPE: &'static str = "org.cspine.finding.created.v1";
    const ROUTING_KEY: &'static str = "finding.created";
}

impl FindingCreated {
    /// With the notes of image and event.
    pub fn of(finding: &NewFinding, notes: Notes) -> Self {
        let NewFinding { arrival, purpose, model, answer, saliency, features: _, notes: _ } = finding;
        Self {
            study_instance_uid: arrival.study.clone(),
            series_instance_uid: arrival.series.clone(),
            sop_instance_uid: arrival.sop.clone(),
            content_sha256: arrival.content,
            model_sha256: *model,
            purpose: *purpose,
            verdict: answer.verdict(),
            reason: answer.reason(),
            flagged: answer.flagged(),
            probabilities: answer.probabilities().map(|[dislocation, fracture, normal]| Probabilities {
                dislocation,
                fracture,
                normal,
            }),
            saliency: saliency.as_ref().map(|s| Explanation { class: s.class, method: s.method.clone() }),
            notes,
            arrival: Cause { source: arrival.source.clone(), id: arrival.event_id.clone() },
        }
    }
}

/// A study has another place on the list.
#[derive(Debug, Serialize)]
pub struct StudyReprioritised {
    study_instance_uid: Uid,
    accession_number: Option<String>,
    order_priority: OrderPriority,
    previous_level: i16,
    level: i16,
    flagged: bool,
    verdict: Option<Verdict>,
    reason: &'static str,
}

impl EventData for StudyReprioritised {
    const TYPE: &'static str = "org.cspine.study.reprioritised.v1";
    const ROUTING_KEY: &'static str = "study.reprioritised";
}

impl StudyReprioritised {
    pub(crate) fn new(study: &Uid, reason: &'static str, row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            study_instance_uid: study.clone(),
            accession_number: row.try_get("accession_number")?,
            order_priority: parsed(row, "order_priority")?,
            previous_level: row.try_get("previous_level")?,
            level: row.try_get("level")?,
            flagged: row.try_get("flagged")?,
            verdict: parsed_option(row, "verdict")?,
            reason,
        })
    }
}

/// The images of a day are no longer like those of the champion's reference period.
#[derive(Debug, Serialize)]
pub struct ModelDrifted {
    day: String,
    model_sha256: Sha256,
    reference_images: u32,
    images: u32,
    statistics: Vec<String>,
}

impl EventData for ModelDrifted {
    const TYPE: &'static str = "org.cspine.model.drifted.v1";
    const ROUTING_KEY: &'static str = "model.drifted";
    const SOURCE: &'static str = TRAINER_SOURCE;
}

impl From<&DriftReport> for ModelDrifted {
    fn from(report: &DriftReport) -> Self {
        Self {
            day: report.day.to_string(),
            model_sha256: report.champion,
            reference_images: report.reference,
            images: report.images,
            statistics: report.drifted_statistics(),
        }
    }
}
