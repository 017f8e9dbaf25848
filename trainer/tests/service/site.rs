//! Where a trainer works: a database of the test's own, objects, a champion with few reference images, and labels.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use cspine_domain::{Class, ConfirmationSource, Label, Notes, OrderPriority, Sha256, Uid};
use cspine_nets::Checkpoint;
use cspine_phantom::{Case, Preset};
use cspine_store::{Answer, Arrival, LearningSet, NewFinding, NewReview, Purpose, Run, RunState};
use cspine_tests::database::Database;
use cspine_tests::wait;
use image::{ImageBuffer, Luma};
use tempfile::TempDir;
use time::OffsetDateTime;

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");
/// Pixels a side: the network sees them at its own size.
const SIDE: u32 = 160;
/// Long enough for a run on a busy machine.
pub const SOON: Duration = Duration::from_secs(240);

pub struct Site {
    pub db: Database,
    folder: TempDir,
    pub champion: Sha256,
}

impl Site {
    /// With the starter as champion, 12 images to replay, 9 to validate with and 12 frozen.
    pub async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("objects")).unwrap();
        let checkpoint = Checkpoint::read(&std::fs::read(STARTER).unwrap()).unwrap().with_golden().unwrap();
        let bytes = checkpoint.write().unwrap();
        std::fs::write(folder.path().join("champion.safetensors"), &bytes).unwrap();
        let site = Self { db: Database::create().await, folder, champion: Sha256::of(&bytes) };
        // The same sides in every site: two are to be given the same images.
        let key = sqlx::query("update split_key set key = sha256('test')");
        key.execute(site.db.store.pool()).await.unwrap();
        let reference = site.path("reference");
        std::fs::create_dir(&reference).unwrap();
        let mut manifest = "file,class,patient_key,site,set\n".to_owned();
        for i in 0..33u64 {
            let (class, set) = (Class::ALL[i as usize % 3], ["training", "validation", "evaluation"]);
            let set = set[usize::from(i >= 12) + usize::from(i >= 21)];
            std::fs::write(reference.join(format!("{i}.png")), png(7_000 + i, class)).unwrap();
            manifest += &format!("{i}.png,{class},reference-{i},ed-{},{set}\n", i % 2);
        }
        std::fs::write(reference.join("manifest.csv"), manifest).unwrap();
        let model = site.path("champion.safetensors");
        let registered =
            ["models", "register", "--model", text(&model), "--reference", text(&reference), "--by", "test"];
        assert!(site.run(&registered).0, "{}", site.run(&registered).1);
        let promoted = ["models", "promote", &site.champion.to_string(), "--why", "the first", "--by", "test"];
        assert!(site.run(&promoted).0, "{}", site.run(&promoted).1);
        site
    }

    /// A file or folder of the site's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `cspine-trainer` with the site's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cspine-trainer"));
        command
            .args(arguments)
            .env("DATABASE_URL", &self.db.url)
            .env("CSPINE_STORE_URL", format!("file://{}", self.path("objects").display()))
            .env_remove("CSPINE_MODEL");
        command
    }

    /// Whether a command did well, and what it said.
    pub fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Phantoms from number `first` on that arrived and were labelled, `each` of every class; a patient each, all of the
    /// training side.
    pub async fn label(&self, first: u64, each: u64, called: impl Fn(Class) -> Class) {
        self.label_for(LearningSet::Training, first, each, called).await;
    }

    /// The same of another side.
    pub async fn label_for(&self, side: LearningSet, first: u64, each: u64, called: impl Fn(Class) -> Class) {
        let mut made = 0;
        for i in first.. {
            let class = Class::ALL[made as usize % 3];
            let patient = format!("hmac-sha256:{i:064x}");
            if self.db.store.set_of(&patient).await.unwrap() != side {
                continue;
            }
            self.one(8_000 + i, class, called(class), &patient).await;
            made += 1;
            if made == 3 * each {
                return;
            }
        }
    }

    async fn one(&self, seed: u64, class: Class, called: Class, patient: &str) {
        let bytes = png(seed, class);
        let arrival = arrival(seed, Sha256::of(&bytes), patient);
        let file = self.path("objects").join(&arrival.object_key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &bytes).unwrap();
        self.db.store.register_arrival(&arrival).await.unwrap();
        let Arrival { sop, content, event_time: now, .. } = arrival;
        let review = NewReview {
            source: "/test".into(),
            event_id: format!("label-{seed}"),
            sop,
            content,
            label: Label::Class(called),
            reviewer: "qa-1".into(),
            label_source: ConfirmationSource::Ct,
            answer_seen: false,
            confirmed_at: now,
            supersedes: None,
        };
        assert!(self.db.store.record_review(&review).await.unwrap());
    }

    /// What workers write of a live image: the champion's answer, and the challenger's beside it. Every other is flagged.
    pub async fn scored(&self, image: u64, challenger: Sha256) {
        self.answered(image, &[(Purpose::Primary, self.champion), (Purpose::Shadow, challenger)]).await;
    }

    /// What they write of one that the challenger is left out of.
    pub async fn unscored(&self, image: u64) {
        self.answered(image, &[(Purpose::Primary, self.champion)]).await;
    }

    async fn answered(&self, image: u64, by: &[(Purpose, Sha256)]) {
        let flagged = image.is_multiple_of(2);
        let probabilities = if flagged { [0.125, 0.75, 0.125] } else { [0.125, 0.125, 0.75] };
        for &(purpose, model) in by {
            let seed = 1_000_000 + image;
            let finding = NewFinding {
                arrival: arrival(seed, Sha256::of(&seed.to_be_bytes()), &format!("hmac-sha256:{seed:064x}")),
                purpose,
                model,
                answer: Answer::Assessed { probabilities, flagged, mark: None },
                saliency: None,
                features: None,
                notes: Notes::new(),
            };
            self.db.store.record_finding(&finding).await.unwrap();
        }
    }

    /// Another champion than the one that the site began with, by a person's command.
    pub fn another_champion(&self) -> Sha256 {
        let mut checkpoint = Checkpoint::read(&std::fs::read(STARTER).unwrap()).unwrap();
        checkpoint.card.operating_point += 0.01;
        let bytes = checkpoint.with_golden().unwrap().write().unwrap();
        let (model, sha256) = (self.path("another.safetensors"), Sha256::of(&bytes));
        std::fs::write(&model, &bytes).unwrap();
        let registered = self.run(&["models", "register", "--model", text(&model), "--by", "test"]);
        assert!(registered.0, "{}", registered.1);
        let promoted = self.run(&["models", "promote", &sha256.to_string(), "--why", "better", "--force"]);
        assert!(promoted.0, "{}", promoted.1);
        sha256
    }

    /// Starts a trainer that is due at nine new labels, three of a class; `name` names its log.
    pub fn start(&self, name: &str, work: &str, more: &[&str]) -> Trainer {
        let log = File::create(self.path(&format!("{name}.log"))).unwrap();
        let work = self.path(work);
        let arguments = [
            &["run", "--admin-addr", "127.0.0.1:0", "--work-dir", text(&work), "--poll", "200ms", "--lease", "10s"][..],
            &["--nice", "0", "--threads", "1", "--train-labels", "9", "--train-labels-each", "3", "--tune-batch", "6"]
                [..],
            more,
        ];
        let mut command = self.command(&arguments.concat());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Trainer { child, log: self.path(&format!("{name}.log")) }
    }

    /// The latest run, once it is as asked.
    pub async fn run_that(&self, what: &str, is: impl Fn(&Run) -> bool) -> Run {
        let latest = async || {
            let run = self.db.store.runs(1).await.unwrap().into_iter().next()?;
            assert!(run.state != RunState::Failed, "{:?}", run.outcome);
            is(&run).then_some(run)
        };
        wait::until(what, SOON, latest).await
    }
}

/// A running trainer, killed when it is dropped.
pub struct Trainer {
    child: Child,
    log: PathBuf,
}

impl Trainer {
    /// Sends it a signal by its name, such as `STOP`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGKILL: it has no say in it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM: it ends with 0.
    pub async fn stop(mut self) {
        self.signal("TERM");
        let ended = async || self.child.try_wait().unwrap();
        let status: ExitStatus = wait::until("the trainer ends after SIGTERM", SOON, ended).await;
        assert!(status.success(), "{status}");
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Trainer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// A routine film of a patient, in a study of its own.
fn arrival(seed: u64, content: Sha256, patient: &str) -> Arrival {
    let uid = |part: u64| -> Uid { format!("2.25.{seed}.{part}").parse().unwrap() };
    Arrival {
        source: "/test".into(),
        event_id: seed.to_string(),
        event_time: OffsetDateTime::now_utc(),
        study: uid(1),
        series: uid(2),
        sop: uid(3),
        content,
        accession_number: None,
        patient_key: Some(patient.to_owned()),
        site: Some("ed-1".into()),
        order_priority: OrderPriority::Routine,
        acquired_at: None,
        modality: Some("DX".into()),
        body_part: None,
        view: None,
        object_key: format!("images/{seed}.png"),
        media_type: "image/png".into(),
        size_bytes: None,
        notes: Notes::new(),
    }
}

fn png(seed: u64, class: Class) -> Vec<u8> {
    let film = Case::sample(seed, class).render(SIDE, Preset::Reference);
    let picture: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_vec(film.width, film.height, film.pixels).unwrap();
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}
