//! Which network serves: one row that moves by its epoch, and who moved it.

use std::time::Duration;

use cspine_domain::Sha256;
use sqlx::postgres::{PgListener, PgPoolOptions, PgRow};
use sqlx::{Executor as _, FromRow, Row as _};
use time::OffsetDateTime;

use crate::columns::{parsed, parsed_option};
use crate::session::Tx;
use crate::training::holds_lease;
use crate::{Fence, ModelState, Store, StoreError};

/// The channel on which a moved epoch is told, as in `migrations/0009_registry.sql`.
const CHANNEL: &str = "cspine_serving";

/// A model that workers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Of its file.
    pub sha256: Sha256,
    /// Where the file lies in the object store.
    pub object_key: String,
}

/// What workers are to use.
#[derive(Debug, Clone, PartialEq)]
pub struct Serving {
    /// One more with each change.
    pub epoch: i64,
    /// What answers; none before the first promotion.
    pub champion: Option<Served>,
    /// What is tried beside it.
    pub shadow: Option<Served>,
    /// The share of live images that the shadow scores too, 0 without one.
    pub shadow_share: f32,
}

/// A wish to change what serves.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// The model that moves.
    pub model: Sha256,
    /// The epoch that the wish rests on: who moved it meanwhile has won.
    pub epoch: i64,
    /// Who wishes it.
    pub by: &'a str,
    /// Why.
    pub why: &'a str,
    /// Of a trainer, its lease: without it nothing moves. A person has none.
    pub fence: Option<Fence>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is so now.
    Done {
        /// The new epoch.
        epoch: i64,
    },
    /// Somebody else moved it first; nothing was changed.
    LostRace {
        /// The epoch there is.
        epoch: i64,
    },
    /// The trainer's lease was taken over, or is past its end; nothing was changed.
    LostLease,
    /// No such model on record.
    UnknownModel,
    /// On record, but its file is not in the object store.
    NotInStore,
    /// There was nothing to change; to be the champion and its own shadow is not possible either.
    Already,
}

/// A row of `model_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChange {
    /// Its number.
    pub id: i64,
    /// Which model.
    pub model: Sha256,
    /// What it was.
    pub from: ModelState,
    /// What it became.
    pub to: ModelState,
    /// The epoch from then on.
    pub epoch: i64,
    /// Who did it.
    pub by: String,
    /// Why.
    pub why: String,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
}

/// Waits for hints that what serves has moved. Hints may be lost: who goes by them polls as well.
#[derive(Debug)]
pub struct ServingHints {
    store: Store,
    listener: Option<PgListener>,
}

/// A connection on which nothing was heard for so long is asked whether it still lives.
const QUIET_MAX: Duration = Duration::from_secs(60);

impl Store {
    /// What workers are to use.
    pub async fn serving(&self) -> Result<Serving, StoreError> {
        let row = sqlx::query_as(
            "select s.epoch, s.champion_sha256, c.object_key as champion_key, s.shadow_sha256,
                    h.object_key as shadow_key, s.shadow_share
               from serving s
               left join models c on c.sha256 = s.champion_sha256
               left join models h on h.sha256 = s.shadow_sha256",
        );
        Ok(row.fetch_one(&self.pool).await?)
    }

    /// Listens from now on, on a connection of its own: it is held for as long as the hints are, and the pool's are few.
    pub async fn serving_hints(&self) -> Result<ServingHints, StoreError> {
        let mut hints = ServingHints { store: self.clone(), listener: None };
        hints.listener().await?;
        Ok(hints)
    }

    /// Makes a model champion, whatever it was; so it is also the way back to an earlier one. The old champion retires;
    /// a shadow that is promoted leaves the shadow's place.
    pub async fn promote(&self, wish: &Move<'_>) -> Result<Moved, StoreError> {
        self.change(wish, Place::Champion).await
    }

    /// Lets a model score this share of the live images beside the champion. A former shadow is a candidate again.
    pub async fn set_shadow(&self, wish: &Move<'_>, share: f32) -> Result<Moved, StoreError> {
        self.change(wish, Place::Shadow(share)).await
    }

    /// Ends that: the model is a candidate again.
    pub async fn end_shadow(&self, wish: &Move<'_>) -> Result<Moved, StoreError> {
        self.change(wish, Place::Nowhere).await
    }

    /// Who moved which model and why, latest first; of one model, or of all.
    pub async fn model_changes(&self, model: Option<Sha256>) -> Result<Vec<ModelChange>, StoreError> {
        let rows = sqlx::query_as("select * from model_changes where $1 is null or model_sha256 = $1 order by id desc");
        Ok(rows.bind(model.map(|model| model.to_string())).fetch_all(&self.pool).await?)
    }

    async fn change(&self, wish: &Move<'_>, place: Place) -> Result<Moved, StoreError> {
        let mut tx = self.pool.begin().await?;
        let moved = change(&mut tx, wish, place).await?;
        if matches!(moved, Moved::Done { .. }) {
            tx.commit().await?;
        }
        Ok(moved)
    }
}

impl ServingHints {
    /// Waits until what serves has moved, or until a move may have gone unheard because the connection was lost. It may
    /// be dropped while it waits.
    ///
    /// # Errors
    /// The database cannot be reached; the next call tries again.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        loop {
            let limit = self.store.pool.answer_max;
            let listener = self.listener().await?;
            let heard = match tokio::time::timeout(QUIET_MAX, listener.try_recv()).await {
                Ok(heard) => heard.map(|_| true),
                Err(_) => within(limit, listener.execute("select 1")).await.map(|_| false),
            };
            match heard {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    self.listener = None;
                    return Err(error.into());
                }
            }
        }
    }

    async fn listener(&mut self) -> Result<&mut PgListener, StoreError> {
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => listen(&self.store).await?,
        };
        Ok(self.listener.insert(listener))
    }
}

/// Listens on a pool of its own, made anew each time: what became of the last one's connection is of no matter.
async fn listen(store: &Store) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(store.pool().options().get_acquire_timeout())
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(store.pool().connect_options().as_ref().clone());
    within(store.pool.answer_max, async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    })
    .await
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let silent = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    tokio::time::timeout(limit, answer).await.map_err(silent)?
}

/// Where a model is to go.
#[derive(Debug, Clone, Copy)]
enum Place {
    Champion,
    Shadow(f32),
    Nowhere,
}

/// What serves, locked.
struct Held {
    epoch: i64,
    champion: Option<Sha256>,
    shadow: Option<Sha256>,
    shadow_share: f32,
}

/// Changes models and `serving` within the caller's transaction, or says why not. Who changes what serves takes the
/// lease's row first and then that of `serving`: so no two wait for each other.
async fn change(tx: &mut Tx, wish: &Move<'_>, place: Place) -> Result<Moved, sqlx::Error> {
    if let Some(fence) = wish.fence
        && !holds_lease(tx, fence).await?
    {
        return Ok(Moved::LostLease);
    }
    let held = lock(tx).await?;
    if held.epoch != wish.epoch {
        return Ok(Moved::LostRace { epoch: held.epoch });
    }
    match in_store(tx, wish.model).await? {
        None => return Ok(Moved::UnknownModel),
        Some(false) => return Ok(Moved::NotInStore),
        Some(true) => {}
    }
    let (champion, shadow, share) = match place {
        Place::Champion if held.shadow == Some(wish.model) => (Some(wish.model), None, 0.0),
        Place::Champion => (Some(wish.model), held.shadow, held.shadow_share),
        Place::Shadow(_) if held.champion == Some(wish.model) => return Ok(Moved::Already),
        Place::Shadow(share) => (held.champion, Some(wish.model), share),
        Place::Nowhere if held.shadow == Some(wish.model) => (held.champion, None, 0.0),
        Place::Nowhere => return Ok(Moved::Already),
    };
    if (champion, shadow, share) == (held.champion, held.shadow, held.shadow_share) {
        return Ok(Moved::Already);
    }
    // who leaves a place goes first: there is room for one in it
    if held.champion != champion {
        restate(tx, held.champion, ModelState::Retired, wish).await?;
    }
    if held.shadow != shadow && held.shadow != champion {
        restate(tx, held.shadow, ModelState::Candidate, wish).await?;
    }
    if held.champion != champion {
        restate(tx, champion, ModelState::Champion, wish).await?;
    }
    if held.shadow != shadow {
        restate(tx, shadow, ModelState::Shadow, wish).await?;
    }
    let epoch = sqlx::query_scalar(
        "update serving set epoch = epoch + 1, champion_sha256 = $2, shadow_sha256 = $3, shadow_share = $4,
                            changed_at = now()
          where epoch = $1 returning epoch",
    )
    .bind(wish.epoch)
    .bind(champion.map(|model| model.to_string()))
    .bind(shadow.map(|model| model.to_string()))
    .bind(share)
    .fetch_one(tx)
    .await?;
    Ok(Moved::Done { epoch })
}

async fn lock(tx: &mut Tx) -> Result<Held, sqlx::Error> {
    let row = sqlx::query("select epoch, champion_sha256, shadow_sha256, shadow_share from serving for update")
        .fetch_one(tx)
        .await?;
    Ok(Held {
        epoch: row.try_get("epoch")?,
        champion: parsed_option(&row, "champion_sha256")?,
        shadow: parsed_option(&row, "shadow_sha256")?,
        shadow_share: row.try_get("shadow_share")?,
    })
}

/// Whether the model's file is in the object store; none when it is not even on record.
async fn in_store(tx: &mut Tx, model: Sha256) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar("select object_key is not null from models where sha256 = $1")
        .bind(model.to_string())
        .fetch_optional(tx)
        .await
}

/// Gives a model another state, and writes who did it; its epoch is the one after the change.
async fn restate(tx: &mut Tx, model: Option<Sha256>, to: ModelState, wish: &Move<'_>) -> Result<(), sqlx::Error> {
    let Some(model) = model else { return Ok(()) };
    sqlx::query(
        "with before as (
             select sha256, state from models where sha256 = $1 for update
         ), moved as (
             update models m set state = $2 from before b where m.sha256 = b.sha256
             returning m.sha256, b.state as from_state
         )
         insert into model_changes (model_sha256, from_state, to_state, epoch, changed_by, why)
         select sha256, from_state, $2, $3 + 1, $4, $5 from moved",
    )
    .bind(model.to_string())
    .bind(to.as_str())
    .bind(wish.epoch)
    .bind(wish.by)
    .bind(wish.why)
    .execute(tx)
    .await?;
    Ok(())
}

impl FromRow<'_, PgRow> for Serving {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            epoch: row.try_get("epoch")?,
            champion: served(row, "champion_sha256", "champion_key")?,
            shadow: served(row, "shadow_sha256", "shadow_key")?,
            shadow_share: row.try_get("shadow_share")?,
        })
    }
}

fn served(row: &PgRow, sha256: &str, key: &str) -> Result<Option<Served>, sqlx::Error> {
    let Some(sha256) = parsed_option(row, sha256)? else { return Ok(None) };
    Ok(Some(Served { sha256, object_key: row.try_get(key)? }))
}

impl FromRow<'_, PgRow> for ModelChange {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            model: parsed(row, "model_sha256")?,
            from: parsed(row, "from_state")?,
            to: parsed(row, "to_state")?,
            epoch: row.try_get("epoch")?,
            by: row.try_get("changed_by")?,
            why: row.try_get("why")?,
            at: row.try_get("changed_at")?,
        })
    }
}
