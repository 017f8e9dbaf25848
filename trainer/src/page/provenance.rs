//! Where figures come from.

use std::collections::BTreeMap;

use serde::Serialize;

/// All that it takes to get the same figures again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Command lines, the last one that which wrote the report.
    pub commands: Vec<String>,
    /// Of this program.
    pub version: String,
    /// Seeds, each with what it is of.
    pub seeds: Vec<String>,
    /// SHA-256 of models and data sets, by what they are.
    pub digests: BTreeMap<String, String>,
    /// What it ran on.
    pub machine: String,
    /// Whether the images are phantoms.
    pub phantoms: bool,
}

impl Provenance {
    /// Of this process; seeds and digests are for the caller to add.
    pub fn new(phantoms: bool) -> Self {
        let threads = rayon::current_num_threads();
        Self {
            commands: vec![command_line(std::env::args())],
            version: format!("cspine-trainer {}", env!("CARGO_PKG_VERSION")),
            seeds: Vec::new(),
            digests: BTreeMap::new(),
            machine: format!("{}, {threads} threads", std::env::consts::ARCH),
            phantoms,
        }
    }

    /// What every reader is to keep in mind.
    pub fn caution(&self) -> &'static str {
        if self.phantoms {
            "Phantoms are not patients: these images are synthetic, and the figures say nothing of the worth on patients. \
             It is triage, not a diagnosis, and it never rules out an injury."
        } else {
            "These figures hold for these images and nothing else. It is triage, not a diagnosis, and it never rules out \
             an injury."
        }
    }
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
