//! A label is new until a run has used it.

use std::collections::HashSet;
use std::time::Duration;

use cspine_domain::{Class, Sha256};
use cspine_store::{Arrival, Fence, LearningSet, NewModel, NewRun, Run, RunCause, RunEnd, RunState, Store};
use cspine_tests::database::Database;
use serde_json::json;

use crate::samples::{arrival, by, correcting, count, deal, expire_lease, of_patient, registered, review};

/// An image of a training patient.
async fn arrived(store: &Store, number: u32) -> Arrival {
    let image = of_patient("learner", arrival(number, number));
    store.register_arrival(&image).await.unwrap();
    image
}

async fn say(store: &Store, event_id: &str, image: &Arrival, class: Class) {
    assert!(store.record_review(&review(event_id, image, class, "reader-1", 1)).await.unwrap());
}

/// A site with a training patient, and the lease of its trainer.
async fn site() -> (Database, Fence) {
    let db = Database::create().await;
    deal(&db.store, "learner", LearningSet::Training).await;
    let fence = db.store.acquire_lease("trainer", Duration::from_secs(60)).await.unwrap();
    (db, fence.expect("the lease is free"))
}

/// A network that was fine-tuned from another.
async fn child(store: &Store, name: &str, parent: Sha256) -> Sha256 {
    let sha256 = Sha256::of(name.as_bytes());
    let model = NewModel {
        sha256,
        architecture: "alexnet".into(),
        size_bytes: 7,
        card: json!({"architecture": "alexnet", "gate": {}, "training": {"parent": parent}}),
        object_key: Some(format!("models/{sha256}.safetensors")),
        registered_by: "qa-7".into(),
        forced_reason: None,
    };
    store.register_model(&model).await.unwrap();
    sha256
}

async fn begin(store: &Store, fence: Fence, champion: Sha256) -> Run {
    let through = store.new_labels().await.unwrap().through;
    let new = NewRun { cause: RunCause::Labels, champion, reviews_through: through, settings: json!({}) };
    store.begin_run(fence, &new).await.unwrap().expect("the lease is held")
}

/// What a run may be given.
async fn usable(store: &Store) -> Vec<(Sha256, Class)> {
    let images = store.labelled_images(i64::MAX).await.unwrap().into_iter();
    images
        .filter(|image| !image.disputed && !image.quarantined)
        .filter_map(|image| Some((image.content, image.label.class()?)))
        .collect()
}

async fn end(store: &Store, fence: Fence, run: &Run, state: RunState, challenger: Option<Sha256>) {
    let verdict = challenger.map(|_| json!({"passed": true}));
    let (outcome, evidence) = ("as it happened".into(), json!({}));
    let end = RunEnd { state, challenger, verdict, outcome, report_key: None, evidence };
    assert!(store.end_run(fence, run.id, &end).await.unwrap().is_some());
}

/// A run on a champion that is given all there is; what of it was new to the champion.
async fn run(
    store: &Store,
    fence: Fence,
    champion: Sha256,
    state: RunState,
    challenger: Option<Sha256>,
) -> HashSet<(Sha256, Class)> {
    let run = begin(store, fence, champion).await;
    let new = store.use_labels(fence, &run, &usable(store).await).await.unwrap();
    end(store, fence, &run, state, challenger).await;
    new.expect("the lease is held")
}

/// New labels by class, and how many of them are to be learnt from.
async fn news(store: &Store) -> ([u64; 3], u64) {
    let new = store.new_labels().await.unwrap();
    (new.by_class, new.to_learn_from)
}

#[tokio::test]
async fn a_label_is_new_until_a_run_has_used_it_that_did_not_fail() {
    let (db, fence) = site().await;
    let champion = registered(&db.store, "champion").await;
    assert_eq!(news(&db.store).await, ([0, 0, 0], 0));
    deal(&db.store, "measured", LearningSet::Evaluation).await;
    let measured = of_patient("measured", arrival(2, 2));
    db.store.register_arrival(&measured).await.unwrap();
    say(&db.store, "a", &arrived(&db.store, 1).await, Class::Fracture).await;
    say(&db.store, "b", &measured, Class::Normal).await;
    assert_eq!(news(&db.store).await, ([0, 1, 1], 1));

    assert_eq!(run(&db.store, fence, champion, RunState::Failed, None).await.len(), 2);
    assert_eq!(news(&db.store).await, ([0, 1, 1], 1), "what failed used nothing");
    for state in [RunState::Rejected, RunState::Withdrawn] {
        assert_eq!(run(&db.store, fence, champion, state, None).await.len(), 2, "its champion knows none of them");
        assert_eq!(news(&db.store).await, ([0, 0, 0], 0));
    }
    say(&db.store, "c", &arrived(&db.store, 3).await, Class::Dislocation).await;
    assert_eq!(news(&db.store).await, ([1, 0, 0], 1));
}

#[tokio::test]
async fn an_image_that_comes_after_its_label_is_new_whenever_it_comes() {
    let (db, fence) = site().await;
    let champion = registered(&db.store, "champion").await;
    let challenger = child(&db.store, "challenger", champion).await;
    let [early, late] = [1, 2].map(|number| of_patient("learner", arrival(number, number)));
    say(&db.store, "a", &early, Class::Fracture).await;
    say(&db.store, "b", &late, Class::Normal).await;
    let run = begin(&db.store, fence, champion).await;
    db.store.register_arrival(&early).await.unwrap();
    let used = db.store.use_labels(fence, &run, &usable(&db.store).await).await.unwrap();
    assert_eq!(used, Some(HashSet::from([(early.content, Class::Fracture)])));
    end(&db.store, fence, &run, RunState::Promoted, Some(challenger)).await;
    assert_eq!(news(&db.store).await, ([0, 0, 0], 0), "it was used though it came after the run had begun");

    db.store.register_arrival(&late).await.unwrap();
    assert_eq!(news(&db.store).await, ([0, 0, 1], 1));
    let new = self::run(&db.store, fence, challenger, RunState::Rejected, None).await;
    assert_eq!(new, HashSet::from([(late.content, Class::Normal)]));
}

#[tokio::test]
async fn with_another_label_an_image_is_new_again_and_with_the_same_it_is_not() {
    let (db, fence) = site().await;
    let champion = registered(&db.store, "champion").await;
    let challenger = child(&db.store, "challenger", champion).await;
    let image = arrived(&db.store, 1).await;
    say(&db.store, "a", &image, Class::Fracture).await;
    run(&db.store, fence, champion, RunState::Promoted, Some(challenger)).await;
    db.store.record_review(&review("b", &image, Class::Fracture, "reader-2", 2)).await.unwrap();
    assert_eq!(news(&db.store).await, ([0, 0, 0], 0), "a second reader says the same");
    let tomography = by(cspine_domain::ConfirmationSource::Ct, review("c", &image, Class::Dislocation, "scanner", 3));
    db.store.record_review(&tomography).await.unwrap();
    assert_eq!(news(&db.store).await, ([1, 0, 0], 1));
    let new = run(&db.store, fence, challenger, RunState::Rejected, None).await;
    assert_eq!(new, HashSet::from([(image.content, Class::Dislocation)]));
}

#[tokio::test]
async fn a_dispute_that_ends_with_an_old_word_is_news() {
    let (db, fence) = site().await;
    let champion = registered(&db.store, "champion").await;
    let (image, other) = (arrived(&db.store, 1).await, arrived(&db.store, 2).await);
    say(&db.store, "a", &image, Class::Fracture).await;
    db.store.record_review(&review("b", &image, Class::Normal, "reader-2", 2)).await.unwrap();
    assert!(run(&db.store, fence, champion, RunState::Rejected, None).await.is_empty());
    // the second reader had meant another image
    let withdrawn = correcting("b", review("c", &other, Class::Normal, "reader-2", 3));
    db.store.record_review(&withdrawn).await.unwrap();
    assert_eq!(news(&db.store).await, ([0, 1, 1], 2));
    assert_eq!(run(&db.store, fence, champion, RunState::Rejected, None).await.len(), 2);
}

#[tokio::test]
async fn a_champion_knows_what_the_runs_were_given_that_made_it_and_those_before_it() {
    let (db, fence) = site().await;
    let first = registered(&db.store, "first").await;
    let second = child(&db.store, "second", first).await;
    let third = child(&db.store, "third", second).await;
    let new_to = async |champion, state, challenger| run(&db.store, fence, champion, state, challenger).await.len();
    say(&db.store, "a", &arrived(&db.store, 1).await, Class::Fracture).await;
    assert_eq!(new_to(first, RunState::Rejected, None).await, 1);
    assert_eq!(new_to(first, RunState::Promoted, Some(second)).await, 1, "the run before taught nobody");
    say(&db.store, "b", &arrived(&db.store, 2).await, Class::Fracture).await;
    assert_eq!(new_to(second, RunState::Promoted, Some(third)).await, 1);
    assert_eq!(new_to(third, RunState::Rejected, None).await, 0);
    // taken back
    assert_eq!(new_to(second, RunState::Rejected, None).await, 1);
    assert_eq!(new_to(first, RunState::Rejected, None).await, 2);
}

#[tokio::test]
async fn one_content_is_one_image_under_however_many_uids() {
    let (db, _) = site().await;
    let image = arrived(&db.store, 1).await;
    let again = Arrival { content: image.content, ..of_patient("learner", arrival(2, 2)) };
    db.store.register_arrival(&again).await.unwrap();
    say(&db.store, "a", &image, Class::Fracture).await;
    say(&db.store, "b", &again, Class::Fracture).await;
    assert_eq!(news(&db.store).await, ([0, 1, 0], 1));
}

#[tokio::test]
async fn what_a_run_is_given_again_takes_the_place_of_what_it_was_given() {
    let (db, fence) = site().await;
    let run = begin(&db.store, fence, registered(&db.store, "champion").await).await;
    let labels = [1, 2, 3].map(|number: u8| (Sha256::of(&[number]), Class::Fracture));
    // also twice in one breath
    let twice = [&labels[..2], &labels[..1]].concat();
    assert_eq!(db.store.use_labels(fence, &run, &twice).await.unwrap().unwrap().len(), 2);
    let given = db.store.use_labels(fence, &run, &labels[1..]).await.unwrap();
    assert_eq!(given, Some(labels[1..].iter().copied().collect()));
    let used: Vec<String> = sqlx::query_scalar("select content_sha256 from label_uses order by content_sha256")
        .fetch_all(db.store.pool())
        .await
        .unwrap();
    let mut expected = [labels[1], labels[2]].map(|(content, _)| content.to_string());
    expected.sort();
    assert_eq!(used, expected);
}

#[tokio::test]
async fn without_the_lease_nothing_is_used() {
    let (db, fence) = site().await;
    let run = begin(&db.store, fence, registered(&db.store, "champion").await).await;
    expire_lease(&db.store).await;
    let given = [(Sha256::of(b"an image"), Class::Fracture)];
    assert_eq!(db.store.use_labels(fence, &run, &given).await.unwrap(), None);
    assert_eq!(count(&db.store, "label_uses").await, 0);
}
