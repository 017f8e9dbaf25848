//! Servers to break: a Postgres and a RabbitMQ that belong to one test alone.

use std::process::Command;

use crate::tools::{Folder, output_of, repository};

/// A stack of `deploy/stack` in a folder of its own.
pub struct Stack {
    /// Its Postgres.
    pub database_url: String,
    /// Its RabbitMQ, as the administrator sees it.
    pub amqp_url: String,
    /// What `deploy/stack` exports.
    exports: String,
    folder: Folder,
}

impl Stack {
    /// Starts one.
    pub fn start(name: &str) -> Self {
        let folder = Folder::create(name);
        let mut stack = Self { database_url: String::new(), amqp_url: String::new(), exports: String::new(), folder };
        stack.up();
        stack
    }

    /// Starts what does not run; ports and data are the old ones.
    pub fn up(&mut self) {
        // without --fast, for what was committed must survive
        self.exports = output_of(self.command().arg("up"));
        (self.database_url, self.amqp_url) = (self.exported("DATABASE_URL"), self.exported("AMQP_URL"));
    }

    /// Its RabbitMQ, as a user of `deploy/rabbitmq-users` sees it: `worker`, `sender`, ….
    pub fn amqp_url_of(&self, user: &str) -> String {
        self.exported(&format!("{}_AMQP_URL", user.to_uppercase()))
    }

    fn exported(&self, name: &str) -> String {
        let line = self.exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        line.unwrap_or_else(|| panic!("deploy/stack exports no {name}")).trim_matches('\'').to_owned()
    }

    /// Runs `rabbitmqctl` on its broker.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        output_of(self.command().arg("rabbitmqctl").args(arguments))
    }

    /// Kills the broker without warning.
    pub fn kill_rabbitmq(&self) {
        self.kill("-KILL", "rabbitmq/pid");
    }

    /// Ends Postgres at once, sessions and all: what was committed must be there after its recovery, and nothing else.
    pub fn kill_postgres(&self) {
        // its "immediate shutdown": after SIGKILL its sessions would outlive it and keep the next one from starting
        self.kill("-QUIT", "postgres/data/postmaster.pid");
    }

    fn kill(&self, signal: &str, pid_file: &str) {
        let folder = self.folder.path().join("stack");
        let folder = folder.canonicalize().expect("the stack's folder");
        let pid = std::fs::read_to_string(folder.join(pid_file)).expect("the server's pid");
        let pid = pid.lines().next().expect("a pid").trim().to_owned();
        output_of(Command::new("kill").args([signal, &pid]));
        let stat = format!("/proc/{pid}/stat");
        // a process of our own that nobody has waited for stays as a zombie
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(repository().join("deploy/stack"));
        command.env("CSPINE_STACK_DIR", self.folder.path().join("stack"));
        // set, they would be used instead
        command.env_remove("DATABASE_URL").env_remove("AMQP_URL");
        command
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let down = self.command().args(["down", "--wipe"]).status();
        if !down.is_ok_and(|status| status.success()) {
            eprintln!("could not stop the stack in {}", self.folder.path().display());
        }
    }
}
