//! Whether today's images are still those that the champion was made for: what it said of them, and the daily reports.

use std::ops::Range;

use cspine_domain::{Reason, Sha256, Verdict};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use time::{Date, OffsetDateTime};

use crate::columns::{parsed, parsed_option};
use crate::events::{Envelope, ModelDrifted};
use crate::features;
use crate::outbox::tell_of_drift;
use crate::{Store, StoreError};

/// A row of `scored_studies`: a study's first film in scope by a model, as far as drift is measured on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// p(dislocation) + p(fracture), when assessed.
    pub p_injury: Option<f32>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why not assessable, or a mark.
    pub reason: Option<Reason>,
    /// What the head of the network saw, if the worker kept it.
    pub features: Option<Vec<f32>>,
    /// DICOM modality, as declared.
    pub modality: Option<String>,
    /// Where it was taken.
    pub site: Option<String>,
    /// When it was scored.
    pub created_at: OffsetDateTime,
}

/// A row of `drift_reports`.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftReport {
    /// The day up to whose end was measured.
    pub day: Date,
    /// Whose images it was measured against.
    pub champion: Sha256,
    /// Images of the reference period.
    pub reference: u32,
    /// Images of the window that ends with the day.
    pub images: u32,
    /// Whether it is a warning.
    pub drifted: bool,
    /// A JSON array of objects: `name`, `drifted`, and whatever else was measured. A warning has one that drifted.
    pub statistics: Value,
}

impl DriftReport {
    /// The names of the statistics that drifted.
    pub fn drifted_statistics(&self) -> Vec<String> {
        let statistics = self.statistics.as_array().map(Vec::as_slice).unwrap_or_default();
        let drifted = statistics.iter().filter(|statistic| statistic["drifted"] == true);
        drifted.filter_map(|statistic| statistic["name"].as_str()).map(str::to_owned).collect()
    }
}

impl Store {
    /// What a model said of its studies of a period, of at most so many, oldest first. Which, a hash of the films' UIDs
    /// decides: an order by time would prefer hours.
    pub async fn scored(
        &self,
        model: Sha256,
        period: Range<OffsetDateTime>,
        limit: u32,
    ) -> Result<Vec<Scored>, StoreError> {
        let rows = sqlx::query_as(
            "select * from (select * from scored_studies
                             where model_sha256 = $1 and created_at >= $2 and created_at < $3
                             order by md5(sop_instance_uid) limit $4) drawn
              order by created_at, sop_instance_uid",
        )
        .bind(model.to_string())
        .bind(period.start)
        .bind(period.end)
        .bind(i64::from(limit));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// When a model scored its first studies, oldest first.
    pub async fn first_scored_at(&self, model: Sha256, count: u32) -> Result<Vec<OffsetDateTime>, StoreError> {
        let rows = sqlx::query_scalar(
            "select created_at from scored_studies where model_sha256 = $1 order by created_at limit $2",
        )
        .bind(model.to_string())
        .bind(i64::from(count));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// When it scored its latest ones before `end`, latest first.
    pub async fn latest_scored_at(
        &self,
        model: Sha256,
        end: OffsetDateTime,
        count: u32,
    ) -> Result<Vec<OffsetDateTime>, StoreError> {
        let rows = sqlx::query_scalar(
            "select created_at from scored_studies where model_sha256 = $1 and created_at < $2
              order by created_at desc limit $3",
        )
        .bind(model.to_string())
        .bind(end)
        .bind(i64::from(count));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Puts a day's report on record, and with it, when it is a warning, its event; false when that day had its report.
    pub async fn add_drift_report(&self, report: &DriftReport) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let added = sqlx::query(
            "insert into drift_reports (day, champion_sha256, reference, images, drifted, statistics)
             values ($1, $2, $3, $4, $5, $6) on conflict (day, champion_sha256) do nothing
             returning gen_random_uuid()::text as event_id, created_at as time",
        )
        .bind(report.day)
        .bind(report.champion.to_string())
        .bind(i64::from(report.reference))
        .bind(i64::from(report.images))
        .bind(report.drifted)
        .bind(&report.statistics)
        .fetch_optional(&mut tx)
        .await?;
        let Some(row) = added else { return Ok(false) };
        if report.drifted {
            let subject = report.champion.to_string();
            tell_of_drift(&mut tx, &Envelope::from_row(&row, &subject, ModelDrifted::from(report))?).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The latest reports, latest day first.
    pub async fn drift_reports(&self, limit: u32) -> Result<Vec<DriftReport>, StoreError> {
        let rows = sqlx::query_as("select * from drift_reports order by day desc, id desc limit $1");
        Ok(rows.bind(i64::from(limit)).fetch_all(&self.pool).await?)
    }
}

impl FromRow<'_, PgRow> for Scored {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let dislocation: Option<f32> = row.try_get("p_dislocation")?;
        let fracture: Option<f32> = row.try_get("p_fracture")?;
        Ok(Self {
            p_injury: dislocation.zip(fracture).map(|(dislocation, fracture)| dislocation + fracture),
            verdict: parsed(row, "verdict")?,
            reason: parsed_option(row, "reason")?,
            features: row.try_get::<Option<&[u8]>, _>("features")?.map(features::read),
            modality: row.try_get("modality")?,
            site: row.try_get("site")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for DriftReport {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            day: row.try_get("day")?,
            champion: parsed(row, "champion_sha256")?,
            reference: row.try_get::<i32, _>("reference")?.unsigned_abs(),
            images: row.try_get::<i32, _>("images")?.unsigned_abs(),
            drifted: row.try_get("drifted")?,
            statistics: row.try_get("statistics")?,
        })
    }
}
