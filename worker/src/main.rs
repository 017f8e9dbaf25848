//! `cspine-worker`: see the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cspine_service::config::DatabaseArgs;
use cspine_service::exit;
use cspine_service::logs::{self, Reader};
use cspine_service::signals::asked_to_stop;
use cspine_worker::commands::{classify, migrate, overlay, parked, reconcile, rescore, study, submit, worklist};
use cspine_worker::config::RunArgs;

/// Reads cervical-spine radiographs as they arrive and moves suspected injuries up the reading list
#[derive(Debug, Parser)]
#[command(name = "cspine-worker", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the database's schema to this version
    Migrate(DatabaseArgs),
    /// Run the service: consume arrivals, write findings and priority
    Run(Box<RunArgs>),
    /// Store files and publish their arrival, as a modality's bridge would
    Submit(submit::SubmitArgs),
    /// Answer for files, without broker or database
    Classify(classify::ClassifyArgs),
    /// Draw the saliency of a study's images onto them
    Overlay(overlay::OverlayArgs),
    /// Say that a study waits, is being read, or was read
    Study(study::StudyArgs),
    /// Ask the current model about images of open studies that an earlier one answered; a study may only rise
    Rescore(rescore::RescoreArgs),
    /// Find images whose messages were lost, with a deleted queue for example, and publish them again
    Reconcile(reconcile::CommandArgs),
    /// Look after messages that need a person
    Parked(parked::ParkedArgs),
    /// Print the worklist
    Worklist(worklist::WorklistArgs),
    /// Decode one image under limits; for this program's own use
    #[command(hide = true)]
    DecodeAlone,
}

fn main() -> ExitCode {
    // SAFETY: this is the only thread.
    unsafe { cspine_nets::keep_candle_to_one_thread() };
    exit::code(run(Cli::parse().command))
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    // Before the runtime: its threads would count against the child's limits.
    if matches!(command, Command::DecodeAlone) {
        cspine_worker::alone::run_child()?;
        return Ok(ExitCode::SUCCESS);
    }
    match command {
        Command::Run(_) => logs::start(Reader::Machine, "info,lapin=off,sqlx=warn"),
        _ => logs::start(Reader::Person, "warn,cspine_worker=info,lapin=off"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(execute(command));
    // What ignored the shutdown's deadline does not keep the process.
    runtime.shutdown_background();
    done
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Migrate(args) => migrate::migrate(&args).await?,
        Command::Run(args) => cspine_worker::run::run(*args, asked_to_stop()).await?,
        Command::Submit(args) => submit::submit(&args).await?,
        Command::Classify(args) => {
            let all_well = tokio::task::spawn_blocking(move || classify::classify(&args)).await??;
            return Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        Command::Overlay(args) => overlay::compose(&args).await?,
        Command::Study(args) => study::set(&args).await?,
        Command::Rescore(args) => {
            let all_well = rescore::rescore(&args).await?;
            return Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        Command::Reconcile(args) => reconcile::run(&args).await?,
        Command::Parked(args) => parked::act(&args).await?,
        Command::Worklist(args) => worklist::print(&args).await?,
        Command::DecodeAlone => unreachable!("handled before the runtime"),
    }
    Ok(ExitCode::SUCCESS)
}
