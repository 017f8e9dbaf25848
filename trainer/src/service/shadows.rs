//! Challengers that passed: tried as shadows, then waiting for a person, or promoted.

use std::time::Duration;

use anyhow::{Result, bail};
use cspine_domain::Sha256;
use cspine_store::{
    ModelState, Move, Moved, Run, RunState, Serving, Settlement, ShadowTally, TrialImages, TrialVerdict,
};

use super::config::Promote;
use super::keeper::Keeper;
use super::{Service, ending};
use crate::metrics::Proportion;
use crate::promotion::{Decision, Verdict};

/// What a trial asks of a challenger.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Live images that it has scored, at least.
    pub images: i64,
    /// Share of those answered by both on which it flags as the champion does; and of the champion's flags that it keeps,
    /// as far as the interval reaches.
    pub agreement: f64,
    /// By how much its share of flags may be another; and the share of the champion's answers that it may not give.
    pub flag_rate: f64,
    /// How long a live image may wait to be scored.
    pub wait: Duration,
}

/// What a shadow's answers say so far.
#[derive(Debug, Clone, PartialEq)]
enum Judgement {
    /// Too few images.
    TooFew,
    /// It agrees; in words.
    Agrees(String),
    /// Whether it does is for a person to say; in words.
    Doubtful(String),
    /// It does not; in words.
    Differs(String),
}

/// Looks after the run whose challenger is on trial or waits, if there is one.
///
/// # Errors
/// What the database says, or the lease is lost.
pub async fn watch(service: &Service, keeper: &Keeper) -> Result<()> {
    let Some(trial) = Trial::open(service, keeper).await? else { return Ok(()) };
    let changes = service.store.model_changes(Some(trial.challenger)).await?;
    if changes.iter().any(|change| change.to == ModelState::Champion) {
        // A person's command; also when somebody has gone back since.
        return trial.settle(RunState::Promoted, None, "promoted").await;
    }
    if let Some((by, why)) = &trial.run.cancelled {
        return trial.withdraw(TrialVerdict::Cancelled, &format!("cancelled by {by}: {why}")).await;
    }
    if !trial.run.is_against(&trial.serving) {
        return trial.withdraw(TrialVerdict::Superseded, "another champion serves than it was measured against").await;
    }
    if trial.run.state == RunState::Waiting {
        return Ok(());
    }
    if trial.serving.shadow.as_ref().is_none_or(|shadow| shadow.sha256 != trial.challenger) {
        return ending::shadow(service, keeper, &trial.run, trial.challenger).await;
    }
    let tally = service.store.shadow_tally(trial.challenger, trial.run.champion).await?;
    service.metrics.shadow(tally.images, share(tally.agree, tally.both_answered));
    let terms = service.config.trial();
    match judge(&tally, &terms) {
        Judgement::TooFew => match trial.starved(&tally, &terms).await? {
            Some(why) => trial.withdraw(TrialVerdict::NotScored, &why).await,
            None => Ok(()),
        },
        Judgement::Differs(why) => trial.withdraw(TrialVerdict::Differs, &why).await,
        Judgement::Agrees(why) if service.config.promote == Promote::Auto && decided(&trial.run) => {
            trial.promote(&why).await
        }
        Judgement::Agrees(why) => trial.settle(RunState::Waiting, Some(TrialVerdict::Agrees), &why).await,
        Judgement::Doubtful(why) => trial.settle(RunState::Waiting, Some(TrialVerdict::Doubtful), &why).await,
    }
}

/// A challenger is worse where it gives no answer or no flag that the champion gave, and whether the champion was right
/// nobody has said: the first is refused, the second is a person's to decide.
fn judge(tally: &ShadowTally, terms: &Terms) -> Judgement {
    if tally.images < terms.images {
        return Judgement::TooFew;
    }
    let both = tally.both_answered;
    let (agreement, lost) = (share(tally.agree, both), share(tally.lost_answers, tally.answered_primary));
    let rates = [tally.flagged_primary_of_both, tally.flagged_shadow_of_both].map(|flagged| share(flagged, both));
    let said = format!(
        "on {} live images, {both} answered by both, it flags as the champion does on {:.1} % and flags {:.1} % where the \
         champion flags {:.1} %; of {} that the champion flags it flags {}; of {} that the champion answers it leaves {} \
         without an answer",
        tally.images,
        100.0 * agreement,
        100.0 * rates[1],
        100.0 * rates[0],
        tally.flagged_primary,
        tally.kept_flags,
        tally.answered_primary,
        tally.lost_answers,
    );
    let most = terms.flag_rate;
    if agreement < terms.agreement || (rates[1] - rates[0]).abs() > most || lost > most {
        return Judgement::Differs(format!("{said}: out of bounds"));
    }
    let kept = Proportion { count: count(tally.kept_flags), of: count(tally.flagged_primary) };
    if kept.interval().is_some_and(|[_, high]| high < terms.agreement) {
        return Judgement::Doubtful(format!(
            "{said}: whether the flags that it does not raise are false is to be decided"
        ));
    }
    if 2 * both < tally.images {
        return Judgement::Doubtful(format!("{said}: too few answered by both to tell"));
    }
    Judgement::Agrees(said)
}

/// Whether the gate could decide: a newest period that is too small wants a person.
fn decided(run: &Run) -> bool {
    let verdict = run.verdict.clone().and_then(|verdict| serde_json::from_value::<Verdict>(verdict).ok());
    verdict.is_some_and(|verdict| verdict.decision == Decision::Passed)
}

/// A challenger that passed, and what serves beside it. Whatever is moved for it is moved from that: if somebody was faster,
/// nothing is, and the next look sees what they did.
struct Trial<'a> {
    service: &'a Service,
    keeper: &'a Keeper,
    run: Run,
    challenger: Sha256,
    serving: Serving,
}

impl<'a> Trial<'a> {
    async fn open(service: &'a Service, keeper: &'a Keeper) -> Result<Option<Self>> {
        let Some(run) = service.store.run_on_trial().await? else { return Ok(None) };
        let Some(challenger) = run.challenger else { return Ok(None) };
        let serving = service.store.serving().await?;
        Ok(Some(Self { service, keeper, run, challenger, serving }))
    }

    /// Why it cannot come to an end: of the images that came, as many as it needs, the workers have scored too few. On a
    /// quiet site, where too few came, it goes on.
    async fn starved(&self, tally: &ShadowTally, terms: &Terms) -> Result<Option<String>> {
        let Some(since) = self.run.ended_at else { return Ok(None) };
        let share = self.serving.shadow_share;
        let images = TrialImages { champion: self.run.champion, since, share, wait: terms.wait };
        let came = self.service.store.trial_images(&images).await?;
        Ok((came >= terms.images).then(|| {
            format!(
                "not scored: of {came} live images of its share that the champion answered over {} s ago the workers \
                 scored {} with it too, of {} that a trial needs: no worker follows the registry, or their processors are \
                 busy (cspine_shadow_images_total says what was left out)",
                terms.wait.as_secs(),
                tally.images,
                terms.images,
            )
        }))
    }

    async fn promote(&self, why: &str) -> Result<()> {
        let moved = self.service.store.promote(&self.wish("cspine-trainer --promote auto", why)).await?;
        if self.has(&moved)? { self.settle(RunState::Promoted, Some(TrialVerdict::Agrees), why).await } else { Ok(()) }
    }

    async fn withdraw(&self, verdict: TrialVerdict, why: &str) -> Result<()> {
        tracing::warn!(run = self.run.id, verdict = verdict.as_str(), why, "the challenger is withdrawn");
        let moved = self.service.store.end_shadow(&self.wish("cspine-trainer", why)).await?;
        if self.has(&moved)? { self.settle(RunState::Withdrawn, Some(verdict), why).await } else { Ok(()) }
    }

    fn wish<'w>(&self, by: &'w str, why: &'w str) -> Move<'w> {
        let end = why.floor_char_boundary(512);
        Move { model: self.challenger, epoch: self.serving.epoch, by, why: &why[..end], fence: Some(self.keeper.fence) }
    }

    /// Whether what serves is as it was wished.
    fn has(&self, moved: &Moved) -> Result<bool> {
        match moved {
            Moved::Done { .. } | Moved::Already => Ok(true),
            Moved::LostRace { .. } => Ok(false),
            refused => bail!("run {}: the challenger cannot be moved: {refused:?}", self.run.id),
        }
    }

    async fn settle(&self, state: RunState, trial: Option<TrialVerdict>, outcome: &str) -> Result<()> {
        let Self { service, keeper, run, .. } = self;
        let open = [RunState::Shadowing, RunState::Waiting];
        let settlement = Settlement { state, trial, outcome };
        if service.store.settle_run(keeper.fence, run.id, &open, settlement).await? {
            service.store.run_log(run.id, outcome).await?;
            let verdict = trial.map(TrialVerdict::as_str);
            tracing::info!(run = run.id, state = state.as_str(), verdict, outcome, "the challenger's trial");
            service.metrics.run_ended(state);
        }
        Ok(())
    }
}

fn share(part: i64, of: i64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

fn count(of: i64) -> usize {
    usize::try_from(of).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Judgement, ShadowTally, Terms, judge};

    const TERMS: Terms = Terms { images: 200, agreement: 0.9, flag_rate: 0.1, wait: Duration::from_secs(3600) };

    /// 200 live images, 16 of them flagged by the champion, the shadow as the champion.
    fn alike() -> ShadowTally {
        ShadowTally {
            images: 200,
            answered_primary: 190,
            lost_answers: 0,
            flagged_primary: 16,
            kept_flags: 16,
            both_answered: 190,
            agree: 190,
            same_verdict: 190,
            flagged_primary_of_both: 16,
            flagged_shadow_of_both: 16,
        }
    }

    #[test]
    fn a_shadow_that_answers_as_the_champion_agrees_once_there_are_enough_images() {
        assert!(matches!(judge(&alike(), &TERMS), Judgement::Agrees(_)));
        assert_eq!(judge(&ShadowTally { images: 199, ..alike() }, &TERMS), Judgement::TooFew);
    }

    #[test]
    fn one_that_never_flags_is_a_persons_to_decide_though_it_agrees_on_nine_of_ten() {
        let never = ShadowTally { kept_flags: 0, agree: 174, flagged_shadow_of_both: 0, ..alike() };
        let Judgement::Doubtful(said) = judge(&never, &TERMS) else { panic!("{:?}", judge(&never, &TERMS)) };
        assert!(said.contains("of 16 that the champion flags it flags 0"), "{said}");
        // two of sixteen may be chance
        let two = ShadowTally { kept_flags: 14, agree: 188, flagged_shadow_of_both: 14, ..alike() };
        assert!(matches!(judge(&two, &TERMS), Judgement::Agrees(_)));
    }

    #[test]
    fn one_that_refuses_what_the_champion_answers_differs_however_it_answers_the_rest() {
        let refuses = ShadowTally { lost_answers: 20, both_answered: 170, agree: 170, same_verdict: 170, ..alike() };
        let Judgement::Differs(said) = judge(&refuses, &TERMS) else { panic!("{:?}", judge(&refuses, &TERMS)) };
        assert!(said.contains("of 190 that the champion answers it leaves 20 without an answer"), "{said}");
    }

    #[test]
    fn one_that_flags_far_more_or_otherwise_differs() {
        let more = ShadowTally { agree: 170, flagged_shadow_of_both: 36, ..alike() };
        assert!(matches!(judge(&more, &TERMS), Judgement::Differs(_)));
    }

    #[test]
    fn where_the_champion_answers_little_agreement_says_little() {
        let few = ShadowTally {
            answered_primary: 60,
            flagged_primary: 5,
            kept_flags: 5,
            both_answered: 60,
            agree: 60,
            same_verdict: 60,
            flagged_primary_of_both: 5,
            flagged_shadow_of_both: 5,
            ..alike()
        };
        assert!(matches!(judge(&few, &TERMS), Judgement::Doubtful(_)));
    }
}
