//! The commands that do one thing and end.

pub mod classify;
pub mod migrate;
pub mod overlay;
pub mod parked;
pub mod reconcile;
pub mod rescore;
pub mod study;
pub mod submit;
pub mod worklist;

use std::io::Write as _;

/// One JSON object a line.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print_line(&serde_json::to_string(value)?)
}

/// A reader that has seen enough, such as `head`, is no error of ours but ends the program quietly.
fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}
