//! Which labels are new: a label is until a run has used it.

use std::collections::HashSet;

use cspine_domain::{Class, Sha256};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::columns::{count, parsed};
use crate::training::holds_lease;
use crate::{Fence, Run, Store, StoreError};

/// Usable labels that no run has used, but for those that failed. An image is counted once, and again with another label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLabels {
    /// The last review there is.
    pub through: i64,
    /// How many images by class index.
    pub by_class: [u64; Class::COUNT],
    /// How many of them are of training patients: the rest only measures and validates.
    pub to_learn_from: u64,
}

impl Store {
    /// Counts what is new to the next run.
    pub async fn new_labels(&self) -> Result<NewLabels, StoreError> {
        let row = sqlx::query(
            "with news as (
                 select content_sha256, label, set
                   from labelled_images l
                  where not disputed and not quarantined and label <> 'unusable'
                    and not exists (select from label_uses u join training_runs r on r.id = u.run_id
                                     where u.content_sha256 = l.content_sha256 and u.label = l.label
                                       and r.state <> 'failed')
             )
             select (select coalesce(max(id), 0) from reviews) as through,
                    count(distinct content_sha256) filter (where label = 'dislocation') as dislocation,
                    count(distinct content_sha256) filter (where label = 'fracture') as fracture,
                    count(distinct content_sha256) filter (where label = 'normal') as normal,
                    count(distinct content_sha256) filter (where set = 'training') as to_learn_from
               from news",
        )
        .fetch_one(&self.pool)
        .await?;
        let mut by_class = [0; Class::COUNT];
        for class in Class::ALL {
            by_class[class.index()] = count(&row, class.as_str())?;
        }
        Ok(NewLabels { through: row.try_get("through")?, by_class, to_learn_from: count(&row, "to_learn_from")? })
    }

    /// Of the labels that a run is given, those that are new to its champion: none of the runs used them that made the
    /// champion, or a model before it. They are put on record as used, in place of what the run was given before. None:
    /// the lease is lost.
    pub async fn use_labels(
        &self,
        fence: Fence,
        run: &Run,
        given: &[(Sha256, Class)],
    ) -> Result<Option<HashSet<(Sha256, Class)>>, StoreError> {
        let mut tx = self.pool.begin().await?;
        if !holds_lease(&mut tx, fence).await? {
            return Ok(None);
        }
        sqlx::query("delete from label_uses where run_id = $1").bind(run.id).execute(&mut tx).await?;
        let rows = sqlx::query(
            "with recursive lineage (sha256) as (
                 select $2::text
                 union
                 select m.parent_sha256
                   from lineage l join models m on m.sha256 = l.sha256
                  where m.parent_sha256 is not null
             ), known as (
                 select u.content_sha256, u.label
                   from label_uses u join training_runs r on r.id = u.run_id
                  where r.challenger_sha256 in (select sha256 from lineage)
             )
             insert into label_uses (run_id, content_sha256, label)
             select $1, content, label
               from unnest($3::text[], $4::text[]) as given (content, label)
              where not exists (select from known k where k.content_sha256 = given.content and k.label = given.label)
             on conflict do nothing
             returning content_sha256, label",
        )
        .bind(run.id)
        .bind(run.champion.to_string())
        .bind(given.iter().map(|(content, _)| content.to_string()).collect::<Vec<_>>())
        .bind(given.iter().map(|(_, class)| class.as_str()).collect::<Vec<_>>())
        .fetch_all(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(Some(rows.iter().map(label).collect::<Result<_, _>>()?))
    }
}

fn label(row: &PgRow) -> Result<(Sha256, Class), sqlx::Error> {
    Ok((parsed(row, "content_sha256")?, parsed(row, "label")?))
}
