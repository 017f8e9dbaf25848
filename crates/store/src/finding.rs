//! The answer to an image: finding, study, priority and events in one transaction.

use cspine_domain::{Class, Notes, Pose, Reason, Sha256, Uid, Verdict};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::arrival::register;
use crate::columns::codes;
use crate::events::{Envelope, FindingCreated};
use crate::features;
use crate::outbox::enqueue;
use crate::priority::{Cause, reprioritise};
use crate::session::Tx;
use crate::words::words;
use crate::{Arrival, Store, StoreError};

words! {
    /// What a finding is for.
    Purpose, "purpose of a finding" {
        /// The answer; one an image.
        Primary = "primary",
        /// A challenger's answer beside it: never touches the list, never told to anyone.
        Shadow = "shadow",
        /// A later model's answer: may only raise.
        Rescore = "rescore",
    }
}

/// What the network said of an image, or why it was not asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was scored.
    Assessed {
        /// Calibrated, by class index, summing to 1.
        probabilities: [f32; Class::COUNT],
        /// At or over the model's operating point.
        flagged: bool,
        /// What else is to be known of the answer, such as [`Reason::Atypical`].
        mark: Option<Reason>,
    },
    /// It was not; never to be read as normal.
    NotAssessable(Reason),
}

impl Answer {
    /// The class of the highest probability; of equals the more urgent one.
    pub fn verdict(&self) -> Verdict {
        let Answer::Assessed { probabilities: p, .. } = self else { return Verdict::NotAssessable };
        let likeliest = Class::ALL.iter().copied().rev().max_by(|a, b| p[a.index()].total_cmp(&p[b.index()]));
        likeliest.expect("there are three classes").into()
    }

    /// The likelier injury of a flagged image, whatever its verdict: what it counts as.
    pub fn injury(&self) -> Option<Class> {
        match self {
            Answer::Assessed { probabilities: [dislocation, fracture, _], flagged: true, .. } => {
                Some(if dislocation >= fracture { Class::Dislocation } else { Class::Fracture })
            }
            _ => None,
        }
    }

    pub(crate) fn flagged(&self) -> bool {
        matches!(self, Answer::Assessed { flagged: true, .. })
    }

    pub(crate) fn probabilities(&self) -> Option<[f32; Class::COUNT]> {
        match self {
            Answer::Assessed { probabilities, .. } => Some(*probabilities),
            Answer::NotAssessable(_) => None,
        }
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        match self {
            Answer::Assessed { mark, .. } => *mark,
            Answer::NotAssessable(reason) => Some(*reason),
        }
    }
}

/// What the decision rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Saliency {
    /// The class that is explained.
    pub class: Class,
    /// How it was made: `hirescam`, `gradient`, `smoothgrad`, `gradcam`, `integrated`.
    pub method: String,
    /// 8-bit grey PNG at the network's resolution.
    pub heatmap_png: Vec<u8>,
    /// How the stored image stands where the heatmap lies on it.
    pub pose: Pose,
}

/// An answer, ready to be written.
#[derive(Debug, Clone)]
pub struct NewFinding {
    /// The event that asked; the study and image are registered if they are not yet.
    pub arrival: Arrival,
    /// What it is for.
    pub purpose: Purpose,
    /// The model's file.
    pub model: Sha256,
    /// The answer.
    pub answer: Answer,
    /// The explanation of an assessed image.
    pub saliency: Option<Saliency>,
    /// What the head of the network saw, at most 8192 values; kept as 16-bit floats, for drift to be measured on.
    pub features: Option<Vec<f32>>,
    /// What was odd about the file or its event and was tolerated.
    pub notes: Notes,
}

/// What writing a finding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The finding was written.
    Created {
        /// Its number.
        finding_id: i64,
        /// The study's level as listed now; lower is sooner.
        level: i16,
        /// The study moved up, or a finished one came back.
        raised: bool,
        /// The study had been finished.
        reopened: bool,
        /// The SOP instance UID came with other bytes too.
        conflict: bool,
    },
    /// There was one: nothing was written.
    AlreadyThere,
}

impl Store {
    /// Whether an image has its primary finding: then its message needs no work.
    pub async fn already_answered(&self, sop: &Uid, content: Sha256) -> Result<bool, StoreError> {
        let answered = sqlx::query_scalar(
            "select exists (select from findings
                             where sop_instance_uid = $1 and content_sha256 = $2 and purpose = 'primary')",
        )
        .bind(sop.as_str())
        .bind(content.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(answered)
    }

    /// Writes a finding and all that follows from it, or, when there is one already, nothing.
    pub async fn record_finding(&self, finding: &NewFinding) -> Result<Recorded, StoreError> {
        let mut tx = self.pool.begin().await?;
        let (registered, event_notes) = register(&mut tx, &finding.arrival).await?;
        let notes = &finding.notes | &event_notes;
        let Some(row) = insert(&mut tx, finding, &notes).await? else {
            tx.commit().await?; // the registration may be new all the same
            return Ok(Recorded::AlreadyThere);
        };
        let finding_id: i64 = row.try_get("id")?;
        let study = &finding.arrival.study;
        let (mut raised, mut reopened) = (false, false);
        if finding.purpose != Purpose::Shadow {
            settle_image(&mut tx, &finding.arrival).await?;
            judge_study(&mut tx, study).await?;
            if let Some(injury) = finding.answer.injury() {
                // A rescore knows no image that whoever finished the study did not.
                reopened = finding.purpose == Purpose::Primary && reopen(&mut tx, study).await?;
                let cause =
                    if reopened { Cause::NewImage { finding_id } } else { Cause::Flagged { injury, finding_id } };
                raised = reprioritise(&mut tx, study, cause).await?;
                mark_reading(&mut tx, study).await?;
            }
            let subject = finding.arrival.sop.as_str();
            enqueue(&mut tx, &Envelope::from_row(&row, subject, FindingCreated::of(finding, notes))?).await?;
        }
        let level = sqlx::query_scalar("select listed_level from studies where study_instance_uid = $1")
            .bind(study.as_str())
            .fetch_one(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(Recorded::Created { finding_id, level, raised, reopened, conflict: registered.conflict })
    }
}

/// The new finding's `id`, with an id and a time for its event; none when the image has one already.
async fn insert(tx: &mut Tx, finding: &NewFinding, notes: &Notes) -> Result<Option<PgRow>, sqlx::Error> {
    let NewFinding { arrival, purpose, model, answer, saliency, features: seen, notes: _ } = finding;
    let probabilities = answer.probabilities();
    sqlx::query(
        "insert into findings
             (sop_instance_uid, content_sha256, model_sha256, purpose, verdict, reason, flagged,
              p_dislocation, p_fracture, p_normal, saliency_class, saliency_method, heatmap_png, features, notes,
              orientation, pixel_aspect)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         on conflict do nothing
         returning id, gen_random_uuid()::text as event_id, created_at as time",
    )
    .bind(arrival.sop.as_str())
    .bind(arrival.content.to_string())
    .bind(model.to_string())
    .bind(purpose.as_str())
    .bind(answer.verdict().as_str())
    .bind(answer.reason().map(Reason::as_str))
    .bind(answer.flagged())
    .bind(probabilities.map(|p| p[Class::Dislocation.index()]))
    .bind(probabilities.map(|p| p[Class::Fracture.index()]))
    .bind(probabilities.map(|p| p[Class::Normal.index()]))
    .bind(saliency.as_ref().map(|s| s.class.as_str()))
    .bind(saliency.as_ref().map(|s| &s.method))
    .bind(saliency.as_ref().map(|s| &s.heatmap_png))
    .bind(seen.as_deref().map(features::written))
    .bind(codes(notes))
    .bind(saliency.as_ref().map(|s| i16::from(s.pose.orientation.exif())))
    .bind(saliency.as_ref().map(|s| s.pose.pixel_aspect))
    .fetch_optional(tx)
    .await
}

/// The image is answered, from the object that was really read: an earlier event may have named one that was not there.
async fn settle_image(tx: &mut Tx, arrival: &Arrival) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update images set failed_reason = null, object_key = $3, media_type = $4
          where sop_instance_uid = $1 and content_sha256 = $2",
    )
    .bind(arrival.sop.as_str())
    .bind(arrival.content.to_string())
    .bind(&arrival.object_key)
    .bind(&arrival.media_type)
    .execute(tx)
    .await?;
    Ok(())
}

/// The study's answer from all its images: flagged when any is, with verdict and reason of the image that sets the
/// level; else normal when any was assessed; else not assessable.
async fn judge_study(tx: &mut Tx, study: &Uid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with answers as (
             select f.*, case f.injury when 'dislocation' then 0 when 'fracture' then 1 end::smallint as ai_level
               from findings f join images i using (sop_instance_uid, content_sha256)
              where i.study_instance_uid = $1 and f.purpose <> 'shadow'
         ), deciding as (
             select flagged, ai_level, reason,
                    case when flagged or verdict = 'not_assessable' then verdict else 'normal' end as verdict
               from answers
              order by ai_level nulls last, verdict = 'not_assessable', p_normal, id
              limit 1
         )
         update studies s
            set flagged = d.flagged, ai_level = d.ai_level, verdict = d.verdict, reason = d.reason
           from deciding d
          where s.study_instance_uid = $1",
    )
    .bind(study.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Whoever reads the study is to see that there is a flag which was not there when he began: it does not move.
async fn mark_reading(tx: &mut Tx, study: &Uid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update studies set flagged_in_reading_at = now()
          where study_instance_uid = $1 and state = 'reading'
            and (flagged_in_reading_at is null or flagged_in_reading_at < state_changed_at)",
    )
    .bind(study.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Brings a finished study back to the list; whether it was finished.
async fn reopen(tx: &mut Tx, study: &Uid) -> Result<bool, sqlx::Error> {
    let reopened = sqlx::query(
        "update studies set state = 'open', state_changed_at = now(), state_changed_by = null
          where study_instance_uid = $1 and state = 'finished'",
    )
    .bind(study.as_str())
    .execute(tx)
    .await?;
    Ok(reopened.rows_affected() == 1)
}
