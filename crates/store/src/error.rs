//! What can go wrong, and whose fault it is.

use cspine_domain::Reason;

/// Why a call did nothing. No variant leaves half a transaction behind.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or did not answer; [`StoreError::is_transient`] tells which.
    // the text of a constraint violation quotes the row, so it is not part of this text
    #[error("database: {}", describe(.0))]
    Database(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
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
    /// A patient of a reference image is on another side already; nothing was written.
    #[error("a patient of these images belongs to another set already, and stays there")]
    PatientElsewhere,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Database(error)
    }
}

impl StoreError {
    /// Nobody's fault and worth another try: the server is away, restarting or busy, or two transactions collided.
    pub fn is_transient(&self) -> bool {
        let StoreError::Database(error) = self else {
            return matches!(self, StoreError::Migrate(sqlx::migrate::MigrateError::Execute(e)) if is_transient(e));
        };
        is_transient(error)
    }

    /// The code to park a message under, when the fault lies in what it says.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            StoreError::OtherStudy => Some(Reason::IdentityMismatch),
            // data exceptions (22) and integrity violations (23): the event passed its schema, yet no table takes it
            StoreError::Database(sqlx::Error::Database(e))
                if e.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23")) =>
            {
                Some(Reason::BadSchema)
            }
            _ => None,
        }
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| {
            let class = code.get(..2).unwrap_or_default();
            // 08 connection, 25 a read-only standby or an idle transaction ended, 40 deadlock or serialisation,
            // 53 resources (disk full, connections), 55 lock timeout or not ready, 57 shutdown or statement timeout,
            // 58 the server's disks
            matches!(class, "08" | "25" | "40" | "53" | "55" | "57" | "58")
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
