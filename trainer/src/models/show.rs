//! `cspine-trainer models show`.

use anyhow::Result;
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{ShowArgs, named};
use crate::database::connect;

/// All that is on record of a model, as JSON; of one that a run made, what the gate measured too.
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
    let run = store.run_that_made(row.model.sha256).await?.map(|run| {
        json!({
            "id": run.id,
            "state": run.state.as_str(),
            "measured_against": run.champion,
            "outcome": run.outcome,
            "report_key": run.report_key,
            "verdict": run.verdict,
        })
    });
    let shown = json!({
        "sha256": row.model.sha256,
        "state": row.state.as_str(),
        "object_key": row.model.object_key,
        "size_bytes": row.model.size_bytes,
        "registered_by": row.model.registered_by,
        "registered_at": row.registered_at.format(&Rfc3339)?,
        "forced_reason": row.model.forced_reason,
        "run": run,
        "changes": changes.collect::<Result<Vec<_>>>()?,
        "card": row.model.card,
    });
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}
