//! Labels that there is nothing to learn from, and images that are not what they were.

use cspine_domain::Sha256;
use cspine_store::{LearningSet, RunCause, RunState};

use crate::site::Site;

#[tokio::test]
async fn a_request_with_nothing_new_is_given_up_and_stops_no_other_run() {
    let site = Site::create().await;
    let trainer = site.start("trainer", "work", &[]);
    assert!(site.run(&["runs", "request", "--why", "a look"]).0);
    let run = site.run_that("the request is answered", |run| run.ended_at.is_some()).await;
    assert_eq!((run.cause, run.state), (RunCause::Request, RunState::Withdrawn));
    assert_eq!(run.outcome.as_deref(), Some("there is nothing new to learn from"));
    site.label(0, 3, |class| class).await;
    site.run_that("labels make another due", |run| run.cause == RunCause::Labels).await;
    drop(trainer);
}

#[tokio::test]
async fn a_damaged_file_among_the_kept_images_is_fetched_again() {
    let site = Site::create().await;
    let reference = site.db.store.reference_images().await.unwrap();
    let frozen = reference.iter().find(|image| image.set == LearningSet::Evaluation).unwrap();
    let kept = site.path("work").join("images");
    std::fs::create_dir_all(&kept).unwrap();
    let damaged = kept.join(frozen.content.to_string());
    std::fs::write(&damaged, "half of an image").unwrap();
    assert!(site.run(&["runs", "request", "--why", "a look"]).0);
    let _trainer = site.start("trainer", "work", &[]);
    site.run_that("the run has its images", |run| run.ended_at.is_some()).await;
    assert_eq!(Sha256::of(&std::fs::read(&damaged).unwrap()), frozen.content);
}
