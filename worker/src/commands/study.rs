//! `cspine-worker study open|reading|finish UID`: what a RIS says by `study.status`, by hand.

use clap::{Args, ValueEnum};
use cspine_domain::Uid;
use cspine_service::config::DatabaseArgs;
use cspine_service::record::caller;
use cspine_store::{StateChange, StateChanged, StudyState};

use super::print_line;

/// `cspine-worker study`
#[derive(Debug, Clone, Args)]
pub struct StudyArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    /// What becomes of it
    pub to: To,
    /// The study instance UID
    pub study: Uid,
    /// Who says so, a pseudonym
    #[arg(long)]
    pub by: Option<String>,
}

/// The states by their verbs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum To {
    /// It waits
    Open,
    /// Someone reads it: it keeps its row and does not move
    Reading,
    /// It was read, and leaves the list
    #[value(alias = "finished")]
    Finish,
}

/// Sets the state.
///
/// # Errors
/// There is no such study, or the database refused.
pub async fn set(args: &StudyArgs) -> anyhow::Result<()> {
    let state = match args.to {
        To::Open => StudyState::Open,
        To::Reading => StudyState::Reading,
        To::Finish => StudyState::Finished,
    };
    let by = Some(args.by.clone().unwrap_or_else(caller));
    let change = StateChange { study: args.study.clone(), state, at: None, event: None, by };
    match args.database.store()?.set_study_state(&change).await? {
        StateChanged::Changed { from } => print_line(&format!("{} -> {}", from.as_str(), state.as_str())),
        StateChanged::Unchanged => print_line(&format!("already {}", state.as_str())),
        StateChanged::FlaggedSince => print_line(
            "open: an image was flagged while the study was being read; once that was seen, finish it once more",
        ),
        StateChanged::Stale => anyhow::bail!("a later change has been recorded already"),
        StateChanged::UnknownStudy => anyhow::bail!("no such study"),
    }
}
