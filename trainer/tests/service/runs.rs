//! What a run comes to.

use cspine_domain::Class;
use cspine_store::{RunCause, RunState, broken_link};
use cspine_trainer::promotion::{Decision, Verdict};

use crate::site::Site;

/// So few images decide nothing: what they are measured by is asked of larger sets elsewhere.
const LENIENT: [&str; 8] = ["--margin", "1", "--margin-class", "1", "--margin-site", "1", "--margin-calibration", "1"];

#[tokio::test]
async fn enough_labels_make_a_challenger_that_is_tried_as_a_shadow_and_leaves_report_and_evidence() {
    let site = Site::create().await;
    site.label(0, 1, |class| class).await;
    let (merged, said) = site.run(&["labels", "merge", "reference-0", "reference-32", "--by", "test"]);
    assert!(merged && said.contains("on two sides"), "{said}");
    let trainer = site.start("trainer", "work", &[&LENIENT[..], &["--tune-epochs", "2"]].concat());
    // Three labels are too few: it looks, and does nothing.
    cspine_tests::wait::until("it leads", crate::site::SOON, async || trainer.log().contains("starting").then_some(()))
        .await;
    assert_eq!(site.db.store.runs(1).await.unwrap(), []);
    site.label(100, 2, |class| class).await;

    let run = site.run_that("the challenger is on trial", |run| run.state == RunState::Shadowing).await;
    assert_eq!((run.cause, run.champion), (RunCause::Labels, site.champion));
    let challenger = run.challenger.unwrap();
    let shadow = async || site.db.store.serving().await.unwrap().shadow;
    let shadow = cspine_tests::wait::until("workers are asked to try it", crate::site::SOON, shadow).await;
    assert_eq!(shadow.sha256, challenger);
    let serving = site.db.store.serving().await.unwrap();
    assert_eq!(serving.champion.unwrap().sha256, site.champion, "nothing is promoted by itself");
    let row = site.db.store.model_named(&challenger.to_string()).await.unwrap().remove(0);
    assert_eq!(row.model.card["training"]["parent"], site.champion.to_string());
    assert!(row.model.card["golden"].is_object() && row.model.card["gate"].is_object());
    let stored = std::fs::read(site.path("objects").join(row.model.object_key.unwrap())).unwrap();
    assert_eq!(cspine_domain::Sha256::of(&stored), challenger);

    let verdict: Verdict = serde_json::from_value(run.verdict.unwrap()).unwrap();
    assert_eq!(verdict.decision, Decision::PassedButInsufficient);
    assert_eq!((verdict.frozen.images, verdict.holdout.images), (12, 0));
    let links = site.db.store.evidence().await.unwrap();
    assert_eq!((links.len(), broken_link(&links)), (1, None));
    for part in [site.champion.to_string(), challenger.to_string(), "operating_point".into()] {
        assert!(links[0].content.contains(&part), "{part}");
    }
    let evidence: serde_json::Value = serde_json::from_str(&links[0].content).unwrap();
    assert_eq!(evidence["report"]["page"], run.report_key.unwrap());
    let [page, figures] = ["page", "figures"].map(|part| {
        let key = evidence["report"][part].as_str().unwrap();
        let bytes = std::fs::read(site.path("objects").join(key)).unwrap();
        assert!(key.contains(&cspine_domain::Sha256::of(&bytes).to_string()), "{key} is what evidence says it is");
        String::from_utf8(bytes).unwrap()
    });
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(
        figures["report"]["unused"]["quarantined"], 1,
        "what is frozen measures, and its patient's image is not replayed"
    );
    for part in ["sensitivity at ed-0", "newly labelled, learnt from", "The gate on the frozen set"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(site.run(&["runs", "verify"]).1.contains("1 links, unbroken"));
    let cut =
        "alter table evidence disable trigger user; delete from evidence; alter table evidence enable trigger user";
    sqlx::raw_sql(cut).execute(site.db.store.pool()).await.unwrap();
    let (whole, said) = site.run(&["runs", "verify"]);
    assert!(!whole && said.contains("the chain's end was cut off"), "{said}");

    let (promoted, said) = site.run(&["models", "promote", &challenger.to_string(), "--why", "better"]);
    assert!(!promoted && said.contains("still on trial"), "{said}");
    let (promoted, said) = site.run(&["models", "promote", &challenger.to_string(), "--why", "better", "--force"]);
    assert!(promoted, "{said}");
    site.run_that("the run knows of it", |run| run.state == RunState::Promoted).await;
    let (back, said) = site.run(&["models", "rollback", "--why", "on second thoughts"]);
    assert!(back, "{said}");
    assert_eq!(site.db.store.serving().await.unwrap().champion.unwrap().sha256, site.champion);
    trainer.stop().await;
}

#[tokio::test]
async fn a_challenger_of_wrong_labels_is_rejected_with_numbers_and_never_on_trial() {
    let site = Site::create().await;
    let wrong = |class| match class {
        Class::Dislocation => Class::Normal,
        Class::Fracture => Class::Dislocation,
        Class::Normal => Class::Fracture,
    };
    site.label(0, 4, wrong).await;
    let trainer = site.start("trainer", "work", &["--tune-epochs", "3", "--tune-rate", "0.003"]);
    let run = site.run_that("the run ends", |run| run.ended_at.is_some()).await;
    assert_eq!(run.state, RunState::Rejected, "{:?}", run.outcome);
    let outcome = run.outcome.unwrap();
    assert!(outcome.starts_with("Rejected") && outcome.contains("by the challenger"), "{outcome}");
    let serving = site.db.store.serving().await.unwrap();
    assert_eq!((serving.champion.unwrap().sha256, serving.shadow), (site.champion, None));
    if let Some(challenger) = run.challenger {
        let (promoted, said) = site.run(&["models", "promote", &challenger.to_string(), "--why", "no matter"]);
        assert!(!promoted && said.contains("rejected"), "{said}");
    }
    trainer.stop().await;
}
