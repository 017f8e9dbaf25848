//! How a program of ours ends.

use std::process::ExitCode;

/// The exit code of what was done. An error is one line on standard error, its causes after colons, and code 1; with
/// `RUST_BACKTRACE=full` the backtrace follows, for whoever mends the program.
pub fn code(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        eprintln!("{}", line(&error));
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|wish| wish == "full") {
            eprintln!("{}", error.backtrace());
        }
        ExitCode::FAILURE
    })
}

/// An error with its causes. A cause whose words its effect has already is not said twice.
fn line(error: &anyhow::Error) -> String {
    let mut line = format!("error: {error}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    #[test]
    fn an_error_is_one_line_with_its_causes_and_none_of_them_twice() {
        let inner: anyhow::Result<()> = Err(anyhow!("not found"));
        let error = inner.context("reading a.png: not found").context("--model").unwrap_err();
        assert_eq!(super::line(&error), "error: --model: reading a.png: not found");
    }
}
