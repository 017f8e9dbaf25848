//! The circle in full, for its figures; an hour on two cores:
//!
//! ```text
//! eval "$(deploy/stack up --fast)"
//! cargo test --release --workspace --test system -- --ignored --nocapture --test-threads 1 full
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Run, RunState};
use cspine_tests::tools::{model, output_of};
use serde_json::Value;
use sqlx::Row as _;

use super::circle::{Arrived, CLASSES, Circle, Films, files};
use crate::accounting::{check_queues, drained};

/// Films of the starter's own kind: to replay, to validate with, and the frozen set.
const REFERENCE: [Films<'static>; 3] = [
    Films { name: "training", seed: "21", preset: "reference", size: "320", counts: [70, 80, 150] },
    Films { name: "validation", seed: "22", preset: "reference", size: "320", counts: [50, 50, 100] },
    Films { name: "evaluation", seed: "23", preset: "reference", size: "320", counts: [280, 320, 600] },
];
/// Films that were processed in another way; 400 that people label, and 400 that no trainer ever sees.
const LABELLED: Films<'static> =
    Films { name: "labelled", seed: "31", preset: "shift-b", size: "448", counts: [80, 120, 200] };
const UNSEEN: Films<'static> =
    Films { name: "unseen", seed: "34", preset: "shift-b", size: "448", counts: [80, 120, 200] };
const LIVE: Films<'static> = Films { name: "live", seed: "41", preset: "shift-b", size: "448", counts: [10, 15, 55] };
/// Films one after another, for how long each takes.
const TIMED: Films<'static> = Films { name: "timed", seed: "51", preset: "shift-b", size: "448", counts: [20, 20, 60] };

/// It steps back behind the worker, which has one of them.
const BOTH_CORES: [&str; 2] = ["--threads", "2"];
const PATIENCE: Duration = Duration::from_secs(2400);

#[tokio::test]
#[ignore = "half an hour: run it for its figures"]
async fn in_full_four_hundred_labels_teach_shift_b_and_nothing_is_forgotten() {
    let circle = Circle::create("learning-in-full", REFERENCE, PATIENCE).await;
    let Circle { site, champion, .. } = &circle;
    let worker = site.start_following_worker("worker");
    worker.ready().await;
    let unseen = circle.phantoms(&UNSEEN, &[]);
    let before = Flags::of(&circle, &model(), &unseen);
    println!("the starter on 400 unseen films of shift-b: {before}");
    assert!((0.6..=0.9).contains(&before.sensitivity), "the preset is wrong");

    let labelled = arrive_with_patients(&circle, &LABELLED);
    circle.answered(&labelled).await;
    let alone = p95(&circle, "alone").await;
    circle.label(&labelled, |_, film| film.class.clone());
    let trainer = circle.start_trainer(400, 60, &BOTH_CORES);
    circle.run_in(RunState::Running).await;
    let beside = p95(&circle, "beside").await;
    circle.run_in(RunState::Running).await; // it outlasted what was timed beside it
    println!(
        "p95 of a worker alone {:.0} ms, beside a training {:.0} ms: {:.2} times",
        alone * 1e3,
        beside * 1e3,
        beside / alone
    );
    let run = circle.run_in(RunState::Shadowing).await;
    told(&circle, &run).await;

    let challenger = run.challenger.expect("a challenger").to_string();
    circle.shown_by(&worker, &format!("cspine_shadow_info{{sha256=\"{challenger}\"}} 1")).await;
    let after = Flags::of(&circle, &stored(&circle, &challenger), &unseen);
    println!("the challenger on the same: {after}");
    assert!(after.sensitivity >= before.sensitivity + 0.05, "sensitivity rises by five points");
    assert!(after.specificity >= before.specificity, "specificity does not fall");
    let frozen = [&model(), &stored(&circle, &challenger)]
        .map(|model| Flags::of(&circle, model, &site.folder.path().join("evaluation")));
    println!("the frozen set, before: {}; after: {}", frozen[0], frozen[1]);

    let live = circle.arrive(&LIVE);
    assert!(circle.answered(&live).await.iter().all(|model| model == champion), "a shadow answers nothing");
    println!("the trial: {}", circle.run_in(RunState::Waiting).await.outcome.unwrap_or_default());
    let moved = circle.promote_and_take_back(&worker, &challenger, &Films { seed: "61", ..LIVE }).await;
    circle.run_in(RunState::Promoted).await;
    drop(trainer);
    drained(site).await;
    worker.stop().await;
    let arrived = labelled.len() + 2 * TIMED.counts.iter().sum::<usize>() + live.len() + moved.len();
    assert_eq!(circle.primaries().await, arrived, "one answer an image");
    println!("{arrived} images arrived, each has one answer");
    check_queues(site);
    // Last, so that a film less (docs/learning.md has the one) still shows the trial, the promotion and the way back.
    assert!(frozen[1].sensitivity >= frozen[0].sensitivity, "the frozen set does not fall");
    site.clean_up();
}

#[tokio::test]
#[ignore = "half an hour: run it for its figures"]
async fn in_full_a_challenger_of_labels_three_in_ten_of_which_are_flipped_is_rejected() {
    let circle = Circle::create("learning-poisoned", REFERENCE, PATIENCE).await;
    let site = &circle.site;
    let worker = site.start_following_worker("worker");
    worker.ready().await;
    let labelled = arrive_with_patients(&circle, &LABELLED);
    circle.answered(&labelled).await;
    circle.label(&labelled, |_, film| {
        // three in ten by their digests: whichever patients they are
        let flipped = film.content.parse::<Sha256>().expect("a digest").0[0] % 10 < 3;
        match (flipped, film.class.as_str()) {
            (true, "normal") => "fracture".into(),
            (true, _) => "normal".into(),
            (false, class) => class.into(),
        }
    });
    let trainer = circle.start_trainer(400, 60, &BOTH_CORES);
    let run = circle.run_in(RunState::Rejected).await;
    told(&circle, &run).await;
    let serving = circle.db.store.serving().await.expect("what serves");
    assert_eq!(serving.champion.map(|champion| champion.sha256.to_string()), Some(circle.champion.clone()));
    assert_eq!(serving.shadow, None, "nor is it tried");
    drop(trainer);
    worker.stop().await;
    site.clean_up();
}

/// Films that arrive, each of a patient of its own, so that all three sides get some.
fn arrive_with_patients(circle: &Circle, films: &Films<'_>) -> Vec<Arrived> {
    let folder = circle.phantoms(films, &[]);
    let of_class = |class: &str| files(&folder.join(class));
    let files: Vec<PathBuf> = CLASSES.iter().flat_map(|class| of_class(class)).collect();
    let submit = |file: &PathBuf| {
        let patient = Sha256::of(file.to_string_lossy().as_bytes());
        let key = format!("hmac-sha256:{patient}");
        circle.submit(std::slice::from_ref(file), &["--patient-key", &key, "--site", "ed-1"])
    };
    files.iter().flat_map(submit).collect()
}

/// The 95th percentile of the seconds from an event to its finding, of films that arrive one after another.
async fn p95(circle: &Circle, name: &str) -> f64 {
    let seed = if name == "alone" { "51" } else { "52" };
    let folder = circle.phantoms(&Films { name: &format!("timed-{name}"), seed, ..TIMED }, &[]);
    let mut films = Vec::new();
    for file in CLASSES.iter().flat_map(|class| files(&folder.join(class))) {
        let film = circle.submit(&[file], &[]);
        circle.answered(&film).await;
        films.extend(film);
    }
    let sops: Vec<String> = films.iter().map(|film| film.sop.clone()).collect();
    let row = sqlx::query(
        "select percentile_cont(0.95) within group (order by extract(epoch from f.created_at - i.event_time)::float8) as p95
           from findings f join images i using (sop_instance_uid, content_sha256)
          where purpose = 'primary' and sop_instance_uid = any($1)",
    );
    row.bind(&sops).fetch_one(circle.db.store.pool()).await.expect("a row").get("p95")
}

/// What a run did, how long it took and what the gate said.
async fn told(circle: &Circle, run: &Run) {
    let took = run.ended_at.map(|ended| (ended - run.started_at).as_seconds_f64() / 60.0);
    for (_, line) in circle.db.store.run_lines(run.id).await.expect("the log") {
        println!("  {line}");
    }
    println!("the run took {:.1} minutes", took.unwrap_or(f64::NAN));
}

fn stored(circle: &Circle, sha256: &str) -> PathBuf {
    circle.site.objects().join(format!("models/{sha256}.safetensors"))
}

/// The flag of a model on films; no answer counts as an error.
struct Flags {
    sensitivity: f64,
    specificity: f64,
    abstained: u64,
}

impl Flags {
    fn of(circle: &Circle, model: &Path, data: &Path) -> Self {
        let report = circle.site.folder.path().join("report");
        let mut evaluate = circle.trainer(&["evaluate", "--model"]);
        output_of(evaluate.arg(model).arg("--data").arg(data).arg("--report").arg(&report));
        let text = std::fs::read_to_string(report.join("evaluation.json")).expect("a report");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let flag = &report["operating_point"];
        Self {
            sensitivity: flag["sensitivity"].as_f64().expect("a share"),
            specificity: flag["specificity"].as_f64().expect("a share"),
            abstained: report["abstained"].as_u64().expect("a count"),
        }
    }
}

impl std::fmt::Display for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sensitivity, specificity, abstained } = self;
        let [sensitivity, specificity] = [sensitivity, specificity].map(|share| 100.0 * share);
        write!(
            f,
            "injuries flagged {sensitivity:.2} %, normals not flagged {specificity:.2} %, {abstained} without an answer"
        )
    }
}
