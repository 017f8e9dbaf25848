//! Images that a later model is to answer for.

use cspine_domain::{Sha256, Uid};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

use crate::columns::{notes, parsed};
use crate::{Arrival, Store, StoreError};

/// Images to ask a model about.
#[derive(Debug, Clone)]
pub struct ToRescore {
    /// As they arrived; those of the study that is read next first.
    pub images: Vec<Arrival>,
    /// How many more there are.
    pub left: u64,
}

impl Store {
    /// At most `limit` images of studies on the list, of one or of all, that another model has answered for and this one
    /// has not.
    pub async fn to_rescore(&self, model: Sha256, study: Option<&Uid>, limit: u32) -> Result<ToRescore, StoreError> {
        let rows = sqlx::query(
            "select i.*, s.accession_number, s.patient_key, s.site, s.order_priority, count(*) over () as of_all
               from studies s
               join images i using (study_instance_uid)
               join findings p on p.sop_instance_uid = i.sop_instance_uid and p.content_sha256 = i.content_sha256
                              and p.purpose = 'primary'
              where s.state <> 'finished' and ($2 is null or s.study_instance_uid = $2) and p.model_sha256 <> $1
                and not exists (select from findings r
                                 where r.sop_instance_uid = i.sop_instance_uid and r.content_sha256 = i.content_sha256
                                   and r.purpose = 'rescore' and r.model_sha256 = $1)
              order by s.listed_level, s.arrived_at, s.study_instance_uid, i.registered_at, i.sop_instance_uid,
                       i.content_sha256
              limit $3",
        )
        .bind(model.to_string())
        .bind(study.map(Uid::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let all = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>("of_all"))?;
        let images = rows.iter().map(Arrival::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(ToRescore { left: all.unsigned_abs() - images.len() as u64, images })
    }
}

impl FromRow<'_, PgRow> for Arrival {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            source: row.try_get("event_source")?,
            event_id: row.try_get("event_id")?,
            event_time: row.try_get("event_time")?,
            study: parsed(row, "study_instance_uid")?,
            series: parsed(row, "series_instance_uid")?,
            sop: parsed(row, "sop_instance_uid")?,
            content: parsed(row, "content_sha256")?,
            accession_number: row.try_get("accession_number")?,
            patient_key: row.try_get("patient_key")?,
            site: row.try_get("site")?,
            order_priority: parsed(row, "order_priority")?,
            acquired_at: row.try_get("acquired_at")?,
            modality: row.try_get("modality")?,
            body_part: row.try_get("body_part")?,
            view: row.try_get("view")?,
            object_key: row.try_get("object_key")?,
            media_type: row.try_get("media_type")?,
            size_bytes: row.try_get::<Option<i64>, _>("size_bytes")?.map(i64::unsigned_abs),
            notes: notes(row, "event_notes")?,
        })
    }
}
