//! The stranger's side: Python with pika and pydicom, in a virtual environment that is made once.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::tools::{cached, output_of, repository};

/// The interpreter of the tests' environment.
pub fn python() -> &'static PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let requirements = repository().join("tests/peers/requirements.txt");
        let wanted = std::fs::read_to_string(&requirements).expect("requirements.txt");
        let venv = cached("tests-venv");
        let made = venv.join("made-of");
        if std::fs::read_to_string(&made).ok().as_deref() != Some(&wanted) {
            output_of(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
            output_of(Command::new(venv.join("bin/pip")).args(["install", "-q", "-r"]).arg(&requirements));
            std::fs::write(&made, wanted).expect("the mark that the environment is whole");
        }
        venv.join("bin/python")
    })
}

/// A script of `tests/peers`, ready to run.
pub fn peer(script: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(repository().join("tests/peers").join(script));
    command
}

/// A message as AMQP carries it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The routing key.
    pub routing_key: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A stranger's connection to a broker.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// The broker.
    pub amqp_url: String,
    /// What the names of the topology begin with.
    pub prefix: String,
}

impl Stranger {
    /// Publishes messages to the events exchange in this order, each confirmed; panics if one is not.
    pub fn publish(&self, messages: &[Message]) {
        self.publish_with(messages, |_| json!({}));
    }

    /// The same, each with these properties of pika's, by its place.
    pub fn publish_with(&self, messages: &[Message], properties: impl Fn(usize) -> Value) {
        let mut publisher = self.amqp(&["publish", &self.name("events")]);
        let mut publisher = publisher.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python runs");
        let mut stdin = publisher.stdin.take().expect("a pipe");
        for (place, message) in messages.iter().enumerate() {
            let (key, body) = (&message.routing_key, hex(&message.body));
            let line = json!({"routing_key": key, "body": body, "properties": properties(place)});
            writeln!(stdin, "{line}").expect("the publisher reads");
        }
        drop(stdin);
        let output = publisher.wait_with_output().expect("the publisher ends");
        let confirmed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(output.status.success() && confirmed == messages.len().to_string(), "only {confirmed} were confirmed");
    }

    /// Listens to results with a queue of its own.
    pub fn listen(&self, queue: &str, keys: &[&str]) {
        output_of(self.amqp(&["listen", &self.name("results"), &self.name(queue)]).args(keys));
    }

    /// Listens with a queue that takes three messages and refuses more.
    pub fn listen_refusing(&self, queue: &str, keys: &[&str]) {
        output_of(self.amqp(&["refuse", &self.name("results"), &self.name(queue)]).args(keys));
    }

    /// Takes away a binding of one of the system's queues.
    pub fn unbind(&self, exchange: &str, queue: &str, key: &str) {
        output_of(&mut self.amqp(&["unbind", &self.name(exchange), &self.name(queue), key]));
    }

    /// Takes one message out of a queue; its properties.
    pub fn properties(&self, queue: &str) -> Value {
        serde_json::from_str(&output_of(&mut self.amqp(&["properties", &self.name(queue)]))).expect("JSON")
    }

    /// Publishes events whose headers no client library writes, each in a form of `hostile_headers.py`; which of the forms
    /// the broker took.
    pub fn publish_hostile(&self, messages: &[(String, Message)]) -> Vec<String> {
        let mut publisher = peer("hostile_headers.py");
        publisher.arg(self.name("events")).env("AMQP_URL", &self.amqp_url);
        let mut publisher = publisher.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python runs");
        let mut stdin = publisher.stdin.take().expect("a pipe");
        for (form, message) in messages {
            let line = json!({"form": form, "routing_key": message.routing_key, "body": hex(&message.body)});
            writeln!(stdin, "{line}").expect("the publisher reads");
        }
        drop(stdin);
        let output = publisher.wait_with_output().expect("the publisher ends");
        assert!(output.status.success(), "hostile_headers.py: {}", output.status);
        let outcomes = String::from_utf8(output.stdout).expect("UTF-8");
        outcomes.lines().filter_map(|line| line.strip_suffix("\taccepted")).map(str::to_owned).collect()
    }

    /// Takes everything out of a queue.
    pub fn drain(&self, queue: &str) -> Vec<Message> {
        let lines = output_of(&mut self.amqp(&["drain", &self.name(queue)]));
        let message = |line: &str| {
            let line: Value = serde_json::from_str(line).expect("a JSON object a line");
            let routing_key = line["routing_key"].as_str().expect("a routing key").to_owned();
            Message { routing_key, body: from_hex(line["body"].as_str().expect("a body")) }
        };
        lines.lines().map(message).collect()
    }

    /// How many messages wait in these queues together, not counting those a consumer holds.
    pub fn depth(&self, queues: &[&str]) -> u64 {
        let names = queues.iter().map(|queue| self.name(queue));
        let depths: Value = serde_json::from_str(&output_of(self.amqp(&["depth"]).args(names))).expect("JSON");
        depths.as_object().expect("an object").values().filter_map(Value::as_u64).sum()
    }

    /// Deletes queues and exchanges, so that a broker that outlives the test stays clean.
    pub fn delete(&self, what: &str, names: &[&str]) {
        output_of(self.amqp(&["delete", what]).args(names.iter().map(|name| self.name(name))));
    }

    fn amqp(&self, arguments: &[&str]) -> Command {
        let mut command = peer("amqp.py");
        command.args(arguments).env("AMQP_URL", &self.amqp_url);
        command
    }

    fn name(&self, part: &str) -> String {
        format!("{}.{part}", self.prefix)
    }
}

/// The forms of `hostile_headers.py`.
pub fn hostile_forms() -> Vec<String> {
    output_of(peer("hostile_headers.py").arg("--forms")).lines().map(str::to_owned).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(byte).collect()
}
