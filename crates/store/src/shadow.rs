//! A challenger's answers beside those that were given.

use cspine_domain::Sha256;
use sqlx::Row as _;

use crate::{Store, StoreError};

/// How a shadow's answers compare with the primary ones of the same images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShadowTally {
    /// Images with both.
    pub images: i64,
    /// Of them, assessed by both: what follows is of these. A challenger that assesses what the champion could not is no
    /// disagreement.
    pub both_answered: i64,
    /// Both flag it, or neither does.
    pub agree: i64,
    /// The same class.
    pub same_verdict: i64,
    /// Flagged by the answer that was given.
    pub flagged_primary: i64,
    /// Flagged by the shadow.
    pub flagged_shadow: i64,
}

impl Store {
    /// Compares a model's shadow findings with the primary ones.
    pub async fn shadow_tally(&self, model: Sha256) -> Result<ShadowTally, StoreError> {
        let row = sqlx::query(
            "select count(*) as images,
                    count(*) filter (where both_answered) as both_answered,
                    count(*) filter (where both_answered and s_flagged = p_flagged) as agree,
                    count(*) filter (where both_answered and s_verdict = p_verdict) as same_verdict,
                    count(*) filter (where both_answered and p_flagged) as flagged_primary,
                    count(*) filter (where both_answered and s_flagged) as flagged_shadow
               from (select s.flagged as s_flagged, s.verdict as s_verdict, p.flagged as p_flagged, p.verdict as p_verdict,
                            'not_assessable' not in (s.verdict, p.verdict) as both_answered
                       from findings s
                       join findings p on p.sop_instance_uid = s.sop_instance_uid
                                      and p.content_sha256 = s.content_sha256 and p.purpose = 'primary'
                      where s.model_sha256 = $1 and s.purpose = 'shadow') as pairs",
        )
        .bind(model.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(ShadowTally {
            images: row.try_get("images")?,
            both_answered: row.try_get("both_answered")?,
            agree: row.try_get("agree")?,
            same_verdict: row.try_get("same_verdict")?,
            flagged_primary: row.try_get("flagged_primary")?,
            flagged_shadow: row.try_get("flagged_shadow")?,
        })
    }
}
