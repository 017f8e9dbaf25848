//! One trainer at a time, and its runs.

use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Fence, Run, RunCause, RunEnd, RunState, Store};
use cspine_tests::database::Database;
use serde_json::json;

use crate::samples::{expire_lease, registered};

const MINUTE: Duration = Duration::from_secs(60);

async fn lease(store: &Store, holder: &str) -> Fence {
    store.acquire_lease(holder, MINUTE).await.unwrap().expect("the lease is free")
}

async fn begin(store: &Store, fence: Fence, reviews_through: i64) -> Run {
    let champion = registered(store, "champion").await;
    let begun = store.begin_run(fence, RunCause::Labels, champion, reviews_through).await.unwrap();
    begun.expect("the lease is held")
}

fn end(state: RunState) -> RunEnd {
    RunEnd { state, challenger: None, verdict: None, outcome: "as it happened".into(), report_key: None }
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

    assert!(db.store.run_progress(fence, begun.id, "epoch 2 of 8", 0.25).await.unwrap());
    db.store.run_log(begun.id, "400 images").await.unwrap();
    db.store.run_log(begun.id, "loss 0.5\0").await.unwrap();
    let lines = db.store.run_lines(begun.id).await.unwrap();
    assert_eq!(lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["400 images", "loss 0.5\u{fffd}"]);

    let measured = RunEnd { report_key: Some("reports/1.html".into()), ..shadowing(&db.store).await };
    assert!(db.store.end_run(fence, begun.id, &measured).await.unwrap());
    let ended = db.store.run(begun.id).await.unwrap().unwrap();
    assert_eq!((ended.stage.as_str(), ended.progress), ("epoch 2 of 8", 0.25));
    assert_eq!(
        (ended.state, ended.challenger, &ended.verdict),
        (RunState::Shadowing, measured.challenger, &measured.verdict)
    );
    assert_eq!((ended.outcome.as_deref(), &ended.report_key), (Some("as it happened"), &measured.report_key));
    assert!(ended.ended_at.unwrap() >= ended.started_at);
    assert!(!db.store.run_progress(fence, begun.id, "again", 0.0).await.unwrap(), "it has ended");
    assert!(!db.store.end_run(fence, begun.id, &end(RunState::Failed)).await.unwrap(), "once");
    assert_eq!(db.store.runs(10).await.unwrap(), [ended]);
    assert_eq!(db.store.run(begun.id + 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_challenger_goes_on_from_state_to_state_and_two_cannot() {
    let db = Database::create().await;
    let fence = lease(&db.store, "trainer-1").await;
    let first = begin(&db.store, fence, 1).await.id;
    let passed = shadowing(&db.store).await;
    assert!(db.store.end_run(fence, first, &passed).await.unwrap());

    let second = begin(&db.store, fence, 2).await.id;
    let refused = db.store.end_run(fence, second, &passed).await.unwrap_err();
    assert!(refused.to_string().contains("one_challenger_at_a_time"), "{refused}");
    let settle = async |from: &[RunState], to| db.store.settle_run(first, from, to, "a person said so").await.unwrap();
    assert!(settle(&[RunState::Shadowing], RunState::Waiting).await);
    assert!(!settle(&[RunState::Shadowing], RunState::Withdrawn).await, "it waits by now");
    assert!(settle(&[RunState::Shadowing, RunState::Waiting], RunState::Promoted).await);
    let promoted = db.store.run(first).await.unwrap().unwrap();
    assert_eq!((promoted.state, promoted.outcome.as_deref()), (RunState::Promoted, Some("a person said so")));
    assert!(db.store.end_run(fence, second, &passed).await.unwrap());
    assert_eq!(db.store.runs(1).await.unwrap()[0].id, second, "latest first");
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
    let refused = db.store.begin_run(fence, RunCause::Schedule, running.champion, 2).await.unwrap_err();
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
    assert!(db.store.run_progress(second, run.id, "epoch 4 of 8", 0.6).await.unwrap());
    assert!(db.store.end_run(second, run.id, &end(RunState::Rejected)).await.unwrap());
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
    let begun = db.store.begin_run(fence, RunCause::Request, run.champion, 50).await.unwrap();
    assert_eq!(begun, None);
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
    assert!(!store.run_progress(fence, run, "late", 0.9).await.unwrap());
    assert!(!store.end_run(fence, run, &end(RunState::Failed)).await.unwrap());
    assert_eq!(store.run(run).await.unwrap(), before);
}

#[tokio::test]
async fn a_request_is_taken_once_however_many_asked() {
    let db = Database::create().await;
    assert!(!db.store.take_request().await.unwrap());
    for by in ["qa-1", "qa-2"] {
        db.store.request_run(by, "the vendor changed the processing").await.unwrap();
    }
    assert!(db.store.take_request().await.unwrap());
    assert!(!db.store.take_request().await.unwrap());
}
