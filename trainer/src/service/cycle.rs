//! A run, from its images to its verdict: gather, attempt, and hand what came of it over to its ending.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use cspine_domain::{ObjectKey, Sha256};
use cspine_nets::Checkpoint;
use cspine_service::ObjectError;
use cspine_store::{Fault, Run, Standing, StoreError};
use tokio::sync::watch;
use tokio::time::Interval;

use super::attempt::{Attempt, Attempted, Progress};
use super::evidence::Kept;
use super::gather::{Basis, Choice, choose, fetch};
use super::keeper::Keeper;
use super::settings::Settings;
use super::{Service, ending, evidence, report};
use crate::models::short;
use crate::page::executable;
use crate::tune::{Champion, NothingNew};

/// Bytes of a run's list of images, at most: a million of them.
const CHOICE_BYTES_MAX: u64 = 1 << 29;
/// How often progress is written down while the stage is the same.
const PROGRESS_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs it, or goes on with it. An error that waiting does not heal ends the run as failed; what it had is kept. With
/// nothing new to learn from it is given up.
///
/// # Errors
/// The lease is lost, the trainer stops, or the database or the object store is away: the run goes on elsewhere, or later.
pub async fn run(service: &Service, keeper: &Keeper, run: &Run) -> Result<()> {
    match attempt(service, keeper, run).await {
        Ok(()) => Ok(()),
        Err(error) if keeper.lost.is_cancelled() || service.stop.is_cancelled() || is_away(&error) => {
            Err(error).context("the run goes on later")
        }
        Err(error) if error.is::<NothingNew>() => ending::withdraw(service, keeper, run, &error.to_string()).await,
        Err(error) => ending::give_up(service, keeper, run, &format!("{error:#}")).await,
    }
}

/// Where its checkpoints lie.
pub(super) fn folder(service: &Service, run: &Run) -> PathBuf {
    service.config.work_dir.join(format!("run-{}", run.id))
}

/// Whether waiting heals it: nobody's fault.
fn is_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<StoreError>().is_some_and(|error| !matches!(error.fault(), Fault::Message(_)))
            || matches!(cause.downcast_ref(), Some(ObjectError::Away(_) | ObjectError::Slow(_)))
    })
}

async fn attempt(service: &Service, keeper: &Keeper, run: &Run) -> Result<()> {
    let settings = Settings::in_row(run)?;
    if settings.program != executable()? {
        service.store.run_log(run.id, "another program goes on with it than it began with").await?;
    }
    let folder = folder(service, run);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let champion = champion(service, run.champion).await?;
    let (choice, kept) = choice(service, keeper, run, &settings).await?;
    let images = service.config.work_dir.join("images");
    let (lessons, unused) = fetch(&service.objects, choice, service.config.limits.max_bytes, &images).await?;
    let labels = evidence::labels(&lessons, &kept);
    let attempt = Attempt {
        champion,
        lessons,
        images,
        tune: settings.tune.clone(),
        margins: settings.margins,
        limits: service.config.limits.limits(),
        folder: folder.clone(),
    };
    let done = Arc::new(make(service, keeper, run, attempt).await?);
    still_held(service, keeper, run, "writing it down", 0.99).await?;
    let report = report::write(service, run, &settings, &done, unused, &folder).await?;
    let judged = ending::Judged { settings: &settings, attempted: &done, labels, report };
    ending::finish(service, keeper, run, judged).await
}

/// Writes what the run is at.
///
/// # Errors
/// The lease is lost, or a person has cancelled the run.
async fn still_held(service: &Service, keeper: &Keeper, run: &Run, stage: &str, share: f32) -> Result<()> {
    match service.store.run_progress(keeper.fence, run.id, stage, share).await? {
        Standing::Held => Ok(()),
        Standing::Cancelled { by, why } => bail!("cancelled by {by}: {why}"),
        Standing::Lost => {
            keeper.lost.cancel();
            bail!("the lease is lost")
        }
    }
}

async fn champion(service: &Service, sha256: Sha256) -> Result<Champion> {
    let bytes = service.model(sha256).await.with_context(|| format!("the champion {}", short(sha256)))?;
    Ok(Champion { checkpoint: Checkpoint::read(&bytes)?, sha256 })
}

/// The choice of images that the object store keeps of the run, or a new one, which it keeps from now on.
async fn choice(service: &Service, keeper: &Keeper, run: &Run, settings: &Settings) -> Result<(Choice, Kept)> {
    let key: ObjectKey = format!("runs/{}/images.json", run.id).parse()?;
    let bytes = match service.objects.get(&key, CHOICE_BYTES_MAX, None).await {
        Ok(bytes) => bytes,
        Err(ObjectError::Missing) => {
            let holdout = time::Duration::days(settings.holdout_days.into());
            let choice = choose(&service.store, Basis { run, fence: keeper.fence, holdout }).await?;
            let bytes = serde_json::to_vec(&choice)?;
            service.objects.put(&key, bytes.clone()).await?;
            bytes
        }
        Err(error) => return Err(error).with_context(|| key.to_string()),
    };
    let choice = serde_json::from_slice(&bytes).with_context(|| key.to_string())?;
    Ok((choice, Kept { key: key.to_string(), sha256: Sha256::of(&bytes) }))
}

/// Attempts on threads of its own, tells the database how far it is, and ends early when the lease is lost. While the
/// database is away it goes on: the lease says how long. It returns only when those threads are at their end.
async fn make(service: &Service, keeper: &Keeper, run: &Run, attempt: Attempt) -> Result<Attempted> {
    let (progress, mut told) = watch::channel(Progress { stage: "starting".into(), share: 0.0 });
    let (log, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let stop = Arc::new(AtomicBool::new(false));
    let (pool, ended) = (service.pool.clone(), stop.clone());
    let mut making = tokio::task::spawn_blocking(move || {
        let tell = |now: Progress| {
            ensure!(!ended.load(Ordering::Relaxed), "stopped");
            progress.send_replace(now);
            Ok(())
        };
        let log = |line: String| {
            // Nobody listening any more is no error.
            let _ = log.send(line);
        };
        pool.install(|| attempt.make(&tell, &log))
    });
    let mut clock = tokio::time::interval(PROGRESS_EVERY);
    let (mut stage, mut why) = (String::new(), None);
    let made = loop {
        let written = tokio::select! {
            made = &mut making => break made,
            Some(line) = lines.recv() => {
                tracing::info!(run = run.id, line);
                service.store.run_log(run.id, &line).await.map_err(Into::into)
            }
            () = news(&mut clock, &mut told, &stage) => {
                let now = told.borrow_and_update().clone();
                stage.clone_from(&now.stage);
                service.metrics.progress(now.share);
                still_held(service, keeper, run, &now.stage, now.share).await
            }
            () = keeper.lost.cancelled() => Err(anyhow!("the lease is lost")),
            () = service.stop.cancelled() => Err(anyhow!("the trainer stops")),
        };
        match written {
            Ok(()) => {}
            Err(error) if is_away(&error) => tracing::warn!(run = run.id, "not written: {error:#}"),
            Err(error) => {
                stop.store(true, Ordering::Relaxed);
                why = Some(error);
                break making.await;
            }
        }
    };
    let made = made.context("the attempt panicked")?;
    if let Some(why) = why {
        return Err(why);
    }
    while let Ok(line) = lines.try_recv() {
        service.store.run_log(run.id, &line).await?;
    }
    made
}

/// Until the clock ticks or another stage than the one that is known has begun.
async fn news(clock: &mut Interval, told: &mut watch::Receiver<Progress>, known: &str) {
    tokio::select! {
        _ = clock.tick() => {}
        // An error says that the attempt is at its end, which tells itself.
        Ok(_) = told.wait_for(|now| now.stage != known) => {}
    }
}
