//! `cspine-trainer`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cspine_service::signals::asked_to_stop;
use cspine_service::{exit, logs};
use cspine_trainer::{
    compare, drift, evaluate, explain, fit, gate, import, labels, models, phantoms, pretrain, reproduce, resolution,
    runs, service,
};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare readers, networks or people, on the same images
    Compare(compare::CompareArgs),
    /// Measure how far a day's images have drifted from the champion's first
    Drift(drift::DriftArgs),
    /// Measure a model on labelled images
    Evaluate(evaluate::EvaluateArgs),
    /// Test a model's saliency maps on images with masks of the injuries
    Explain(explain::ExplainArgs),
    /// Fit a network to labelled images by the paper's recipe
    Fit(fit::FitArgs),
    /// Give a model its scope gate, and measure what it keeps out
    Gate(gate::GateArgs),
    /// Make a model of a foreign file of weights
    Import(import::ImportArgs),
    /// Labels that people gave to images: take in, count, merge patients
    #[command(subcommand)]
    Labels(labels::LabelsCommand),
    /// The registry of models: list, show, register, promote, roll back
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Make labelled phantoms: synthetic radiographs with lesion masks
    Phantoms(phantoms::PhantomsArgs),
    /// Pre-train on phantoms: stage 1 of the starter model
    Pretrain(pretrain::PretrainArgs),
    /// Reproduce the paper: both networks, its recipe, its tables and figures, on a folder of radiographs
    Reproduce(reproduce::ReproduceArgs),
    /// Run the service: learn from confirmed labels, never put a worse network into service
    Run(Box<service::RunArgs>),
    /// What the service did: list, show, request, verify the evidence
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Measure sensitivity against the size of the injury, for networks of several input sizes
    Resolution(resolution::ResolutionArgs),
}

fn main() -> ExitCode {
    // SAFETY: this is the only thread.
    unsafe { cspine_nets::keep_candle_to_one_thread() };
    exit::code(run(Cli::parse().command).map(|()| ExitCode::SUCCESS))
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Compare(args) => compare::run(&args),
        Command::Drift(args) => drift::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Gate(args) => gate::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Labels(command) => labels::run(command),
        Command::Models(command) => models::run(command),
        Command::Phantoms(args) => phantoms::run(&args),
        Command::Pretrain(args) => pretrain::run(&args),
        Command::Reproduce(args) => reproduce::run(&args),
        Command::Resolution(args) => resolution::run(&args),
        Command::Run(args) => serve(*args),
        Command::Runs(command) => runs::run(command),
    }
}

fn serve(args: service::RunArgs) -> anyhow::Result<()> {
    logs::start(logs::Reader::Machine, "info,sqlx=warn");
    // Before any other thread is started: they take it over.
    rustix::process::nice(args.nice)?;
    // Where Linux groups processes by session, being nice counts within a session only; then this is for the others. On a
    // system without such groups there is no such file.
    let _ = std::fs::write("/proc/self/autogroup", args.nice.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let done = runtime.block_on(service::run(args, asked_to_stop()));
    runtime.shutdown_background();
    done
}
