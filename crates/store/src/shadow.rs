//! A challenger's answers beside those that were given.

use cspine_domain::Sha256;
use sqlx::Row as _;

use crate::{Store, StoreError};

/// How a shadow's answers compare with the primary ones of the same images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShadowTally {
    /// Images with both.
    pub images: i64,
    /// Both flag it, or neither does, or neither could assess it.
    pub agree: i64,
    /// The same class, or neither could assess it.
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
                    count(*) filter (where s.flagged = p.flagged
                                       and (s.verdict = 'not_assessable') = (p.verdict = 'not_assessable')) as agree,
                    count(*) filter (where s.verdict = p.verdict) as same_verdict,
                    count(*) filter (where p.flagged) as flagged_primary,
                    count(*) filter (where s.flagged) as flagged_shadow
               from findings s
               join findings p on p.sop_instance_uid = s.sop_instance_uid and p.content_sha256 = s.content_sha256
                              and p.purpose = 'primary'
              where s.model_sha256 = $1 and s.purpose = 'shadow'",
        )
        .bind(model.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(ShadowTally {
            images: row.try_get("images")?,
            agree: row.try_get("agree")?,
            same_verdict: row.try_get("same_verdict")?,
            flagged_primary: row.try_get("flagged_primary")?,
            flagged_shadow: row.try_get("flagged_shadow")?,
        })
    }
}
