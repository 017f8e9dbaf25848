//! `cspine-trainer`.

use clap::{Parser, Subcommand};
use cspine_trainer::{
    compare, evaluate, explain, fit, gate, import, phantoms, pretrain, register, reproduce, resolution,
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
    /// Make labelled phantoms: synthetic radiographs with lesion masks
    Phantoms(phantoms::PhantomsArgs),
    /// Pre-train on phantoms: stage 1 of the starter model
    Pretrain(pretrain::PretrainArgs),
    /// Put a model on record in the database; refuses one that has collapsed
    Register(register::RegisterArgs),
    /// Reproduce the paper: both networks, its recipe, its tables and figures, on a folder of radiographs
    Reproduce(reproduce::ReproduceArgs),
    /// Measure sensitivity against the size of the injury, for networks of several input sizes
    Resolution(resolution::ResolutionArgs),
}

fn main() -> anyhow::Result<()> {
    // SAFETY: this is the only thread.
    unsafe { cspine_nets::keep_candle_to_one_thread() };
    match Cli::parse().command {
        Command::Compare(args) => compare::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Gate(args) => gate::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Phantoms(args) => phantoms::run(&args),
        Command::Pretrain(args) => pretrain::run(&args),
        Command::Register(args) => register::run(&args),
        Command::Reproduce(args) => reproduce::run(&args),
        Command::Resolution(args) => resolution::run(&args),
    }
}
