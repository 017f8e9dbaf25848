//! Flags and environment variables of the worker's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use cspine_imaging::ScopeWords;
use cspine_nets::SaliencyMethod;
use cspine_service::config::{DatabaseArgs, LimitArgs, ObjectArgs, duration};
use cspine_store::Retention;
use cspine_wire::{Broker, Topology};

use crate::alone::AloneLimits;

/// A site's own words go with each image that is decoded alone, so they stay few.
const SCOPE_WORDS_BYTES_MAX: usize = 1 << 20;

/// Where the broker is, and what is declared there.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// RabbitMQ, as amqp://user:password@host:port/vhost
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    pub amqp_url: String,
    /// What the names of exchanges and queues begin with
    #[arg(long, env = "CSPINE_TOPOLOGY_PREFIX", default_value = "cspine")]
    pub topology_prefix: String,
    /// How long connecting, and each confirm, may take
    #[arg(long, env = "CSPINE_BROKER_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub broker_timeout: Duration,
}

/// The model: a file's, or the registry's.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// The model's file, safetensors with its card [default: the champion of the registry]
    #[arg(long, env = "CSPINE_MODEL")]
    pub model: Option<PathBuf>,
    /// Bytes of a model's file in the object store
    #[arg(long, env = "CSPINE_MAX_MODEL_BYTES", default_value_t = 1 << 30)]
    pub max_model_bytes: u64,
    /// Serve the file of --model although it has no scope gate: it then answers every image with a class, also one that is
    /// no neck
    #[arg(long, env = "CSPINE_ALLOW_UNGATED")]
    pub allow_ungated: bool,
    /// How long fetching it from there may take
    #[arg(long, env = "CSPINE_MODEL_FETCH_TIMEOUT", default_value = "2m", value_parser = duration)]
    pub model_fetch_timeout: Duration,
}

/// When an image that is neither answered nor parked is taken for lost.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReconcileArgs {
    /// How long an image may wait for its answer before its arrival is published again; six times as long while messages
    /// wait in its lane, for it may be among them
    #[arg(long, env = "CSPINE_RECONCILE_AFTER", default_value = "10m", value_parser = seconds)]
    pub reconcile_after: Duration,
    /// How often its arrival is published again before it is parked
    #[arg(long, env = "CSPINE_RECONCILE_MAX", default_value_t = 5)]
    pub reconcile_max: u32,
}

/// The process that decodes an image alone, so that a decoder that dies or does not end takes nothing else with it.
#[derive(Debug, Clone, Args)]
pub struct AloneArgs {
    /// Address space of the process that decodes an image alone, bytes
    #[arg(long, env = "CSPINE_ALONE_MEMORY", default_value_t = 2 << 30)]
    pub alone_memory: u64,
    /// Processor time of that process
    #[arg(long, env = "CSPINE_ALONE_CPU", default_value = "20s", value_parser = duration)]
    pub alone_cpu: Duration,
    /// Time on the wall of that process
    #[arg(long, env = "CSPINE_ALONE_WALL", default_value = "60s", value_parser = duration)]
    pub alone_wall: Duration,
    /// The program that decodes alone [default: this one]
    #[arg(long, hide = true)]
    pub alone_program: Option<PathBuf>,
}

/// What is done with images of unknown scope.
#[derive(Debug, Clone, Args)]
pub struct ScopeArgs {
    /// What to do with an image whose scope nothing confirms: score it and mark it, or leave it unscored
    #[arg(long, env = "CSPINE_SCOPE", default_value = "lenient", value_parser = ["lenient", "strict"])]
    pub scope: String,
    /// A JSON file with the site's own words of body part, view and modality, each accept, reject or unknown:
    /// {"body_part": {"WS ROUTINE": "unknown"}, "view": {"SEITE": "accept"}}
    #[arg(long, env = "CSPINE_SCOPE_WORDS", value_name = "FILE")]
    pub scope_words: Option<PathBuf>,
}

/// `cspine-worker run`
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    #[command(flatten)]
    /// RabbitMQ
    pub broker: BrokerArgs,
    #[command(flatten)]
    /// The object store
    pub objects: ObjectArgs,
    #[command(flatten)]
    /// The model
    pub model: ModelArgs,
    #[command(flatten)]
    /// Limits on images
    pub limits: LimitArgs,
    #[command(flatten)]
    /// Scope
    pub scope: ScopeArgs,
    /// Where /healthz, /readyz and /metrics are served; port 0 takes a free one
    #[arg(long, env = "CSPINE_ADMIN_ADDR", default_value = "127.0.0.1:9180")]
    pub admin_addr: SocketAddr,
    /// Images worked on at once in the routine lane [default: the number of processors]
    #[arg(long, env = "CSPINE_SLOTS_ROUTINE")]
    pub slots_routine: Option<usize>,
    /// Images worked on at once in the urgent lane, beside the routine ones
    #[arg(long, env = "CSPINE_SLOTS_URGENT", default_value_t = 1)]
    pub slots_urgent: usize,
    /// Images worked on at once in the STAT lane, beside the others
    #[arg(long, env = "CSPINE_SLOTS_STAT", default_value_t = 1)]
    pub slots_stat: usize,
    /// Threads that work on one image: 1 for the most images an hour, more for the shortest time of one
    #[arg(long, env = "CSPINE_THREADS_PER_SLOT", default_value_t = 1)]
    pub threads_per_slot: usize,
    /// Messages held of a lane beside those in its slots, so that no slot waits for the network or the disk
    #[arg(long, env = "CSPINE_PREFETCH_EXTRA", default_value_t = 1)]
    pub prefetch_extra: usize,
    /// Arrivals registered at once
    #[arg(long, env = "CSPINE_REGISTRATIONS", default_value_t = 4)]
    pub registrations: usize,
    /// The retry ladder: waits before the second, third, … attempt
    #[arg(long, env = "CSPINE_RETRY_DELAYS", default_value = "5s,1m,15m", value_delimiter = ',', value_parser = duration)]
    pub retry_delays: Vec<Duration>,
    /// Deliveries without an answer before the broker gives a message up (all workers must agree)
    #[arg(long, env = "CSPINE_DELIVERY_LIMIT", default_value_t = Topology::default().delivery_limit)]
    pub delivery_limit: u32,
    /// How decisions are explained: hirescam, gradient, smoothgrad, gradcam or integrated
    #[arg(long, env = "CSPINE_SALIENCY", default_value_t)]
    pub saliency: SaliencyMethod,
    /// How often the registry is looked at when nothing hints at a promotion; without --model
    #[arg(long, env = "CSPINE_MODEL_POLL", default_value = "2s", value_parser = duration)]
    pub model_poll: Duration,
    /// Images that wait to be scored by a shadow too, so that a busy day's are scored at night; more are left out and
    /// counted. Each takes some kilobytes of memory
    #[arg(long, env = "CSPINE_SHADOW_QUEUE", default_value_t = 1000)]
    pub shadow_queue: usize,
    /// How often ageing is written down
    #[arg(long, env = "CSPINE_SWEEP_EVERY", default_value = "30s", value_parser = duration)]
    pub sweep_every: Duration,
    /// How often queues and exchanges are declared again, in case somebody deleted one, and counted
    #[arg(long, env = "CSPINE_TOPOLOGY_EVERY", default_value = "10s", value_parser = duration)]
    pub topology_every: Duration,
    /// How often the outbox is looked at when nothing hurries it
    #[arg(long, env = "CSPINE_OUTBOX_EVERY", default_value = "500ms", value_parser = duration)]
    pub outbox_every: Duration,
    /// How often images without an answer are looked for
    #[arg(long, env = "CSPINE_RECONCILE_EVERY", default_value = "1m", value_parser = seconds)]
    pub reconcile_every: Duration,
    #[command(flatten)]
    /// When they are taken for lost
    pub reconcile: ReconcileArgs,
    /// How long finishing what is in flight may take after SIGTERM; what still waits for others after half of it is left
    #[arg(long, env = "CSPINE_SHUTDOWN_TIMEOUT", default_value = "25s", value_parser = duration)]
    pub shutdown_timeout: Duration,
    /// How long an image may be worked on; then the worker ends with an error, and the broker counts the delivery
    #[arg(long, env = "CSPINE_WORK_TIMEOUT", default_value = "5m", value_parser = duration)]
    pub work_timeout: Duration,
    /// How long a message is held while Postgres or the object store is away, before it is published anew: less than
    /// the broker's own limit of 30 minutes, so that waiting never counts against a message
    #[arg(long, env = "CSPINE_HOLD_MAX", default_value = "20m", value_parser = duration)]
    pub hold_max: Duration,
    #[command(flatten)]
    /// Decoding a third delivery
    pub alone: AloneArgs,
    #[command(flatten)]
    /// What is kept for a time only
    pub keep: KeepArgs,
}

/// How long what is not kept for ever stays in the database. Studies, images, findings and labels always stay.
#[derive(Debug, Clone, Args)]
pub struct KeepArgs {
    /// How long events that were sent, and status events that came, are kept
    #[arg(long, env = "CSPINE_KEEP_EVENTS", default_value = "7d", value_parser = duration)]
    pub keep_events: Duration,
    /// How long parked messages are kept after somebody has settled them
    #[arg(long, env = "CSPINE_KEEP_PARKED", default_value = "400d", value_parser = duration)]
    pub keep_parked: Duration,
    /// How long it is kept why a study moved, once it has left the list
    #[arg(long, env = "CSPINE_KEEP_PRIORITY_CHANGES", default_value = "400d", value_parser = duration)]
    pub keep_priority_changes: Duration,
    /// How long heatmaps are kept; `rescore` and `overlay` can make them again
    #[arg(long, env = "CSPINE_KEEP_HEATMAPS", default_value = "400d", value_parser = duration)]
    pub keep_heatmaps: Duration,
    /// How long the features are kept that drift is measured on, of models no longer in service
    #[arg(long, env = "CSPINE_KEEP_FEATURES", default_value = "400d", value_parser = duration)]
    pub keep_features: Duration,
}

impl KeepArgs {
    /// As the store takes them.
    pub fn retention(&self) -> Retention {
        Retention {
            events: self.keep_events,
            parked: self.keep_parked,
            priority_changes: self.keep_priority_changes,
            heatmaps: self.keep_heatmaps,
            features: self.keep_features,
        }
    }
}

/// A duration of at least a second.
fn seconds(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(1) { Err("at least 1s".to_owned()) } else { Ok(duration) }
}

impl BrokerArgs {
    /// The broker with this retry ladder and delivery limit; does not connect.
    ///
    /// # Errors
    /// The URL is none.
    pub fn broker(&self, retry_delays: &[Duration], delivery_limit: u32) -> anyhow::Result<Broker> {
        let topology = Topology {
            prefix: self.topology_prefix.clone(),
            retry_delays: retry_delays.to_vec(),
            delivery_limit,
            ..Topology::default()
        };
        Broker::new(&self.amqp_url, topology, self.broker_timeout).context("--amqp-url")
    }
}

impl ScopeArgs {
    /// Whether unconfirmed scope is left unscored.
    pub fn strict(&self) -> bool {
        self.scope == "strict"
    }

    /// The site's own words; none without a file.
    ///
    /// # Errors
    /// The file cannot be read, or says something else than words.
    pub fn words(&self) -> anyhow::Result<ScopeWords> {
        let Some(file) = &self.scope_words else { return Ok(ScopeWords::default()) };
        let named = || format!("--scope-words {}", file.display());
        let text = std::fs::read(file).with_context(named)?;
        anyhow::ensure!(text.len() <= SCOPE_WORDS_BYTES_MAX, "{}: over {SCOPE_WORDS_BYTES_MAX} bytes", named());
        // A list would be read as the fields in their order.
        anyhow::ensure!(text.trim_ascii_start().starts_with(b"{"), "{}: not a JSON object", named());
        let words: ScopeWords = serde_json::from_slice(&text).with_context(named)?;
        tracing::info!(words = words.len(), file = %file.display(), "the site's own words of scope");
        Ok(words)
    }
}

impl AloneArgs {
    /// Bounds on the process.
    pub fn limits(&self) -> AloneLimits {
        AloneLimits { memory_bytes: self.alone_memory, cpu: self.alone_cpu, wall: self.alone_wall }
    }

    /// The program that it runs.
    ///
    /// # Errors
    /// None is named, and this one's path cannot be told.
    pub fn program(&self) -> anyhow::Result<PathBuf> {
        self.alone_program.clone().map_or_else(|| std::env::current_exe().context("the path of this program"), Ok)
    }
}
