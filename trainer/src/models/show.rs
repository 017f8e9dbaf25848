//! `cspine-trainer models show`.

use anyhow::Result;
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{ShowArgs, named};
use crate::database::connect;

/// All that is on record of a model, as JSON.
pub(super) async fn show(args: &ShowArgs) -> Result<()> {
    let store = connect(&args.database).await?;
    let row = named(&store, &args.model).await?;
    let changes = store.model_changes(Some(row.model.sha256)).await?.into_iter().map(|change| {
        Ok(json!({
            "from": change.from.as_str(),
            "to": change.to.as_str(),
            "epoch": change.epoch,
            "by": change.by,
            "why": change.why,
            "at": change.at.format(&Rfc3339)?,
        }))
    });
    let shown = json!({
        "sha256": row.model.sha256,
        "state": row.state.as_str(),
        "object_key": row.model.object_key,
        "size_bytes": row.model.size_bytes,
        "registered_by": row.model.registered_by,
        "registered_at": row.registered_at.format(&Rfc3339)?,
        "forced_reason": row.model.forced_reason,
        "changes": changes.collect::<Result<Vec<_>>>()?,
        "card": row.model.card,
    });
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}
