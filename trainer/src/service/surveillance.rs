//! Drift, day by day: the champion's images of yesterday beside those of its first days.

use anyhow::Result;
use time::{Date, OffsetDateTime};

use super::Service;
use crate::drift::{Day, Finding, State, measure};

/// Measures yesterday, once a day and champion, and warns if it has drifted.
///
/// # Errors
/// What the database says.
pub async fn watch(service: &Service) -> Result<()> {
    let Some(yesterday) = OffsetDateTime::now_utc().date().previous_day() else { return Ok(()) };
    if service.looked_at(yesterday) {
        return Ok(());
    }
    if let Some(champion) = service.store.serving().await?.champion {
        let day =
            Day { day: yesterday, reference: service.config.drift_reference, images: service.config.drift_images };
        look(service, champion.sha256, day).await?;
    }
    service.has_looked_at(yesterday);
    Ok(())
}

async fn look(service: &Service, champion: cspine_domain::Sha256, day: Day) -> Result<()> {
    let Some(drift) = measure(&service.store, &service.pool, champion, day).await? else { return Ok(()) };
    if drift.state == State::TooFew {
        tracing::info!(day = %day.day, images = drift.images, "too few images to tell whether they have drifted");
        return Ok(());
    }
    service.store.add_drift_report(&day.report(champion, &drift)?).await?;
    let measured = drift.statistics.iter().filter_map(|statistic| match &statistic.finding {
        Finding::Measured { value, p_corrected, .. } => Some((statistic.name.as_str(), *value, *p_corrected)),
        _ => None,
    });
    service.metrics.drift(measured, drift.state == State::Drifted);
    match drift.state {
        State::Drifted => tracing::warn!(day = %day.day, drift = %drift, "images have drifted"),
        _ => tracing::info!(day = %day.day, images = drift.images, "images have not drifted"),
    }
    Ok(())
}

impl Service {
    fn looked_at(&self, day: Date) -> bool {
        *self.looked.lock().unwrap_or_else(std::sync::PoisonError::into_inner) == Some(day)
    }

    fn has_looked_at(&self, day: Date) {
        *self.looked.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(day);
    }
}
