//! What every run leaves behind: a chain in which no link can be changed or left out unseen.
//!
//! A link is added in the transaction that ends its run, under the lease. What a chain cannot show by itself is that its
//! end was cut off: the trainer keeps each link's hash in the object store too.

use cspine_domain::Sha256;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use time::OffsetDateTime;

use crate::columns::parsed;
use crate::session::Tx;
use crate::{Store, StoreError};

/// A row of `evidence`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number; the next has a higher one.
    pub id: i64,
    /// The run that left it.
    pub run: i64,
    /// What it is of, such as `data` or `verdict`.
    pub kind: String,
    /// JSON, byte for byte as it was hashed.
    pub content: String,
    /// Of the link before; 64 zeros for the first.
    pub previous_hash: Sha256,
    /// Of this link, with the one before.
    pub hash: Sha256,
    /// When, by the database's clock.
    pub recorded_at: OffsetDateTime,
}

impl Link {
    /// What the first link names as the one before it.
    pub const NONE_BEFORE: Sha256 = Sha256([0; 32]);

    /// The hash it ought to have.
    fn expected_hash(&self) -> Sha256 {
        let Self { run, kind, content, previous_hash, recorded_at, .. } = self;
        let microseconds = recorded_at.unix_timestamp_nanos() / 1000;
        Sha256::of(format!("{previous_hash}\n{run}\n{microseconds}\n{kind}\n{content}\n").as_bytes())
    }
}

/// Adds a link to the end of the chain, within the transaction of whoever holds the lease: so one after another.
pub(crate) async fn add_link(tx: &mut Tx, run: i64, kind: &str, content: &Value) -> Result<Link, sqlx::Error> {
    let last: Option<String> =
        sqlx::query_scalar("select hash from evidence order by id desc limit 1").fetch_optional(&mut *tx).await?;
    let mut link = Link {
        id: 0,
        run,
        kind: kind.to_owned(),
        content: content.to_string(),
        previous_hash: match last {
            Some(hash) => hash.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            None => Link::NONE_BEFORE,
        },
        hash: Link::NONE_BEFORE,
        recorded_at: sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *tx).await?,
    };
    link.hash = link.expected_hash();
    link.id = sqlx::query_scalar(
        "insert into evidence (run_id, kind, content, previous_hash, hash, recorded_at)
         values ($1, $2, $3::json, $4, $5, $6) returning id",
    )
    .bind(link.run)
    .bind(&link.kind)
    .bind(&link.content)
    .bind(link.previous_hash.to_string())
    .bind(link.hash.to_string())
    .bind(link.recorded_at)
    .fetch_one(tx)
    .await?;
    Ok(link)
}

impl Store {
    /// The whole chain, first link first.
    pub async fn evidence(&self) -> Result<Vec<Link>, StoreError> {
        let rows = sqlx::query_as("select *, content::text as content_text from evidence order by id");
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Its last link.
    pub async fn last_evidence(&self) -> Result<Option<Link>, StoreError> {
        let row = sqlx::query_as("select *, content::text as content_text from evidence order by id desc limit 1");
        Ok(row.fetch_optional(&self.pool).await?)
    }
}

/// The first link that is not what was recorded, or that does not follow the one before it; none in a whole chain.
pub fn broken_link(links: &[Link]) -> Option<i64> {
    let mut previous = Link::NONE_BEFORE;
    for link in links {
        if link.previous_hash != previous || link.hash != link.expected_hash() {
            return Some(link.id);
        }
        previous = link.hash;
    }
    None
}

impl FromRow<'_, PgRow> for Link {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            run: row.try_get("run_id")?,
            kind: row.try_get("kind")?,
            content: row.try_get("content_text")?,
            previous_hash: parsed(row, "previous_hash")?,
            hash: parsed(row, "hash")?,
            recorded_at: row.try_get("recorded_at")?,
        })
    }
}
