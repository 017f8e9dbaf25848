//! One trainer at a time, and its runs.

use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Fence, NewRun, Run, RunCause, RunEnd, RunState, Settlement, Standing, Store, TrialVerdict};
use cspine_tests::database::Database;
use serde_json::json;

use crate::samples::{expire_lease, registered};

const MINUTE: Duration = Duration::from_secs(60);

async fn lease(store: &Store, holder: &str) -> Fence {
    store.acquire_lease(holder, MINUTE).await.unwrap().expect("the lease is free")
}

async fn begin(store: &Store, fence: Fence, reviews_through: i64) -> Run {
    let new = new_run(registered(store, "champion").await, reviews_through);
    store.begin_run(fence, &new).await.unwrap().expect("the lease is held")
}

fn settlement(state: RunState) -> Settlement<'static> {
    Settlement { state, trial: None, outcome: "so it is" }
}

fn new_run(champion: Sha256, reviews_through: i64) -> NewRun {
    NewRun { cause: RunCause::Labels, champion, reviews_through, settings: json!({"rate": 0.0005}) }
}

fn end(state: RunState) -> RunEnd {
    RunEnd {
        state,
        challenger: None,
        verdict: None,
        outcome: "as it happened".into(),
        report_key: None,
        evidence: json!({"state": state.as_str()}),
    }
}

async fn ends(store: &Store, fence: Fence, run: i64, end: &RunEnd) -> bool {
    store.end_run(fence, run, end).await.unwrap().is_some()
}

/// An end whose challenger passed the gate.
async fn shadowing(store: &Store) -> RunEnd {
    let challenger = Some(registered(store, "challenger").await);
    RunEnd { challenger, verdict: Some(json!({"passed": true})), ..end(RunState::Shadowing) }
}

#[tokio::test]
async fn of_two_trainers_at_once_one_gets_the_lease() {
    let db = Database::create().await;
    let tasks: Vec<_> = (0..8)
        .map(|trainer| {
            let store = db.store.clone();
            tokio::spawn(async move { store.acquire_lease(&format!("trainer-{trainer}"), MINUTE).await.unwrap() })
        })
        .collect();
    let mut fences = Vec::new();
    for task in tasks {
        fences.extend(task.await.unwrap());
    }
    assert_eq!(fences, [Fence { epoch: 1 }]);
    assert!(db.store.renew_lease(fences[0], MINUTE).await.unwrap());
    assert_eq!(db.store.acquire_lease("trainer-9", MINUTE).await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_past_its_end_is_lost_taken_over_or_not() {
    let db = Database::create().await;
    let first = lease(&db.store, "trainer-1").await;
    expire_lease(&db.store).await;
    assert!(!db.store.renew_lease(first, MINUTE).await.unwrap(), "nobody took over, and it is lost all the same");
    let second = lease(&db.store, "trainer-2").await;
    assert_eq!(second, Fence { epoch: 2 });
    assert!(!db.store.renew_lease(first, MINUTE).await.unwrap());
    db.store.release_lease(first).await.unwrap();
    assert!(db.store.renew_lease(second, MINUTE).await.unwrap(), "who has lost it gives nothing back");
}

#[tokio::test]
async fn a_lease_given_back_is_free_at_once() {
    let db = Database::create().await;
    let first = lease(&db.store, "trainer-1").await;
    db.store.release_lease(first).await.unwrap();
    assert!(!db.store.renew_lease(first, MINUTE).await.unwrap());
    assert_eq!(lease(&db.store, "trainer-2").await, Fence { epoch: 2 });
}

#[tokio::test]
async fn a_run_is_a_row_from_its_beginning_to_its_end() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let begun = begin(&db.store, fence, 40).await;
    assert_eq!(
        (begun.state, begun.cause, begun.champion),
        (RunState::Running, RunCause::Labels, Sha256::of(b"champion"))
    );
    assert_eq!((begun.reviews_through, begun.progress, begun.ended_at), (40, 0.0, None));
    assert_eq!((&begun.settings, begun.take_overs, &begun.cancelled), (&json!({"rate": 0.0005}), 0, &None));

    assert_eq!(db.store.run_progress(fence, begun.id, "epoch 2 of 8", 0.25).await.unwrap(), Standing::Held);
    db.store.run_log(begun.id, "400 images").await.unwrap();
    db.store.run_log(begun.id, "loss 0.5\0").await.unwrap();
    let lines = db.store.run_lines(begun.id).await.unwrap();
    assert_eq!(lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["400 images", "loss 0.5\u{fffd}"]);

    let measured = RunEnd { report_key: Some("reports/1.html".into()), ..shadowing(&db.store).await };
    let link = db.store.end_run(fence, begun.id, &measured).await.unwrap().expect("it ends");
    assert_eq!(db.store.last_evidence().await.unwrap(), Some(link.clone()));
    assert_eq!((link.run, link.content.as_str()), (begun.id, r#"{"state":"shadowing"}"#));
    let ended = db.store.run(begun.id).await.unwrap().unwrap();
    assert_eq!((ended.stage.as_str(), ended.progress), ("epoch 2 of 8", 0.25));
    assert_eq!(
        (ended.state, ended.challenger, &ended.verdict),
        (RunState::Shadowing, measured.challenger, &measured.verdict)
    );
    assert_eq!((ended.outcome.as_deref(), &ended.report_key), (Some("as it happened"), &measured.report_key));
    assert!(ended.ended_at.unwrap() >= ended.started_at);
    let again = db.store.run_progress(fence, begun.id, "again", 0.0).await.unwrap();
    assert_eq!(again, Standing::Lost, "it has ended");
    assert!(!ends(&db.store, fence, begun.id, &end(RunState::Failed)).await, "once");
    assert_eq!(db.store.evidence().await.unwrap(), [link]);
    assert_eq!(db.store.runs(10).await.unwrap(), [ended]);
    assert_eq!(db.store.run(begun.id + 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_challenger_goes_on_from_state_to_state() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let run = begin(&db.store, fence, 1).await.id;
    assert!(ends(&db.store, fence, run, &shadowing(&db.store).await).await);
    assert_eq!(db.store.run_on_trial().await.unwrap().unwrap().id, run);

    let settle = async |from: &[RunState], to| db.store.settle_run(fence, run, from, to).await.unwrap();
    let agrees = Settlement { trial: Some(TrialVerdict::Agrees), ..settlement(RunState::Waiting) };
    assert!(settle(&[RunState::Shadowing], agrees).await);
    assert!(!settle(&[RunState::Shadowing], settlement(RunState::Withdrawn)).await, "it waits by now");
    let cancelled = Settlement { trial: Some(TrialVerdict::Cancelled), ..settlement(RunState::Promoted) };
    assert!(settle(&[RunState::Shadowing, RunState::Waiting], cancelled).await);
    let promoted = db.store.run(run).await.unwrap().unwrap();
    assert_eq!((promoted.state, promoted.outcome.as_deref()), (RunState::Promoted, Some("so it is")));
    assert_eq!(promoted.trial, Some(TrialVerdict::Agrees), "what a trial ended with stays");
    assert_eq!(db.store.run_on_trial().await.unwrap(), None);
}

#[tokio::test]
async fn a_newer_challenger_takes_the_place_of_one_on_trial_and_a_rejected_one_does_not() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let passed = shadowing(&db.store).await;
    let first = begin(&db.store, fence, 1).await.id;
    assert!(ends(&db.store, fence, first, &passed).await);
    let rejected = begin(&db.store, fence, 2).await.id;
    assert!(ends(&db.store, fence, rejected, &end(RunState::Rejected)).await);
    assert_eq!(db.store.run_on_trial().await.unwrap().unwrap().id, first);
    let second = begin(&db.store, fence, 3).await.id;
    assert!(ends(&db.store, fence, second, &passed).await);
    assert_eq!(db.store.run_on_trial().await.unwrap().unwrap().id, second);
    let withdrawn = db.store.run(first).await.unwrap().unwrap();
    let why = format!("run {second} has a newer challenger");
    assert_eq!((withdrawn.state, withdrawn.outcome), (RunState::Withdrawn, Some(why)));
    assert_eq!(withdrawn.trial, Some(TrialVerdict::Superseded));
    let ids: Vec<i64> = db.store.runs(9).await.unwrap().iter().map(|run| run.id).collect();
    assert_eq!(ids, [second, rejected, first], "latest first");
}

#[tokio::test]
async fn a_person_can_end_a_run_or_a_trial_and_the_trainer_is_told() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let run = begin(&db.store, fence, 1).await.id;
    assert!(db.store.cancel_run(run, "qa-7", "it is noon").await.unwrap());
    let told = db.store.run_progress(fence, run, "epoch 1 of 8", 0.2).await.unwrap();
    assert_eq!(told, Standing::Cancelled { by: "qa-7".into(), why: "it is noon".into() });
    assert!(ends(&db.store, fence, run, &end(RunState::Failed)).await);
    assert!(!db.store.cancel_run(run, "qa-7", "it is noon").await.unwrap(), "it has ended");

    let run = begin(&db.store, fence, 1).await.id;
    assert!(ends(&db.store, fence, run, &shadowing(&db.store).await).await);
    assert!(db.store.cancel_run(run, "qa-7", "its labels were wrong").await.unwrap());
    let cancelled = db.store.run_on_trial().await.unwrap().unwrap().cancelled;
    assert_eq!(cancelled, Some(("qa-7".into(), "its labels were wrong".into())));
}

#[tokio::test]
async fn take_overs_count_until_a_run_comes_further_than_ever() {
    let db = Database::create().await;
    let first = lease(&db.store, "trainer-1").await;
    let run = begin(&db.store, first, 1).await.id;
    db.store.run_progress(first, run, "epoch 2 of 8", 0.3).await.unwrap();
    let take_over = async || {
        expire_lease(&db.store).await;
        let fence = lease(&db.store, "the next").await;
        (fence, db.store.take_over_run(fence).await.unwrap().unwrap().take_overs)
    };
    let (fence, take_overs) = take_over().await;
    assert_eq!(take_overs, 1);
    db.store.run_progress(fence, run, "epoch 2 of 8", 0.3).await.unwrap();
    let (fence, take_overs) = take_over().await;
    assert_eq!(take_overs, 2, "as far as before is no further");
    db.store.run_progress(fence, run, "epoch 2 of 8", 0.31).await.unwrap();
    assert_eq!(take_over().await.1, 1);
}

#[tokio::test]
async fn a_challenger_that_was_not_measured_is_refused() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let run = begin(&db.store, fence, 1).await.id;
    let unmeasured = RunEnd { verdict: None, ..shadowing(&db.store).await };
    let refused = db.store.end_run(fence, run, &unmeasured).await.unwrap_err();
    assert!(refused.to_string().contains("a_challenger_was_measured"), "{refused}");
}

#[tokio::test]
async fn one_run_goes_on_at_a_time() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let running = begin(&db.store, fence, 1).await;
    let refused = db.store.begin_run(fence, &new_run(running.champion, 2)).await.unwrap_err();
    assert!(refused.to_string().contains("one_run_at_a_time"), "{refused}");
}

#[tokio::test]
async fn a_run_that_was_taken_over_cannot_be_ended_by_its_old_holder() {
    let db = Database::create().await;
    let first = lease(&db.store, "trainer-1").await;
    let run = begin(&db.store, first, 40).await;
    db.store.run_progress(first, run.id, "epoch 3 of 8", 0.5).await.unwrap();
    expire_lease(&db.store).await;
    let second = lease(&db.store, "trainer-2").await;
    assert_eq!(db.store.take_over_run(first).await.unwrap(), None, "the lease is lost");
    // between the lease and the run nothing is its old holder's either
    nothing_is_done_for(&db.store, first, run.id).await;
    let taken = db.store.take_over_run(second).await.unwrap().expect("it goes on");
    assert_eq!((taken.id, taken.stage.as_str(), taken.reviews_through), (run.id, "epoch 3 of 8", 40));
    nothing_is_done_for(&db.store, first, run.id).await;
    assert_eq!(db.store.run_progress(second, run.id, "epoch 4 of 8", 0.6).await.unwrap(), Standing::Held);
    assert!(ends(&db.store, second, run.id, &end(RunState::Rejected)).await);
    assert_eq!(db.store.take_over_run(second).await.unwrap(), None, "nothing is running");
}

#[tokio::test]
async fn a_lease_past_its_end_does_nothing_to_runs_though_nobody_took_over() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let run = begin(&db.store, fence, 40).await;
    expire_lease(&db.store).await;
    nothing_is_done_for(&db.store, fence, run.id).await;
    assert_eq!(db.store.take_over_run(fence).await.unwrap(), None);
    assert_eq!(db.store.begin_run(fence, &new_run(run.champion, 50)).await.unwrap(), None);
}

#[tokio::test]
async fn who_holds_the_lease_without_having_taken_the_run_over_does_nothing_to_it() {
    let db = Database::create().await;
    let run = begin(&db.store, lease(&db.store, "trainer-1").await, 40).await;
    expire_lease(&db.store).await;
    let second = lease(&db.store, "trainer-2").await;
    nothing_is_done_for(&db.store, second, run.id).await;
}

async fn nothing_is_done_for(store: &Store, fence: Fence, run: i64) {
    let before = store.run(run).await.unwrap();
    assert_eq!(store.run_progress(fence, run, "late", 0.9).await.unwrap(), Standing::Lost);
    assert!(!ends(store, fence, run, &shadowing(store).await).await);
    assert_eq!(store.run(run).await.unwrap(), before);
    assert_eq!(store.evidence().await.unwrap(), []);
}

#[tokio::test]
async fn who_slept_past_his_lease_ends_no_trial() {
    let db = Database::create().await;
    let first = lease(&db.store, "trainer-1").await;
    let run = begin(&db.store, first, 1).await.id;
    expire_lease(&db.store).await;
    let second = lease(&db.store, "trainer-2").await;
    db.store.take_over_run(second).await.unwrap().unwrap();
    assert!(ends(&db.store, second, run, &shadowing(&db.store).await).await);
    assert!(!ends(&db.store, first, run, &shadowing(&db.store).await).await);
    let open = [RunState::Shadowing, RunState::Waiting];
    assert!(!db.store.settle_run(first, run, &open, settlement(RunState::Withdrawn)).await.unwrap());
    assert_eq!(db.store.run_on_trial().await.unwrap().unwrap().id, run);
    assert_eq!(db.store.evidence().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_answers_whatever_requests_there_are() {
    let db = Database::create().await;
    let requested = async || db.store.run_requested().await.unwrap();
    assert!(!requested().await);
    for by in ["qa-1", "qa-2"] {
        db.store.request_run(by, "the vendor changed the processing").await.unwrap();
    }
    assert!(requested().await);
    assert!(requested().await, "asking takes nothing");
    begin(&db.store, lease(&db.store, "trainer-1").await, 1).await;
    assert!(!requested().await);
}
