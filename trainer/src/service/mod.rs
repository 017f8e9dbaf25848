//! `cspine-trainer run`: watches the confirmed labels and keeps the network improving.
//!
//! ```text
//! lease ─► due? ─► gather ─► attempt { decode ► tune ► measure ► judge } ─► rejected, with numbers
//!            ▲                                                          └─► shadow ─► waiting ─► promoted by a person
//!            └─ labels, schedule                                                  (or --promote auto)
//! ```
//! One trainer has the lease; what it writes is checked against the lease's epoch, so that one that slept past its end
//! writes nothing. Labels reach the database by way of the workers: a trainer needs Postgres and the object store.

mod attempt;
pub mod config;
mod cycle;
mod due;
mod ending;
pub mod evidence;
mod gather;
mod keeper;
mod metrics;
mod report;
mod settings;
mod shadows;
mod surveillance;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cspine_domain::{ObjectKey, Sha256};
use cspine_service::{Health, Objects, admin};
use cspine_store::{NewRun, Run, RunCause, RunState, Store};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{Promote, RunArgs};
use keeper::Keeper;
use metrics::Metrics;
use settings::Settings;

use crate::page::executable;

/// After a run that failed, no other begins for so long unless it is asked for: what failed it may take a person.
const PAUSE_AFTER_FAILURE: time::Duration = time::Duration::hours(1);
/// How often a run is taken over that comes no further, before it is given up: it ends its trainer.
const TAKE_OVERS_MAX: i32 = 3;
/// Bytes of a model file, at most: AlexNet's has 114 MB.
const MODEL_BYTES_MAX: u64 = 1 << 30;
/// How long fetching one may take.
const MODEL_FETCH_MAX: Duration = Duration::from_secs(120);
/// The part of `/readyz` that is missing while the trainer holds the lease and cannot do what it is there for.
const LEADING: &str = "leading";

/// What every part of a running trainer shares.
struct Service {
    store: Store,
    objects: Objects,
    config: RunArgs,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    /// The threads that learn, and no others.
    pool: Arc<rayon::ThreadPool>,
    /// When this trainer began: the schedule counts from here while there was no run.
    started: chrono::DateTime<chrono::Utc>,
    stop: CancellationToken,
}

/// Runs until `shutdown`; a run that is not done goes on from its last epoch at the next start.
///
/// # Errors
/// The configuration is wrong, or the threads cannot be started.
pub async fn run(config: RunArgs, shutdown: impl Future<Output = ()>) -> Result<()> {
    std::fs::create_dir_all(&config.work_dir).context("--work-dir")?;
    // Read here, before anything waits for this thread.
    executable()?;
    let threads = config.threads();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("learn-{i}")).build()?;
    let service = Service {
        store: config.database.store()?,
        objects: config.objects.open()?,
        health: Arc::new(Health::starting(&["postgres"])),
        metrics: Arc::new(Metrics::new()),
        pool: Arc::new(pool),
        started: chrono::Utc::now(),
        stop: CancellationToken::new(),
        config,
    };
    let listener = TcpListener::bind(service.config.admin_addr).await.context("--admin-addr")?;
    tracing::info!(admin_addr = %listener.local_addr()?, threads, "starting");
    let (metrics, health, stop) = (service.metrics.clone(), service.health.clone(), service.stop.clone());
    let admin = tokio::spawn(admin::serve(listener, health, Arc::new(move || metrics.encode()), stop.clone()));
    let ended = {
        let work = serve(&service);
        tokio::pin!(work);
        tokio::select! {
            ended = &mut work => ended,
            () = shutdown => {
                tracing::info!("stopping after this batch");
                stop.cancel();
                work.await
            }
        }
    };
    stop.cancel();
    admin.abort();
    ended
}

/// Takes the lease whenever it is free, and leads while it is held.
async fn serve(service: &Service) -> Result<()> {
    let holder = format!("{}:{}", hostname(), std::process::id());
    while !service.stop.is_cancelled() {
        match Keeper::acquire(&service.store, &holder, service.config.lease).await {
            Ok(Some(keeper)) => {
                service.health.up("postgres");
                service.metrics.leads(true);
                if let Err(error) = lead(service, &keeper).await {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "leading ends");
                    service.health.down(LEADING, &error);
                }
                service.metrics.leads(false);
                keeper.release().await;
            }
            Ok(None) => {
                service.health.up("postgres");
                service.health.up(LEADING);
            }
            Err(error) => service.health.down("postgres", &format!("{error:#}")),
        }
        pause(service).await;
    }
    Ok(())
}

/// What the one trainer does, until its lease is lost or it is stopped.
async fn lead(service: &Service, keeper: &Keeper) -> Result<()> {
    ensure!(service.store.schema_is_current().await?, "the schema is not this version's: run `cspine-worker migrate`");
    let _folder = lock(&service.config.work_dir)?;
    evidence::make_up(&service.store, &service.objects).await?;
    if let Some(run) = service.store.take_over_run(keeper.fence).await? {
        go_on(service, keeper, &run).await?;
    }
    let mut looked = None;
    while !service.stop.is_cancelled() && !keeper.lost.is_cancelled() {
        shadows::watch(service, keeper).await?;
        surveillance::watch(service, &mut looked).await?;
        service.health.up(LEADING);
        if let Some(run) = begin_if_due(service, keeper).await? {
            cycle::run(service, keeper, &run).await?;
        }
        tokio::select! {
            () = pause(service) => {}
            () = keeper.lost.cancelled() => {}
        }
    }
    Ok(())
}

/// Nobody else may write into the folder: a trainer that sleeps past its lease does not know yet that it has lost it.
fn lock(work_dir: &Path) -> Result<File> {
    let file = File::create(work_dir.join("lock")).context("--work-dir")?;
    file.try_lock().context("another trainer still uses --work-dir")?;
    Ok(file)
}

async fn go_on(service: &Service, keeper: &Keeper, run: &Run) -> Result<()> {
    tracing::info!(run = run.id, take_overs = run.take_overs, "going on with a run");
    if run.take_overs > TAKE_OVERS_MAX {
        let why = format!("it was begun anew {TAKE_OVERS_MAX} times and came no further: {}", run.stage);
        return ending::give_up(service, keeper, run, &why).await;
    }
    cycle::run(service, keeper, run).await
}

async fn begin_if_due(service: &Service, keeper: &Keeper) -> Result<Option<Run>> {
    let Some(champion) = service.store.serving().await?.champion else { return Ok(None) };
    let last = service.store.runs(1).await?.into_iter().next();
    let new = service.store.new_labels().await?;
    service.metrics.new_labels(new.by_class.iter().sum());
    let now = OffsetDateTime::now_utc();
    let failed = last.as_ref().filter(|run| run.state == RunState::Failed).and_then(|run| run.ended_at);
    let waits = failed.is_some_and(|ended| now < ended + PAUSE_AFTER_FAILURE) || on_trial(service, now).await?;
    let busy = due::Busy::with(last.as_ref(), service.started);
    let asked = service.store.run_requested().await?.then_some(RunCause::Request);
    let due = || service.config.when().due(&new, busy, chrono::Utc::now()).filter(|_| !waits);
    let Some(cause) = asked.or_else(due) else {
        return Ok(None);
    };
    let settings = serde_json::to_value(Settings::of(&service.config)?)?;
    let new_run = NewRun { cause, champion: champion.sha256, reviews_through: new.through, settings };
    let run = service.store.begin_run(keeper.fence, &new_run).await?;
    if let Some(run) = &run {
        tracing::info!(run = run.id, cause = cause.as_str(), new = ?new.by_class, "a run begins");
    }
    Ok(run)
}

/// Whether a challenger is on trial that another would cut short.
async fn on_trial(service: &Service, now: OffsetDateTime) -> Result<bool> {
    let patience = time::Duration::days(service.config.shadow_days.into());
    let trial = service.store.run_on_trial().await?.filter(|run| run.state == RunState::Shadowing);
    Ok(trial.and_then(|run| run.ended_at).is_some_and(|began| now < began + patience))
}

impl Service {
    /// A model's bytes out of the object store, checked against its name.
    async fn model(&self, sha256: Sha256) -> Result<Vec<u8>> {
        let rows = self.store.model_named(&sha256.to_string()).await?;
        let key =
            rows.into_iter().next().and_then(|row| row.model.object_key).context("it is not in the object store")?;
        let key: ObjectKey = key.parse()?;
        let bytes = self.objects.get_within(MODEL_FETCH_MAX, &key, MODEL_BYTES_MAX, None).await?;
        ensure!(Sha256::of(&bytes) == sha256, "its file in the object store is corrupt: its SHA-256 is another");
        Ok(bytes)
    }
}

async fn pause(service: &Service) {
    tokio::select! {
        () = tokio::time::sleep(service.config.poll) => {}
        () = service.stop.cancelled() => {}
    }
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
