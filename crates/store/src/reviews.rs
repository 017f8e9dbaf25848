//! What people say of images, and the one label that follows from it.

use cspine_domain::{Class, ConfirmationSource, Label, Orientation, Sha256, Uid};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use time::{Duration, OffsetDateTime};

use crate::columns::{count, orientation, parsed};
use crate::session::Tx;
use crate::{LearningSet, Store, StoreError};

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

impl NewReview {
    /// Whether two of one source and id say the same; the database keeps microseconds.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let at_once = (self.confirmed_at - other.confirmed_at).abs() < Duration::MICROSECOND;
        at_once && Self { confirmed_at: other.confirmed_at, ..self.clone() } == *other
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
    /// How the stored image stood when it was answered; none without an answer.
    pub orientation: Option<Orientation>,
    /// Where the object is, relative to the object store.
    pub object_key: String,
    /// The object's media type.
    pub media_type: String,
    /// The newest word on it that counts.
    pub review_id: i64,
    /// When the last of them was said; when it came, where its sender's clock is ahead of ours.
    pub confirmed_at: OffsetDateTime,
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
    ///
    /// # Errors
    /// [`StoreError::OtherEvent`]: another word is there under its source and id.
    pub async fn record_review(&self, review: &NewReview) -> Result<bool, StoreError> {
        if self.record_reviews(std::slice::from_ref(review)).await? == 1 {
            return Ok(true);
        }
        let kept = self.reviews_named(&review.source, std::slice::from_ref(&review.event_id)).await?;
        if kept.iter().any(|kept| kept.says_the_same(review)) { Ok(false) } else { Err(StoreError::OtherEvent) }
    }

    /// Puts words on record in this order, all or none; how many were not there before.
    pub async fn record_reviews(&self, reviews: &[NewReview]) -> Result<usize, StoreError> {
        let mut tx = self.pool.begin().await?;
        // one after another: so whoever has seen a review has seen all before it
        sqlx::query("select pg_advisory_xact_lock(hashtextextended('cspine reviews', 0))").execute(&mut tx).await?;
        let mut new = 0;
        for some in reviews.chunks(BATCH) {
            new += insert(&mut tx, some).await?;
        }
        tx.commit().await?;
        Ok(new)
    }

    /// What is on record under these ids of a source, in no order.
    pub async fn reviews_named(&self, source: &str, event_ids: &[String]) -> Result<Vec<NewReview>, StoreError> {
        let rows = sqlx::query_as("select * from reviews where source = $1 and event_id = any($2)");
        Ok(rows.bind(source).bind(event_ids).fetch_all(&self.pool).await?)
    }

    /// Every labelled image that is here, by what had been said up to a review, ordered by content. Patients, merges and
    /// images are those of now.
    pub async fn labelled_images(&self, through: i64) -> Result<Vec<LabelledImage>, StoreError> {
        let rows = sqlx::query_as(
            "select l.*, f.orientation
               from labelled_through($1) l
               left join lateral (
                    select orientation from findings
                     where sop_instance_uid = l.sop_instance_uid and content_sha256 = l.content_sha256
                       and purpose = 'primary') f on true
              order by l.content_sha256, l.sop_instance_uid",
        );
        Ok(rows.bind(through).fetch_all(&self.pool).await?)
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
               from reviews r
              where (select true from images i
                      where i.sop_instance_uid = r.sop_instance_uid and i.content_sha256 = r.content_sha256) is null",
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
async fn insert(tx: &mut Tx, reviews: &[NewReview]) -> Result<usize, sqlx::Error> {
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

impl FromRow<'_, PgRow> for NewReview {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            source: row.try_get("source")?,
            event_id: row.try_get("event_id")?,
            sop: parsed(row, "sop_instance_uid")?,
            content: parsed(row, "content_sha256")?,
            label: parsed(row, "label")?,
            reviewer: row.try_get("reviewer")?,
            label_source: parsed(row, "label_source")?,
            answer_seen: row.try_get("answer_seen")?,
            confirmed_at: row.try_get("confirmed_at")?,
            supersedes: row.try_get("supersedes")?,
        })
    }
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
            orientation: orientation(row)?,
            object_key: row.try_get("object_key")?,
            media_type: row.try_get("media_type")?,
            review_id: row.try_get("review_id")?,
            confirmed_at: row.try_get("confirmed_at")?,
        })
    }
}
