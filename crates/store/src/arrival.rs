//! Registration: an arrival becomes a study and an image before anything is inferred.

use cspine_domain::{Notes, OrderPriority, Sha256, Uid};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use crate::columns::{codes, notes};
use crate::priority::{Cause, reprioritise};
use crate::session::Tx;
use crate::{Store, StoreError};

/// What an `image.arrived` event says.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The event's CloudEvents source.
    pub source: String,
    /// The event's id, unique within its source.
    pub event_id: String,
    /// The event's own time, by its sender's clock.
    pub event_time: OffsetDateTime,
    /// Study instance UID.
    pub study: Uid,
    /// Series instance UID.
    pub series: Uid,
    /// SOP instance UID.
    pub sop: Uid,
    /// The object's SHA-256; with the SOP instance UID it is the image's identity.
    pub content: Sha256,
    /// Accession number, not empty.
    pub accession_number: Option<String>,
    /// Keyed hash of the patient, not empty.
    pub patient_key: Option<String>,
    /// Where it was taken.
    pub site: Option<String>,
    /// What the order asked for.
    pub order_priority: OrderPriority,
    /// When it was taken.
    pub acquired_at: Option<OffsetDateTime>,
    /// DICOM modality, as declared.
    pub modality: Option<String>,
    /// DICOM body part examined, as declared.
    pub body_part: Option<String>,
    /// DICOM view position, as declared.
    pub view: Option<String>,
    /// Where the object is, relative to the object store.
    pub object_key: String,
    /// The object's media type.
    pub media_type: String,
    /// The object's length.
    pub size_bytes: Option<u64>,
    /// What was odd about the event and was tolerated.
    pub notes: Notes,
}

/// A study that a message names, though what it says of its image cannot be taken.
#[derive(Debug, Clone)]
pub struct NamedStudy {
    /// Study instance UID.
    pub study: Uid,
    /// Accession number, not empty.
    pub accession_number: Option<String>,
    /// Keyed hash of the patient, not empty.
    pub patient_key: Option<String>,
    /// Where it was taken.
    pub site: Option<String>,
    /// What the order asked for.
    pub order_priority: OrderPriority,
}

impl Arrival {
    /// Its study by UID and order alone: what no table takes may be among the rest.
    pub fn bare_study(&self) -> NamedStudy {
        let (study, order_priority) = (self.study.clone(), self.order_priority);
        NamedStudy { study, accession_number: None, patient_key: None, site: None, order_priority }
    }

    fn named_study(&self) -> NamedStudy {
        NamedStudy {
            accession_number: self.accession_number.clone(),
            patient_key: self.patient_key.clone(),
            site: self.site.clone(),
            ..self.bare_study()
        }
    }
}

/// What registering an arrival added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The study was not known before.
    pub new_study: bool,
    /// The image was not known before; false for a duplicate.
    pub new_image: bool,
    /// The SOP instance UID came with other bytes too; the study is marked.
    pub conflict: bool,
}

impl Store {
    /// Puts the study on the list and the image under it. Events may come in any order and any number of times:
    /// what is known afterwards is the same.
    pub async fn register_arrival(&self, arrival: &Arrival) -> Result<Registered, StoreError> {
        let mut tx = self.pool.begin().await?;
        let (registered, _) = register(&mut tx, arrival).await?;
        tx.commit().await?;
        Ok(registered)
    }
}

/// Registers within the caller's transaction, which then holds the lock of the SOP instance UID and of the study. With it
/// the notes of the event that the image first came with, for one that is published again says nothing of them.
pub(crate) async fn register(tx: &mut Tx, arrival: &Arrival) -> Result<(Registered, Notes), StoreError> {
    // two transactions with different bytes under one SOP instance UID must see each other to see the conflict
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(arrival.sop.as_str())
        .execute(&mut *tx)
        .await?;
    let others = images_of_this_uid(tx, arrival).await?;
    let content = arrival.content.to_string();
    let known = others.iter().find(|other| other.content == content);
    if known.is_some_and(|known| known.study != arrival.study.as_str()) {
        return Err(StoreError::OtherStudy);
    }
    let notes = known.map(|known| known.notes.clone()).unwrap_or_default();
    let new_study = upsert_study(tx, &arrival.named_study()).await?;
    let new_image = insert_image(tx, arrival).await?;
    let conflict = others.iter().any(|other| other.content != content);
    if conflict {
        let mut studies: Vec<&str> = others.iter().map(|other| other.study.as_str()).collect();
        studies.push(arrival.study.as_str());
        sqlx::query("update studies set conflict = true where study_instance_uid = any($1) and not conflict")
            .bind(studies)
            .execute(&mut *tx)
            .await?;
    }
    Ok((Registered { new_study, new_image, conflict }, notes))
}

/// An image registered under a SOP instance UID.
struct Known {
    content: String,
    study: String,
    notes: Notes,
}

async fn images_of_this_uid(tx: &mut Tx, arrival: &Arrival) -> Result<Vec<Known>, sqlx::Error> {
    let rows =
        sqlx::query("select content_sha256, study_instance_uid, event_notes from images where sop_instance_uid = $1")
            .bind(arrival.sop.as_str())
            .fetch_all(tx)
            .await?;
    let known = |row: &PgRow| {
        let (content, study) = (row.try_get("content_sha256")?, row.try_get("study_instance_uid")?);
        Ok(Known { content, study, notes: notes(row, "event_notes")? })
    };
    rows.iter().map(known).collect()
}

/// Whether the study is new. Locks its row either way.
pub(crate) async fn upsert_study(tx: &mut Tx, study: &NamedStudy) -> Result<bool, sqlx::Error> {
    // least() ignores nulls and does not mind the order: where events contradict each other, which they do by a
    // sender's mistake only, the outcome is the same whichever comes first
    let (new_study, raised): (bool, bool) = sqlx::query_as(
        "insert into studies as s
             (study_instance_uid, accession_number, patient_key, site, order_priority, listed_level)
         values ($1, $2, $3, $4, $5, order_level($5))
         on conflict (study_instance_uid) do update set
             accession_number = least(s.accession_number, excluded.accession_number),
             patient_key = least(s.patient_key, excluded.patient_key),
             site = least(s.site, excluded.site),
             order_priority = case when order_level(excluded.order_priority) < order_level(s.order_priority)
                                   then excluded.order_priority else s.order_priority end
         returning xmax = 0, order_level(order_priority) < listed_level",
    )
    .bind(study.study.as_str())
    .bind(&study.accession_number)
    .bind(&study.patient_key)
    .bind(&study.site)
    .bind(study.order_priority.as_str())
    .fetch_one(&mut *tx)
    .await?;
    if raised {
        reprioritise(tx, &study.study, Cause::Order).await?;
    }
    Ok(new_study)
}

/// Whether the image is new.
async fn insert_image(tx: &mut Tx, arrival: &Arrival) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into images
             (sop_instance_uid, content_sha256, study_instance_uid, series_instance_uid, object_key, media_type,
              size_bytes, modality, body_part, view, acquired_at, event_source, event_id, event_time,
              event_notes)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (sop_instance_uid, content_sha256) do nothing",
    )
    .bind(arrival.sop.as_str())
    .bind(arrival.content.to_string())
    .bind(arrival.study.as_str())
    .bind(arrival.series.as_str())
    .bind(&arrival.object_key)
    .bind(&arrival.media_type)
    .bind(arrival.size_bytes.and_then(|bytes| i64::try_from(bytes).ok()))
    .bind(&arrival.modality)
    .bind(&arrival.body_part)
    .bind(&arrival.view)
    .bind(arrival.acquired_at)
    .bind(&arrival.source)
    .bind(&arrival.event_id)
    .bind(arrival.event_time)
    .bind(codes(&arrival.notes))
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
