//! Where a trainer learns beside a worker: the starter as champion, reference images, and films that arrive.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Run, RunState};
use cspine_tests::database::Database;
use cspine_tests::python::Message;
use cspine_tests::tools::{binary, model, output_of};
use cspine_tests::wait;
use cspine_tests::worker::{Site, Worker};
use serde_json::{Value, json};
use sqlx::Row as _;

pub const CLASSES: [&str; 3] = ["dislocation", "fracture", "normal"];

pub struct Circle {
    pub db: Database,
    pub site: Site,
    pub champion: String,
    /// How long anything may take.
    pub patience: Duration,
}

/// Phantoms to be made.
#[derive(Clone, Copy)]
pub struct Films<'a> {
    pub name: &'a str,
    pub seed: &'a str,
    pub preset: &'a str,
    pub size: &'a str,
    /// Of each class, in the order of [`CLASSES`].
    pub counts: [usize; 3],
}

/// A film that arrived.
#[derive(Clone)]
pub struct Arrived {
    pub sop: String,
    pub content: String,
    /// What it shows.
    pub class: String,
}

impl Circle {
    /// The starter as champion, with reference images for training, validation and evaluation.
    pub async fn create(name: &str, reference: [Films<'_>; 3], patience: Duration) -> Self {
        let db = Database::create().await;
        let amqp_url = std::env::var("AMQP_URL").expect("deploy/test sets AMQP_URL");
        let site = Site::new(name, &db.url, &amqp_url);
        let champion = Sha256::of(&std::fs::read(model()).expect("a model")).to_string();
        let circle = Self { db, site, champion, patience };
        let mut register = circle.trainer(&["models", "register", "--by", "test", "--model"]);
        register.arg(model());
        for (films, set) in reference.iter().zip(["training", "validation", "evaluation"]) {
            register.arg("--reference").arg(circle.phantoms(films, &["--set", set, "--site", "ed-1"]));
        }
        output_of(&mut register);
        output_of(&mut circle.trainer(&["models", "promote", &circle.champion, "--by", "test", "--why", "the first"]));
        circle
    }

    /// `cspine-trainer` with the site's environment.
    pub fn trainer(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("cspine-trainer"));
        command
            .args(arguments)
            .env("DATABASE_URL", &self.db.url)
            .env("CSPINE_STORE_URL", format!("file://{}", self.site.objects().display()))
            .env_remove("CSPINE_MODEL");
        command
    }

    /// Starts a trainer that runs at so many labels, and tries what passed on `shadow_images` live ones.
    pub fn start_trainer(&self, labels: usize, shadow_images: usize, more: &[&str]) -> Trainer {
        let log = std::fs::File::create(self.site.folder.path().join("trainer.log")).expect("a log");
        let numbers = [labels, labels / 10, shadow_images].map(|number| number.to_string());
        let run = self
            .trainer(&["run", "--admin-addr", "127.0.0.1:0", "--poll", "200ms"])
            .args(["--train-labels", &numbers[0], "--train-labels-each", &numbers[1]])
            .args(["--shadow-share", "1", "--shadow-images", &numbers[2], "--work-dir"])
            .arg(self.site.folder.path().join("work"))
            .args(more)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Trainer(run.expect("the trainer starts"))
    }

    /// The folder of phantoms.
    pub fn phantoms(&self, films: &Films<'_>, more: &[&str]) -> PathBuf {
        let Films { name, seed, preset, size, counts } = films;
        let out = self.site.folder.path().join(name);
        let counts = CLASSES.iter().zip(counts).map(|(class, count)| format!("{class}={count}"));
        let counts = counts.collect::<Vec<_>>().join(",");
        let mut make = self.trainer(&["phantoms", "--size", size, "--seed", seed, "--preset", preset]);
        output_of(make.args(["--counts", &counts]).args(more).arg("--out").arg(&out));
        out
    }

    /// Phantoms that arrive.
    pub fn arrive(&self, films: &Films<'_>) -> Vec<Arrived> {
        let folder = self.phantoms(films, &[]);
        CLASSES.iter().flat_map(|class| self.submit(&files(&folder.join(class)), &[])).collect()
    }

    /// Submits files, which lie in folders named by what they show.
    pub fn submit(&self, files: &[PathBuf], more: &[&str]) -> Vec<Arrived> {
        let mut submit = self.site.command(&["submit", "--body-part", "CSPINE", "--view", "LL", "--modality", "DX"]);
        let printed = output_of(submit.args(more).args(files));
        printed.lines().zip(files).map(|(line, file)| Arrived::of(line, file)).collect()
    }

    /// Waits until all have their answer; the models that gave them.
    pub async fn answered(&self, films: &[Arrived]) -> Vec<String> {
        let sops: Vec<String> = films.iter().map(|film| film.sop.clone()).collect();
        wait::until("every image is answered, once", self.patience, async || {
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

    /// Labels as a stranger sends them; what a film is called is its class, or what `called` makes of it.
    pub fn label(&self, films: &[Arrived], called: impl Fn(usize, &Arrived) -> String) {
        let labels = films.iter().enumerate().map(|(i, film)| label(i, film, &called(i, film)));
        self.site.stranger.publish(&labels.collect::<Vec<_>>());
    }

    /// Waits until the latest run is in a state; panics if it ends in another.
    pub async fn run_in(&self, state: RunState) -> Run {
        wait::until(&format!("the run is {}", state.as_str()), self.patience, async || {
            let run = self.db.store.runs(1).await.expect("runs").into_iter().next()?;
            let over = matches!(run.state, RunState::Failed | RunState::Rejected | RunState::Withdrawn);
            assert!(!over || run.state == state, "{:?}", run.outcome);
            (run.state == state).then_some(run)
        })
        .await
    }

    /// Waits until a worker's metrics have a line.
    pub async fn shown_by(&self, worker: &Worker, line: &str) {
        wait::until(line, self.patience, async || {
            let (_, metrics) = worker.get("/metrics")?;
            metrics.lines().any(|found| found == line).then_some(())
        })
        .await;
    }

    /// Promotes the challenger by a person's command while films arrive, then goes back likewise; all that arrived.
    pub async fn promote_and_take_back(&self, worker: &Worker, challenger: &str, films: &Films<'_>) -> Vec<Arrived> {
        let mut all = Vec::new();
        let promote = ["models", "promote", challenger, "--by", "test", "--why", "it is better"];
        let rollback = ["models", "rollback", "--by", "test", "--why", "to be sure"];
        for (step, command, serves) in
            [("promote", &promote[..], challenger), ("rollback", &rollback[..], &self.champion)]
        {
            let seed: u32 = films.seed.parse().expect("a number");
            let seeds = [0, 1].map(|more| (seed + more + if step == "promote" { 0 } else { 2 }).to_string());
            let during =
                self.arrive(&Films { name: &format!("{}-during-{step}", films.name), seed: &seeds[0], ..*films });
            output_of(&mut self.trainer(command));
            self.shown_by(worker, &format!("cspine_model_info{{sha256=\"{serves}\"}} 1")).await;
            let models = self.answered(&during).await;
            assert!(models.iter().all(|model| *model == self.champion || model == challenger), "{models:?}");
            let name = format!("{}-after-{step}", films.name);
            let after = self.arrive(&Films { name: &name, seed: &seeds[1], counts: [1; 3], ..*films });
            assert!(self.answered(&after).await.iter().all(|model| model == serves), "after the {step}");
            all.extend(during);
            all.extend(after);
        }
        all
    }

    /// Primary findings there are.
    pub async fn primaries(&self) -> usize {
        let count: i64 = sqlx::query_scalar("select count(*) from findings where purpose = 'primary'")
            .fetch_one(self.db.store.pool())
            .await
            .expect("a count");
        count.try_into().expect("a count")
    }
}

impl Arrived {
    /// Of what `submit` printed.
    fn of(line: &str, file: &Path) -> Self {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| line[name].as_str().expect("a text").to_owned();
        let class = file.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned();
        Self { sop: text("sop_instance_uid"), content: text("content_sha256"), class }
    }
}

/// A folder's files, by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
}

fn label(number: usize, film: &Arrived, class: &str) -> Message {
    let event = json!({
        "specversion": "1.0",
        "type": "org.cspine.image.confirmed.v1",
        "id": format!("label-{number}"),
        "source": "/test/qa",
        "time": "2026-11-25T12:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "sop_instance_uid": film.sop,
            "content_sha256": film.content,
            "label": class,
            "reviewer": "qa-1",
            "source": "consensus",
            "answer_seen": true,
            "confirmed_at": "2026-11-25T12:00:00Z",
        },
    });
    Message { routing_key: "image.confirmed".into(), body: event.to_string().into_bytes() }
}

/// A trainer's process, which goes with the test.
pub struct Trainer(std::process::Child);

impl Drop for Trainer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
