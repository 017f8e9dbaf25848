//! A bucket that fails when it is told to: moto's S3 server, in a process of its own (`tests/peers/s3.py`).

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::python::peer;

/// What whoever asks for an object gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What they ask for.
    Serve,
    /// Status 503.
    Refuse,
    /// The end of their connection.
    Cut,
    /// No answer.
    Hang,
}

/// An S3 server with one bucket.
pub struct S3 {
    port: u16,
    child: Child,
    tasks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl S3 {
    const BUCKET: &str = "spines";

    /// Starts one, with an empty bucket.
    pub fn start() -> Self {
        let mut s3 = Self::on(0);
        s3.make_bucket();
        s3
    }

    fn on(port: u16) -> Self {
        let mut server = peer("s3.py");
        let mut child =
            server.arg(port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python runs");
        let tasks = child.stdin.take().expect("a pipe");
        let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = answers.next().expect("the server starts").expect("a line").parse().expect("its port");
        Self { port, child, tasks, answers }
    }

    /// The environment of a program that keeps its objects there.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        vec![
            ("CSPINE_STORE_URL", format!("s3://{}/site-1", Self::BUCKET)),
            ("AWS_ENDPOINT", endpoint),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ]
    }

    /// Puts a file under a key, whatever the mode.
    pub fn put(&mut self, key: &str, file: &Path) {
        self.does(&json!({"bucket": Self::BUCKET, "put": format!("site-1/{key}"), "file": file}));
    }

    /// What others get from now on.
    pub fn set(&mut self, mode: Mode) {
        let mode = match mode {
            Mode::Serve => "serve",
            Mode::Refuse => "refuse",
            Mode::Cut => "cut",
            Mode::Hang => "hang",
        };
        self.does(&json!({"mode": mode}));
    }

    /// SIGKILL, and all its objects are gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and without the bucket.
    pub fn start_again(&mut self) {
        *self = Self::on(self.port);
    }

    /// Makes the bucket.
    pub fn make_bucket(&mut self) {
        self.does(&json!({"bucket": Self::BUCKET}));
    }

    fn does(&mut self, task: &Value) {
        writeln!(self.tasks, "{task}").expect("the server reads");
        assert_eq!(self.answers.next().expect("an answer").expect("a line"), "done", "{task}");
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
