//! `cspine-trainer runs`: what the trainer did, does and is asked to do.

use anyhow::{Context, Result, bail, ensure};
use cspine_service::config::{DatabaseArgs, ObjectArgs};
use cspine_service::record::{caller, short_text};
use cspine_store::{Link, Run, Store, broken_link};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::database::connect;
use crate::models::short;
use crate::service::evidence::settled;

/// What to do with runs.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum RunsCommand {
    /// The latest runs, with their state and what came of them
    List(DatabaseArgs),
    /// A run with its log and its verdict
    Show(ShowArgs),
    /// Ask the trainer for a run now, whatever is due
    Request(RequestArgs),
    /// End a run, or the trial of its challenger
    Cancel(CancelArgs),
    /// Check the chain of evidence that every run adds a link to
    Verify(VerifyArgs),
}

/// Which run to show.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Its number, as `list` prints it
    pub run: i64,
}

/// Where the chain is, and where its end is kept too.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The object store, which keeps the hash of each link
    #[command(flatten)]
    pub objects: ObjectArgs,
}

/// Which run is to end, and why.
#[derive(Debug, Clone, clap::Args)]
pub struct CancelArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Its number, as `list` prints it
    pub run: i64,
    /// Who ends it [default: $USER, else "operator"]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = short_text)]
    pub why: String,
}

/// Who asks, and why.
#[derive(Debug, Clone, clap::Args)]
pub struct RequestArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Who asks [default: $USER, else "operator"]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = short_text)]
    pub why: String,
}

/// Does it.
///
/// # Errors
/// What it says.
pub fn run(command: RunsCommand) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            RunsCommand::List(database) => list(&connect(&database).await?).await,
            RunsCommand::Show(args) => show(&connect(&args.database).await?, args.run).await,
            RunsCommand::Request(args) => {
                let by = args.by.clone().unwrap_or_else(caller);
                connect(&args.database).await?.request_run(&by, &args.why).await?;
                println!("asked for; the trainer begins it when it next looks");
                Ok(())
            }
            RunsCommand::Cancel(args) => {
                let by = args.by.clone().unwrap_or_else(caller);
                let asked = connect(&args.database).await?.cancel_run(args.run, &by, &args.why).await?;
                ensure!(asked, "run {} neither runs nor has a challenger on trial or waiting", args.run);
                println!("asked for; the trainer ends it when it next looks");
                Ok(())
            }
            RunsCommand::Verify(args) => verify(&args).await,
        }
    })
}

async fn list(store: &Store) -> Result<()> {
    for run in store.runs(50).await? {
        println!("{}", line(&run)?);
    }
    Ok(())
}

fn line(run: &Run) -> Result<String> {
    let challenger = run.challenger.map(|sha256| format!(", challenger {}", short(sha256))).unwrap_or_default();
    let trial = run.trial.map(|verdict| format!(", trial {verdict}")).unwrap_or_default();
    let what = match &run.outcome {
        Some(outcome) => outcome.lines().next().unwrap_or_default().to_owned(),
        None => format!("{}, {:.0} %", run.stage, 100.0 * run.progress),
    };
    Ok(format!(
        "{:>4}  {:9}  {}  by {}, champion {}{challenger}{trial}: {what}",
        run.id,
        run.state.as_str(),
        run.started_at.format(&Rfc3339)?,
        run.cause.as_str(),
        short(run.champion)
    ))
}

async fn show(store: &Store, id: i64) -> Result<()> {
    let run = store.run(id).await?.with_context(|| format!("there is no run {id}"))?;
    println!("{}", line(&run)?);
    for (at, said) in store.run_lines(id).await? {
        println!("{}  {said}", at.format(&Rfc3339)?);
    }
    if let Some(key) = &run.report_key {
        println!("report in the object store: {key}");
    }
    println!("{}", serde_json::to_string_pretty(&json!({ "verdict": run.verdict }))?);
    Ok(())
}

async fn verify(args: &VerifyArgs) -> Result<()> {
    let store = connect(&args.database).await?;
    let links = settled(&args.objects.open()?, async || unbroken(&store).await).await?;
    println!("{} links, unbroken", links.len());
    Ok(())
}

async fn unbroken(store: &Store) -> Result<Vec<Link>> {
    let links = store.evidence().await?;
    if let Some(id) = broken_link(&links) {
        bail!("the chain is broken at link {id} of {}: it, or one before it, was changed or left out", links.len());
    }
    Ok(links)
}
