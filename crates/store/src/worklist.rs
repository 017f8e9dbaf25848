//! The reading list, and what there is to see of a study.

use cspine_domain::{Class, OrderPriority, Pose, Reason, Sha256, Uid, Verdict};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use time::OffsetDateTime;

use crate::columns::{orientation, parsed, parsed_option};
use crate::{Purpose, Saliency, Store, StoreError, StudyState};

/// A study on the list.
#[derive(Debug, Clone)]
pub struct WorklistRow {
    /// 1 is next.
    pub position: i64,
    /// Study instance UID.
    pub study: Uid,
    /// Accession number, when an event gave one.
    pub accession_number: Option<String>,
    /// What the order asked for.
    pub order_priority: OrderPriority,
    /// 0 to 3, lower is sooner.
    pub level: i16,
    /// Any of its images is flagged.
    pub flagged: bool,
    /// Once an image was assessed, or none could be.
    pub verdict: Option<Verdict>,
    /// `waiting`, `scored`, `not_assessable` or `failed`.
    pub status: String,
    /// What explains verdict or status.
    pub reason: Option<Reason>,
    /// First registration, by the database's clock.
    pub arrived_at: OffsetDateTime,
    /// Since then.
    pub waited_seconds: i64,
    /// How many images it has.
    pub images: i64,
    /// How many of them were scored.
    pub images_assessed: i64,
    /// Open or being read.
    pub state: StudyState,
    /// A SOP instance UID came with different bytes.
    pub conflict: bool,
    /// An image was flagged since the study is being read; it keeps its place until that ends.
    pub flagged_since_reading: bool,
}

/// An image of a study.
#[derive(Debug, Clone)]
pub struct StudyImage {
    /// SOP instance UID.
    pub sop: Uid,
    /// Content hash.
    pub content: Sha256,
    /// Where the object is, relative to the object store.
    pub object_key: String,
    /// The object's media type.
    pub media_type: String,
    /// What sets its level, once there is an answer: the primary finding, or what a rescore raised it by.
    pub finding: Option<ImageFinding>,
}

/// What was found on an image.
#[derive(Debug, Clone)]
pub struct ImageFinding {
    /// Whether it is the answer, or a later model's.
    pub purpose: Purpose,
    /// The verdict.
    pub verdict: Verdict,
    /// Why not assessable, or a mark.
    pub reason: Option<Reason>,
    /// At or over the operating point.
    pub flagged: bool,
    /// Calibrated, by class index, when assessed.
    pub probabilities: Option<[f32; Class::COUNT]>,
    /// The model's file.
    pub model: Sha256,
    /// The heatmap, when assessed.
    pub saliency: Option<Saliency>,
    /// The codes of what was odd and was tolerated; a later version may have written codes that this one does not know.
    pub notes: Vec<String>,
}

impl Store {
    /// The first studies of the list.
    pub async fn worklist(&self, limit: u32) -> Result<Vec<WorklistRow>, StoreError> {
        // not `limit`: then the images of all studies would be counted
        let rows =
            sqlx::query_as("select * from worklist where position <= $1 order by position").bind(i64::from(limit));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// The images of a study with the findings that set their levels, by arrival.
    pub async fn study_images(&self, study: &Uid) -> Result<Vec<StudyImage>, StoreError> {
        let rows = sqlx::query_as(
            "select i.sop_instance_uid, i.content_sha256, i.object_key, i.media_type, f.purpose, f.verdict, f.reason,
                    f.flagged, f.p_dislocation, f.p_fracture, f.p_normal, f.model_sha256, f.saliency_class,
                    f.saliency_method, f.heatmap_png, f.orientation, f.pixel_aspect, f.notes
               from images i
               left join lateral (
                    -- of an image's answers the one that its study is judged by
                    select * from findings a
                     where a.sop_instance_uid = i.sop_instance_uid and a.content_sha256 = i.content_sha256
                       and a.purpose <> 'shadow'
                     order by case a.injury when 'dislocation' then 0 when 'fracture' then 1 end nulls last,
                              a.verdict = 'not_assessable', a.p_normal, a.id
                     limit 1) f on true
              where i.study_instance_uid = $1
              order by i.registered_at, i.sop_instance_uid, i.content_sha256",
        )
        .bind(study.as_str());
        Ok(rows.fetch_all(&self.pool).await?)
    }
}

impl FromRow<'_, PgRow> for WorklistRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get("position")?,
            study: parsed(row, "study_instance_uid")?,
            accession_number: row.try_get("accession_number")?,
            order_priority: parsed(row, "order_priority")?,
            level: row.try_get("level")?,
            flagged: row.try_get("flagged")?,
            verdict: parsed_option(row, "verdict")?,
            status: row.try_get("status")?,
            reason: parsed_option(row, "reason")?,
            arrived_at: row.try_get("arrived_at")?,
            waited_seconds: row.try_get("waited_seconds")?,
            images: row.try_get("images")?,
            images_assessed: row.try_get("images_assessed")?,
            state: parsed(row, "state")?,
            conflict: row.try_get("conflict")?,
            flagged_since_reading: row.try_get("flagged_since_reading")?,
        })
    }
}

impl FromRow<'_, PgRow> for StudyImage {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let verdict: Option<Verdict> = parsed_option(row, "verdict")?;
        Ok(Self {
            sop: parsed(row, "sop_instance_uid")?,
            content: parsed(row, "content_sha256")?,
            object_key: row.try_get("object_key")?,
            media_type: row.try_get("media_type")?,
            finding: verdict.map(|verdict| finding(row, verdict)).transpose()?,
        })
    }
}

fn finding(row: &PgRow, verdict: Verdict) -> Result<ImageFinding, sqlx::Error> {
    let probabilities = match row.try_get("p_normal")? {
        Some(normal) => Some([row.try_get("p_dislocation")?, row.try_get("p_fracture")?, normal]),
        None => None,
    };
    // once it is older than it is kept, all of it is gone
    let saliency = match parsed_option(row, "saliency_class")? {
        Some(class) => {
            let (method, heatmap_png) = (row.try_get("saliency_method")?, row.try_get("heatmap_png")?);
            Some(Saliency { class, method, heatmap_png, pose: pose(row)? })
        }
        None => None,
    };
    Ok(ImageFinding {
        purpose: parsed(row, "purpose")?,
        verdict,
        reason: parsed_option(row, "reason")?,
        flagged: row.try_get("flagged")?,
        probabilities,
        model: parsed(row, "model_sha256")?,
        saliency,
        notes: row.try_get("notes")?,
    })
}

/// That of a heatmap; one without it is older than poses, and lies on the image as it is stored.
fn pose(row: &PgRow) -> Result<Pose, sqlx::Error> {
    let (unposed, pixel_aspect) = (Pose::default(), row.try_get("pixel_aspect")?);
    Ok(Pose {
        orientation: orientation(row)?.unwrap_or(unposed.orientation),
        pixel_aspect: Option::unwrap_or(pixel_aspect, unposed.pixel_aspect),
    })
}
