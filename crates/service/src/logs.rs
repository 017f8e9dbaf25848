//! Logs, on standard error.

use tracing_subscriber::EnvFilter;

/// Who reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Of a service: JSON, an object a line.
    Machine,
    /// Of a command that ends: text.
    Person,
}

/// Starts them, once a process. `RUST_LOG` chooses what is said, else `filter`, such as `info,sqlx=warn`.
pub fn start(reader: Reader, filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match reader {
        Reader::Machine => logs.json().flatten_event(true).init(),
        Reader::Person => logs.without_time().with_target(false).init(),
    }
}
