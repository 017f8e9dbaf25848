//! Flags and environment variables of the worker's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use cspine_nets::SaliencyMethod;
use cspine_service::config::{DatabaseArgs, LimitArgs, ObjectArgs, duration};
use cspine_wire::{Broker, Topology};

use crate::alone::AloneLimits;

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
    /// How long fetching it from there may take
    #[arg(long, env = "CSPINE_MODEL_FETCH_TIMEOUT", default_value = "2m", value_parser = duration)]
    pub model_fetch_timeout: Duration,
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
    /// Images worked on at once in the STAT lane, beside the routine ones
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
    /// Images that wait to be scored by a shadow too; more are left out and counted
    #[arg(long, env = "CSPINE_SHADOW_QUEUE", default_value_t = 32)]
    pub shadow_queue: usize,
    /// How often ageing is written down
    #[arg(long, env = "CSPINE_SWEEP_EVERY", default_value = "30s", value_parser = duration)]
    pub sweep_every: Duration,
    /// How often the outbox is looked at when nothing hurries it
    #[arg(long, env = "CSPINE_OUTBOX_EVERY", default_value = "500ms", value_parser = duration)]
    pub outbox_every: Duration,
    /// How long finishing what is in flight may take after SIGTERM
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
