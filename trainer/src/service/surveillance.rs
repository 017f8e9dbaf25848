//! Drift, day by day: the champion's latest images beside those of its first days.

use anyhow::Result;
use cspine_domain::Sha256;
use time::{Date, Duration, OffsetDateTime};

use super::Service;
use crate::drift::{Day, State, measure};

/// Days that are made up for after the trainer was down; what was before them tells nobody anything any more.
const DAYS_MAX: i64 = 7;

/// Measures each day once it is over, and warns if images have drifted up to its end. `looked` is the champion and the day
/// that were looked at last.
///
/// # Errors
/// What the database says.
pub async fn watch(service: &Service, looked: &mut Option<(Sha256, Date)>) -> Result<()> {
    let Some(champion) = service.store.serving().await?.champion else { return Ok(()) };
    let champion = champion.sha256;
    let yesterday = OffsetDateTime::now_utc().date() - Duration::DAY;
    let mut day = match *looked {
        Some((of, day)) if of == champion => day + Duration::DAY,
        _ => {
            service.metrics.forget_drift();
            first(service, yesterday).await?
        }
    };
    while day <= yesterday {
        look(service, champion, day).await?;
        day += Duration::DAY;
    }
    *looked = Some((champion, yesterday));
    Ok(())
}

/// The day of the last report, so that the metrics know what it says, unless it is too long ago.
async fn first(service: &Service, yesterday: Date) -> Result<Date> {
    let oldest = yesterday - Duration::days(DAYS_MAX - 1);
    let last = service.store.drift_reports(1).await?.into_iter().next();
    Ok(last.map_or(oldest, |report| report.day.max(oldest)))
}

async fn look(service: &Service, champion: Sha256, day: Date) -> Result<()> {
    let day = Day { day, reference: service.config.drift_reference, images: service.config.drift_images };
    let Some(drift) = measure(&service.store, &service.pool, champion, day).await? else { return Ok(()) };
    if drift.state != State::TooFew {
        service.store.add_drift_report(&day.report(champion, &drift)?).await?;
    }
    service.metrics.drift(&drift);
    let (day, reference, images) = (day.day, drift.reference, drift.images);
    match drift.state {
        State::TooFew => tracing::info!(%day, reference, images, "too few images to tell whether they have drifted"),
        State::Steady => tracing::info!(%day, images, "images have not drifted"),
        State::Drifted => tracing::warn!(%day, %drift, "images have drifted"),
    }
    Ok(())
}
