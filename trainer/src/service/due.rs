//! When a run is due: enough new labels, or the schedule, whichever comes first.

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use cspine_domain::Class;
use cspine_store::{NewLabels, Run, RunCause};
use time::OffsetDateTime;

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

/// When the trainer was last busy with a run; before the first, when it began itself.
#[derive(Debug, Clone, Copy)]
pub struct Busy {
    /// The run began.
    pub from: DateTime<Utc>,
    /// It ran no longer.
    pub until: DateTime<Utc>,
}

/// How late the schedule is made up for if nobody was there to look: longer than a restart, and than the pause after a
/// run that failed; not so long that a night's run falls into the day.
const CATCH_UP: TimeDelta = TimeDelta::hours(2);

impl When {
    /// Why a run is due `now`, if it is: never with nothing to learn from.
    pub fn due(&self, new: &NewLabels, busy: Busy, now: DateTime<Utc>) -> Option<RunCause> {
        if new.to_learn_from == 0 {
            return None;
        }
        let all: u64 = new.by_class.iter().sum();
        if all >= self.labels && Class::ALL.iter().all(|class| new.by_class[class.index()] >= self.of_each_class) {
            return Some(RunCause::Labels);
        }
        let tick = self.schedule.as_ref()?.find_previous_occurrence(&now, true).ok()?;
        // What passed during a run is made up for after it, however long it took.
        (tick > busy.from && now <= tick.max(busy.until) + CATCH_UP).then_some(RunCause::Schedule)
    }
}

impl Busy {
    /// With the last run, if there was one.
    pub fn with(last: Option<&Run>, started: DateTime<Utc>) -> Self {
        let at = |time: OffsetDateTime| DateTime::from_timestamp(time.unix_timestamp(), 0).unwrap_or(started);
        last.map_or(Self { from: started, until: started }, |run| Self {
            from: at(run.started_at),
            until: at(run.ended_at.unwrap_or(run.started_at)),
        })
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

    /// A time of the 25th, or with `-` of the day before.
    fn clock(text: &str) -> DateTime<Utc> {
        match text.strip_prefix('-') {
            Some(text) => at(&format!("2026-11-24T{text}:00Z")),
            None => at(&format!("2026-11-25T{text}:00Z")),
        }
    }

    /// All of them to be learnt from.
    fn new(by_class: [u64; 3]) -> NewLabels {
        NewLabels { through: 7, by_class, to_learn_from: by_class.iter().sum() }
    }

    #[test]
    fn enough_labels_of_every_class_make_a_run_due_whatever_the_clock_says() {
        let noon = at("2026-11-25T12:00:00Z");
        let due = |new: NewLabels| when(None).due(&new, Busy { from: noon, until: noon }, noon);
        assert_eq!(due(new([10, 10, 80])), Some(RunCause::Labels));
        assert_eq!(due(new([9, 11, 80])), None, "one class is short");
        assert_eq!(due(new([10, 10, 79])), None);
        assert_eq!(due(NewLabels { to_learn_from: 0, ..new([10, 10, 80]) }), None, "they only measure");
    }

    #[test]
    fn the_schedule_makes_a_run_due_at_its_time_or_shortly_after_and_not_by_day() {
        let nightly = when(Some("0 3 * * *"));
        let due = |from: &str, until: &str, now: &str| {
            nightly.due(&new([0, 0, 1]), Busy { from: clock(from), until: clock(until) }, clock(now)).is_some()
        };
        assert!(due("-20:00", "-21:00", "03:00"));
        assert!(!due("-20:00", "-21:00", "02:59"));
        assert!(due("-03:00", "-04:00", "03:10"), "it was restarted");
        assert!(!due("-03:00", "-04:00", "10:15"), "what came by day waits for the night");
        assert!(!due("03:00", "03:40", "04:00"), "this night's run has been");
        assert!(due("02:50", "04:30", "04:30"), "another run was on, from before");
        assert!(due("-22:00", "09:00", "09:00"), "and however long it was");
        assert!(!due("-22:00", "09:00", "14:00"));
    }

    #[test]
    fn the_schedule_wants_something_to_learn_from() {
        let (evening, night) = (clock("-20:00"), clock("03:00"));
        let nightly = when(Some("0 3 * * *"));
        let due = |new: NewLabels| nightly.due(&new, Busy { from: evening, until: evening }, night);
        assert_eq!(due(new([0, 0, 1])), Some(RunCause::Schedule));
        assert_eq!(due(new([0, 0, 0])), None);
        assert_eq!(due(NewLabels { to_learn_from: 0, ..new([0, 0, 1]) }), None, "it only validates");
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for bad in ["", "every night", "61 * * * *", "* * * *"] {
            assert!(schedule(bad).is_err(), "{bad}");
        }
    }
}
