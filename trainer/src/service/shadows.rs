//! Challengers that passed: tried as shadows, then waiting for a person, or promoted.

use anyhow::Result;
use cspine_domain::Sha256;
use cspine_store::{Move, Moved, Run, RunState, ShadowTally};

use super::config::{Promote, RunArgs};
use super::keeper::Keeper;
use super::{Service, cycle};
use crate::promotion::{Decision, Verdict};

/// What a shadow's answers say so far.
#[derive(Debug, Clone, PartialEq)]
enum Judgement {
    /// Too few images.
    TooFew,
    /// It agrees; in words.
    Agrees(String),
    /// It does not; in words.
    Differs(String),
}

/// Looks after the run whose challenger is on trial, if there is one.
///
/// # Errors
/// What the database says.
pub async fn watch(service: &Service, keeper: &Keeper) -> Result<()> {
    let open = [RunState::Shadowing, RunState::Waiting];
    let on_trial = service.store.runs(50).await?.into_iter().find(|run| open.contains(&run.state));
    let Some((run, challenger)) = on_trial.and_then(|run| run.challenger.map(|challenger| (run, challenger))) else {
        return Ok(());
    };
    let serving = service.store.serving().await?;
    if serving.champion.as_ref().is_some_and(|champion| champion.sha256 == challenger) {
        // A person's command.
        return settle(service, &run, RunState::Promoted, "promoted").await;
    }
    if run.state == RunState::Waiting {
        return Ok(());
    }
    if serving.shadow.as_ref().is_none_or(|shadow| shadow.sha256 != challenger) {
        return cycle::shadow(service, keeper, &run, challenger).await;
    }
    let tally = service.store.shadow_tally(challenger).await?;
    service.metrics.shadow(tally.images, share(tally.agree, tally.both_answered));
    match judge(&tally, &service.config) {
        Judgement::TooFew => Ok(()),
        Judgement::Differs(why) => {
            tracing::warn!(run = run.id, why, "the shadow differs");
            end_shadow(service, keeper, challenger, &why).await?;
            settle(service, &run, RunState::Withdrawn, &why).await
        }
        Judgement::Agrees(why) if service.config.promote == Promote::Auto && decided(&run) => {
            promote(service, keeper, &run, challenger, &why).await
        }
        Judgement::Agrees(why) => settle(service, &run, RunState::Waiting, &why).await,
    }
}

fn judge(tally: &ShadowTally, config: &RunArgs) -> Judgement {
    if tally.images < i64::from(config.shadow_images) {
        return Judgement::TooFew;
    }
    let (agreement, both) = (share(tally.agree, tally.both_answered), tally.both_answered);
    let rates = [tally.flagged_primary, tally.flagged_shadow].map(|flagged| share(flagged, both));
    let difference = rates[1] - rates[0];
    let said = format!(
        "on {} live images, {both} answered by both, it flags as the champion does on {:.1} % and flags {:.1} % where the \
         champion flags {:.1} %",
        tally.images,
        100.0 * agreement,
        100.0 * rates[1],
        100.0 * rates[0]
    );
    let within =
        agreement >= f64::from(config.shadow_agreement) && difference.abs() <= f64::from(config.shadow_flag_rate);
    if within { Judgement::Agrees(said) } else { Judgement::Differs(format!("{said}: out of bounds")) }
}

/// Whether the gate could decide: a newest period that is too small wants a person.
fn decided(run: &Run) -> bool {
    let verdict = run.verdict.clone().and_then(|verdict| serde_json::from_value::<Verdict>(verdict).ok());
    verdict.is_some_and(|verdict| verdict.decision == Decision::Passed)
}

async fn promote(service: &Service, keeper: &Keeper, run: &Run, challenger: Sha256, why: &str) -> Result<()> {
    let serving = service.store.serving().await?;
    let why: String = format!("run {}: {why}", run.id).chars().take(512).collect();
    let wish = Move {
        model: challenger,
        epoch: serving.epoch,
        by: "cspine-trainer --promote auto",
        why: &why,
        fence: Some(keeper.fence),
    };
    match service.store.promote(&wish).await? {
        Moved::Done { epoch } => {
            tracing::info!(run = run.id, model = %challenger, epoch, "promoted");
            settle(service, run, RunState::Promoted, &why).await
        }
        // Lost to somebody: the next look sees what they did.
        refused => {
            tracing::warn!(run = run.id, ?refused, "not promoted");
            Ok(())
        }
    }
}

async fn end_shadow(service: &Service, keeper: &Keeper, model: Sha256, why: &str) -> Result<()> {
    let serving = service.store.serving().await?;
    let why: String = why.chars().take(512).collect();
    let wish = Move { model, epoch: serving.epoch, by: "cspine-trainer", why: &why, fence: Some(keeper.fence) };
    service.store.end_shadow(&wish).await?;
    Ok(())
}

async fn settle(service: &Service, run: &Run, to: RunState, why: &str) -> Result<()> {
    if service.store.settle_run(run.id, &[RunState::Shadowing, RunState::Waiting], to, why).await? {
        service.store.run_log(run.id, why).await?;
        tracing::info!(run = run.id, state = to.as_str(), why, "the challenger's trial");
        service.metrics.run_ended(to);
    }
    Ok(())
}

fn share(part: i64, of: i64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
