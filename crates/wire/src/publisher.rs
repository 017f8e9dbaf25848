//! Publishing: persistent, mandatory, confirmed.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Mutex;

use crate::broker::Link;
use crate::delivery::attempt_header;
use crate::{Broker, Depths, Message, WireError};

/// AMQP carries no longer one.
const ROUTING_KEY_BYTES_MAX: usize = 255;

/// Publishes on a connection of its own, opened when first needed and dropped at any error.
#[derive(Debug)]
pub struct Publisher {
    broker: Broker,
    link: Mutex<Option<Link>>,
    declares: bool,
}

/// What became of a result, which nobody has to listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Heard {
    /// It is on disk in each queue that wants it.
    Stored,
    /// No queue wants it.
    ByNobody,
}

impl Publisher {
    /// AMQP's mark of a message that survives a restart.
    const PERSISTENT: u8 = 2;

    /// A worker's: declares the topology at each connection, and again when it turns out to be gone. Does not connect yet.
    pub fn new(broker: Broker) -> Self {
        Self { broker, link: Mutex::new(None), declares: true }
    }

    /// A sender's, who may publish and nothing else: declares nothing. Does not connect yet.
    pub fn of_a_sender(broker: Broker) -> Self {
        Self { declares: false, ..Self::new(broker) }
    }

    /// The broker.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Connects, unless connected.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn connect(&self) -> Result<(), WireError> {
        self.link().await.map(drop)
    }

    /// Whether the broker has blocked publishing, because its memory or disk is nearly used up.
    pub async fn is_blocked(&self) -> bool {
        self.link.lock().await.as_ref().is_some_and(|link| link.alive() && link.blocked())
    }

    /// Publishes and waits for the confirm: once this is `Ok`, the message is on disk in at least one queue. Many may wait
    /// at once. What finds its exchange or its queue gone has the topology declared anew, and is published once more.
    /// Trying again after an error is the caller's, who knows whether a second copy does harm (an error does not say that
    /// the first was not stored).
    ///
    /// # Errors
    /// [`WireError`]; among them [`WireError::Unroutable`], so that a message nobody took is never taken for delivered.
    pub async fn publish(&self, message: &Message) -> Result<(), WireError> {
        match self.attempt(message).await {
            // A new connection declares by itself.
            Err(WireError::Missing(_)) if self.declares => self.attempt(message).await,
            Err(WireError::Unroutable) if self.declares => {
                self.ensure_topology().await?;
                self.attempt(message).await
            }
            outcome => outcome,
        }
    }

    /// Publishes a result, which nobody has to listen to.
    ///
    /// # Errors
    /// [`WireError`], but never [`WireError::Unroutable`].
    pub async fn tell(&self, result: &Message) -> Result<Heard, WireError> {
        let told = match self.attempt(result).await {
            Err(WireError::Missing(_)) if self.declares => self.attempt(result).await,
            outcome => outcome,
        };
        match told {
            Ok(()) => Ok(Heard::Stored),
            Err(WireError::Unroutable) => Ok(Heard::ByNobody),
            Err(error) => Err(error),
        }
    }

    /// Declares everything that the topology names, on a channel of its own: what somebody deleted is there again.
    ///
    /// # Errors
    /// [`WireError`]; among them the broker's refusal when something exists with other settings.
    pub async fn ensure_topology(&self) -> Result<Depths, WireError> {
        let link = self.link().await?;
        let declared = self.broker.declared(&link, async {
            let channel = link.connection.create_channel().await?;
            let depths = self.broker.topology.declare(&channel).await?;
            channel.close(200, "declared".into()).await?;
            Ok(depths)
        });
        declared.await
    }

    async fn attempt(&self, message: &Message) -> Result<(), WireError> {
        let link = self.link().await?;
        let published = self.broker.in_time_unless_blocked(&link, send(&link, message)).await;
        // These two are answers; after anything else the connection is not trusted any more.
        if !matches!(published, Ok(()) | Err(WireError::Refused | WireError::Unroutable)) {
            self.drop_link(&link).await;
        }
        published
    }

    pub(crate) async fn link(&self) -> Result<Link, WireError> {
        let mut current = self.link.lock().await;
        if let Some(link) = current.as_ref().filter(|link| link.alive()) {
            return Ok(link.clone());
        }
        *current = None;
        let connected =
            if self.declares { self.broker.connect("publish").await } else { self.broker.open("publish").await };
        let link = connected?;
        self.broker.in_time(async { Ok(link.channel.confirm_select(ConfirmSelectOptions::default()).await?) }).await?;
        *current = Some(link.clone());
        Ok(link)
    }

    /// Unless someone has replaced it already.
    pub(crate) async fn drop_link(&self, broken: &Link) {
        let mut current = self.link.lock().await;
        if current.as_ref().is_some_and(|link| std::sync::Arc::ptr_eq(&link.connection, &broken.connection)) {
            *current = None;
        }
    }
}

async fn send(link: &Link, message: &Message) -> Result<(), WireError> {
    if message.routing_key.len() > ROUTING_KEY_BYTES_MAX {
        return Err(WireError::Unroutable);
    }
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default()
        .with_delivery_mode(Publisher::PERSISTENT)
        .with_content_type("application/cloudevents+json".into())
        .with_headers(attempt_header(message.attempt));
    let (exchange, key) = (message.exchange.as_str().into(), message.routing_key.as_str().into());
    let confirm = link.channel.basic_publish(exchange, key, options, &message.body, properties).await?;
    match confirm.await? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err(WireError::Unroutable),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err(WireError::Refused),
    }
}
