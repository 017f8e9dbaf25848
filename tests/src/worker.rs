//! The system under test: `cspine-worker` processes on a database, a broker and a folder of objects.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::python::Stranger;
use crate::tools::{Folder, binary, model};
use crate::wait;

/// Every queue that workers consume.
pub const QUEUES: [&str; 10] = [
    "arrivals.stat",
    "arrivals.urgent",
    "arrivals.routine",
    "infer.stat",
    "infer.urgent",
    "infer.routine",
    "status",
    "labels",
    "dead-letters",
    "unrouted",
];

/// Where a test's workers, files and events are.
pub struct Site {
    /// Of the site's own database.
    pub database_url: String,
    /// The broker, as a stranger sees it.
    pub stranger: Stranger,
    /// Object store, logs, whatever the test writes.
    pub folder: Folder,
    /// What the site's programs have in their environment beside the usual.
    pub environment: Vec<(&'static str, String)>,
}

impl Site {
    /// A site on these servers; `name` sets its folder and the names on the broker apart from others'.
    pub fn new(name: &str, database_url: &str, amqp_url: &str) -> Self {
        let folder = Folder::create(name);
        std::fs::create_dir_all(folder.path().join("objects")).expect("an object store");
        let prefix = format!("test-{}-{name}", std::process::id());
        let stranger = Stranger { amqp_url: amqp_url.into(), prefix };
        Self { database_url: database_url.into(), stranger, folder, environment: Vec::new() }
    }

    /// The same with other names on the broker.
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.stranger.prefix = prefix.into();
        self
    }

    /// The object store's folder.
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    /// `cspine-worker` with the site's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("cspine-worker"));
        command
            .args(arguments)
            .env("DATABASE_URL", &self.database_url)
            .env("AMQP_URL", &self.stranger.amqp_url)
            .env("CSPINE_TOPOLOGY_PREFIX", &self.stranger.prefix)
            .env("CSPINE_STORE_URL", format!("file://{}", self.objects().display()))
            .env("CSPINE_MODEL", model())
            .envs(self.environment.iter().cloned());
        command
    }

    /// Starts a worker; `name` names its log.
    pub fn start_worker(&self, name: &str) -> Worker {
        self.start(name, |command| command)
    }

    /// The same with more flags.
    pub fn start_worker_with(&self, name: &str, flags: &[&str]) -> Worker {
        self.start(name, |command| command.args(flags))
    }

    /// The same for a worker that serves the registry's champion.
    pub fn start_following_worker(&self, name: &str) -> Worker {
        self.start(name, |command| command.env_remove("CSPINE_MODEL"))
    }

    fn start(&self, name: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> Worker {
        let log = File::options().create(true).append(true).open(self.folder.path().join(format!("{name}.log")));
        let log = log.expect("a log file");
        let admin = free_address();
        let mut command = self.command(&["run", "--admin-addr", &admin.to_string()]);
        // a short ladder: its length is another test's concern
        command.args(["--retry-delays", "200ms,500ms,1s", "--slots-stat", "1", "--slots-routine", "1"]);
        change(&mut command);
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        Worker { child: command.spawn().expect("the worker starts"), admin, name: name.to_owned() }
    }

    /// Deletes what the site declared on the broker.
    pub fn clean_up(&self) {
        let retries = ["retry.200", "retry.500", "retry.1000"];
        self.stranger.delete("queue", &[&QUEUES[..], &["undeliverable"], &retries].concat());
        let exchanges = ["events", "infer", "results", "dead", "unrouted", "undeliverable"];
        self.stranger.delete("exchange", &[&exchanges[..], &retries].concat());
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// A running worker, killed when it is dropped.
pub struct Worker {
    child: Child,
    admin: SocketAddr,
    name: String,
}

impl Worker {
    /// Waits until it says that it is ready.
    pub async fn ready(&self) {
        let what = format!("worker {} is ready", self.name);
        wait::until(&what, Duration::from_secs(60), async || (self.get("/readyz")?.0 == 200).then_some(())).await;
    }

    /// Status and body of a page of its admin address; none while nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.admin, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    /// SIGKILL: it has no say in it.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// SIGTERM: it finishes what it holds and says goodbye with 0.
    pub async fn stop(mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success(), "worker {} had ended by itself", self.name);
        let what = format!("worker {} ends after SIGTERM", self.name);
        let ended = async || self.child.try_wait().expect("its status");
        let status: ExitStatus = wait::until(&what, Duration::from_secs(60), ended).await;
        assert!(status.success(), "worker {} ended with {status}", self.name);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
