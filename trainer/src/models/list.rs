//! `cspine-trainer models list`.

use anyhow::{Context as _, Result};
use cspine_domain::Sha256;
use cspine_service::config::DatabaseArgs;
use cspine_store::{ModelChange, ModelRow, ModelState, Store};
use time::format_description::well_known::Rfc3339;

use super::{has_scope_gate, short};
use crate::database::connect;

/// One line a model: what it is, its state, who put it there and when.
pub(super) async fn list(database: &DatabaseArgs) -> Result<()> {
    let store = connect(database).await?;
    let (rows, serving) = (store.models().await?, store.serving().await?);
    for row in &rows {
        println!("{}", line(row)?);
    }
    match serving.champion {
        Some(champion) => println!("{}", since(&store, champion.sha256).await?),
        None => println!("nothing serves; `cspine-trainer models promote` lets workers serve a model"),
    }
    if let Some(shadow) = serving.shadow {
        println!("{} scores {:.0} % of live images beside it", short(shadow.sha256), 100.0 * serving.shadow_share);
    }
    Ok(())
}

/// Since when the champion serves. The registry's epoch moves with the shadows too: its own is that of its promotion.
async fn since(store: &Store, champion: Sha256) -> Result<String> {
    let name = short(champion);
    let changes = store.model_changes(Some(champion)).await?;
    let promotion = changes.iter().find(|change| change.to == ModelState::Champion);
    let ModelChange { epoch, by, at, .. } =
        promotion.with_context(|| format!("nobody promoted {name}, which serves"))?;
    Ok(format!("serving {name} since epoch {epoch}, by {by} at {}", at.format(&Rfc3339)?))
}

fn line(row: &ModelRow) -> Result<String> {
    let model = &row.model;
    let parent =
        model.card["training"]["parent"].as_str().map(|parent| format!(" of {parent:.12}")).unwrap_or_default();
    let collapsed = if model.card["collapsed"].is_string() { ", COLLAPSED" } else { "" };
    let gate = if has_scope_gate(model) { "" } else { ", NO SCOPE GATE" };
    let stored = if model.object_key.is_some() { "" } else { ", not in the object store" };
    Ok(format!(
        "{}  {:9}  {}{parent}, {:.1} MB, by {} at {}{collapsed}{gate}{stored}",
        short(model.sha256),
        row.state.as_str(),
        model.architecture,
        model.size_bytes as f64 / 1e6,
        model.registered_by,
        row.registered_at.format(&Rfc3339)?
    ))
}
