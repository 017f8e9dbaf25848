//! The whole circle from outside: images arrive, people label them, the trainer learns, its challenger is tried, promoted and
//! taken back, and not an image is lost meanwhile. Whether it gets better is asked in full by `deploy/demo --learn`.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Run, RunState};
use cspine_tests::database::Database;
use cspine_tests::python::Message;
use cspine_tests::tools::{binary, model, output_of};
use cspine_tests::wait;
use cspine_tests::worker::Site;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::accounting::{check_queues, drained};

const LONG: Duration = Duration::from_secs(300);

struct Circle {
    db: Database,
    site: Site,
    champion: String,
}

impl Circle {
    /// The starter as champion, with a dozen reference images of each set.
    async fn create() -> Self {
        let db = Database::create().await;
        let amqp_url = std::env::var("AMQP_URL").expect("deploy/test sets AMQP_URL");
        let site = Site::new("learning", &db.url, &amqp_url);
        let champion = Sha256::of(&std::fs::read(model()).expect("a model")).to_string();
        let circle = Self { db, site, champion };
        let mut register = circle.trainer(&["models", "register", "--by", "test", "--model"]);
        register.arg(model());
        for (seed, set) in [("51", "training"), ("52", "validation"), ("53", "evaluation")] {
            let folder = circle.phantoms(set, &["--seed", seed, "--set", set, "--site", "ed-1"], 4);
            register.arg("--reference").arg(folder);
        }
        output_of(&mut register);
        output_of(&mut circle.trainer(&["models", "promote", &circle.champion, "--by", "test", "--why", "the first"]));
        circle
    }

    /// `cspine-trainer` with the site's environment.
    fn trainer(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("cspine-trainer"));
        command
            .args(arguments)
            .env("DATABASE_URL", &self.db.url)
            .env("CSPINE_STORE_URL", format!("file://{}", self.site.objects().display()))
            .env_remove("CSPINE_MODEL");
        command
    }

    fn phantoms(&self, name: &str, more: &[&str], each: u32) -> PathBuf {
        let out = self.site.folder.path().join(name);
        let counts = format!("dislocation={each},fracture={each},normal={each}");
        let mut make = self.trainer(&["phantoms", "--size", "160", "--counts", &counts, "--out"]);
        output_of(make.arg(&out).args(more));
        out
    }

    /// Phantoms that arrive, each with what it shows: what `submit` printed of it.
    fn arrive(&self, name: &str, seed: &str, each: u32) -> Vec<(Value, String)> {
        let folder = self.phantoms(name, &["--seed", seed], each);
        let mut arrived = Vec::new();
        for class in ["dislocation", "fracture", "normal"] {
            let files =
                std::fs::read_dir(folder.join(class)).expect("phantoms").map(|file| file.expect("a file").path());
            let mut submit =
                self.site.command(&["submit", "--body-part", "CSPINE", "--view", "LL", "--modality", "DX"]);
            let printed = output_of(submit.args(files));
            arrived.extend(printed.lines().map(|line| (serde_json::from_str(line).expect("JSON"), class.to_owned())));
        }
        arrived
    }

    /// Waits until all have their answer; the models that gave them.
    async fn answered(&self, images: &[(Value, String)]) -> Vec<String> {
        let sops: Vec<String> =
            images.iter().map(|(line, _)| line["sop_instance_uid"].as_str().expect("a UID").to_owned()).collect();
        wait::until("every image is answered, once", LONG, async || {
            let rows = sqlx::query(
                "select sop_instance_uid, min(model_sha256) as model from findings
                  where purpose = 'primary' and sop_instance_uid = any($1) group by 1 having count(*) = 1",
            )
            .bind(&sops)
            .fetch_all(self.db.store.pool())
            .await
            .expect("findings");
            (rows.len() == sops.len()).then(|| rows.iter().map(|row| row.get("model")).collect())
        })
        .await
    }

    async fn run_in(&self, state: RunState) -> Run {
        wait::until(&format!("the run is {}", state.as_str()), LONG, async || {
            let run = self.db.store.runs(1).await.expect("runs").into_iter().next()?;
            let over = matches!(run.state, RunState::Failed | RunState::Rejected | RunState::Withdrawn);
            assert!(!over, "{:?}", run.outcome);
            (run.state == state).then_some(run)
        })
        .await
    }
}

#[tokio::test]
async fn a_network_learns_from_labels_is_tried_promoted_and_taken_back_while_images_arrive() {
    let circle = Circle::create().await;
    let Circle { db, site, champion } = &circle;
    let worker = site.start_following_worker("worker");
    worker.ready().await;
    let first = circle.arrive("first", "61", 6);
    assert!(circle.answered(&first).await.iter().all(|model| model == champion));

    // Labels come as a stranger sends them.
    let labels: Vec<Message> = first.iter().enumerate().map(|(i, (line, class))| label(i, line, class)).collect();
    site.stranger.publish(&labels);
    let trainer = circle
        .trainer(&[
            "run",
            "--admin-addr",
            "127.0.0.1:0",
            "--poll",
            "200ms",
            "--threads",
            "1",
            "--nice",
            "0",
            "--tune-epochs",
            "1",
        ])
        .args(["--train-labels", "18", "--train-labels-each", "6", "--margin", "1", "--margin-class", "1"])
        .args(["--margin-site", "1", "--margin-calibration", "1", "--shadow-share", "1", "--shadow-images", "6"])
        .args(["--shadow-agreement", "0.01", "--shadow-flag-rate", "1", "--work-dir"])
        .arg(site.folder.path().join("work"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(site.folder.path().join("trainer.log")).expect("a log"))
        .spawn()
        .expect("the trainer starts");
    let trainer = Killed(trainer);
    let challenger = circle.run_in(RunState::Shadowing).await.challenger.expect("a challenger").to_string();

    let places = places(db).await;
    let tried = circle.arrive("tried", "62", 3);
    assert!(circle.answered(&tried).await.iter().all(|model| model == champion), "a shadow answers nothing");
    circle.run_in(RunState::Waiting).await;
    let before: Vec<_> =
        self::places(db).await.into_iter().filter(|(study, ..)| places.iter().any(|p| p.0 == *study)).collect();
    assert_eq!(before, places, "a shadow moves nothing");

    // A person promotes it while images arrive; then takes it back.
    let mut all = [first, tried].concat();
    for (step, serves) in [("promote", &challenger), ("rollback", champion)] {
        let during = circle.arrive(&format!("during-{step}"), if step == "promote" { "63" } else { "64" }, 4);
        let mut command = match step {
            "promote" => circle.trainer(&["models", "promote", &challenger, "--by", "test", "--why", "it is better"]),
            _ => circle.trainer(&["models", "rollback", "--by", "test", "--why", "to be sure"]),
        };
        output_of(&mut command);
        wait::until("the worker serves it", Duration::from_secs(10), async || {
            let (_, metrics) = worker.get("/metrics")?;
            let info = metrics.lines().find(|line| line.starts_with("cspine_model_info") && line.ends_with(" 1"))?;
            info.contains(serves.as_str()).then_some(())
        })
        .await;
        let models = circle.answered(&during).await;
        assert!(models.iter().all(|model| model == champion || *model == challenger), "{models:?}");
        let after = circle.arrive(&format!("after-{step}"), if step == "promote" { "65" } else { "66" }, 1);
        assert!(circle.answered(&after).await.iter().all(|model| model == serves), "after the {step}");
        all.extend(during);
        all.extend(after);
    }
    circle.run_in(RunState::Promoted).await;
    drop(trainer);
    drained(site).await;
    worker.stop().await;
    let primaries: i64 = sqlx::query_scalar("select count(*) from findings where purpose = 'primary'")
        .fetch_one(db.store.pool())
        .await
        .expect("a count");
    assert_eq!(primaries as usize, all.len(), "one answer an image");
    check_queues(site);
    site.clean_up();
}

/// Every study's place: level and flag, which a shadow must not move.
async fn places(db: &Database) -> Vec<(String, i16, bool)> {
    let mut places: Vec<_> = (db.store.worklist(1000).await.expect("the list").into_iter())
        .map(|row| (row.study.to_string(), row.level, row.flagged))
        .collect();
    places.sort();
    places
}

fn label(number: usize, line: &Value, class: &str) -> Message {
    let event = json!({
        "specversion": "1.0",
        "type": "org.cspine.image.confirmed.v1",
        "id": format!("label-{number}"),
        "source": "/test/qa",
        "time": "2026-11-25T12:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "sop_instance_uid": line["sop_instance_uid"],
            "content_sha256": line["content_sha256"],
            "label": class,
            "reviewer": "qa-1",
            "source": "consensus",
            "answer_seen": true,
            "confirmed_at": "2026-11-25T12:00:00Z",
        },
    });
    Message { routing_key: "image.confirmed".into(), body: event.to_string().into_bytes() }
}

/// A process that goes with the test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
