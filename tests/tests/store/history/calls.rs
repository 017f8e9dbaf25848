//! A call of every method of the store, on every path that has a statement of its own.

use std::time::Duration;

use cspine_domain::OrderPriority::Stat;
use cspine_domain::{Class, Reason, Sha256};
use cspine_store::{
    Arrival, DriftReport, LearningSet, Move, NewFinding, NewRun, Parked, Purpose, ReferenceImage, Retention, RunCause,
    RunEnd, RunState, Settlement, StateChange, Store, StudyState, TrialImages, TrialVerdict,
};
use cspine_tests::database::Database;
use serde_json::json;
use time::{Duration as Span, OffsetDateTime};

use super::{finished, loaded, run, sha256};
use crate::samples::{DISLOCATION, NORMAL, arrival, finding, ordered, other_bytes, registered, review};

/// All but [`labels`].
pub async fn everything(store: &Store, db: &Database) {
    store.ping().await.expect("it answers");
    store.probe().await.expect("it serves");
    store.schema_is_current().await.expect("a schema");
    images(store).await;
    readings(store, db).await;
    parked(store).await;
    outbox(store).await;
    awaited(store).await;
    let champion = registered(store, "champion").await;
    let challenger = registered(store, "challenger").await;
    models(store, champion, challenger).await;
    runs(store, champion, challenger).await;
    drift(store, champion).await;
    clearing(store).await;
}

async fn images(store: &Store) {
    let on_the_list = loaded(finished() + 1);
    store.register_arrival(&on_the_list).await.expect("a duplicate");
    store.register_arrival(&ordered(Stat, loaded(finished() + 2))).await.expect("a more urgent order");
    store.register_arrival(&other_bytes(loaded(finished() + 3))).await.expect("a conflict");
    store.already_answered(&on_the_list.sop, on_the_list.content).await.expect("asked");
    store.record_finding(&finding(arrival(1, 1), NORMAL)).await.expect("a new study");
    let of_a_finished_study = Arrival { study: loaded(7).study, ..arrival(1, 2) };
    store.record_finding(&finding(of_a_finished_study, DISLOCATION)).await.expect("back on the list");
    let shadow = NewFinding { purpose: Purpose::Shadow, ..finding(loaded(8), NORMAL) };
    store.record_finding(&shadow).await.expect("a shadow");
    store.worklist(50).await.expect("the list");
    store.study_images(&on_the_list.study).await.expect("its images");
    let model = Sha256::of(b"a later model");
    let some = store.to_rescore(model, None, 100).await.expect("what to rescore");
    assert!(!some.images.is_empty());
    store.to_rescore(model, Some(&on_the_list.study), 100).await.expect("of one study");
}

async fn readings(store: &Store, db: &Database) {
    let study = loaded(finished() + 4).study;
    let change = |state, id: Option<&str>| StateChange {
        study: study.clone(),
        state,
        at: id.map(|_| OffsetDateTime::now_utc()),
        event: id.map(|id| ("/ris".to_owned(), id.to_owned())),
        by: None,
    };
    store.set_study_state(&change(StudyState::Reading, Some("a"))).await.expect("read");
    let meanwhile = Arrival { study: study.clone(), ..arrival(1, 3) };
    store.record_finding(&finding(meanwhile, DISLOCATION)).await.expect("flagged while it is read");
    store.set_study_state(&change(StudyState::Open, None)).await.expect("opened");
    let again = change(StudyState::Reading, Some("b"));
    store.set_study_state(&again).await.expect("read again");
    store.set_study_state(&again).await.expect("the same event");
    // long ago
    run(
        db,
        format!(
            "update studies set state_changed_at = now() - interval '1 day',
                            reading_heard_at = now() - interval '1 day' where study_instance_uid = '{study}'"
        ),
    )
    .await;
    store.sweep().await.expect("swept");
}

async fn parked(store: &Store) {
    let message = crate::parked::of(loaded(finished() + 5), Reason::Undecodable);
    let id = store.park(&message).await.expect("parked");
    let nameless = Parked { source: None, event_id: None, ..message };
    let other = store.park(&nameless).await.expect("parked by its body");
    store.parked_list(false, 100).await.expect("those that wait");
    store.parked_list(true, 100).await.expect("all");
    store.parked_get(id).await.expect("one");
    assert!(store.parked_count().await.expect("counted") > 2);
    store.parked_resend(id, "it", "again").await.expect("sent again");
    store.parked_dismiss(other, "it", "enough").await.expect("dismissed");
    store.parked_dismiss(other, "it", "twice").await.expect_err("it was dismissed before");
    let study = loaded(finished() + 6).bare_study();
    let naming_a_study = Parked { arrival: None, studies: vec![study], body: b"{}".to_vec(), ..nameless };
    let id = store.park(&naming_a_study).await.expect("parked, with its study");
    store.parked_resend(id, "it", "again").await.expect("sent again");
}

async fn awaited(store: &Store) {
    let lost = arrival(1, 4);
    store.register_arrival(&lost).await.expect("registered, and never answered");
    store.expect_answer_after(&lost.sop, lost.content, Duration::ZERO).await.expect("on the ladder");
    let priority = lost.order_priority;
    store.overdue(priority, Duration::ZERO, 100).await.expect("asked");
    store.claim_overdue(priority, Duration::ZERO, 100, Duration::from_secs(30)).await.expect("claimed");
    store.mark_republished(&lost.sop, lost.content).await.expect("published again");
    assert!(store.awaited(Duration::ZERO).await.expect("counted").waiting > 0);
}

async fn outbox(store: &Store) {
    let claimed = store.outbox_claim(100, Duration::from_secs(30)).await.expect("claimed");
    let ids: Vec<i64> = claimed.iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), 100);
    store.outbox_put_off(&ids[..10]).await.expect("refused");
    store.outbox_release(&ids[10..20]).await.expect("given back");
    store.outbox_mark_sent(&ids[20..]).await.expect("sent");
    assert_eq!(store.outbox_refused().await.expect("counted"), 10);
    store.outbox_age().await.expect("its age");
}

pub async fn labels(store: &Store) {
    store.record_review(&review("new", &loaded(77), Class::Fracture, "reader-1", 1)).await.expect("a word");
    store.reviews_named("/qa", &["label-50".into(), "label-100".into()]).await.expect("by name");
    assert!(store.labelled_images(i64::MAX).await.expect("all labels").len() > 1000);
    store.label_tally().await.expect("counted");
    store.new_labels().await.expect("what is new");
    store.assign_sets().await.expect("dealt");
    store.set_of("patient-12").await.expect("a side");
    store.merge_patients("patient-25", "patient-50", "qa-7").await.expect("merged");
    store.patient("patient-12").await.expect("known");
    store.patients_on_two_sides().await.expect("asked");
    let reference = ReferenceImage {
        content: Sha256::of(b"reference"),
        object_key: "reference/1.png".into(),
        media_type: "image/png".into(),
        label: Class::Normal,
        patient: "phantom-1".into(),
        site: None,
        set: LearningSet::Evaluation,
    };
    store.add_reference(&[reference], "qa-7").await.expect("added");
    store.reference_images().await.expect("read");
}

async fn models(store: &Store, champion: Sha256, challenger: Sha256) {
    registered(store, "champion").await;
    store.models().await.expect("all");
    store.model_named(&champion.to_string()[..8]).await.expect("one");
    store.run_that_made(challenger).await.expect("asked");
    let wish = |model, epoch| Move { model, epoch, by: "owner", why: "a test", fence: None };
    store.promote(&wish(champion, 0)).await.expect("promoted");
    store.set_shadow(&wish(challenger, 1), 0.5).await.expect("tried");
    store.end_shadow(&wish(challenger, 2)).await.expect("ended");
    store.serving().await.expect("what serves");
    store.serving_hints().await.expect("listening");
    store.model_changes(None).await.expect("moves");
    store.model_changes(Some(champion)).await.expect("moves of one");
    store.shadow_tally(sha256(-9), sha256(-2)).await.expect("compared");
}

async fn runs(store: &Store, champion: Sha256, challenger: Sha256) {
    let minute = Duration::from_secs(60);
    store.request_run("owner", "a test").await.expect("asked for");
    store.run_requested().await.expect("asked");
    let fence = store.acquire_lease("trainer", minute).await.expect("asked").expect("free");
    store.renew_lease(fence, minute).await.expect("renewed");
    let new = NewRun { cause: RunCause::Labels, champion, reviews_through: 9, settings: json!({}) };
    store.begin_run(fence, &new).await.expect("begun").expect("held");
    let run = store.take_over_run(fence).await.expect("taken over").expect("one runs");
    store.run_progress(fence, run.id, "learning", 0.5).await.expect("written");
    store.run_log(run.id, "a line").await.expect("written");
    store.run_lines(run.id).await.expect("read");
    store.use_labels(fence, &run, &[(sha256(50), Class::Normal)]).await.expect("used");
    let end = RunEnd {
        state: RunState::Shadowing,
        challenger: Some(challenger),
        verdict: Some(json!({})),
        outcome: "it passed".into(),
        report_key: None,
        evidence: json!({}),
    };
    store.end_run(fence, run.id, &end).await.expect("ended").expect("held");
    store.run_on_trial().await.expect("asked");
    let images = TrialImages { champion, since: OffsetDateTime::now_utc(), share: 0.5, wait: minute };
    store.trial_images(&images).await.expect("counted");
    store.cancel_run(run.id, "owner", "enough").await.expect("cancelled");
    let withdrawn =
        Settlement { state: RunState::Withdrawn, trial: Some(TrialVerdict::Cancelled), outcome: "given up" };
    store.settle_run(fence, run.id, &[RunState::Shadowing], withdrawn).await.expect("settled");
    store.runs(10).await.expect("read");
    store.run(run.id).await.expect("read");
    store.evidence().await.expect("the chain");
    store.last_evidence().await.expect("its end");
    store.release_lease(fence).await.expect("released");
}

async fn drift(store: &Store, champion: Sha256) {
    let now = OffsetDateTime::now_utc();
    for model in [sha256(-1), sha256(-2)] {
        store.scored(model, now - Span::DAY..now, 500).await.expect("a day");
        store.first_scored_at(model, 500).await.expect("the first");
        store.latest_scored_at(model, now, 500).await.expect("the latest");
    }
    let statistics = json!([{"name": "psi", "drifted": true}]);
    let report = DriftReport { day: now.date(), champion, reference: 9, images: 9, drifted: true, statistics };
    store.add_drift_report(&report).await.expect("reported");
    store.drift_reports(10).await.expect("read");
}

async fn clearing(store: &Store) {
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    // a batch or two of each
    let keep = Retention {
        events: days(340),
        parked: days(3400),
        priority_changes: days(3440),
        heatmaps: days(343),
        features: days(343),
    };
    let cleared = store.clear(&keep).await.expect("cleared");
    println!("history: {cleared:?}");
    assert!(
        [
            cleared.outbox,
            cleared.status_events,
            cleared.parked,
            cleared.priority_changes,
            cleared.heatmaps,
            cleared.features
        ]
        .iter()
        .all(|&rows| rows > 0),
        "{cleared:?}"
    );
}
