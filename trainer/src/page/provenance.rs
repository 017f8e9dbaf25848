//! Where figures come from.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use cspine_domain::Sha256;
use serde::{Deserialize, Serialize};

use crate::dataset::Subjects;

/// All that it takes to get the same figures again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Command lines, the last one that which wrote the report.
    pub commands: Vec<String>,
    /// Of this program.
    pub version: String,
    /// Seeds, each with what it is of.
    pub seeds: Vec<String>,
    /// SHA-256 of models, data sets and programs, by what they are.
    pub digests: BTreeMap<String, String>,
    /// What it ran on.
    pub machine: String,
    /// Of whom the images are.
    pub subjects: Subjects,
}

/// One run of this program, to be kept with what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its command line.
    pub command: String,
    /// Of the program.
    pub version: String,
    /// SHA-256 of the program: versions do not tell builds apart.
    pub program: Sha256,
    /// What it ran on.
    pub machine: String,
}

impl Made {
    /// By this process.
    ///
    /// # Errors
    /// As [`executable`].
    pub fn now() -> Result<Self> {
        let command = command_line(std::env::args());
        Ok(Self { command, version: VERSION.into(), program: executable()?, machine: machine() })
    }
}

impl Provenance {
    /// Of this process; seeds and digests are for the caller to add.
    pub fn new(subjects: impl Into<Subjects>) -> Self {
        Self {
            commands: vec![command_line(std::env::args())],
            version: VERSION.into(),
            seeds: Vec::new(),
            digests: BTreeMap::new(),
            machine: machine(),
            subjects: subjects.into(),
        }
    }

    /// What every reader is to keep in mind.
    pub fn caution(&self) -> &'static str {
        match self.subjects {
            Subjects::Phantoms => {
                "Phantoms are not patients: these images are synthetic, and the figures say nothing of the worth on \
                 patients. It is triage, not a diagnosis, and it never rules out an injury."
            }
            Subjects::Patients => {
                "These figures hold for these images and nothing else. It is triage, not a diagnosis, and it never \
                 rules out an injury."
            }
            Subjects::Untold => {
                "These figures hold for these images and nothing else. The data set does not tell whether they are of \
                 patients or synthetic; if synthetic, the figures say nothing of the worth on patients. It is triage, \
                 not a diagnosis, and it never rules out an injury."
            }
        }
    }
}

/// This program's name and version.
pub const VERSION: &str = concat!("cspine-trainer ", env!("CARGO_PKG_VERSION"));

/// SHA-256 of the running program: which code this is, also when its file was replaced meanwhile. Read once: it has 100 MB.
///
/// # Errors
/// A system that does not show it.
pub fn executable() -> Result<Sha256> {
    static PROGRAM: OnceLock<Sha256> = OnceLock::new();
    if let Some(sha256) = PROGRAM.get() {
        return Ok(*sha256);
    }
    let sha256 = Sha256::of(&std::fs::read("/proc/self/exe").context("reading the running program")?);
    Ok(*PROGRAM.get_or_init(|| sha256))
}

fn machine() -> String {
    format!("{}, {} threads", std::env::consts::ARCH, rayon::current_num_threads())
}

/// The arguments as a shell takes them; of the program only its name, wherever it lies.
fn command_line(args: impl IntoIterator<Item = String>) -> String {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    std::iter::once(name).chain(args).map(|arg| quoted(&arg)).collect::<Vec<_>>().join(" ")
}

fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::command_line;

    #[test]
    fn a_command_line_can_be_given_to_a_shell_again() {
        let args = ["target/release/cspine-trainer", "fit", "--out", "my run", "--note", "it's"].map(str::to_owned);
        assert_eq!(command_line(args), "cspine-trainer fit --out 'my run' --note 'it'\\''s'");
    }
}
