//! `cspine-trainer`.

use clap::{Parser, Subcommand};
use cspine_trainer::pretrain;

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Pre-train on phantoms: stage 1 of the starter model
    Pretrain(pretrain::PretrainArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Pretrain(args) => pretrain::run(&args),
    }
}
