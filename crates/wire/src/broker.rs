//! Connecting to RabbitMQ.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};

use crate::Topology;

/// A broker and what is to be declared there. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    uri: AMQPUri,
    /// What is declared at each connection.
    pub topology: Arc<Topology>,
    /// How long connecting, declaring and each confirm may take.
    pub timeout: Duration,
}

/// Something the broker did not do. The message is never lost by it: what was not acknowledged comes again.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The URL is none.
    #[error("not an AMQP URL: {0}")]
    Url(String),
    /// No connection, or it broke.
    #[error("RabbitMQ: {0}")]
    Broken(lapin::Error),
    /// There is no such exchange or queue: nobody has declared it, or somebody deleted it.
    #[error("RabbitMQ: {0}")]
    Missing(lapin::Error),
    /// Our user lacks a right, or something exists with other settings: only a person can change that.
    #[error("RabbitMQ: {0}")]
    Denied(lapin::Error),
    /// No answer in time.
    #[error("RabbitMQ did not answer in time")]
    Timeout,
    /// The broker refused the message: a queue is full, or it could not store it.
    #[error("RabbitMQ refused the message: a queue is full")]
    Refused,
    /// No queue takes the message: it is nowhere.
    #[error("no queue takes the message")]
    Unroutable,
}

impl From<lapin::Error> for WireError {
    fn from(error: lapin::Error) -> Self {
        let lapin::ErrorKind::ProtocolError(why) = error.kind() else { return WireError::Broken(error) };
        match why.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => WireError::Missing(error),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => WireError::Denied(error),
            _ => WireError::Broken(error),
        }
    }
}

impl Broker {
    /// Longer, and a half-open connection is noticed too late.
    const HEARTBEAT_SECONDS_MAX: u16 = 10;
    /// RabbitMQ 4.1 and later refuse a connection that asks for less.
    const FRAME_BYTES_MIN: u32 = 8192;

    /// Reads the URL; does not connect.
    ///
    /// # Errors
    /// [`WireError::Url`]
    pub fn new(url: &str, topology: Topology, timeout: Duration) -> Result<Self, WireError> {
        let mut uri: AMQPUri = url.parse().map_err(WireError::Url)?;
        let asked = uri.query.heartbeat.unwrap_or(Self::HEARTBEAT_SECONDS_MAX);
        uri.query.heartbeat = Some(asked.clamp(1, Self::HEARTBEAT_SECONDS_MAX));
        // 0 asks for whatever the broker allows.
        uri.query.frame_max = uri.query.frame_max.filter(|&bytes| bytes != 0).map(|b| b.max(Self::FRAME_BYTES_MIN));
        Ok(Self { uri, topology: Arc::new(topology), timeout })
    }

    /// Connects once and declares the topology. Recovery is ours: any error drops the connection.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Link, WireError> {
        let link = self.open(purpose).await?;
        self.declared(&link, async { Ok(self.topology.declare(&link.channel).await?) }).await?;
        Ok(link)
    }

    /// Connects once and declares nothing.
    pub(crate) async fn open(&self, purpose: &str) -> Result<Link, WireError> {
        self.in_time(async {
            let name = format!("{}: {purpose}", self.topology.prefix);
            let properties = ConnectionProperties::default().with_connection_name(name.into());
            let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
            let channel = connection.create_channel().await?;
            Ok(Link { channel, connection: Arc::new(connection) })
        })
        .await
    }

    /// Deletes the topology with all its messages: for tests.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn delete_topology(&self) -> Result<(), WireError> {
        let link = self.connect("delete").await?;
        self.in_time(async { Ok(self.topology.delete(&link.channel).await?) }).await
    }

    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, WireError>>) -> Result<T, WireError> {
        tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(WireError::Timeout))
    }

    /// The same for declaring everything, which asks the broker some sixty things one after the other: each queue that is
    /// new takes a busy broker a second.
    pub(crate) async fn declared<T>(
        &self,
        link: &Link,
        work: impl Future<Output = Result<T, WireError>>,
    ) -> Result<T, WireError> {
        let patient = Self { timeout: self.timeout * 6, ..self.clone() };
        patient.in_time_unless_blocked(link, work).await
    }

    /// The same for what the broker leaves lying while an alarm of its memory or disk blocks the connection: that time
    /// does not count. To give up and connect again would only add connections and second copies.
    pub(crate) async fn in_time_unless_blocked<T>(
        &self,
        link: &Link,
        work: impl Future<Output = Result<T, WireError>>,
    ) -> Result<T, WireError> {
        tokio::pin!(work);
        loop {
            match tokio::time::timeout(self.timeout, &mut work).await {
                Ok(done) => return done,
                Err(_) if link.blocked() && link.alive() => {}
                Err(_) => return Err(WireError::Timeout),
            }
        }
    }
}

/// A connection of one purpose with its one channel. The connection closes when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub channel: lapin::Channel,
    pub connection: Arc<Connection>,
}

impl Link {
    /// lapin can leave a consumer's stream pending for ever on a channel that is gone: so ask.
    pub fn alive(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Whether the broker reads nothing from it, because its memory or disk is nearly used up.
    pub fn blocked(&self) -> bool {
        self.connection.status().blocked()
    }
}

/// Without the URL, which has a password.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("host", &self.uri.authority.host).field("topology", &self.topology).finish()
    }
}
