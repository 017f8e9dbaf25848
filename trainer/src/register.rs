//! `cspine-trainer register`: puts a model on record.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use cspine_nets::Classifier;
use cspine_service::record::{caller, short_text};
use cspine_store::{ModelRow, NewModel, Registration, Store, StoreOptions};
use time::format_description::well_known::Rfc3339;

/// Puts a model on record in the table `models`, once a file; a file that is there already stays as it was recorded.
#[derive(Debug, Clone, clap::Args)]
pub struct RegisterArgs {
    /// Model file.
    #[arg(long, env = "CSPINE_MODEL", value_name = "FILE")]
    pub model: PathBuf,
    /// Postgres, as postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: String,
    /// Register it although its card says that it has collapsed: one answer to everything, a class never answered, or
    /// accuracy at the majority's share. Needs --by and --why, which are recorded
    #[arg(long, requires = "by", requires = "why")]
    pub force: bool,
    /// Who registers it [default: the calling user]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
    /// Why a collapsed model is registered
    #[arg(long, value_name = "TEXT", requires = "force", value_parser = short_text)]
    pub why: Option<String>,
}

/// Registers the model and prints what came of it.
///
/// # Errors
/// The file is no sound model, the model has collapsed and is not forced, or the database refuses.
pub fn run(args: &RegisterArgs) -> Result<()> {
    let model = read(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let registration = runtime.block_on(register(&args.database_url, &model))?;
    println!("{}", sentence(&registration)?);
    Ok(())
}

/// The record of a file, if it may be made.
fn read(args: &RegisterArgs) -> Result<NewModel> {
    let file = args.model.display();
    let bytes = fs::read(&args.model).with_context(|| format!("cannot read the model {file}"))?;
    let model = Classifier::load(&bytes).with_context(|| format!("cannot use the model {file}"))?;
    let card = model.card();
    if let (Some(collapse), false) = (&card.collapsed, args.force) {
        bail!("{file} has collapsed: {collapse}; --force --by WHO --why TEXT registers it nevertheless");
    }
    Ok(NewModel {
        sha256: model.sha256(),
        architecture: card.architecture.as_str().to_owned(),
        size_bytes: bytes.len() as u64,
        // By way of text: the file's 0.485 is not to become 0.48500001430511475.
        card: serde_json::from_str(&serde_json::to_string(card)?)?,
        // The record only: what is to serve is put into the object store first.
        object_key: None,
        registered_by: args.by.clone().unwrap_or_else(caller),
        // Nothing is forced on a sound model.
        forced_reason: args.why.clone().filter(|_| card.collapsed.is_some()),
    })
}

async fn register(database_url: &str, model: &NewModel) -> Result<Registration> {
    let options = StoreOptions { max_connections: 1, ..StoreOptions::default() };
    let store = Store::connect(database_url, &options).await.context("--database-url")?;
    ensure!(store.schema_is_current().await?, "the schema is not this version's: run `cspine-worker migrate`");
    Ok(store.register_model(model).await?)
}

fn sentence(registration: &Registration) -> Result<String> {
    let (row, what) = match registration {
        Registration::Created(row) => (row, "registered"),
        Registration::AlreadyThere(row) => (row, "was registered already"),
    };
    let ModelRow { model, registered_at, .. } = row;
    let at = registered_at.format(&Rfc3339)?;
    let forced = model.forced_reason.as_ref().map(|why| format!(", although it has collapsed: {why}"));
    let (name, network, by) = (model.sha256, &model.architecture, &model.registered_by);
    Ok(format!("{name} ({network}) {what} by {by} at {at}{}", forced.unwrap_or_default()))
}
