//! `cspine-worker parked list|resend|dismiss`: what a person must look at.

use clap::{Args, Subcommand};
use cspine_service::config::DatabaseArgs;
use cspine_service::record::caller;
use cspine_store::ParkedRow;
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{print_json, print_line};

/// `cspine-worker parked`
#[derive(Debug, Clone, Args)]
pub struct ParkedArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    #[command(subcommand)]
    /// What to do
    pub action: Action,
}

/// What can be done with parked messages.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Shows them, oldest first
    List {
        /// Also those that were resolved
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// At most so many
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Sends one again and marks its row resolved
    Resend(Resolve),
    /// Marks one resolved without sending it again
    Dismiss(Resolve),
}

/// Which, who and why: all three stay in the row.
#[derive(Debug, Clone, Args)]
pub struct Resolve {
    /// The row, as `parked list` shows it
    pub id: i64,
    /// Who decides [default: $USER, else "operator"]
    #[arg(long)]
    pub by: Option<String>,
    /// Why
    #[arg(long)]
    pub why: String,
}

/// Does it.
///
/// # Errors
/// There is no such row, it was resolved already, or the database refused.
pub async fn act(args: &ParkedArgs) -> anyhow::Result<()> {
    let store = args.database.store()?;
    match &args.action {
        Action::List { all, json, limit } => {
            for row in store.parked_list(*all, *limit).await? {
                if *json { print_json(&as_json(&row)?)? } else { print_line(&as_text(&row))? }
            }
            Ok(())
        }
        Action::Resend(resolve) => {
            let who = resolve.by.clone().unwrap_or_else(caller);
            store.parked_resend(resolve.id, &who, &resolve.why).await?;
            // It lies in the outbox now: a running worker's relay sends it.
            print_line(&format!("{} goes out again with the next worker's relay", resolve.id))
        }
        Action::Dismiss(resolve) => {
            let who = resolve.by.clone().unwrap_or_else(caller);
            store.parked_dismiss(resolve.id, &who, &resolve.why).await?;
            print_line(&format!("{} dismissed", resolve.id))
        }
    }
}

fn as_json(row: &ParkedRow) -> anyhow::Result<serde_json::Value> {
    Ok(json!({
        "id": row.id,
        "source": row.source,
        "event_id": row.event_id,
        "routing_key": row.routing_key,
        "reason": row.reason,
        "detail": row.detail,
        "attempts": row.attempts,
        "parked_at": row.parked_at.format(&Rfc3339)?,
        "study_instance_uid": row.study,
        "sop_instance_uid": row.sop,
        "body_sha256": row.body_sha256,
        "body_size_bytes": row.body_size_bytes,
        "resolved_at": row.resolved_at.map(|at| at.format(&Rfc3339)).transpose()?,
        "resolution": row.resolution,
        "resolved_by": row.resolved_by,
        "resolved_why": row.resolved_why,
    }))
}

fn as_text(row: &ParkedRow) -> String {
    let event = row.event_id.as_deref().unwrap_or("-");
    let resolved = row.resolution.as_deref().map(|how| format!("  [{how}]")).unwrap_or_default();
    format!("{:>6}  {:<20}  {event}  {}{resolved}", row.id, row.reason, row.detail)
}
