//! When a run is due: enough new labels, or the schedule, whichever comes first.

use chrono::{DateTime, Utc};
use croner::Cron;
use cspine_domain::Class;
use cspine_store::{NewLabels, RunCause};

/// What makes a run due.
#[derive(Debug, Clone)]
pub struct When {
    /// Five fields, UTC; `None`: labels alone.
    pub schedule: Option<Cron>,
    /// New labels, of all classes together.
    pub labels: u64,
    /// New labels of each class, at least.
    pub of_each_class: u64,
}

impl When {
    /// Why a run is due `now`, if it is; the last one, or the service, began at `since`.
    pub fn due(&self, new: &NewLabels, since: DateTime<Utc>, now: DateTime<Utc>) -> Option<RunCause> {
        let all: u64 = new.by_class.iter().sum();
        if all >= self.labels && Class::ALL.iter().all(|class| new.by_class[class.index()] >= self.of_each_class) {
            return Some(RunCause::Labels);
        }
        let next = self.schedule.as_ref()?.find_next_occurrence(&since, false).ok()?;
        // Nothing new is nothing to learn.
        (next <= now && all > 0).then_some(RunCause::Schedule)
    }
}

/// A cron expression of five fields, such as `0 3 * * *`.
///
/// # Errors
/// What is wrong with it.
pub fn schedule(text: &str) -> Result<Cron, String> {
    text.parse().map_err(|error: croner::errors::CronError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(schedule_of: Option<&str>) -> When {
        When { schedule: schedule_of.map(|text| schedule(text).unwrap()), labels: 100, of_each_class: 10 }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn new(by_class: [u64; 3]) -> NewLabels {
        NewLabels { through: 7, by_class }
    }

    #[test]
    fn enough_labels_of_every_class_make_a_run_due_whatever_the_clock_says() {
        let noon = at("2026-11-25T12:00:00Z");
        let due = |by_class| when(None).due(&new(by_class), noon, noon);
        assert_eq!(due([10, 10, 80]), Some(RunCause::Labels));
        assert_eq!(due([9, 11, 80]), None, "one class is short");
        assert_eq!(due([10, 10, 79]), None);
    }

    #[test]
    fn the_schedule_makes_a_run_due_once_and_only_with_something_new() {
        let nightly = when(Some("0 3 * * *"));
        let (evening, night, morning) =
            (at("2026-11-24T20:00:00Z"), at("2026-11-25T03:00:00Z"), at("2026-11-25T08:00:00Z"));
        assert_eq!(nightly.due(&new([0, 0, 1]), evening, night), Some(RunCause::Schedule));
        assert_eq!(nightly.due(&new([0, 0, 0]), evening, morning), None, "nothing new");
        assert_eq!(nightly.due(&new([0, 0, 1]), night, morning), None, "this night's run has been");
        assert_eq!(nightly.due(&new([0, 0, 1]), evening, at("2026-11-25T02:59:59Z")), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for bad in ["", "every night", "61 * * * *", "* * * *"] {
            assert!(schedule(bad).is_err(), "{bad}");
        }
    }
}
