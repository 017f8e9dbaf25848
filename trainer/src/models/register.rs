//! `cspine-trainer models register`: puts a model on record and into the object store, and the reference images with it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cspine_nets::{Classifier, ModelCard};
use cspine_service::config::{DatabaseArgs, ObjectArgs};
use cspine_service::record::{caller, short_text};
use cspine_store::{ModelRow, Registration};
use time::format_description::well_known::Rfc3339;

use super::reference;
use super::{has_scope_gate, model_key, new_model};
use crate::database::connect;

/// Puts a model on record in the table `models` and its file into the object store, once a file
#[derive(Debug, Clone, clap::Args)]
pub struct RegisterArgs {
    /// Model file
    #[arg(long, env = "CSPINE_MODEL", value_name = "FILE")]
    pub model: PathBuf,
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The object store
    #[command(flatten)]
    pub objects: ObjectArgs,
    /// A manifest (CSV), or a folder with a manifest.csv; several times for several: images to replay beside new ones, and the frozen
    /// set that every challenger is measured with. Its column `set` says which (training, validation, evaluation); without
    /// one they are dealt by patient, for ever
    #[arg(long, value_name = "MANIFEST")]
    pub reference: Vec<PathBuf>,
    /// Register it although its card says that it has collapsed (one answer to everything, a class never answered, or
    /// accuracy at the majority's share), or it has no scope gate and answers what is no neck too. Needs --by and --why,
    /// which are recorded
    #[arg(long, requires = "by", requires = "why")]
    pub force: bool,
    /// Who registers it [default: $USER, else "operator"]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
    /// Why such a model is registered
    #[arg(long, value_name = "TEXT", requires = "force", value_parser = short_text)]
    pub why: Option<String>,
}

/// Registers the model and prints what came of it.
pub(super) async fn register(args: &RegisterArgs) -> Result<()> {
    let (bytes, card) = read(args)?;
    let by = args.by.clone().unwrap_or_else(caller);
    let store = connect(&args.database).await?;
    let objects = args.objects.open()?;
    let key = model_key(cspine_domain::Sha256::of(&bytes));
    // Nothing is forced on a sound model.
    let forced = args.why.clone().filter(|_| card.collapsed.is_some() || card.gate.is_none());
    let model = new_model(&bytes, &card, &by, forced, Some(key.to_string()))?;
    objects.put(&key, bytes).await?;
    println!("{}", sentence(&store.register_model(&model).await?)?);
    for manifest in &args.reference {
        println!("{}", reference::bring(&store, &objects, manifest, &by).await?);
    }
    Ok(())
}

/// A file that may be registered.
fn read(args: &RegisterArgs) -> Result<(Vec<u8>, ModelCard)> {
    let file = args.model.display();
    let bytes = fs::read(&args.model).with_context(|| format!("cannot read the model {file}"))?;
    let model = Classifier::load(&bytes).with_context(|| format!("cannot use the model {file}"))?;
    model.check_golden().with_context(|| format!("cannot use the model {file}"))?;
    let card = model.card().clone();
    if let (Some(collapse), false) = (&card.collapsed, args.force) {
        bail!("{file} has collapsed: {collapse}; --force --by WHO --why TEXT registers it nevertheless");
    }
    if card.gate.is_none() && !args.force {
        bail!(
            "{file} has no scope gate and would answer every image with a class, also one that is no neck: \
             `cspine-trainer gate` gives it one; --force --by WHO --why TEXT registers it nevertheless"
        );
    }
    Ok((bytes, card))
}

fn sentence(registration: &Registration) -> Result<String> {
    let (row, what) = match registration {
        Registration::Created(row) => (row, "registered"),
        Registration::AlreadyThere(row) => (row, "was registered already"),
    };
    let ModelRow { model, registered_at, .. } = row;
    let at = registered_at.format(&Rfc3339)?;
    let spite = match (model.card["collapsed"].is_string(), has_scope_gate(model)) {
        (true, true) => "has collapsed",
        (true, false) => "has collapsed and has no scope gate",
        (false, _) => "has no scope gate",
    };
    let forced = model.forced_reason.as_ref().map(|why| format!(", although it {spite}: {why}"));
    let (name, network, by) = (model.sha256, &model.architecture, &model.registered_by);
    Ok(format!("{name} ({network}) {what} by {by} at {at}{}", forced.unwrap_or_default()))
}
