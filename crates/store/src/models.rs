//! The networks on record.

use cspine_domain::Sha256;
use sqlx::FromRow;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use crate::columns::parsed;
use crate::words::words;
use crate::{Run, Store, StoreError};

words! {
    /// What a model is to the workers.
    ModelState, "state of a model" {
        /// On record, and not in service.
        Candidate = "candidate",
        /// Scores a share of the live images beside the champion; nobody goes by it.
        Shadow = "shadow",
        /// Serves; there is one.
        Champion = "champion",
        /// Was champion.
        Retired = "retired",
    }
}

/// A model to be put on record.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModel {
    /// Of its file.
    pub sha256: Sha256,
    /// Its network's word, `googlenet` or `alexnet`.
    pub architecture: String,
    /// Bytes of its file.
    pub size_bytes: u64,
    /// Its card as in the file, a JSON object.
    pub card: serde_json::Value,
    /// Where its file lies in the object store; none: only the record is here, and it cannot serve.
    pub object_key: Option<String>,
    /// Who puts it there.
    pub registered_by: String,
    /// Why, although its card says that it has collapsed, or has no scope gate; without a reason such a model is refused.
    pub forced_reason: Option<String>,
}

/// A row of `models`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// What was put on record.
    pub model: NewModel,
    /// What it is to the workers.
    pub state: ModelState,
    /// When, by the database's clock.
    pub registered_at: OffsetDateTime,
}

/// What came of a registration.
#[derive(Debug, Clone, PartialEq)]
pub enum Registration {
    /// It is on record now.
    Created(ModelRow),
    /// It was before, and stays as it was; but that its file is in the object store is news.
    AlreadyThere(ModelRow),
}

impl Store {
    /// Puts a model on record, once a file.
    ///
    /// # Errors
    /// [`StoreError::CollapsedModel`] or [`StoreError::UngatedModel`] without a reason for such a one; else what the
    /// database says.
    pub async fn register_model(&self, model: &NewModel) -> Result<Registration, StoreError> {
        let created = sqlx::query_as(
            "insert into models (sha256, architecture, size_bytes, card, object_key, registered_by, forced_reason)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (sha256) do nothing returning *",
        )
        .bind(model.sha256.to_string())
        .bind(&model.architecture)
        .bind(i64::try_from(model.size_bytes).unwrap_or(i64::MAX))
        .bind(&model.card)
        .bind(&model.object_key)
        .bind(&model.registered_by)
        .bind(&model.forced_reason)
        .fetch_optional(&self.pool)
        .await
        .map_err(refusal)?;
        if let Some(row) = created {
            return Ok(Registration::Created(row));
        }
        // No row is ever deleted: what was in the way of the insert is there.
        let row =
            sqlx::query_as("update models set object_key = coalesce(object_key, $2) where sha256 = $1 returning *")
                .bind(model.sha256.to_string())
                .bind(&model.object_key);
        Ok(Registration::AlreadyThere(row.fetch_one(&self.pool).await?))
    }

    /// The models on record, latest first.
    pub async fn models(&self) -> Result<Vec<ModelRow>, StoreError> {
        let rows = sqlx::query_as("select * from models order by registered_at desc, sha256");
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// The models whose SHA-256 begins with these digits, latest first: one, if they are enough.
    pub async fn model_named(&self, prefix: &str) -> Result<Vec<ModelRow>, StoreError> {
        let rows = sqlx::query_as(
            "select * from models where starts_with(sha256, lower($1)) order by registered_at desc, sha256",
        );
        Ok(rows.bind(prefix).fetch_all(&self.pool).await?)
    }

    /// The run that made a model, the latest if it was made again; none when no run did.
    pub async fn run_that_made(&self, model: Sha256) -> Result<Option<Run>, StoreError> {
        let run = sqlx::query_as("select * from training_runs where challenger_sha256 = $1 order by id desc limit 1");
        Ok(run.bind(model.to_string()).fetch_optional(&self.pool).await?)
    }
}

/// The constraint that names what is wrong with a model is an answer, not a fault of the database.
fn refusal(error: sqlx::Error) -> StoreError {
    let constraint = error.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    match constraint {
        Some("a_collapsed_model_is_forced") => StoreError::CollapsedModel,
        Some("a_model_without_scope_gate_is_forced") => StoreError::UngatedModel,
        _ => error.into(),
    }
}

impl FromRow<'_, PgRow> for ModelRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(ModelRow {
            model: NewModel {
                sha256: parsed(row, "sha256")?,
                architecture: row.try_get("architecture")?,
                size_bytes: row.try_get::<i64, _>("size_bytes")?.unsigned_abs(),
                card: row.try_get("card")?,
                object_key: row.try_get("object_key")?,
                registered_by: row.try_get("registered_by")?,
                forced_reason: row.try_get("forced_reason")?,
            },
            state: parsed(row, "state")?,
            registered_at: row.try_get("registered_at")?,
        })
    }
}
