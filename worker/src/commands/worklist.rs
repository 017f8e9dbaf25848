//! `cspine-worker worklist`: the list as it stands.

use clap::Args;
use cspine_service::config::DatabaseArgs;
use cspine_store::{StudyState, WorklistRow};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{print_json, print_line};

/// `cspine-worker worklist`
#[derive(Debug, Clone, Args)]
pub struct WorklistArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// As it would be without the network and the orders: first come, first read
    #[arg(long)]
    pub by_arrival: bool,
    /// At most so many
    #[arg(long, default_value_t = 1000)]
    pub limit: u32,
}

/// Prints it, next first.
///
/// # Errors
/// The database refused.
pub async fn print(args: &WorklistArgs) -> anyhow::Result<()> {
    let mut rows = args.database.store()?.worklist(args.limit).await?;
    if args.by_arrival {
        rows.sort_by_key(|row| row.arrived_at);
    }
    if !args.json {
        print_line("position  level  order    flag  verdict         status          waited  study, reason")?;
    }
    for row in &rows {
        if args.json { print_json(&as_json(row)?)? } else { print_line(&as_text(row))? }
    }
    Ok(())
}

fn as_json(row: &WorklistRow) -> anyhow::Result<serde_json::Value> {
    Ok(json!({
        "position": row.position,
        "study_instance_uid": row.study,
        "accession_number": row.accession_number,
        "order_priority": row.order_priority,
        "level": row.level,
        "flagged": row.flagged,
        "verdict": row.verdict,
        "status": row.status,
        "reason": row.reason,
        "arrived_at": row.arrived_at.format(&Rfc3339)?,
        "waited_seconds": row.waited_seconds,
        "images": row.images,
        "images_assessed": row.images_assessed,
        "state": row.state.as_str(),
        "conflict": row.conflict,
        "flagged_since_reading": row.flagged_since_reading,
    }))
}

fn as_text(row: &WorklistRow) -> String {
    let verdict = row.verdict.map_or("", |verdict| verdict.as_str());
    let flag = match (row.flagged, row.flagged_since_reading) {
        (_, true) => "NEW!", // whoever reads it may not have seen it
        (true, false) => "FLAG",
        (false, false) => "",
    };
    // what keeps an image from being assessed, or marks its answer
    let reason = row.reason.as_ref().map(|reason| format!("  {reason}")).unwrap_or_default();
    let status = if row.state == StudyState::Reading { row.state.as_str() } else { &row.status };
    let waited = format!("{}:{:02}", row.waited_seconds / 60, row.waited_seconds % 60);
    format!(
        "{:>8}  {:>5}  {:<7}  {flag:<4}  {verdict:<14}  {status:<14}  {waited:>6}  {}{reason}",
        row.position, row.level, row.order_priority, row.study
    )
}
