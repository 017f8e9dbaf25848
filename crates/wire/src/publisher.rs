//! Publishing: persistent, mandatory, confirmed.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Mutex;

use crate::broker::Link;
use crate::delivery::attempt_header;
use crate::{Broker, Message, WireError};

/// Publishes on a connection of its own, opened when first needed and dropped at any error.
#[derive(Debug)]
pub struct Publisher {
    broker: Broker,
    link: Mutex<Option<Link>>,
}

/// What the broker did with a message that it confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Published {
    /// It is on disk in at least one queue.
    Stored,
    /// No queue takes it; it is nowhere.
    Unroutable,
}

impl Publisher {
    /// AMQP's mark of a message that survives a restart.
    const PERSISTENT: u8 = 2;

    /// Does not connect yet.
    pub fn new(broker: Broker) -> Self {
        Self { broker, link: Mutex::new(None) }
    }

    /// The broker.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Connects, unless connected, and declares the topology.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn connect(&self) -> Result<(), WireError> {
        self.link().await.map(drop)
    }

    /// Publishes and waits for the confirm. Many may wait at once. One attempt: trying again is the caller's, who knows
    /// whether a second copy does harm (an error does not say that the first was not stored).
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn publish(&self, message: &Message) -> Result<Published, WireError> {
        let link = self.link().await?;
        let published = self.broker.in_time(send(&link, message)).await;
        if published.is_err() {
            self.drop_link(&link).await;
        }
        published
    }

    async fn link(&self) -> Result<Link, WireError> {
        let mut current = self.link.lock().await;
        if let Some(link) = current.as_ref().filter(|link| link.alive()) {
            return Ok(link.clone());
        }
        *current = None;
        let link = self.broker.connect("publish").await?;
        self.broker.in_time(async { Ok(link.channel.confirm_select(ConfirmSelectOptions::default()).await?) }).await?;
        *current = Some(link.clone());
        Ok(link)
    }

    /// Unless someone has replaced it already.
    async fn drop_link(&self, broken: &Link) {
        let mut current = self.link.lock().await;
        if current.as_ref().is_some_and(|link| std::sync::Arc::ptr_eq(&link.connection, &broken.connection)) {
            *current = None;
        }
    }
}

async fn send(link: &Link, message: &Message) -> Result<Published, WireError> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default()
        .with_delivery_mode(Publisher::PERSISTENT)
        .with_content_type("application/cloudevents+json".into())
        .with_headers(attempt_header(message.attempt));
    let (exchange, key) = (message.exchange.as_str().into(), message.routing_key.as_str().into());
    let confirm = link.channel.basic_publish(exchange, key, options, &message.body, properties).await?;
    match confirm.await? {
        Confirmation::Ack(None) => Ok(Published::Stored),
        Confirmation::Ack(Some(_)) => Ok(Published::Unroutable),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err(WireError::Refused),
    }
}
