//! How a run ends: with a verdict on its challenger, or without one. Model, report and evidence are kept, and a challenger
//! that passed is tried as a shadow.

use anyhow::{Context, Result, bail};
use cspine_domain::Sha256;
use cspine_store::{Move, Moved, NewModel, Run, RunEnd, RunState};
use serde_json::{Value, json};

use super::attempt::Attempted;
use super::cycle::folder;
use super::keeper::Keeper;
use super::report::Report;
use super::settings::Settings;
use super::{Service, evidence};
use crate::models::{model_key, new_model};
use crate::page::{VERSION, executable};
use crate::promotion::Decision;

/// A run whose challenger was judged.
pub(super) struct Judged<'a> {
    /// What it began with.
    pub settings: &'a Settings,
    /// Challenger and verdict.
    pub attempted: &'a Attempted,
    /// The labels that it was given, as the evidence has them.
    pub labels: Value,
    /// Where its report is kept.
    pub report: Report,
}

/// Ends a run with its verdict; what passed becomes the shadow.
///
/// # Errors
/// The lease is lost, or the database or the object store is away.
pub(super) async fn finish(service: &Service, keeper: &Keeper, run: &Run, judged: Judged<'_>) -> Result<()> {
    let challenger = keep_challenger(service, run, judged.attempted).await?;
    let (state, outcome) = outcome(service, run, judged.attempted).await?;
    for line in outcome.lines().filter(|line| !line.is_empty()) {
        service.store.run_log(run.id, line).await?;
    }
    let end = RunEnd {
        state,
        challenger,
        verdict: Some(serde_json::to_value(&judged.attempted.verdict)?),
        outcome,
        evidence: evidence_of(run, &judged)?,
        report_key: Some(judged.report.page),
    };
    end_run(service, keeper, run, &end).await?;
    match (state, challenger) {
        (RunState::Shadowing, Some(challenger)) => shadow(service, keeper, run, challenger).await,
        _ => Ok(()),
    }
}

/// Ends a run that cannot be done.
///
/// # Errors
/// The lease is lost, or the database or the object store is away.
pub(super) async fn give_up(service: &Service, keeper: &Keeper, run: &Run, why: &str) -> Result<()> {
    tracing::error!(run = run.id, why, "the run failed");
    end_without(service, keeper, run, RunState::Failed, why).await
}

/// Ends a run that has nothing to learn from.
///
/// # Errors
/// The lease is lost, or the database or the object store is away.
pub(super) async fn withdraw(service: &Service, keeper: &Keeper, run: &Run, why: &str) -> Result<()> {
    end_without(service, keeper, run, RunState::Withdrawn, why).await
}

/// Workers are asked to score live images with the challenger too.
///
/// # Errors
/// The lease is lost, the registry refuses, or the database is away.
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

/// Keeps the challenger's file and its row. A collapsed network gets no row: it is on record in the verdict only.
async fn keep_challenger(service: &Service, run: &Run, attempted: &Attempted) -> Result<Option<Sha256>> {
    let tuned = &attempted.tuned;
    let key = model_key(tuned.sha256);
    service.objects.put(&key, tuned.bytes.clone()).await?;
    if tuned.card.collapsed.is_some() {
        return Ok(None);
    }
    let by = format!("run {}", run.id);
    // The champion's was forced by a person: the same holds for what is made of it.
    let like_its_champion = || format!("the champion {} that it was tuned from has no scope gate either", run.champion);
    let forced = tuned.card.gate.is_none().then(like_its_champion);
    let model: NewModel = new_model(&tuned.bytes, &tuned.card, &by, forced, Some(key.to_string()))?;
    service.store.register_model(&model).await?;
    Ok(Some(tuned.sha256))
}

/// What becomes of the challenger, and why.
async fn outcome(service: &Service, run: &Run, attempted: &Attempted) -> Result<(RunState, String)> {
    let verdict = &attempted.verdict;
    Ok(if verdict.decision == Decision::Rejected {
        (RunState::Rejected, verdict.to_string())
    } else if run.is_against(&service.store.serving().await?) {
        (RunState::Shadowing, verdict.to_string())
    } else {
        (RunState::Withdrawn, format!("Another champion serves than it was measured against.\n{verdict}"))
    })
}

fn evidence_of(run: &Run, Judged { settings, attempted, labels, report }: &Judged<'_>) -> Result<Value> {
    let card = &attempted.tuned.card;
    Ok(json!({
        "champion": run.champion,
        "challenger": attempted.tuned.sha256,
        "labels": labels,
        "data_digest": card.training.data_digest,
        "left_out": attempted.left_out,
        "settings": settings,
        "version": VERSION,
        "program": executable()?,
        "temperature": card.temperature,
        "operating_point": card.operating_point,
        "scope_gate": card.gate,
        "verdict": attempted.verdict,
        "report": report,
    }))
}

/// Ends a run that has no challenger.
async fn end_without(service: &Service, keeper: &Keeper, run: &Run, state: RunState, why: &str) -> Result<()> {
    service.store.run_log(run.id, why).await?;
    let end = RunEnd {
        state,
        challenger: None,
        verdict: None,
        outcome: why.to_owned(),
        report_key: None,
        evidence: json!({ "champion": run.champion, "settings": run.settings, "state": state, "why": why }),
    };
    end_run(service, keeper, run, &end).await
}

/// Ends a run, and keeps its link of evidence.
async fn end_run(service: &Service, keeper: &Keeper, run: &Run, end: &RunEnd) -> Result<()> {
    let link = service.store.end_run(keeper.fence, run.id, end).await?.context("the lease is lost")?;
    service.metrics.run_ended(end.state);
    tracing::info!(run = run.id, state = end.state.as_str(), challenger = ?end.challenger, "the run ended");
    let kept = evidence::keep(&service.objects, &link).await;
    // Its checkpoints are of no more use.
    if let Err(error) = std::fs::remove_dir_all(folder(service, run))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(run = run.id, %error, "the run's checkpoints were not removed");
    }
    kept
}
