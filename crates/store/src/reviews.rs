//! What people say of images, the one label that follows from it, and on which side a patient is.

use cspine_domain::{Class, ConfirmationSource, Label, Sha256, Uid};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};
use time::OffsetDateTime;

use crate::columns::parsed;
use crate::words::words;
use crate::{Store, StoreError};

/// A person's word on an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// The event's CloudEvents source, or what was imported.
    pub source: String,
    /// The event's id, unique within its source.
    pub event_id: String,
    /// SOP instance UID; the image may come later.
    pub sop: Uid,
    /// The very bytes that were looked at.
    pub content: Sha256,
    /// What they show.
    pub label: Label,
    /// The reviewer's pseudonym.
    pub reviewer: String,
    /// What the label rests on.
    pub label_source: ConfirmationSource,
    /// Whether the reviewer had seen the network's answer.
    pub answer_seen: bool,
    /// When it was said.
    pub confirmed_at: OffsetDateTime,
    /// The event, of the same source, that this one corrects.
    pub supersedes: Option<String>,
}

words! {
    /// What a patient's images are for.
    LearningSet, "set" {
        /// To learn from.
        Training = "training",
        /// To stop, calibrate and set the operating point by.
        Validation = "validation",
        /// To measure with; never learned from.
        Evaluation = "evaluation",
    }
}

impl LearningSet {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// The index in order of declaration.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A labelled image that is here.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledImage {
    /// SOP instance UID.
    pub sop: Uid,
    /// Content hash.
    pub content: Sha256,
    /// The latest word of the weightiest source.
    pub label: Label,
    /// That source.
    pub label_source: ConfirmationSource,
    /// One of those who said so had seen the network's answer.
    pub answer_seen: bool,
    /// Two people of that source differ: not to be used.
    pub disputed: bool,
    /// The patient or the image is on two sides: not to be used.
    pub quarantined: bool,
    /// The patient's side.
    pub set: LearningSet,
    /// The patient's pseudonym, or `study:` and the study's UID.
    pub patient: String,
    /// Where it was taken.
    pub site: Option<String>,
    /// DICOM modality, as declared.
    pub modality: Option<String>,
    /// Where the object is, relative to the object store.
    pub object_key: String,
    /// The object's media type.
    pub media_type: String,
    /// The newest word on it that counts.
    pub review_id: i64,
    /// When the last of them was said.
    pub confirmed_at: OffsetDateTime,
}

/// Usable labels since a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLabels {
    /// The last review there is: what comes after it is new to the next who asks.
    pub through: i64,
    /// How many images by class index.
    pub by_class: [u64; Class::COUNT],
}

/// Every image that somebody labelled is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LabelTally {
    /// Usable ones by [`LearningSet::index`] and class index.
    pub usable: [[u64; Class::COUNT]; LearningSet::COUNT],
    /// Labelled as unusable.
    pub unusable: u64,
    /// In dispute.
    pub disputed: u64,
    /// On two sides, in dispute or not.
    pub quarantined: u64,
    /// Labelled, but no such image has come.
    pub without_image: u64,
}

impl Store {
    /// Puts a word on record; false when it was there.
    pub async fn record_review(&self, review: &NewReview) -> Result<bool, StoreError> {
        Ok(self.record_reviews(std::slice::from_ref(review)).await? == 1)
    }

    /// Puts words on record in this order, all or none; how many were not there before.
    pub async fn record_reviews(&self, reviews: &[NewReview]) -> Result<usize, StoreError> {
        let mut tx = self.pool.begin().await?;
        // one after another: so whoever has seen a review has seen all before it
        sqlx::query("select pg_advisory_xact_lock(hashtextextended('cspine reviews', 0))").execute(&mut *tx).await?;
        let mut new = 0;
        for some in reviews.chunks(BATCH) {
            new += insert(&mut tx, some).await?;
        }
        tx.commit().await?;
        Ok(new)
    }

    /// Deals a side to the patient of every labelled image who has none, for ever, and notes it for the image's study; how
    /// many of both. Until then a patient's side is the one that is going to be dealt.
    pub async fn assign_sets(&self) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin().await?;
        // once for all labels there are: their number decides how long that takes
        sqlx::query("set local statement_timeout = '10min'").execute(&mut *tx).await?;
        let dealt = sqlx::query(
            "with sided as materialized (select patient, study_as_patient, set from labelled_images)
             insert into patient_sets (patient, set)
             select patient, set from sided union select study_as_patient, set from sided
             on conflict (patient) do nothing",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(dealt.rows_affected())
    }

    /// The side of a patient: the one that was dealt, or that is going to be.
    pub async fn set_of(&self, patient: &str) -> Result<LearningSet, StoreError> {
        let row =
            sqlx::query("select coalesce((select set from patient_sets where patient = $1), drawn_set($1)) as set");
        Ok(parsed(&row.bind(patient).fetch_one(&self.pool).await?, "set")?)
    }

    /// Every labelled image that is here, by what had been said up to a review, ordered by content. Patients, merges and
    /// images are those of now.
    pub async fn labelled_images(&self, through: i64) -> Result<Vec<LabelledImage>, StoreError> {
        let rows = sqlx::query_as("select * from labelled_through($1) order by content_sha256, sop_instance_uid");
        Ok(rows.bind(through).fetch_all(&self.pool).await?)
    }

    /// Counts usable labels that are news after a review: somebody said them later, or their image came later.
    pub async fn new_labels(&self, after: i64) -> Result<NewLabels, StoreError> {
        let row = sqlx::query(
            "with news as (
                 select label from labelled_images
                  where not disputed and not quarantined and label <> 'unusable'
                    and (review_id > $1
                         or registered_at > (select max(received_at) from reviews where id <= $1))
             )
             select (select coalesce(max(id), 0) from reviews) as through,
                    count(*) filter (where label = 'dislocation') as dislocation,
                    count(*) filter (where label = 'fracture') as fracture,
                    count(*) filter (where label = 'normal') as normal
               from news",
        )
        .bind(after)
        .fetch_one(&self.pool)
        .await?;
        let mut by_class = [0; Class::COUNT];
        for class in Class::ALL {
            by_class[class.index()] = count(&row, class.as_str())?;
        }
        Ok(NewLabels { through: row.try_get("through")?, by_class })
    }

    /// Puts on record that two pseudonyms are one person; false when it was there. Who has been dealt both sides is
    /// quarantined.
    pub async fn merge_patients(&self, from: &str, into: &str, by: &str) -> Result<bool, StoreError> {
        let merged = sqlx::query(
            "insert into patient_merges (from_patient, into_patient, merged_by) values ($1, $2, $3)
             on conflict do nothing",
        )
        .bind(from)
        .bind(into)
        .bind(by)
        .execute(&self.pool)
        .await?;
        Ok(merged.rows_affected() == 1)
    }

    /// What the labels amount to.
    pub async fn label_tally(&self) -> Result<LabelTally, StoreError> {
        let rows = sqlx::query(
            "select case when quarantined then 'quarantined' when disputed then 'disputed'
                         when label = 'unusable' then 'unusable' else 'usable' end as use,
                    set, label, count(*) as images
               from labelled_images group by 1, 2, 3
             union all
             select 'without_image', null, null, count(distinct (r.sop_instance_uid, r.content_sha256))
               from reviews r left join images i using (sop_instance_uid, content_sha256)
              where i.sop_instance_uid is null",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut tally = LabelTally::default();
        for row in &rows {
            let images = count(row, "images")?;
            match row.try_get("use")? {
                "quarantined" => tally.quarantined += images,
                "disputed" => tally.disputed += images,
                "unusable" => tally.unusable += images,
                "without_image" => tally.without_image += images,
                _ => {
                    let (set, class): (LearningSet, Class) = (parsed(row, "set")?, parsed(row, "label")?);
                    tally.usable[set.index()][class.index()] += images;
                }
            }
        }
        Ok(tally)
    }
}

/// How many words one statement takes.
const BATCH: usize = 1000;

/// How many were new.
async fn insert(tx: &mut PgConnection, reviews: &[NewReview]) -> Result<usize, sqlx::Error> {
    let texts = |text: fn(&NewReview) -> String| reviews.iter().map(text).collect::<Vec<_>>();
    let inserted = sqlx::query(
        "insert into reviews
             (source, event_id, sop_instance_uid, content_sha256, label, reviewer, label_source, answer_seen,
              confirmed_at, supersedes)
         select source, event_id, sop, content, label, reviewer, label_source, answer_seen, confirmed_at, supersedes
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
                       $9::timestamptz[], $10::text[]) with ordinality
             as r (source, event_id, sop, content, label, reviewer, label_source, answer_seen, confirmed_at, supersedes,
                   position)
          order by position
         on conflict (source, event_id) do nothing",
    )
    .bind(texts(|r| r.source.clone()))
    .bind(texts(|r| r.event_id.clone()))
    .bind(texts(|r| r.sop.to_string()))
    .bind(texts(|r| r.content.to_string()))
    .bind(texts(|r| r.label.to_string()))
    .bind(texts(|r| r.reviewer.clone()))
    .bind(texts(|r| r.label_source.to_string()))
    .bind(reviews.iter().map(|r| r.answer_seen).collect::<Vec<_>>())
    .bind(reviews.iter().map(|r| r.confirmed_at).collect::<Vec<_>>())
    .bind(reviews.iter().map(|r| r.supersedes.clone()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(usize::try_from(inserted.rows_affected()).unwrap_or(usize::MAX))
}

fn count(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}

impl FromRow<'_, PgRow> for LabelledImage {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            sop: parsed(row, "sop_instance_uid")?,
            content: parsed(row, "content_sha256")?,
            label: parsed(row, "label")?,
            label_source: parsed(row, "label_source")?,
            answer_seen: row.try_get("answer_seen")?,
            disputed: row.try_get("disputed")?,
            quarantined: row.try_get("quarantined")?,
            set: parsed(row, "set")?,
            patient: row.try_get("patient")?,
            site: row.try_get("site")?,
            modality: row.try_get("modality")?,
            object_key: row.try_get("object_key")?,
            media_type: row.try_get("media_type")?,
            review_id: row.try_get("review_id")?,
            confirmed_at: row.try_get("confirmed_at")?,
        })
    }
}
