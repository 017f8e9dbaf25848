//! `cspine-worker reconcile`: finds images whose messages were lost, and publishes them again.

use anyhow::Context as _;
use clap::Args;
use cspine_service::config::{DatabaseArgs, ObjectArgs};
use cspine_store::Overdue;
use cspine_wire::{Lane, Topology};
use serde_json::json;

use super::{print_json, print_line};
use crate::config::{BrokerArgs, ReconcileArgs};
use crate::reconcile::{Action, look, reconcile};
use crate::service::Service;

/// `cspine-worker reconcile`
#[derive(Debug, Clone, Args)]
pub struct CommandArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    #[command(flatten)]
    /// RabbitMQ
    pub broker: BrokerArgs,
    #[command(flatten)]
    /// The object store: while it is away images wait for it, and nothing is done
    pub objects: ObjectArgs,
    #[command(flatten)]
    /// When an image is overdue
    pub reconcile: ReconcileArgs,
    /// Deliveries without an answer before the broker gives a message up (as the workers have it)
    #[arg(long, env = "CSPINE_DELIVERY_LIMIT", default_value_t = Topology::default().delivery_limit)]
    pub delivery_limit: u32,
    /// Only show what is overdue
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object a line instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Does it, and prints each image that it found.
///
/// # Errors
/// The database, the broker or the object store is away.
pub async fn run(args: &CommandArgs) -> anyhow::Result<()> {
    // The retry ladder is left to the workers.
    let broker = args.broker.broker(&[], args.delivery_limit)?;
    let service = Service::new(args.database.store()?, broker, args.objects.open()?);
    // A person waits in front of this: what is away is said at once.
    service.store.probe().await.context("Postgres")?;
    service.objects.probe().await.map_err(|why| anyhow::anyhow!("the object store is away: {why}"))?;
    service.publisher.connect().await?;
    let mut found = Vec::new();
    if args.dry_run {
        found.extend(look(&service, &args.reconcile).await?.into_iter().map(|image| (image, Action::None)));
    } else {
        reconcile(&service, &args.reconcile, |image, action| found.push((image.clone(), action))).await?;
    }
    let awaited = service.store.awaited(args.reconcile.reconcile_after).await?;
    if args.json {
        found.iter().try_for_each(|(image, action)| print_json(&as_json(image, *action)))?;
        return Ok(());
    }
    if !found.is_empty() {
        print_line("lane     waited  before  done         study")?;
    }
    found.iter().try_for_each(|(image, action)| print_line(&as_text(image, *action)))?;
    let count = |wanted: Action| found.iter().filter(|(_, action)| *action == wanted).count();
    print_line(&format!(
        "{} found, {} republished, {} parked; {} images wait for an answer",
        found.len(),
        count(Action::Republished),
        count(Action::Parked),
        awaited.waiting
    ))
}

fn as_json(image: &Overdue, action: Action) -> serde_json::Value {
    json!({
        "study_instance_uid": image.arrival.study,
        "sop_instance_uid": image.arrival.sop,
        "content_sha256": image.arrival.content,
        "event_id": image.arrival.event_id,
        "lane": Lane::of(image.arrival.order_priority).as_str(),
        "waited_seconds": image.waited.as_secs(),
        "republished_before": image.republished,
        "action": action.as_str(),
    })
}

fn as_text(image: &Overdue, action: Action) -> String {
    let (lane, waited) = (Lane::of(image.arrival.order_priority).as_str(), image.waited.as_secs());
    let waited = format!("{}:{:02}", waited / 60, waited % 60);
    let (before, action) = (image.republished, action.as_str());
    format!("{lane:<7}  {waited:>6}  {before:>6}  {action:<11}  {}", image.arrival.study)
}
