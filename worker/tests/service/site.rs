//! A worker with everything around it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::Parser;
use cspine_domain::{Notes, OrderPriority, Sha256, Uid};
use cspine_imaging::{Filter, Geometry, Intensity, Preprocessing};
use cspine_nets::{Architecture, Checkpoint, ModelCard, init};
use cspine_store::{ImageFinding, Move, Moved, NewModel, ParkedRow, Store};
use cspine_tests::database::Database;
use cspine_wire::{
    Broker, Consumer, ConsumerOptions, Event, ImageArrived, ImageObject, Message, Publisher, Queue, Topology,
};
use cspine_worker::config::RunArgs;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

pub const DEADLINE: Duration = Duration::from_secs(300);
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cspine-worker");

/// A database, a prefix on the broker and a folder, all the test's own.
pub struct Site {
    pub database: Database,
    pub broker: Broker,
    pub publisher: Publisher,
    pub folder: PathBuf,
}

/// A worker in this process.
pub struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    run: RunArgs,
}

fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Site {
    pub async fn new() -> Self {
        Self::declared(|_| {}).await
    }

    /// One whose topology is another. A worker's flags have to say the same.
    pub async fn declared(otherwise: impl FnOnce(&mut Topology)) -> Self {
        let database = Database::create().await;
        let name = format!("test-worker-{}-{}", std::process::id(), number());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(folder.join("objects")).unwrap();
        let url = std::env::var("AMQP_URL").expect("AMQP_URL, as `deploy/stack up` prints it");
        let retry_delays = vec![Duration::from_millis(300), Duration::from_millis(600)];
        let mut topology = Topology { prefix: name, retry_delays, ..Topology::default() };
        otherwise(&mut topology);
        let broker = Broker::new(&url, topology, Duration::from_secs(10)).unwrap();
        Self { database, publisher: Publisher::new(broker.clone()), broker, folder }
    }

    pub fn store(&self) -> &Store {
        &self.database.store
    }

    pub fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    /// The flags of `run` with a model's file.
    pub fn flags(&self, more: &[&str]) -> Vec<String> {
        let own = ["--allow-ungated", "--model", model().to_str().unwrap()];
        let own = if more.contains(&"--model") { &own[..1] } else { &own[..] };
        self.following_flags(&[own, more].concat())
    }

    /// The flags of `run`, without a model: it follows the registry. What is given takes the place of the site's own.
    pub fn following_flags(&self, more: &[&str]) -> Vec<String> {
        let amqp = std::env::var("AMQP_URL").unwrap();
        let store = format!("file://{}", self.objects().display());
        let own = [
            ["--database-url", &self.database.url],
            ["--amqp-url", &amqp],
            ["--store-url", &store],
            ["--topology-prefix", &self.broker.topology.prefix],
            ["--retry-delays", "300ms,600ms"],
            ["--admin-addr", "127.0.0.1:0"],
            ["--slots-routine", "1"],
            ["--outbox-every", "100ms"],
            ["--alone-program", PROGRAM],
        ];
        let own = own.iter().filter(|[flag, _]| !more.contains(flag)).flatten();
        own.chain(more).map(|flag| (*flag).to_owned()).collect()
    }

    pub fn start(&self, more: &[&str]) -> Running {
        Self::run(self.flags(more))
    }

    /// A worker that serves the registry's champion.
    pub fn start_following(&self, more: &[&str]) -> Running {
        Self::run(self.following_flags(more))
    }

    fn run(flags: Vec<String>) -> Running {
        let args = Flags::parse_from(std::iter::once("run".to_owned()).chain(flags)).run;
        let stop = CancellationToken::new();
        let shutdown = stop.clone().cancelled_owned();
        Running { stop, task: tokio::spawn(cspine_worker::run::run(args, shutdown)) }
    }

    /// Puts an image into the object store and gives its event, which still has to be published.
    pub fn image(&self, png: &[u8]) -> Event<ImageArrived> {
        let event = arrival(png);
        std::fs::write(self.objects().join(event.data.image.key.as_str()), png).unwrap();
        event
    }

    pub async fn publish(&self, event: &Event<ImageArrived>) {
        self.send(event.data.routing_key(), event.to_json()).await;
    }

    /// Puts a model on record and its file into the object store.
    pub async fn register(&self, model: &[u8]) -> Sha256 {
        let sha256 = Sha256::of(model);
        let file = self.model_file(sha256);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, model).unwrap();
        let card = Checkpoint::read(model).unwrap().card;
        let model = NewModel {
            sha256,
            architecture: card.architecture.as_str().to_owned(),
            size_bytes: model.len() as u64,
            card: serde_json::to_value(&card).unwrap(),
            registered_by: "tester".into(),
            forced_reason: card.gate.is_none().then(|| "a test: random weights".into()),
            object_key: Some(format!("models/{sha256}.safetensors")),
        };
        self.store().register_model(&model).await.unwrap();
        sha256
    }

    pub fn model_file(&self, model: Sha256) -> PathBuf {
        self.objects().join(format!("models/{model}.safetensors"))
    }

    pub async fn promote(&self, model: Sha256) {
        let epoch = self.store().serving().await.unwrap().epoch;
        let wish = Move { model, epoch, by: "tester", why: "a test", fence: None };
        assert_eq!(self.store().promote(&wish).await.unwrap(), Moved::Done { epoch: epoch + 1 });
    }

    pub async fn set_shadow(&self, model: Sha256, share: f32) {
        let epoch = self.store().serving().await.unwrap().epoch;
        let wish = Move { model, epoch, by: "tester", why: "a test", fence: None };
        assert_eq!(self.store().set_shadow(&wish, share).await.unwrap(), Moved::Done { epoch: epoch + 1 });
    }

    pub async fn send(&self, routing_key: &str, body: Vec<u8>) {
        let exchange = self.broker.topology.events();
        let message = Message { exchange, routing_key: routing_key.into(), body, attempt: 0 };
        self.publisher.publish(&message).await.unwrap();
    }

    /// Puts an event into its lane, as registration does.
    pub async fn to_lane(&self, event: &Event<ImageArrived>) {
        let message = Message::to_lane(&self.broker.topology, event.data.order_priority, event.to_json());
        self.publisher.publish(&message).await.unwrap();
    }

    /// The finding of an event's image, once it is there.
    pub async fn finding(&self, event: &Event<ImageArrived>) -> ImageFinding {
        let what = format!("a finding for {}", event.id);
        eventually(&what, async || {
            let images = self.store().study_images(&event.data.study_instance_uid).await.unwrap();
            let same = |sop: &Uid, content| *sop == event.data.sop_instance_uid && content == event.data.image.sha256;
            images.into_iter().find(|image| same(&image.sop, image.content))?.finding
        })
        .await
    }

    /// The parked row of an event, once it is there.
    pub async fn parked(&self, event_id: &str) -> ParkedRow {
        eventually(&format!("a parked row for {event_id}"), async || {
            let rows = self.store().parked_list(true, 1000).await.unwrap();
            rows.into_iter().find(|row| row.event_id.as_deref() == Some(event_id))
        })
        .await
    }

    pub fn consume(&self, queues: &[Queue]) -> Consumer {
        let options = ConsumerOptions { purpose: "test".into(), queues: queues.to_vec(), prefetch: 5 };
        Consumer::start(self.broker.clone(), options, CancellationToken::new())
    }

    /// Waits until the outbox is empty: the worker that is stopped then leaves nothing there.
    pub async fn told(&self) {
        eventually("the outbox is published", async || {
            self.store().outbox_age().await.unwrap().is_none().then_some(())
        })
        .await;
    }

    /// The outbox empties, the worker ends well, and nothing waits anywhere.
    pub async fn assert_all_told(self, worker: Running) {
        self.told().await;
        worker.stop().await;
        self.assert_drained().await;
    }

    /// Nothing waits anywhere, and the site goes.
    pub async fn assert_drained(self) {
        let left = tokio::time::timeout(Duration::from_millis(500), self.consume(&Queue::ALL).next()).await;
        assert!(left.is_err(), "{left:?}");
        assert_eq!(self.store().outbox_age().await.unwrap(), None, "the outbox is empty");
        self.remove().await;
    }

    /// Its queues and files go; the database does by itself.
    pub async fn remove(self) {
        self.broker.delete_topology().await.unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Running {
    /// Waits until it ends by itself.
    pub async fn ended(self) -> anyhow::Result<()> {
        tokio::time::timeout(DEADLINE, self.task).await.expect("it ends in time").unwrap()
    }

    /// As SIGTERM would: it finishes what it holds and ends well.
    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.expect("it ends in time").unwrap().unwrap();
    }
}

pub async fn eventually<T>(what: &str, check: impl AsyncFnMut() -> Option<T>) -> T {
    cspine_tests::wait::until(what, DEADLINE, check).await
}

/// A grey PNG of 16 bits that no other test has.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let seed = number();
    let pixels = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(width, height, |x, y| {
        image::Luma([(x * 523 + y * 127 + seed * 911 + (x * y) % 4099) as u16])
    });
    let mut file = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// An event for these bytes: a study of its own, in scope, routine.
pub fn arrival(bytes: &[u8]) -> Event<ImageArrived> {
    let (process, number) = (std::process::id(), number());
    let uid = |which: u32| Uid::parse(&format!("1.2.826.0.1.{process}.{number}.{which}")).unwrap();
    let data = ImageArrived {
        study_instance_uid: uid(3),
        series_instance_uid: uid(2),
        sop_instance_uid: uid(1),
        accession_number: None,
        patient_key: None,
        site: None,
        order_priority: OrderPriority::Routine,
        acquired_at: None,
        modality: Some("DX".into()),
        body_part: Some("CSPINE".into()),
        view: Some("LL".into()),
        image: ImageObject {
            key: format!("{process}-{number}.png").parse().unwrap(),
            media_type: "image/png".into(),
            sha256: Sha256::of(bytes),
            size_bytes: Some(bytes.len() as u64),
        },
        notes: Notes::new(),
    };
    let id = format!("event-{process}-{number}");
    // the database keeps microseconds
    let time = OffsetDateTime::now_utc().truncate_to_microsecond();
    Event { id, source: "/test".into(), subject: None, time, data }
}

/// A DICOM file whose UIDs are nobody's here.
pub fn dicom() -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/imaging/tests/fixtures");
    std::fs::read(fixtures.join("explicit.dcm")).unwrap()
}

/// A network of random weights with small inputs.
pub fn random(seed: u64) -> Checkpoint {
    let preprocessing = Preprocessing {
        geometry: Geometry::Pad,
        size: 96,
        filter: Filter::Triangle,
        intensity: Intensity::FullRange,
        mean: [0.5; 3],
        std: [0.25; 3],
    };
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, preprocessing, "random weights");
    Checkpoint { card, state: init::network(Architecture::GoogLeNet, seed, 3).unwrap() }
}

/// A model that may serve: it flags everything, or nothing.
pub fn flagging(seed: u64, everything: bool) -> Vec<u8> {
    let mut checkpoint = random(seed);
    checkpoint.card.operating_point = if everything { 0.0 } else { 1.0 };
    checkpoint.with_golden().unwrap().write().unwrap()
}

/// A small network of random weights: what it says is of no matter here.
pub fn model() -> &'static Path {
    static MODEL: OnceLock<PathBuf> = OnceLock::new();
    MODEL.get_or_init(|| {
        let bytes = random(7).write().unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("random-weights.safetensors");
        // Another run may be reading it.
        let whole = path.with_extension(std::process::id().to_string());
        std::fs::write(&whole, bytes).unwrap();
        std::fs::rename(whole, &path).unwrap();
        path
    })
}
