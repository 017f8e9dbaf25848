//! `cspine-trainer models`: the registry, by hand. What serves is moved only here and by `cspine-trainer run`.

mod golden;
mod list;
mod reference;
mod register;
mod serve;
mod show;

use anyhow::{Result, bail};
use cspine_domain::{ObjectKey, Sha256};
use cspine_nets::ModelCard;
use cspine_service::config::DatabaseArgs;
use cspine_store::{ModelRow, NewModel, Store};

pub use golden::GoldenArgs;
pub use register::RegisterArgs;
pub use serve::{PromoteArgs, RollbackArgs};

/// What to do with the registry.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum ModelsCommand {
    /// The models on record, latest first
    List(DatabaseArgs),
    /// A model's card, where it comes from, what the gate measured of it, and who moved it and why
    Show(ShowArgs),
    /// Put a model on record and into the object store; refuses one that has collapsed or has no scope gate
    Register(Box<RegisterArgs>),
    /// Give a model file that was made before there were any its golden inference, which workers check it by
    Golden(GoldenArgs),
    /// Let workers serve a model
    Promote(PromoteArgs),
    /// Let workers serve the champion before this one again, or any earlier one
    Rollback(RollbackArgs),
}

/// Which model to show.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The first digits of its SHA-256, as `list` prints them
    pub model: String,
}

/// Does it.
///
/// # Errors
/// What it says.
pub fn run(command: ModelsCommand) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            ModelsCommand::List(args) => list::list(&args).await,
            ModelsCommand::Show(args) => show::show(&args).await,
            ModelsCommand::Register(args) => register::register(&args).await,
            ModelsCommand::Golden(args) => golden::write(&args),
            ModelsCommand::Promote(args) => serve::promote(&args).await,
            ModelsCommand::Rollback(args) => serve::rollback(&args).await,
        }
    })
}

/// Where a model's file lies in the object store.
pub(crate) fn model_key(sha256: Sha256) -> ObjectKey {
    format!("models/{sha256}.safetensors").parse().expect("a relative path of plain characters")
}

/// As people are shown it.
pub(crate) fn short(sha256: Sha256) -> String {
    sha256.to_string()[..12].to_owned()
}

/// The record of a model file.
pub(crate) fn new_model(
    bytes: &[u8],
    card: &ModelCard,
    by: &str,
    forced_reason: Option<String>,
    object_key: Option<String>,
) -> Result<NewModel> {
    Ok(NewModel {
        sha256: Sha256::of(bytes),
        architecture: card.architecture.as_str().to_owned(),
        size_bytes: bytes.len() as u64,
        // By way of text: the file's 0.485 is not to become 0.48500001430511475.
        card: serde_json::from_str(&serde_json::to_string(card)?)?,
        registered_by: by.to_owned(),
        forced_reason,
        object_key,
    })
}

/// Whether a model knows what is no neck.
fn has_scope_gate(model: &NewModel) -> bool {
    model.card["gate"].is_object()
}

/// The one model whose name begins so.
async fn named(store: &Store, prefix: &str) -> Result<ModelRow> {
    let mut rows = store.model_named(prefix).await?;
    match rows.len() {
        0 => bail!("no model on record begins with {prefix}; see `cspine-trainer models list`"),
        1 => Ok(rows.remove(0)),
        n => bail!("{n} models begin with {prefix}: say more of its digits"),
    }
}
