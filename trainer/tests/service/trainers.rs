//! Trainers that die, sleep, or are two.

use cspine_store::RunState;
use cspine_tests::wait;

use crate::site::{SOON, Site};

const EPOCHS: [&str; 10] =
    ["--tune-epochs", "3", "--margin", "1", "--margin-class", "1", "--margin-site", "1", "--margin-calibration", "1"];

#[tokio::test]
async fn killed_in_the_middle_of_an_epoch_a_run_goes_on_to_the_same_weights() {
    let mut challengers = Vec::new();
    for killed in [false, true] {
        let site = Site::create().await;
        site.label(0, 3, |class| class).await;
        let trainer = site.start("first", "work", &EPOCHS);
        if killed {
            let run = site.run_that("the second epoch has begun", |run| run.stage == "epoch 2 of 3").await;
            assert_eq!(run.state, RunState::Running);
            trainer.kill();
            let trainer = site.start("second", "work", &EPOCHS);
            challengers.push(on_trial(&site).await);
            assert!(trainer.log().contains("going on after epoch 1"), "{}", trainer.log());
            assert_eq!(site.db.store.runs(9).await.unwrap().len(), 1, "it is the same run");
        } else {
            challengers.push(on_trial(&site).await);
        }
    }
    assert_eq!(challengers[0], challengers[1]);
}

#[tokio::test]
async fn a_trainer_that_slept_past_its_lease_writes_nothing_more() {
    let site = Site::create().await;
    site.label(0, 3, |class| class).await;
    let sleeper = site.start("sleeper", "work-1", &EPOCHS);
    site.run_that("it is at work", |run| run.stage.starts_with("epoch")).await;
    sleeper.signal("STOP");
    let other = site.start("other", "work-2", &EPOCHS);
    let challenger = on_trial(&site).await;
    let before = (site.db.store.runs(9).await.unwrap(), site.db.store.serving().await.unwrap());
    sleeper.signal("CONT");
    let awake = async || sleeper.log().contains("the lease is lost").then_some(());
    wait::until("the sleeper notices", SOON, awake).await;
    let idle = async || sleeper.log().contains("leading ends").then_some(());
    wait::until("the sleeper gives up", SOON, idle).await;
    assert_eq!((site.db.store.runs(9).await.unwrap(), site.db.store.serving().await.unwrap()), before);
    assert_eq!(before.1.shadow.unwrap().sha256, challenger);
    assert!(!other.log().contains("the lease is lost"), "{}", other.log());
}

async fn on_trial(site: &Site) -> cspine_domain::Sha256 {
    let run = site.run_that("the challenger passed", |run| run.state == RunState::Shadowing).await;
    let shadow = async || site.db.store.serving().await.unwrap().shadow;
    wait::until("the challenger is on trial", SOON, shadow).await;
    run.challenger.unwrap()
}
