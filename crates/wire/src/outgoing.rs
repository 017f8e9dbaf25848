//! The events that come out of the outbox, as a subscriber reads them.

use cspine_domain::{Class, Reason, Sha256, Uid, Verdict};
use serde::{Serialize, Serializer};
use time::Date;

use crate::event::{EventError, EventKind, Payload};
use crate::fields::Fields;
use crate::words::words;

/// `finding.created.v1`: the network has answered for an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingCreated {
    /// The study.
    pub study_instance_uid: Uid,
    /// The series.
    pub series_instance_uid: Uid,
    /// The image.
    pub sop_instance_uid: Uid,
    /// The very bytes that were assessed.
    pub content_sha256: Sha256,
    /// The model's file.
    pub model_sha256: Sha256,
    /// Why it was scored.
    pub purpose: Purpose,
    /// The class, or that there is no answer.
    pub verdict: Verdict,
    /// Why there is none, or what else is to be known.
    pub reason: Option<Reason>,
    /// Whether it is to be read sooner.
    pub flagged: bool,
    /// Absent when there is no answer.
    pub probabilities: Option<Probabilities>,
    /// What the heatmap explains.
    pub saliency: Option<SaliencyOf>,
    /// Codes of what was odd about the file or its event and was tolerated. Later versions may have more of them, so they
    /// are not parsed any further.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

words! {
    /// Why an image was scored.
    Purpose, "purpose" {
        /// Its one answer.
        Primary = "primary",
        /// To try a model; never touches the priority.
        Shadow = "shadow",
        /// Again, with a newer model; may only raise.
        Rescore = "rescore",
    }
}

/// Calibrated probabilities of the three classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Probabilities {
    /// Of a dislocation.
    pub dislocation: f64,
    /// Of a fracture without dislocation.
    pub fracture: f64,
    /// Of neither.
    pub normal: f64,
}

/// What a heatmap explains, and how it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SaliencyOf {
    /// The class.
    pub class: Class,
    /// The method, such as `hirescam`.
    pub method: String,
}

impl Payload for FindingCreated {
    const KIND: EventKind = EventKind::FindingCreated;
    fn read(data: &Fields<'_>) -> Result<Self, EventError> {
        let probabilities = data.optional_object("probabilities")?.map(|fields| {
            Ok::<_, EventError>(Probabilities {
                dislocation: fields.fraction("dislocation")?,
                fracture: fields.fraction("fracture")?,
                normal: fields.fraction("normal")?,
            })
        });
        let saliency = data.optional_object("saliency")?.map(|fields| {
            Ok::<_, EventError>(SaliencyOf { class: fields.parsed("class")?, method: fields.text("method", 64)? })
        });
        Ok(Self {
            study_instance_uid: data.parsed("study_instance_uid")?,
            series_instance_uid: data.parsed("series_instance_uid")?,
            sop_instance_uid: data.parsed("sop_instance_uid")?,
            content_sha256: data.parsed("content_sha256")?,
            model_sha256: data.parsed("model_sha256")?,
            purpose: data.parsed("purpose")?,
            verdict: data.parsed("verdict")?,
            reason: data.optional_parsed("reason")?,
            flagged: data.boolean("flagged")?,
            probabilities: probabilities.transpose()?,
            saliency: saliency.transpose()?,
            notes: data.codes("notes")?,
        })
    }
}

/// `study.reprioritised.v1`: a study has another level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyReprioritised {
    /// The study.
    pub study_instance_uid: Uid,
    /// The order's number.
    pub accession_number: Option<String>,
    /// From now on; lower is sooner.
    pub level: i64,
    /// Until now.
    pub previous_level: i64,
    /// Whether any of its images is flagged.
    pub flagged: bool,
    /// Of the image that sets the level.
    pub verdict: Option<Verdict>,
    /// What moved it, such as `flagged_fracture` or `ageing`.
    pub reason: String,
}

impl Payload for StudyReprioritised {
    const KIND: EventKind = EventKind::StudyReprioritised;
    fn read(data: &Fields<'_>) -> Result<Self, EventError> {
        Ok(Self {
            study_instance_uid: data.parsed("study_instance_uid")?,
            accession_number: data.optional_text("accession_number", 255)?,
            level: data.whole("level", 0..=3)?,
            previous_level: data.whole("previous_level", 0..=3)?,
            flagged: data.boolean("flagged")?,
            verdict: data.optional_parsed("verdict")?,
            reason: data.text("reason", 64)?,
        })
    }
}

/// `model.drifted.v1`: the images of a day are no longer like those that the model was measured on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelDrifted {
    /// The day that was measured.
    #[serde(serialize_with = "as_text")]
    pub day: Date,
    /// The model's file.
    pub model_sha256: Sha256,
    /// Images of its reference period.
    pub reference_images: i64,
    /// Images that were compared with them: the latest ones up to the end of the day.
    pub images: i64,
    /// The names of the statistics that drifted.
    pub statistics: Vec<String>,
}

impl Payload for ModelDrifted {
    const KIND: EventKind = EventKind::ModelDrifted;
    fn read(data: &Fields<'_>) -> Result<Self, EventError> {
        Ok(Self {
            day: data.date("day")?,
            model_sha256: data.parsed("model_sha256")?,
            reference_images: data.whole("reference_images", 1..=i32::MAX.into())?,
            images: data.whole("images", 1..=i32::MAX.into())?,
            statistics: data.texts("statistics", 64, 64)?,
        })
    }
}

fn as_text<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}
