//! `cspine-trainer models promote` and `rollback`: what workers serve, by a person's command.

use anyhow::{Context, Result, bail, ensure};
use cspine_domain::Sha256;
use cspine_nets::Classifier;
use cspine_service::config::{DatabaseArgs, ObjectArgs};
use cspine_service::record::{caller, short_text};
use cspine_store::{ModelChange, ModelRow, ModelState, Move, Moved, RunState, Store};

use super::{has_scope_gate, named, short};
use crate::database::connect;
use crate::promotion::Verdict;

/// Which model is to serve.
#[derive(Debug, Clone, clap::Args)]
pub struct PromoteArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The object store: the file is read and checked before workers are sent to it
    #[command(flatten)]
    pub objects: ObjectArgs,
    /// The first digits of its SHA-256, as `list` prints them
    pub model: String,
    /// Who promotes it [default: $USER, else "operator"]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = short_text)]
    pub why: String,
    /// Promote it only if nothing serves yet; otherwise leave what serves, and say so
    #[arg(long, conflicts_with = "force")]
    pub first: bool,
    /// Promote it although a champion serves that no run found it fit to replace, or its trial as a shadow is not over, or
    /// it has no scope gate (then with --by)
    #[arg(long)]
    pub force: bool,
}

/// Which champion is to serve again.
#[derive(Debug, Clone, clap::Args)]
pub struct RollbackArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The object store: the file is read and checked before workers are sent to it
    #[command(flatten)]
    pub objects: ObjectArgs,
    /// The first digits of its SHA-256 [default: the champion before this one; said again, the one before that]
    #[arg(long, value_name = "SHA256")]
    pub to: Option<String>,
    /// Who goes back [default: $USER, else "operator"]
    #[arg(long, value_name = "WHO", value_parser = short_text)]
    pub by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = short_text)]
    pub why: String,
}

pub(super) async fn promote(args: &PromoteArgs) -> Result<()> {
    let store = connect(&args.database).await?;
    let row = named(&store, &args.model).await?;
    let serving = store.serving().await?;
    match &serving.champion {
        Some(champion) if args.first => {
            println!("{} serves, and is left", short(champion.sha256));
            return Ok(());
        }
        Some(champion) if !args.force => is_fit(&store, row.model.sha256, champion.sha256).await?,
        _ => {}
    }
    let forced = args.force && args.by.is_some();
    if !has_scope_gate(&row.model) && !forced {
        let replaces_its_like = match &serving.champion {
            Some(champion) => !has_scope_gate(&named(&store, &champion.sha256.to_string()).await?.model),
            None => false,
        };
        ensure!(
            replaces_its_like,
            "{} has no scope gate and would answer every image with a class, also one that is no neck; \
             --force --by WHO --why TEXT promotes it nevertheless",
            short(row.model.sha256)
        );
    }
    serve(&store, &args.objects, &row, serving.epoch, &args.by, &args.why).await
}

pub(super) async fn rollback(args: &RollbackArgs) -> Result<()> {
    let store = connect(&args.database).await?;
    let serving = store.serving().await?;
    ensure!(serving.champion.is_some(), "nothing serves: there is nothing to go back from");
    let row = match &args.to {
        Some(prefix) => named(&store, prefix).await?,
        None => {
            let line = line(&store.model_changes(None).await?);
            let earlier = line.iter().rev().nth(1).context("there was no champion before this one")?;
            named(&store, &earlier.to_string()).await?
        }
    };
    ensure!(
        has_served(&store, row.model.sha256).await?,
        "{} has never served: `cspine-trainer models promote` is the way for it",
        short(row.model.sha256)
    );
    serve(&store, &args.objects, &row, serving.epoch, &args.by, &args.why).await
}

/// The champions that led to the one that serves: whoever goes back to one takes those after it off the line. `changes` are
/// latest first.
fn line(changes: &[ModelChange]) -> Vec<Sha256> {
    let mut line: Vec<Sha256> = Vec::new();
    for change in changes.iter().rev().filter(|change| change.to == ModelState::Champion) {
        if let Some(there) = line.iter().position(|model| *model == change.model) {
            line.truncate(there);
        }
        line.push(change.model);
    }
    line
}

async fn has_served(store: &Store, model: Sha256) -> Result<bool> {
    Ok(store.model_changes(Some(model)).await?.iter().any(|change| change.to == ModelState::Champion))
}

/// Whether a run found it fit to follow what serves, and its trial is over; or it serves already.
async fn is_fit(store: &Store, model: Sha256, champion: Sha256) -> Result<()> {
    if model == champion {
        return Ok(());
    }
    let name = short(model);
    if has_served(store, model).await? {
        bail!("{name} has served: `cspine-trainer models rollback --to {name}` is the way back");
    }
    let Some(run) = store.run_that_made(model).await? else {
        bail!("no run has held {name} against the champion; --force promotes it nevertheless");
    };
    match run.state {
        RunState::Waiting if run.champion == champion => Ok(()),
        RunState::Waiting => bail!(
            "{name} was measured against {}, {} serves now; --force promotes it nevertheless",
            short(run.champion),
            short(champion)
        ),
        RunState::Shadowing => {
            bail!("{name} is still on trial as a shadow (run {}); --force promotes it nevertheless", run.id)
        }
        state => {
            let verdict = run.verdict.and_then(|verdict| serde_json::from_value::<Verdict>(verdict).ok());
            let verdict = verdict.map(|verdict| format!("\n{verdict}")).unwrap_or_default();
            bail!("run {} ended as {}; --force promotes {name} nevertheless{verdict}", run.id, state.as_str())
        }
    }
}

async fn serve(
    store: &Store,
    objects: &ObjectArgs,
    row: &ModelRow,
    epoch: i64,
    by: &Option<String>,
    why: &str,
) -> Result<()> {
    let (model, name) = (&row.model, short(row.model.sha256));
    let key = model.object_key.as_ref().with_context(|| {
        format!("{name} is not in the object store: `cspine-trainer models register` brings it there")
    })?;
    let bytes = objects.open()?.get(&key.parse()?, model.size_bytes, Some(model.size_bytes)).await;
    let bytes = bytes.with_context(|| format!("reading {name} in the object store"))?;
    let classifier = Classifier::load(&bytes).with_context(|| format!("{name} in the object store"))?;
    ensure!(classifier.sha256() == model.sha256, "the file of {name} in the object store is corrupt");
    classifier.check_golden().with_context(|| format!("{name} does not answer here as it should"))?;
    let by = by.clone().unwrap_or_else(caller);
    match store.promote(&Move { model: model.sha256, epoch, by: &by, why, fence: None }).await? {
        Moved::Done { epoch } => println!("{name} serves as of epoch {epoch}"),
        Moved::Already => println!("{name} serves already"),
        Moved::LostRace { epoch } => {
            bail!(
                "somebody else moved what serves meanwhile (epoch {epoch}): look again, and say it again if it still holds"
            )
        }
        refused => bail!("{name} cannot serve: {refused:?}"),
    }
    Ok(())
}
