//! An image prepared in a child process, whose death costs nobody else anything: on a message's third delivery, and when
//! images are answered once more.
//!
//! The parent writes a line of JSON (what is declared, the rules) and the bytes; the child answers with a line of JSON and,
//! for an image to be scored, the network's input as little-endian `f32`. A child that says nothing is poison.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cspine_domain::{Notes, Pose, Reason};
use cspine_imaging::Rejection;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::failure::{Disposition, Failure};
use crate::prepare::{Declared, Prepared, Rules, prepare};

/// Bounds on the child.
#[derive(Debug, Clone, Copy)]
pub struct AloneLimits {
    /// Address space, bytes.
    pub memory_bytes: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Time on the wall.
    pub wall: Duration,
}

#[derive(Serialize, Deserialize)]
struct Request {
    declared: Declared,
    rules: Rules,
    memory_bytes: u64,
    cpu_seconds: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Input { values: usize, mark: Option<Reason>, notes: Notes, pose: Pose },
    NotAssessable { reason: Reason, rejection: Option<Rejection>, notes: Notes },
    Failed { reason: Reason, detail: String },
}

/// Prepares an image in a child process: `program decode-alone`.
///
/// # Errors
/// [`Failure::Alone`]: what the child said, or [`Reason::Poison`] if it died, said nothing or took too long.
pub async fn prepare_alone(
    program: &Path,
    bytes: &[u8],
    declared: &Declared,
    rules: &Rules,
    limits: AloneLimits,
) -> Result<Prepared, Failure> {
    let child = start(program).map_err(|error| Failure::ChildNotStarted(error.kind()))?;
    let request = Request {
        declared: declared.clone(),
        rules: rules.clone(),
        memory_bytes: limits.memory_bytes,
        cpu_seconds: limits.cpu.as_secs().max(1),
    };
    let talk = talk(child, bytes, request);
    let answer = match tokio::time::timeout(limits.wall, talk).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(poison(format!("the child process failed: {}", error.kind()))),
        Err(_) => return Err(poison("the child process took too long".into())),
    };
    read_answer(&answer)
}

fn start(program: &Path) -> std::io::Result<Child> {
    Command::new(program)
        .arg("decode-alone")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Also when the wall limit drops this future.
        .kill_on_drop(true)
        .spawn()
}

async fn talk(mut child: Child, bytes: &[u8], request: Request) -> std::io::Result<Vec<u8>> {
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    stdin.write_all(&line).await?;
    stdin.write_all(bytes).await?;
    drop(stdin);
    let mut answer = Vec::new();
    child.stdout.take().expect("stdout is a pipe").read_to_end(&mut answer).await?;
    child.wait().await?;
    Ok(answer)
}

fn read_answer(answer: &[u8]) -> Result<Prepared, Failure> {
    let said_nothing = || poison("the child process died".into());
    let end = answer.iter().position(|byte| *byte == b'\n').ok_or_else(said_nothing)?;
    match serde_json::from_slice(&answer[..end]).map_err(|_| said_nothing())? {
        Reply::NotAssessable { reason, rejection, notes } => Ok(Prepared::NotAssessable { reason, rejection, notes }),
        Reply::Failed { reason, detail } => Err(Failure::Alone { reason, detail }),
        Reply::Input { values: count, mark, notes, pose } => {
            let (values, rest) = answer[end + 1..].as_chunks::<4>();
            if values.len() != count || !rest.is_empty() {
                return Err(said_nothing());
            }
            let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Ok(Prepared::Input { values, mark, notes, pose })
        }
    }
}

fn poison(detail: String) -> Failure {
    Failure::Alone { reason: Reason::Poison, detail }
}

/// The child's side, before any other thread exists: limits itself, prepares one image, answers.
///
/// # Errors
/// It could not read its task or write its answer.
pub fn run_child() -> anyhow::Result<()> {
    let mut stdin = std::io::stdin().lock();
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    let request: Request = serde_json::from_str(&line)?;
    limit(rustix::process::Resource::As, request.memory_bytes)?;
    limit(rustix::process::Resource::Cpu, request.cpu_seconds)?;
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes)?;
    answer(prepare(&bytes, &request.declared, &request.rules))
}

fn limit(resource: rustix::process::Resource, most: u64) -> std::io::Result<()> {
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

fn answer(prepared: Result<Prepared, Failure>) -> anyhow::Result<()> {
    let (reply, values) = match prepared {
        Ok(Prepared::Input { values, mark, notes, pose }) => {
            (Reply::Input { values: values.len(), mark, notes, pose }, values)
        }
        Ok(Prepared::NotAssessable { reason, rejection, notes }) => {
            (Reply::NotAssessable { reason, rejection, notes }, Vec::new())
        }
        Err(failure) => {
            let Disposition::Park(reason) = failure.disposition() else { anyhow::bail!("not a matter of the image") };
            (Reply::Failed { reason, detail: failure.to_string() }, Vec::new())
        }
    };
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer(&mut stdout, &reply)?;
    stdout.write_all(b"\n")?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    stdout.write_all(&bytes)?;
    Ok(stdout.flush()?)
}
