//! What drift is measured on, and the daily reports.

use std::time::Duration;

use cspine_domain::{Reason, Sha256, Verdict};
use cspine_store::{Answer, Arrival, DriftReport, NewFinding, Purpose, Scored, Store};
use cspine_tests::database::Database;
use cspine_wire::AnyEvent;
use serde_json::json;
use time::macros::date;
use time::{Duration as Span, OffsetDateTime};

use crate::samples::{COLOUR, FRACTURE, NORMAL, arrival, count, finding, refused_by, registered};

async fn score(store: &Store, image: u32, answer: Answer, features: Option<Vec<f32>>) {
    store.record_finding(&NewFinding { features, ..finding(arrival(image, image), answer) }).await.unwrap();
}

async fn all(store: &Store, model: Sha256) -> Vec<Scored> {
    let now = OffsetDateTime::now_utc();
    store.scored(model, now - Span::DAY..now + Span::DAY, 1000).await.unwrap()
}

#[tokio::test]
async fn what_a_model_said_is_read_oldest_first_with_what_it_saw() {
    let db = Database::create().await;
    let image = Arrival { modality: Some("DX".into()), site: Some("ed-1".into()), ..arrival(1, 1) };
    let features = vec![0.5, -2.0, 1024.0];
    let seen = NewFinding { features: Some(features.clone()), ..finding(image, NORMAL) };
    db.store.record_finding(&seen).await.unwrap();
    score(&db.store, 2, COLOUR, None).await;
    let scored = all(&db.store, seen.model).await;
    let [first, second] = &scored[..] else { panic!("two: {scored:?}") };
    assert_eq!((first.p_injury, first.verdict, first.reason), (Some(0.25), Verdict::Normal, None));
    assert_eq!(
        (&first.features, first.modality.as_deref(), first.site.as_deref()),
        (&Some(features), Some("DX"), Some("ed-1"))
    );
    assert_eq!((second.p_injury, second.verdict, second.reason), (None, Verdict::NotAssessable, Some(Reason::Colour)));
    assert_eq!((&second.features, second.modality.as_deref()), (&None, None));
    assert!(first.created_at < second.created_at);
}

#[tokio::test]
async fn only_primary_findings_of_that_model_in_that_period_count() {
    let db = Database::create().await;
    for image in 1..=5 {
        score(&db.store, image, NORMAL, Some(vec![image as f32])).await;
    }
    let model = Sha256::of(b"model");
    let shadow = NewFinding { purpose: Purpose::Shadow, ..finding(arrival(1, 1), NORMAL) };
    db.store.record_finding(&shadow).await.unwrap();
    let other = NewFinding { model: Sha256::of(b"other"), ..finding(arrival(6, 6), NORMAL) };
    db.store.record_finding(&other).await.unwrap();

    let scored = all(&db.store, model).await;
    assert_eq!(scored.len(), 5);
    // the end of a period belongs to the next one
    let period = scored[1].created_at..scored[3].created_at;
    assert_eq!(db.store.scored(model, period, 10).await.unwrap(), scored[1..3]);
    let times: Vec<OffsetDateTime> = scored.iter().map(|scored| scored.created_at).collect();
    assert_eq!(db.store.first_scored_at(model, 3).await.unwrap(), times[..3]);
    assert_eq!(db.store.latest_scored_at(model, times[4], 3).await.unwrap(), [times[3], times[2], times[1]]);
    assert!(db.store.first_scored_at(Sha256::of(b"nobody"), 3).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_more_images_than_are_asked_for_the_same_are_drawn_from_all_of_the_period() {
    let db = Database::create().await;
    for image in 1..=20 {
        score(&db.store, image, NORMAL, Some(vec![image as f32])).await;
    }
    let (model, now) = (Sha256::of(b"model"), OffsetDateTime::now_utc());
    let drawn = async |count| db.store.scored(model, now - Span::DAY..now + Span::DAY, count).await.unwrap();
    let (scored, ten, five) = (drawn(20).await, drawn(10).await, drawn(5).await);
    assert_eq!((scored.len(), ten.len(), five.len()), (20, 10, 5));
    assert!(ten != scored[..10] && ten != scored[10..], "neither the first nor the latest: {ten:?}");
    assert!(ten.is_sorted_by_key(|scored| scored.created_at), "oldest first");
    assert!(five.iter().all(|scored| ten.contains(scored)));
}

#[tokio::test]
async fn of_a_study_only_the_first_film_counts() {
    let db = Database::create().await;
    for (study, image) in [(1, 1), (1, 2), (2, 3), (1, 4), (2, 5)] {
        db.store.record_finding(&finding(arrival(study, image), NORMAL)).await.unwrap();
    }
    // another model's answer to a film does not count as this model's first
    let other = NewFinding { model: Sha256::of(b"other"), ..finding(arrival(3, 6), NORMAL) };
    db.store.record_finding(&other).await.unwrap();
    let later = NewFinding { features: Some(vec![1.0]), ..finding(arrival(3, 7), NORMAL) };
    db.store.record_finding(&later).await.unwrap();

    let scored = all(&db.store, later.model).await;
    assert_eq!(scored.len(), 3, "a film each of three studies");
    assert_eq!(scored[2].features, Some(vec![1.0]));
    // nor does a study count again in a period that begins after its first film
    let since = scored[0].created_at + Span::microseconds(1);
    let period = db.store.scored(later.model, since..since + Span::DAY, 10).await.unwrap();
    assert_eq!(period, scored[1..]);
}

#[tokio::test]
async fn films_out_of_scope_are_passed_over_for_the_first_that_the_model_was_asked_about() {
    let db = Database::create().await;
    let out_of_scope = Answer::NotAssessable(Reason::OutOfScope);
    let films = [(1, 1, out_of_scope.clone()), (1, 2, FRACTURE), (2, 3, COLOUR), (2, 4, NORMAL), (3, 5, out_of_scope)];
    for (study, image, answer) in films {
        db.store.record_finding(&finding(arrival(study, image), answer)).await.unwrap();
    }
    let scored = all(&db.store, Sha256::of(b"model")).await;
    let answers: Vec<_> = scored.iter().map(|scored| (scored.verdict, scored.reason)).collect();
    // one that could not be read is an answer: its share is measured
    assert_eq!(answers, [(Verdict::Fracture, None), (Verdict::NotAssessable, Some(Reason::Colour))]);
}

#[tokio::test]
async fn features_that_are_no_16_bit_floats_are_refused() {
    let db = Database::create().await;
    score(&db.store, 1, NORMAL, Some(vec![1.0])).await;
    for features in ["''", "'\\x000102'", "decode(repeat('00', 16386), 'hex')"] {
        let refused = refused_by(&db, format!("update findings set features = {features}")).await;
        assert_eq!(refused, "features_are_halves", "{features}");
    }
    score(&db.store, 2, NORMAL, Some(vec![1.0; 8192])).await;
}

fn report(champion: Sha256, drifted: bool) -> DriftReport {
    let statistics = json!([
        {"name": "psi_score", "drifted": drifted, "value": 0.31, "p": 0.001},
        {"name": "ks_score", "drifted": false, "value": 0.05, "p": 0.4},
        {"name": "features", "drifted": drifted, "value": 7.5, "p": 0.002},
    ]);
    DriftReport { day: date!(2026 - 11 - 23), champion, reference: 1000, images: 212, drifted, statistics }
}

#[tokio::test]
async fn a_day_has_one_report_a_champion() {
    let db = Database::create().await;
    let (one, two) = (registered(&db.store, "one").await, registered(&db.store, "two").await);
    let first = report(one, false);
    assert!(db.store.add_drift_report(&first).await.unwrap());
    assert!(!db.store.add_drift_report(&report(one, true)).await.unwrap(), "it has been told");
    let (of_two, next) = (report(two, false), DriftReport { day: date!(2026 - 11 - 24), ..report(one, false) });
    assert!(db.store.add_drift_report(&of_two).await.unwrap() && db.store.add_drift_report(&next).await.unwrap());
    assert_eq!(db.store.drift_reports(10).await.unwrap(), [next.clone(), of_two, first], "latest first");
    assert_eq!(db.store.drift_reports(1).await.unwrap(), [next]);
    assert_eq!(count(&db.store, "outbox").await, 0, "nothing drifted");
}

#[tokio::test]
async fn a_warning_is_told_once_and_names_what_drifted() {
    let db = Database::create().await;
    let champion = registered(&db.store, "one").await;
    assert!(db.store.add_drift_report(&report(champion, true)).await.unwrap());
    assert!(!db.store.add_drift_report(&report(champion, true)).await.unwrap());
    let told = db.store.outbox_claim(10, Duration::from_secs(60)).await.unwrap();
    let [message] = &told[..] else { panic!("one event: {told:?}") };
    assert_eq!(
        (message.event_type.as_str(), message.routing_key.as_str()),
        ("org.cspine.model.drifted.v1", "model.drifted")
    );
    let AnyEvent::ModelDrifted(event) = AnyEvent::parse(&message.payload).unwrap() else { panic!("another event") };
    assert_eq!((event.source.as_str(), event.subject), ("/cspine/trainer", Some(champion.to_string())));
    assert_eq!((event.data.day, event.data.model_sha256), (date!(2026 - 11 - 23), champion));
    assert_eq!((event.data.reference_images, event.data.images), (1000, 212));
    assert_eq!(event.data.statistics, ["psi_score", "features"]);
}

#[tokio::test]
async fn a_warning_that_names_nothing_is_refused() {
    let db = Database::create().await;
    let champion = registered(&db.store, "one").await;
    for statistics in [json!([]), json!([{"name": "psi_score", "drifted": false}]), json!([{"drifted": true}])] {
        let refused = DriftReport { statistics, ..report(champion, true) };
        let refused = db.store.add_drift_report(&refused).await.unwrap_err();
        assert!(refused.to_string().contains("a_warning_says_what_drifted"), "{refused}");
    }
    assert_eq!((count(&db.store, "outbox").await, count(&db.store, "drift_reports").await), (0, 0));
}
