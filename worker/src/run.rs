//! The service: `cspine-worker run`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cspine_nets::Classifier;
use cspine_service::admin;
use cspine_wire::{Backoff, Consumer, ConsumerOptions, Delivery, Lane, LinkState, Queue};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::RunArgs;
use crate::consume::consume;
use crate::failure::{Dependency, Failure};
use crate::following::{Follower, follow};
use crate::lane::Worker;
use crate::metrics::Role;
use crate::network::{InService, Network, Usage};
use crate::probes::probe;
use crate::service::Service;
use crate::shadow::{self, Shadow};
use crate::slots::Slots;
use crate::{attention, lane, model, outbox, reconcile, registration, relay, retention, topology};

/// How often the database's gauges are read.
const GAUGES_EVERY: Duration = Duration::from_secs(5);

/// Runs until `shutdown`, then stops consuming, finishes what is in flight, acknowledges, and returns. Whatever is away,
/// at the start or later, is waited for.
///
/// # Errors
/// The configuration is wrong, the model cannot be loaded, a part panicked, or finishing took too long.
pub fn run(args: RunArgs, shutdown: impl Future<Output = ()> + Send + 'static) -> Running {
    run_boxed(args, Box::pin(shutdown))
}

/// A service at work: a future of one type, so that all that it does is compiled once, with this crate, and not with each
/// program and test that awaits it.
pub type Running = BoxFuture<'static, anyhow::Result<()>>;

#[inline(never)]
fn run_boxed(args: RunArgs, shutdown: BoxFuture<'static, ()>) -> Running {
    Box::pin(run_until(args, shutdown))
}

async fn run_until(args: RunArgs, shutdown: BoxFuture<'static, ()>) -> anyhow::Result<()> {
    let (service, usage) = (service(&args)?, usage(&args)?);
    let listener = TcpListener::bind(args.admin_addr).await.context("--admin-addr")?;
    tracing::info!(admin_addr = %listener.local_addr()?, "starting");
    let (health, metrics) = (service.health.clone(), service.metrics.clone());
    let metrics: admin::Metrics = Arc::new(move || metrics.encode());
    let (stop, leave, admin_stop) = (service.stop.clone(), service.leave.clone(), CancellationToken::new());
    let admin = tokio::spawn(admin::serve(listener, health, metrics, admin_stop.clone()));

    let shutdown_timeout = args.shutdown_timeout;
    let mut work = tokio::spawn(serve(args, service, usage));
    let ended = tokio::select! {
        ended = &mut work => ended,
        () = shutdown => {
            tracing::info!("stopping: finishing what is in flight");
            stop.cancel();
            let leaving = tokio::spawn(async move {
                tokio::time::sleep(shutdown_timeout / 2).await;
                leave.cancel();
            });
            let ended = tokio::time::timeout(shutdown_timeout, work).await;
            leaving.abort();
            ended.context("what was in flight did not finish in time")?
        }
    };
    stop.cancel();
    admin_stop.cancel();
    admin.abort();
    ended.context("the worker panicked")?
}

fn service(args: &RunArgs) -> anyhow::Result<Service> {
    let broker = args.broker.broker(&args.retry_delays, args.delivery_limit)?;
    Ok(Service::new(args.database.store()?, broker, args.objects.open()?))
}

/// Starts the parts in their order and waits until all have ended. One that ends with an error stops the others.
async fn serve(args: RunArgs, service: Service, usage: Usage) -> anyhow::Result<()> {
    let mut parts = JoinSet::new();
    let started = start(&args, &service, usage, &mut parts).await;
    let mut outcome = match started {
        Ok(()) | Err(StartError::Stopped) => Ok(()),
        Err(StartError::Failed(error)) => Err(error),
    };
    if outcome.is_err() {
        service.stop.cancel();
    }
    while let Some(part) = parts.join_next().await {
        if let Err(error) = part.context("a part panicked").flatten() {
            service.stop.cancel();
            outcome = outcome.and(Err(error));
        }
    }
    outcome
}

enum StartError {
    Stopped,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        StartError::Failed(error)
    }
}

type Parts = JoinSet<anyhow::Result<()>>;

async fn start(args: &RunArgs, service: &Service, usage: Usage, parts: &mut Parts) -> Result<(), StartError> {
    let clock = |parts: &mut Parts, task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        parts.spawn(async move {
            task.await;
            Ok(())
        });
    };
    clock(parts, Box::pin(probe(service.clone(), Dependency::ObjectStore)));
    // The model is read beside, but nothing waits for it before queues exist to keep what arrives.
    declare_topology(service).await?;
    clock(parts, Box::pin(probe(service.clone(), Dependency::RabbitMq)));
    let (file, allow_ungated) = (args.model.model.clone(), args.model.allow_ungated);
    let loading = file.map(|file| tokio::task::spawn_blocking(move || model::read_to_serve(&file, allow_ungated)));
    wait_for_schema(service).await?;
    clock(parts, Box::pin(probe(service.clone(), Dependency::Postgres)));

    let arrivals = Lane::ALL.map(Queue::Arrivals).to_vec();
    let registration = consumer(service, "registration", arrivals, args.registrations + 1);
    parts.spawn(consume(service.clone(), registration, args.registrations, registration::handle));
    let queues = vec![Queue::Status, Queue::Labels, Queue::DeadLetters, Queue::Unrouted];
    parts.spawn(consume(service.clone(), consumer(service, "attention", queues, 2), 2, attention::handle));
    clock(parts, Box::pin(outbox::relay(service.clone(), args.outbox_every)));
    clock(parts, Box::pin(topology::keep(service.clone(), args.topology_every)));
    clock(parts, Box::pin(relay::sweep(service.clone(), args.sweep_every)));
    clock(parts, Box::pin(relay::gauges(service.clone(), GAUGES_EVERY)));
    let reconcile = args.reconcile;
    let reconciling = move |service| reconcile::by_the_clock(service, reconcile);
    clock(parts, Box::pin(relay::each(service.clone(), "reconciling", args.reconcile_every, reconciling)));
    clock(parts, Box::pin(retention::run(service.clone(), args.keep.retention())));

    let in_service = InService::default();
    let (shadow, samples) = Shadow::new(args.shadow_queue);
    let shadow = Arc::new(shadow);
    match loading {
        Some(loading) => serve_file(service, &in_service, usage, loading.await)?,
        None => {
            let slots = Slots::start_behind("shadow", args.work_timeout)?;
            clock(parts, Box::pin(shadow::score(service.clone(), samples, slots)));
            let follower = Follower {
                in_service: in_service.clone(),
                shadow: shadow.clone(),
                usage,
                poll_every: args.model_poll,
                max_bytes: args.model.max_model_bytes,
                fetch_timeout: args.model.model_fetch_timeout,
            };
            clock(parts, Box::pin(follow(service.clone(), follower)));
        }
    }
    tokio::select! {
        _ = in_service.wait() => {}
        () = service.stop.cancelled() => return Err(StartError::Stopped),
    }

    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for lane in Lane::ALL {
        let slots = match lane {
            Lane::Stat => args.slots_stat,
            Lane::Urgent => args.slots_urgent,
            Lane::Routine => args.slots_routine.unwrap_or(processors),
        };
        let at_once = slots + args.prefetch_extra;
        let slots = Slots::start(lane.as_str(), slots.max(1), args.threads_per_slot, args.work_timeout)?;
        let (in_service, shadow) = (in_service.clone(), shadow.clone());
        let worker = Arc::new(Worker { lane, slots, in_service, shadow, hold_max: args.hold_max });
        let consumer = consumer(service, lane.as_str(), vec![Queue::Lane(lane)], at_once);
        let handle = move |service, delivery: Arc<Delivery>| lane::handle(service, worker.clone(), delivery);
        parts.spawn(consume(service.clone(), consumer, at_once, handle));
    }
    Ok(())
}

fn usage(args: &RunArgs) -> anyhow::Result<Usage> {
    Ok(Usage {
        limits: args.limits.limits(),
        strict_scope: args.scope.strict(),
        scope_words: args.scope.words()?,
        saliency: args.saliency,
        program: args.alone.program()?,
        alone: args.alone.limits(),
    })
}

/// Serves the model of a file, whatever the registry says.
fn serve_file(
    service: &Service,
    in_service: &InService,
    usage: Usage,
    loaded: Result<anyhow::Result<Classifier>, JoinError>,
) -> anyhow::Result<()> {
    let classifier = loaded.context("loading the model panicked")??;
    tracing::info!(model = %classifier.sha256(), "model loaded");
    service.metrics.serves(Role::Champion, Some(classifier.sha256()));
    in_service.replace(Arc::new(Network::new(classifier, usage)));
    service.health.up("model");
    Ok(())
}

async fn declare_topology(service: &Service) -> Result<(), StartError> {
    let connected = service.hold(|| {
        let publisher = service.publisher.clone();
        async move { Ok(publisher.connect().await?) }
    });
    started(connected.await)?;
    service.health.up("rabbitmq");
    Ok(())
}

/// Somebody else migrates; until they have, there is nothing to write to.
async fn wait_for_schema(service: &Service) -> Result<(), StartError> {
    let mut backoff = Backoff::default();
    loop {
        let current = service.hold(|| {
            let store = service.store.clone();
            async move { Ok(store.schema_is_current().await?) }
        });
        if started(current.await)? {
            service.health.up("postgres");
            return Ok(());
        }
        service.health.down("postgres", "the schema is not this version's: run `cspine-worker migrate`");
        tokio::select! {
            () = backoff.wait() => {}
            () = service.stop.cancelled() => return Err(StartError::Stopped),
        }
    }
}

fn started<T>(step: Result<T, Failure>) -> Result<T, StartError> {
    step.map_err(|failure| match failure {
        Failure::Stopping => StartError::Stopped,
        failure => StartError::Failed(failure.into()),
    })
}

fn consumer(service: &Service, purpose: &str, queues: Vec<Queue>, prefetch: usize) -> Consumer {
    let prefetch = u16::try_from(prefetch).unwrap_or(u16::MAX);
    let options = ConsumerOptions { purpose: purpose.to_owned(), queues, prefetch };
    let consumer = Consumer::start(service.publisher.broker().clone(), options, service.stop.clone());
    let (health, mut state) = (service.health.clone(), consumer.state());
    let part = format!("rabbitmq.{purpose}");
    health.expect(&part);
    tokio::spawn(async move {
        while state.changed().await.is_ok() {
            match &*state.borrow_and_update() {
                LinkState::Up => health.up(&part),
                LinkState::Down(why) => health.down(&part, why),
            }
        }
    });
    consumer
}
