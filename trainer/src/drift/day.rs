//! The latest images out of the database, beside those of the champion's first days; and `cspine-trainer drift`.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result};
use cspine_domain::Sha256;
use cspine_service::config::DatabaseArgs;
use cspine_store::{DriftReport, Scored, Store};
use serde_json::Value;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, Time};

use super::{Drift, Observed, Settings, drift};
use crate::database::connect;

/// Measure now how far the latest images up to a day have drifted, without putting it on record
#[derive(Debug, Clone, clap::Args)]
pub struct DriftArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The day, UTC, as 2026-11-25 [default: today]
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub day: Option<Date>,
    /// Images of the champion's first days, one a study, that they are held against
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(100..))]
    pub reference: u32,
    /// Images, one a study, of the day and of as many days before it as are needed
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(50..))]
    pub images: u32,
}

/// A day, and how many images up to its end and of the reference period are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// UTC.
    pub day: Date,
    /// Images of the champion's first; before it has so many nothing is measured.
    pub reference: u32,
    /// Images of the day and of those before it.
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
        match measure(&store, &pool, champion.sha256, day).await? {
            Some(drift) => println!("{drift}"),
            None => println!("the champion scored no study on {}", day.day),
        }
        Ok(())
    })
}

/// Compares the champion's latest images up to the day's end with its first ones; `None` if it scored no study on that day.
///
/// # Errors
/// What the database says.
pub async fn measure(
    store: &Store,
    pool: &Arc<rayon::ThreadPool>,
    champion: Sha256,
    day: Day,
) -> Result<Option<Drift>> {
    let first = store.first_scored_at(champion, day.reference).await?;
    let latest = store.latest_scored_at(champion, day.end(), day.images).await?;
    let Some([reference, window]) = day.periods(&first, &latest) else { return Ok(None) };
    let reference = store.scored(champion, reference, day.reference).await?;
    let window = store.scored(champion, window, day.images).await?;
    let (reference, window): (Vec<Observed>, Vec<Observed>) =
        (reference.into_iter().map(Observed::from).collect(), window.into_iter().map(Observed::from).collect());
    let pool = pool.clone();
    let measured = move || pool.install(|| drift(&reference, &window, &Settings::default()));
    Ok(Some(tokio::task::spawn_blocking(measured).await?))
}

impl Day {
    fn end(self) -> OffsetDateTime {
        OffsetDateTime::new_utc(self.day, Time::MIDNIGHT) + Duration::DAY
    }

    /// The reference period and the window, by when the champion scored its first studies and its latest ones up to the
    /// day's end (latest first). Both are of whole days: a night's images are not like a day's. The window begins at the
    /// midnight after the reference period; until then it is empty. `None` if no study was scored on the day.
    fn periods(self, first: &[OffsetDateTime], latest: &[OffsetDateTime]) -> Option<[Range<OffsetDateTime>; 2]> {
        let (begin, newest, oldest) = (*first.first()?, latest.first()?, latest.last()?);
        let end = self.end();
        if *newest < end - Duration::DAY {
            return None;
        }
        let last = first.get(self.reference as usize - 1);
        let full = last.map_or(end, |last| begin + Duration::days((*last - begin).whole_days() + 1)).min(end);
        let after = (full.replace_time(Time::MIDNIGHT) + Duration::DAY).min(end);
        Some([begin..full, oldest.replace_time(Time::MIDNIGHT).max(after)..end])
    }

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

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use time::macros::{date, datetime};
    use time::{Date, Duration, OffsetDateTime};

    use super::Day;

    /// Of a department with so many studies a day, from 14:00 of 1 March to 14:00 of 26 March.
    fn periods(a_day: i64, day: Date) -> Option<[Range<OffsetDateTime>; 2]> {
        let day = Day { day, reference: 400, images: 200 };
        let at = |i| datetime!(2026-03-01 14:00 UTC) + Duration::seconds(i * 86_400 / a_day);
        let studies: Vec<OffsetDateTime> = (0..25 * a_day).map(at).collect();
        let latest: Vec<OffsetDateTime> =
            studies.iter().rev().filter(|at| **at < day.end()).take(200).copied().collect();
        day.periods(&studies[..400], &latest)
    }

    #[test]
    fn a_window_goes_back_whole_days_until_it_has_its_images_but_not_into_the_reference_period() {
        let [reference, window] = periods(40, date!(2026 - 03 - 20)).unwrap();
        assert_eq!(reference, datetime!(2026-03-01 14:00 UTC)..datetime!(2026-03-11 14:00 UTC));
        assert_eq!(window, datetime!(2026-03-16 00:00 UTC)..datetime!(2026-03-21 00:00 UTC));
        let [_, early] = periods(40, date!(2026 - 03 - 13)).unwrap();
        assert_eq!(early, datetime!(2026-03-12 00:00 UTC)..datetime!(2026-03-14 00:00 UTC));
    }

    #[test]
    fn of_many_studies_a_day_whole_days_are_compared() {
        let [reference, window] = periods(1000, date!(2026 - 03 - 20)).unwrap();
        assert_eq!(reference, datetime!(2026-03-01 14:00 UTC)..datetime!(2026-03-02 14:00 UTC));
        assert_eq!(window, datetime!(2026-03-20 00:00 UTC)..datetime!(2026-03-21 00:00 UTC));
    }

    #[test]
    fn until_the_reference_period_is_over_the_window_is_empty() {
        for (day, full) in [
            (date!(2026 - 03 - 05), datetime!(2026-03-06 00:00 UTC)),
            (date!(2026 - 03 - 10), datetime!(2026-03-11 00:00 UTC)),
            (date!(2026 - 03 - 11), datetime!(2026-03-11 14:00 UTC)),
        ] {
            let [reference, window] = periods(40, day).unwrap();
            assert_eq!((reference.end, window.is_empty()), (full, true));
        }
    }

    #[test]
    fn a_day_without_a_study_is_none() {
        assert!(periods(40, date!(2026 - 03 - 26)).is_some());
        assert_eq!(periods(40, date!(2026 - 03 - 27)), None);
        assert_eq!(periods(40, date!(2026 - 02 - 28)), None);
    }
}
