//! What can go wrong, and whose fault it is.

use cspine_domain::Reason;

/// Why a call did nothing. No variant leaves half a transaction behind.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or did not answer; [`StoreError::fault`] tells whose fault that is.
    // the text of a constraint violation quotes the row, so it is not part of this text
    #[error("database: {}", describe(.0))]
    Database(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database's encoding is not UTF-8: it could not hold every name that an event may have.
    #[error("the database's encoding is {0}: it has to be UTF8 (create database … encoding 'UTF8' template template0)")]
    Encoding(String),
    /// Something between here and Postgres drops a session's settings.
    #[error(
        "this session's settings did not reach Postgres (a pooler in transaction mode?): connect to Postgres itself, or \
         to a pooler in session mode"
    )]
    SettingsLost,
    /// A standby, or a server that was set read-only.
    #[error("the database is read-only (a standby?)")]
    ReadOnly,
    /// The role of this service may not do what the service does.
    #[error("the database role has no right to write to {0}")]
    MissingRight(String),
    /// Another transaction has locked a whole table: no image can be answered.
    #[error("a table of the workers' is locked")]
    TableLocked,
    /// What came under this source and id before says something else.
    #[error("another event came under this source and id before")]
    OtherEvent,
    /// The same SOP instance UID and bytes are already an image of another study.
    #[error("this image already belongs to another study")]
    OtherStudy,
    /// No parked message of this number.
    #[error("no parked message {0}")]
    NoSuchParkedMessage(i64),
    /// The parked message was sent again or dismissed before.
    #[error("parked message {0} is resolved already")]
    AlreadyResolved(i64),
    /// The parked message's body was over 64 KiB or is no JSON: it cannot be sent again.
    #[error("parked message {0} cannot be sent again: its body is too large to have been kept, or no JSON")]
    NotResendable(i64),
    /// A model whose card says that it has collapsed, without a reason to register it nevertheless.
    #[error("a collapsed model is registered only with a reason")]
    CollapsedModel,
    /// A model without a scope gate, without a reason to register it nevertheless.
    #[error("a model without a scope gate is registered only with a reason")]
    UngatedModel,
    /// A patient of a reference image is on another side already; nothing was written.
    #[error("a patient of these images belongs to another set already, and stays there")]
    PatientElsewhere,
}

/// Whose fault it is that a call did nothing, and so what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What was asked for: no table takes it, now or later. A message is parked under this code.
    Message(Reason),
    /// Another transaction holds the row, or collided with this one. The same message again later; all others go on, and
    /// the server is well.
    Row,
    /// Nobody's: the server, the network to it, a password, a right, the schema, a disk, or a bug in our SQL. All messages
    /// wait until it is mended.
    Server,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Database(error)
    }
}

impl StoreError {
    /// Whose fault it is. The one place that decides.
    pub fn fault(&self) -> Fault {
        match self {
            StoreError::Database(error) | StoreError::Migrate(sqlx::migrate::MigrateError::Execute(error)) => {
                fault(error)
            }
            StoreError::Migrate(_)
            | StoreError::Encoding(_)
            | StoreError::SettingsLost
            | StoreError::ReadOnly
            | StoreError::TableLocked
            | StoreError::MissingRight(_) => Fault::Server,
            StoreError::OtherStudy => Fault::Message(Reason::IdentityMismatch),
            StoreError::NoSuchParkedMessage(_)
            | StoreError::AlreadyResolved(_)
            | StoreError::NotResendable(_)
            | StoreError::OtherEvent
            | StoreError::CollapsedModel
            | StoreError::UngatedModel
            | StoreError::PatientElsewhere => Fault::Message(Reason::BadSchema),
        }
    }

    /// Worth another try by a command that a person waits for: the server is away, restarting or busy, or two
    /// transactions collided. A wrong password or a missing right is not: a person would wait for ever.
    pub fn is_transient(&self) -> bool {
        match self {
            StoreError::Database(error) | StoreError::Migrate(sqlx::migrate::MigrateError::Execute(error)) => {
                fault(error) == Fault::Row || heals_by_itself(error)
            }
            StoreError::ReadOnly | StoreError::TableLocked => true,
            _ => false,
        }
    }
}

/// Only what a message says itself is its fault. Whatever is not known to be that, or a row's, is the server's: then images
/// wait instead of being given up.
fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(e) => fault_of(e.code().as_deref().unwrap_or_default()),
        // a value that cannot even be sent
        sqlx::Error::Encode(_) => Fault::Message(Reason::BadSchema),
        _ => Fault::Server,
    }
}

/// The same of an SQLSTATE (PostgreSQL's manual, Appendix A).
fn fault_of(code: &str) -> Fault {
    match code {
        // lock_not_available; deadlock_detected, serialization_failure and their class
        "55P03" => Fault::Row,
        _ if code.starts_with("40") => Fault::Row,
        // foreign_key_violation, restrict_violation: what was just registered has been cleared away beside us
        "23503" | "23001" => Fault::Row,
        // integrity_constraint_violation by our own triggers, not_null_violation: our statement is wrong, no value is;
        // division_by_zero and the like: so are settings
        "23000" | "23502" | "2200H" | "22012" | "2201E" | "2201F" | "2201G" | "22013" | "22016" | "22014" => {
            Fault::Server
        }
        // data exceptions and constraint violations: a value of the message
        _ if code.starts_with("22") || code.starts_with("23") => Fault::Message(Reason::BadSchema),
        _ => Fault::Server,
    }
}

/// Whether a session is no use after this error. After 25006 it is read-only (a failover made its server a standby), after
/// 57P01 the server is gone, after 0A000 its prepared statements are of another schema, and so on: only what is a row's or a
/// message's fault, or was merely cut short (57014), says nothing against the session.
pub(crate) fn ends_the_session(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::RowNotFound => false,
        sqlx::Error::Database(e) if e.code().as_deref() == Some("57014") => false,
        error => fault(error) == Fault::Server,
    }
}

fn heals_by_itself(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| {
            let class = code.get(..2).unwrap_or_default();
            // 08 connection, 25 a read-only standby or an idle transaction ended, 53 resources (disk full, connections),
            // 55 not ready, 57 shutdown or statement timeout, 58 the server's disks
            matches!(class, "08" | "25" | "53" | "55" | "57" | "58")
        }),
        _ => false,
    }
}

fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(e) => format!(
            "SQLSTATE {}{}",
            e.code().as_deref().unwrap_or("unknown"),
            e.constraint().map(|name| format!(", constraint {name}")).unwrap_or_default()
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
