//! Challengers on trial: how that ends.

use cspine_store::{LearningSet, RunState, TrialVerdict};

use crate::site::{SOON, Site};

/// So few images decide nothing: what they are measured by is asked of larger sets elsewhere.
const EASY: [&str; 8] = [
    "--tune-epochs=1",
    "--margin=1",
    "--margin-class=1",
    "--margin-site=1",
    "--margin-calibration=1",
    "--label-agreement=0",
    "--sufficient=1",
    "--shadow-images=6",
];

#[tokio::test]
async fn a_trainer_promotes_by_itself_what_passed_and_agrees_if_it_is_told_to() {
    let site = Site::create().await;
    site.label_for(LearningSet::Evaluation, 0, 1, |class| class).await;
    site.label(0, 3, |class| class).await;
    let trainer = site.start("trainer", "work", &[&EASY[..], &["--promote", "auto"]].concat());
    let run = site.run_that("the challenger is on trial", |run| run.state == RunState::Shadowing).await;
    let challenger = run.challenger.unwrap();
    for image in 0..6 {
        site.scored(image, challenger).await;
    }
    let promoted = site.run_that("it is promoted", |run| run.state == RunState::Promoted).await;
    assert_eq!(promoted.trial, Some(TrialVerdict::Agrees));
    let serving = site.db.store.serving().await.unwrap();
    assert_eq!((serving.champion.unwrap().sha256, serving.shadow), (challenger, None));
    let changes = site.db.store.model_changes(Some(challenger)).await.unwrap();
    assert_eq!(changes[0].by, "cspine-trainer --promote auto");
    assert!(changes[0].why.contains("on 6 live images, 6 answered by both"), "{}", changes[0].why);
    trainer.stop().await;
}

#[tokio::test]
async fn a_trial_ends_when_another_champion_serves_than_the_challenger_was_measured_against() {
    let site = Site::create().await;
    site.label(0, 3, |class| class).await;
    let trainer = site.start("trainer", "work", &[&EASY[..], &["--promote", "auto"]].concat());
    let run = site.run_that("the challenger is on trial", |run| run.state == RunState::Shadowing).await;
    let shadow = async || site.db.store.serving().await.unwrap().shadow;
    cspine_tests::wait::until("workers are asked to try it", SOON, shadow).await;
    let another = site.another_champion();
    let withdrawn = site.run_that("it is withdrawn", |run| run.state == RunState::Withdrawn).await;
    assert_eq!((withdrawn.id, withdrawn.trial), (run.id, Some(TrialVerdict::Superseded)));
    assert!(withdrawn.outcome.unwrap().contains("another champion serves"));
    let serving = site.db.store.serving().await.unwrap();
    assert_eq!((serving.champion.unwrap().sha256, serving.shadow), (another, None));
    trainer.stop().await;
}

#[tokio::test]
async fn a_trial_whose_images_come_and_are_not_scored_ends_and_says_so() {
    let site = Site::create().await;
    site.label(0, 3, |class| class).await;
    let trainer = site.start("trainer", "work", &[&EASY[..], &["--shadow-share=1", "--shadow-wait=1s"]].concat());
    let run = site.run_that("the challenger is on trial", |run| run.state == RunState::Shadowing).await;
    let shadow = async || site.db.store.serving().await.unwrap().shadow;
    cspine_tests::wait::until("workers are asked to try it", SOON, shadow).await;
    // Busy workers scored two of five: too few came to say anything.
    for image in 0..5 {
        if image < 2 { site.scored(image, run.challenger.unwrap()).await } else { site.unscored(image).await }
    }
    site.unscored(5).await;
    let ended = site.run_that("it is withdrawn", |run| run.state == RunState::Withdrawn).await;
    assert_eq!((ended.id, ended.trial), (run.id, Some(TrialVerdict::NotScored)));
    let outcome = ended.outcome.unwrap();
    assert!(outcome.contains("of 6 live images") && outcome.contains("scored 2 with it too, of 6"), "{outcome}");
    assert_eq!(site.db.store.serving().await.unwrap().shadow, None, "workers score no more with it");
    let (listed, said) = site.run(&["runs", "list"]);
    assert!(listed && said.contains("trial not_scored"), "{said}");
    trainer.stop().await;
}

#[tokio::test]
async fn a_run_that_a_person_cancels_ends_and_says_by_whom() {
    let site = Site::create().await;
    site.label(0, 3, |class| class).await;
    let trainer = site.start("trainer", "work", &["--tune-epochs=50", "--tune-patience=50"]);
    let run = site.run_that("it learns", |run| run.stage.starts_with("epoch")).await;
    let (asked, said) = site.run(&["runs", "cancel", &run.id.to_string(), "--by", "qa-7", "--why", "it is noon"]);
    assert!(asked, "{said}");
    let ended = async || site.db.store.run(run.id).await.unwrap().filter(|run| run.ended_at.is_some());
    let run = cspine_tests::wait::until("it ends", SOON, ended).await;
    assert_eq!((run.state, run.outcome.as_deref()), (RunState::Failed, Some("cancelled by qa-7: it is noon")));
    let (whole, said) = site.run(&["runs", "verify"]);
    assert!(whole && said.contains("1 links, unbroken"), "{said}");
    trainer.stop().await;
}
