//! Consuming, without end: any error or end of the stream drops the connection and rebuilds everything.

use futures_util::StreamExt as _;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::broker::Link;
use crate::{Backoff, Broker, Delivery, Queue, WireError};

/// What to consume.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// What the connection is called at the broker.
    pub purpose: String,
    /// The queues, all on one connection.
    pub queues: Vec<Queue>,
    /// How many unacknowledged messages may be held from each queue.
    pub prefetch: u16,
}

/// Whether a consumer is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// It consumes.
    Up,
    /// It does not, and tries again; why.
    Down(String),
}

/// A consumer that lives until it is stopped. Deliveries of a lost connection may still come out of it; their
/// acknowledgement fails harmlessly.
#[derive(Debug)]
pub struct Consumer {
    deliveries: mpsc::Receiver<Delivery>,
    state: watch::Receiver<LinkState>,
}

impl Consumer {
    /// How often the connection is looked at while nothing comes.
    const LOOK_EVERY: Duration = Duration::from_secs(1);

    /// Begins to connect and to consume, in a task of its own. Once `stop` is cancelled it takes nothing more from the
    /// broker; what it took can still be worked on and acknowledged.
    pub fn start(broker: Broker, options: ConsumerOptions, stop: CancellationToken) -> Self {
        let (sender, deliveries) = mpsc::channel(usize::from(options.prefetch).max(1));
        let (report, mut state) = watch::channel(LinkState::Down("not connected yet".into()));
        state.borrow_and_update();
        tokio::spawn(keep_consuming(broker, options, sender, report, stop));
        Self { deliveries, state }
    }

    /// The next message; `None` once stopped and everything already received was handed out.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.deliveries.recv().await?;
            // Held by a connection that is gone: it comes again, so this copy need not be worked on.
            if delivery.is_held() {
                return Some(delivery);
            }
        }
    }

    /// Whether it is connected, as it changes.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }
}

async fn keep_consuming(
    broker: Broker,
    options: ConsumerOptions,
    sender: mpsc::Sender<Delivery>,
    report: watch::Sender<LinkState>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::default();
    loop {
        let ended = tokio::select! {
            ended = consume_once(&broker, &options, &sender, &report, &mut backoff, &stop) => ended,
            () = sender.closed() => return,
        };
        if stop.is_cancelled() {
            return;
        }
        let why = ended.map_or_else(|error| error.to_string(), |()| "the consumer was cancelled".into());
        tracing::debug!(purpose = options.purpose, why, "not consuming; connecting again");
        report.send_replace(LinkState::Down(why));
        tokio::select! {
            () = backoff.wait() => {}
            () = stop.cancelled() => return,
            () = sender.closed() => return,
        }
    }
}

/// One connection from its beginning to its end.
async fn consume_once(
    broker: &Broker,
    options: &ConsumerOptions,
    sender: &mpsc::Sender<Delivery>,
    report: &watch::Sender<LinkState>,
    backoff: &mut Backoff,
    stop: &CancellationToken,
) -> Result<(), WireError> {
    let link = tokio::select! {
        link = broker.connect(&options.purpose) => link?,
        () = stop.cancelled() => return Ok(()),
    };
    let mut streams = futures_util::stream::SelectAll::new();
    for &queue in &options.queues {
        let consumer = broker.in_time(subscribe(broker, &link, queue, options.prefetch)).await?;
        streams.push(consumer.map(move |delivery| (queue, delivery)));
    }
    backoff.reset();
    report.send_replace(LinkState::Up);
    let queues = options.queues.len();
    let mut look = tokio::time::interval(Consumer::LOOK_EVERY);
    loop {
        let next = tokio::select! {
            next = streams.next() => next,
            _ = look.tick() => {
                // A stream that ended leaves the others: all or none.
                if !link.alive() || streams.len() < queues {
                    return Ok(());
                }
                continue;
            }
            () = stop.cancelled() => return cancel(broker, &link, options).await,
        };
        let Some((queue, delivery)) = next else { return Ok(()) };
        let delivery = Delivery::new(queue, delivery?, broker.clone(), link.clone());
        if sender.send(delivery).await.is_err() {
            return Ok(());
        }
    }
}

async fn subscribe(broker: &Broker, link: &Link, queue: Queue, prefetch: u16) -> Result<lapin::Consumer, WireError> {
    // Per consumer: RabbitMQ refuses a prefetch shared by the channel on quorum queues.
    link.channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
    let name = broker.topology.queue(queue);
    let tag = name.as_str().into();
    Ok(link.channel.basic_consume(name.into(), tag, BasicConsumeOptions::default(), FieldTable::default()).await?)
}

/// Takes no more. What was received stays held until it is acknowledged or its connection closes.
async fn cancel(broker: &Broker, link: &Link, options: &ConsumerOptions) -> Result<(), WireError> {
    for &queue in &options.queues {
        let tag = broker.topology.queue(queue).into();
        let cancelled = link.channel.basic_cancel(tag, BasicCancelOptions::default());
        broker.in_time(async { Ok(cancelled.await?) }).await?;
    }
    Ok(())
}
