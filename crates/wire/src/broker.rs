//! Connecting to RabbitMQ.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
    Broken(#[from] lapin::Error),
    /// No answer in time.
    #[error("RabbitMQ did not answer in time")]
    Timeout,
    /// The broker refused the message: a queue is full, or it could not store it.
    #[error("RabbitMQ refused the message")]
    Refused,
}

impl Broker {
    /// Longer, and a half-open connection is noticed too late.
    const HEARTBEAT_SECONDS_MAX: u16 = 10;

    /// Reads the URL; does not connect.
    ///
    /// # Errors
    /// [`WireError::Url`]
    pub fn new(url: &str, topology: Topology, timeout: Duration) -> Result<Self, WireError> {
        let mut uri: AMQPUri = url.parse().map_err(WireError::Url)?;
        let asked = uri.query.heartbeat.unwrap_or(Self::HEARTBEAT_SECONDS_MAX);
        uri.query.heartbeat = Some(asked.clamp(1, Self::HEARTBEAT_SECONDS_MAX));
        Ok(Self { uri, topology: Arc::new(topology), timeout })
    }

    /// Connects once and declares the topology. Recovery is ours: any error drops the connection.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Link, WireError> {
        self.in_time(async {
            let name = format!("{}: {purpose}", self.topology.prefix);
            let properties = ConnectionProperties::default().with_connection_name(name.into());
            let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
            let channel = connection.create_channel().await?;
            self.topology.declare(&channel).await?;
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
}

/// Without the URL, which has a password.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("host", &self.uri.authority.host).field("topology", &self.topology).finish()
    }
}
