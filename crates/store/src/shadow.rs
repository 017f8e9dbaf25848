//! A challenger's answers beside those that were given.

use cspine_domain::Sha256;
use sqlx::Row as _;

use crate::{Store, StoreError};

/// How a shadow's answers compare with the primary ones of the same images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShadowTally {
    /// Images with both.
    pub images: i64,
    /// Of them, assessed by the champion.
    pub answered_primary: i64,
    /// Of those, not assessed by the shadow.
    pub lost_answers: i64,
    /// Flagged by the champion.
    pub flagged_primary: i64,
    /// Of those, flagged by the shadow too.
    pub kept_flags: i64,
    /// Assessed by both: what follows is of these. A challenger that assesses what the champion could not is no
    /// disagreement.
    pub both_answered: i64,
    /// Both flag it, or neither does.
    pub agree: i64,
    /// The same class.
    pub same_verdict: i64,
    /// Flagged by the champion, of these.
    pub flagged_primary_of_both: i64,
    /// Flagged by the shadow, of these.
    pub flagged_shadow_of_both: i64,
}

impl Store {
    /// Compares a model's shadow findings with the primary ones that the champion gave.
    pub async fn shadow_tally(&self, model: Sha256, champion: Sha256) -> Result<ShadowTally, StoreError> {
        let row = sqlx::query(
            "select count(*) as images,
                    count(*) filter (where p_answered) as answered_primary,
                    count(*) filter (where p_answered and not s_answered) as lost_answers,
                    count(*) filter (where p_flagged) as flagged_primary,
                    count(*) filter (where p_flagged and s_flagged) as kept_flags,
                    count(*) filter (where p_answered and s_answered) as both_answered,
                    count(*) filter (where p_answered and s_answered and s_flagged = p_flagged) as agree,
                    count(*) filter (where p_answered and s_answered and s_verdict = p_verdict) as same_verdict,
                    count(*) filter (where p_answered and s_answered and p_flagged) as flagged_primary_of_both,
                    count(*) filter (where p_answered and s_answered and s_flagged) as flagged_shadow_of_both
               from (select s.flagged as s_flagged, s.verdict as s_verdict, s.verdict <> 'not_assessable' as s_answered,
                            p.flagged as p_flagged, p.verdict as p_verdict, p.verdict <> 'not_assessable' as p_answered
                       from findings s
                       -- `offset 0`: image by image, by the keys; joined freely, all findings of all years would be read
                      cross join lateral (select * from findings p
                                           where p.sop_instance_uid = s.sop_instance_uid
                                             and p.content_sha256 = s.content_sha256 and p.purpose = 'primary'
                                             and p.model_sha256 = $2
                                          offset 0) as p
                      where s.model_sha256 = $1 and s.purpose = 'shadow') as pairs",
        )
        .bind(model.to_string())
        .bind(champion.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(ShadowTally {
            images: row.try_get("images")?,
            answered_primary: row.try_get("answered_primary")?,
            lost_answers: row.try_get("lost_answers")?,
            flagged_primary: row.try_get("flagged_primary")?,
            kept_flags: row.try_get("kept_flags")?,
            both_answered: row.try_get("both_answered")?,
            agree: row.try_get("agree")?,
            same_verdict: row.try_get("same_verdict")?,
            flagged_primary_of_both: row.try_get("flagged_primary_of_both")?,
            flagged_shadow_of_both: row.try_get("flagged_shadow_of_both")?,
        })
    }
}
