//! A day's images out of the database, beside those of the champion's first days; and `cspine-trainer drift`.

use std::sync::Arc;

use anyhow::{Context, Result};
use cspine_domain::Sha256;
use cspine_service::config::DatabaseArgs;
use cspine_store::{DriftReport, Scored, Store};
use serde_json::Value;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time};

use super::{Drift, Observed, Settings, drift};
use crate::database::connect;

/// Measure a day's drift now, without putting it on record
#[derive(Debug, Clone, clap::Args)]
pub struct DriftArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The day, UTC, as 2026-11-25 [default: today]
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub day: Option<Date>,
    /// Images of the champion's first days that it is held against
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(50..))]
    pub reference: u32,
    /// Images of the day, at most
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(50..))]
    pub images: u32,
}

/// A day, and how many images of it and of the reference period are compared, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// UTC.
    pub day: Date,
    /// Images of the champion's first.
    pub reference: u32,
    /// Images of the day.
    pub images: u32,
}

/// Measures and prints.
///
/// # Errors
/// Nothing serves, or what the database says.
pub fn run(args: &DriftArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = connect(&args.database).await?;
        let champion = store.serving().await?.champion.context("nothing serves")?;
        let day = args.day.unwrap_or_else(|| OffsetDateTime::now_utc().date());
        let day = Day { day, reference: args.reference, images: args.images };
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().build()?);
        println!("{}", measure(&store, &pool, champion.sha256, day).await?);
        Ok(())
    })
}

/// Compares the day's primary findings by the champion with its first ones. Of images of the reference period itself nothing
/// is measured: the day's begin after them.
///
/// # Errors
/// What the database says.
pub async fn measure(store: &Store, pool: &Arc<rayon::ThreadPool>, champion: Sha256, day: Day) -> Result<Drift> {
    let reference = store.first_scored(champion, day.reference).await?;
    let begin = OffsetDateTime::new_utc(day.day, Time::MIDNIGHT);
    let end = begin + time::Duration::DAY;
    let after = reference.last().map_or(begin, |last| last.created_at + time::Duration::microseconds(1));
    let window = store.scored(champion, begin.max(after)..end.max(after), day.images).await?;
    let (reference, window): (Vec<Observed>, Vec<Observed>) =
        (reference.into_iter().map(Observed::from).collect(), window.into_iter().map(Observed::from).collect());
    let pool = pool.clone();
    Ok(tokio::task::spawn_blocking(move || pool.install(|| drift(&reference, &window, &Settings::default()))).await?)
}

impl Day {
    /// As it goes on record.
    ///
    /// # Errors
    /// None: a report is JSON.
    pub fn report(&self, champion: Sha256, drift: &Drift) -> Result<DriftReport> {
        let statistics = drift.statistics.iter().map(|statistic| {
            let mut value = serde_json::to_value(statistic)?;
            value["drifted"] = Value::from(drift.drifted.contains(&statistic.name));
            anyhow::Ok(value)
        });
        Ok(DriftReport {
            day: self.day,
            champion,
            reference: u32::try_from(drift.reference).unwrap_or(u32::MAX),
            images: u32::try_from(drift.images).unwrap_or(u32::MAX),
            drifted: !drift.drifted.is_empty(),
            statistics: Value::Array(statistics.collect::<Result<_>>()?),
        })
    }
}

impl From<Scored> for Observed {
    fn from(scored: Scored) -> Self {
        let Scored { p_injury, verdict, reason, features, modality, site, .. } = scored;
        Self { p_injury, verdict, reason, features, modality, site }
    }
}

fn date(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| "a date as 2026-11-25".to_owned())
}
