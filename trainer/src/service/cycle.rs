//! A run, from its images to its verdict: gather, attempt, keep what came of it, and let a challenger that passed be tried
//! as a shadow.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail, ensure};
use cspine_domain::Sha256;
use cspine_nets::Checkpoint;
use cspine_service::ObjectError;
use cspine_store::{Move, Moved, NewModel, Run, RunEnd, RunState, StoreError};
use serde_json::json;
use tokio::sync::watch;

use super::attempt::{Attempt, Attempted, Progress};
use super::gather::{Basis, Unused, gather};
use super::keeper::Keeper;
use super::{Service, evidence, report};
use crate::models::{model_key, new_model, short};
use crate::promotion::Decision;
use crate::snapshot::write_atomically;
use crate::tune::{Champion, Lesson, NothingNew};

/// How often progress is written down.
const PROGRESS_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs it, or goes on with it. An error that waiting does not heal ends the run as failed; what it had is kept. With
/// nothing new to learn from it is given up.
///
/// # Errors
/// The lease is lost, the trainer stops, or the database or the object store is away: the run goes on elsewhere, or later.
pub async fn run(service: &Service, keeper: &Keeper, run: &Run) -> Result<()> {
    let (state, outcome) = match attempt(service, keeper, run).await {
        Ok(()) => return Ok(()),
        Err(error) if keeper.lost.is_cancelled() || service.stop.is_cancelled() || is_away(&error) => {
            return Err(error).context("the run goes on later");
        }
        Err(error) if error.is::<NothingNew>() => (RunState::Withdrawn, error.to_string()),
        Err(error) => (RunState::Failed, format!("{error:#}")),
    };
    if state == RunState::Failed {
        tracing::error!(run = run.id, failed = outcome, "the run failed");
    } else {
        tracing::info!(run = run.id, why = outcome, "the run is given up");
    }
    service.store.run_log(run.id, &outcome).await?;
    let end = RunEnd { state, challenger: None, verdict: None, outcome, report_key: None };
    service.store.end_run(keeper.fence, run.id, &end).await?;
    service.metrics.run_ended(state);
    Ok(())
}

/// Whether waiting heals it: nobody's fault.
fn is_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_transient)
            || matches!(cause.downcast_ref(), Some(ObjectError::Away(_)))
    })
}

async fn attempt(service: &Service, keeper: &Keeper, run: &Run) -> Result<()> {
    let folder = service.config.work_dir.join(format!("run-{}", run.id));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let champion = champion(service, run.champion).await?;
    let (lessons, unused) = images(service, keeper, run, &folder).await?;
    let labels = evidence::labels(&lessons);
    let attempt = Attempt {
        champion,
        lessons,
        tune: service.config.tune.clone(),
        margins: service.config.margins(),
        limits: service.config.limits.limits(),
        folder: folder.clone(),
    };
    let done = Arc::new(make(service, keeper, run, attempt).await?);
    let written = report::write(service, run, &done, unused, &folder).await?;
    finish(service, keeper, run, &done, labels, written).await
}

async fn champion(service: &Service, sha256: Sha256) -> Result<Champion> {
    let bytes = service.model(sha256).await.with_context(|| format!("the champion {}", short(sha256)))?;
    Ok(Champion { checkpoint: Checkpoint::read(&bytes)?, sha256 })
}

/// The images as they were when the run began: going on, it must not see others.
async fn images(service: &Service, keeper: &Keeper, run: &Run, folder: &Path) -> Result<(Vec<Lesson>, Unused)> {
    let file = folder.join("images.json");
    let basis = Basis { run, fence: keeper.fence, holdout: time::Duration::days(service.config.holdout_days.into()) };
    let kept = service.config.work_dir.join("images");
    let max_bytes = service.config.limits.max_bytes;
    if file.exists() {
        return serde_json::from_slice(&std::fs::read(&file)?).with_context(|| file.display().to_string());
    }
    let gathered = gather(&service.store, &service.objects, basis, max_bytes, &kept).await?;
    write_atomically(&file, &serde_json::to_vec(&gathered)?)?;
    Ok(gathered)
}

/// Attempts on threads of its own, tells the database how far it is, and ends early when the lease is lost.
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
    let made = loop {
        tokio::select! {
            made = &mut making => break made.context("the attempt panicked")?,
            Some(line) = lines.recv() => {
                tracing::info!(run = run.id, line);
                service.store.run_log(run.id, &line).await?;
            }
            _ = clock.tick() => {
                let now = told.borrow_and_update().clone();
                service.metrics.progress(now.share);
                if !service.store.run_progress(keeper.fence, run.id, &now.stage, now.share).await? {
                    keeper.lost.cancel();
                }
            }
            () = keeper.lost.cancelled() => stop.store(true, Ordering::Relaxed),
            () = service.stop.cancelled() => stop.store(true, Ordering::Relaxed),
        }
        if stop.load(Ordering::Relaxed) {
            break making.await.context("the attempt panicked")?;
        }
    }?;
    while let Ok(line) = lines.try_recv() {
        service.store.run_log(run.id, &line).await?;
    }
    Ok(made)
}

/// Keeps model, report and evidence, and ends the run; what passed becomes the shadow.
async fn finish(
    service: &Service,
    keeper: &Keeper,
    run: &Run,
    done: &Attempted,
    labels: serde_json::Value,
    report_key: String,
) -> Result<()> {
    let kept = service.store.run_progress(keeper.fence, run.id, "writing it down", 0.99).await?;
    ensure!(kept, "the lease is lost");
    let (challenger, verdict) = (done.tuned.sha256, &done.verdict);
    let key = model_key(challenger);
    service.objects.put(&key, done.tuned.bytes.clone()).await?;
    let by = format!("run {}", run.id);
    let model: NewModel = new_model(&done.tuned.bytes, &done.tuned.card, &by, None, Some(key.to_string()))?;
    if done.tuned.card.collapsed.is_none() {
        service.store.register_model(&model).await?;
    }
    let passed = verdict.decision != Decision::Rejected;
    let content = json!({
        "champion": run.champion,
        "challenger": challenger,
        "labels": labels,
        "data_digest": done.tuned.card.training.data_digest,
        "left_out": done.left_out,
        "tuning": format!("{:?}", service.config.tune),
        "version": format!("cspine-trainer {}", env!("CARGO_PKG_VERSION")),
        "executable": executable()?,
        "temperature": done.tuned.card.temperature,
        "operating_point": done.tuned.card.operating_point,
        "scope_gate": done.tuned.card.gate,
        "verdict": verdict,
        "report": report_key,
    });
    let link = service.store.add_evidence(run.id, "run", &content).await?;
    evidence::keep_latest(&service.objects, link).await?;
    let outcome = verdict.to_string();
    service.store.run_log(run.id, &outcome).await?;
    let state = if passed { RunState::Shadowing } else { RunState::Rejected };
    if passed {
        withdraw_the_last(service, run).await?;
    }
    let end = RunEnd {
        state,
        // A collapsed network is on record in the verdict only.
        challenger: done.tuned.card.collapsed.is_none().then_some(challenger),
        verdict: Some(serde_json::to_value(verdict)?),
        outcome: outcome.clone(),
        report_key: Some(report_key),
    };
    ensure!(service.store.end_run(keeper.fence, run.id, &end).await?, "the lease is lost");
    tracing::info!(run = run.id, challenger = %challenger, state = state.as_str(), "the run ended");
    service.metrics.run_ended(state);
    if passed { shadow(service, keeper, run, challenger).await } else { Ok(()) }
}

/// SHA-256 of the running program: which code this was, also when its file was replaced meanwhile.
fn executable() -> Result<Sha256> {
    Ok(Sha256::of(&std::fs::read("/proc/self/exe").context("reading the running program")?))
}

/// There is one challenger at a time: the newer one knows more.
async fn withdraw_the_last(service: &Service, run: &Run) -> Result<()> {
    let open = [RunState::Shadowing, RunState::Waiting];
    for earlier in service.store.runs(50).await?.iter().filter(|earlier| open.contains(&earlier.state)) {
        let why = format!("run {} has a newer challenger", run.id);
        service.store.settle_run(earlier.id, &open, RunState::Withdrawn, &why).await?;
    }
    Ok(())
}

/// Workers are asked to score live images with the challenger too.
pub(super) async fn shadow(service: &Service, keeper: &Keeper, run: &Run, challenger: Sha256) -> Result<()> {
    let serving = service.store.serving().await?;
    let wish = Move {
        model: challenger,
        epoch: serving.epoch,
        by: "cspine-trainer",
        why: &format!("run {} passed the gate", run.id),
        fence: Some(keeper.fence),
    };
    match service.store.set_shadow(&wish, service.config.shadow_share).await? {
        Moved::Done { .. } | Moved::Already => Ok(()),
        // Somebody moved the registry between the two statements: the watch over shadows asks again.
        Moved::LostRace { .. } => Ok(()),
        Moved::LostLease => bail!("the lease is lost"),
        refused => bail!("the challenger cannot be a shadow: {refused:?}"),
    }
}
