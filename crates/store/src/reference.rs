//! The images that came with the first champion: some to replay beside new ones, some to measure every challenger with.

use std::collections::BTreeMap;

use cspine_domain::{Class, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

use crate::columns::parsed;
use crate::session::Tx;
use crate::{LearningSet, Store, StoreError};

/// An image that came with a champion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceImage {
    /// Content hash.
    pub content: Sha256,
    /// Where the object is, relative to the object store.
    pub object_key: String,
    /// The object's media type.
    pub media_type: String,
    /// What it shows.
    pub label: Class,
    /// The patient, by a name that is nobody else's.
    pub patient: String,
    /// Where it was taken.
    pub site: Option<String>,
    /// The patient's side.
    pub set: LearningSet,
}

/// What adding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedReference {
    /// Images that are new.
    pub added: usize,
    /// Images that were there, and stay as they were recorded.
    pub there: usize,
}

impl Store {
    /// Adds images and their patients' sides, all or none.
    ///
    /// # Errors
    /// [`StoreError::PatientElsewhere`] when a patient is on another side already; else what the database says.
    pub async fn add_reference(&self, images: &[ReferenceImage], by: &str) -> Result<AddedReference, StoreError> {
        let mut tx = self.pool.begin().await?;
        for some in images.chunks(BATCH) {
            take_sides(&mut tx, some).await?;
        }
        let mut added = 0;
        for some in images.chunks(BATCH) {
            added += insert(&mut tx, some, by).await?;
        }
        tx.commit().await?;
        Ok(AddedReference { added, there: images.len() - added })
    }

    /// All of them, ordered by content.
    pub async fn reference_images(&self) -> Result<Vec<ReferenceImage>, StoreError> {
        let rows = sqlx::query_as(
            "select r.*, p.set from reference_images r join patient_sets p using (patient) order by content_sha256",
        );
        Ok(rows.fetch_all(&self.pool).await?)
    }
}

/// How many images one statement takes.
const BATCH: usize = 1000;

/// Writes the patients' sides, unless one of them is on another.
async fn take_sides(tx: &mut Tx, images: &[ReferenceImage]) -> Result<(), StoreError> {
    let mut sides = BTreeMap::new();
    for image in images {
        if *sides.entry(image.patient.as_str()).or_insert(image.set) != image.set {
            return Err(StoreError::PatientElsewhere);
        }
    }
    let patients: Vec<&str> = sides.keys().copied().collect();
    let sets: Vec<&str> = sides.values().map(|set| set.as_str()).collect();
    sqlx::query(
        "insert into patient_sets (patient, set) select * from unnest($1::text[], $2::text[])
         on conflict (patient) do nothing",
    )
    .bind(&patients)
    .bind(&sets)
    .execute(&mut *tx)
    .await?;
    let elsewhere: bool = sqlx::query_scalar(
        "select exists (select from unnest($1::text[], $2::text[]) as wanted (patient, set)
                          join patient_sets p using (patient) where p.set <> wanted.set)",
    )
    .bind(&patients)
    .bind(&sets)
    .fetch_one(tx)
    .await?;
    if elsewhere { Err(StoreError::PatientElsewhere) } else { Ok(()) }
}

/// How many were new.
async fn insert(tx: &mut Tx, images: &[ReferenceImage], by: &str) -> Result<usize, sqlx::Error> {
    let texts = |text: fn(&ReferenceImage) -> String| images.iter().map(text).collect::<Vec<_>>();
    let inserted = sqlx::query(
        "insert into reference_images (content_sha256, object_key, media_type, label, patient, site, added_by)
         select *, $7
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
         on conflict (content_sha256) do nothing",
    )
    .bind(texts(|i| i.content.to_string()))
    .bind(texts(|i| i.object_key.clone()))
    .bind(texts(|i| i.media_type.clone()))
    .bind(texts(|i| i.label.to_string()))
    .bind(texts(|i| i.patient.clone()))
    .bind(images.iter().map(|i| i.site.clone()).collect::<Vec<_>>())
    .bind(by)
    .execute(tx)
    .await?;
    Ok(usize::try_from(inserted.rows_affected()).unwrap_or(usize::MAX))
}

impl FromRow<'_, PgRow> for ReferenceImage {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            content: parsed(row, "content_sha256")?,
            object_key: row.try_get("object_key")?,
            media_type: row.try_get("media_type")?,
            label: parsed(row, "label")?,
            patient: row.try_get("patient")?,
            site: row.try_get("site")?,
            set: parsed(row, "set")?,
        })
    }
}
