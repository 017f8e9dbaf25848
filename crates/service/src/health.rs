//! What is missing for a service to be ready, and what is wrong while it is.
//!
//! Readiness follows the dependency, never one message. A part is missing for one of two reasons, and each ends by itself:
//! - somebody reported it [`down`](Health::down) (a probe, a connection), until somebody reports it [`up`](Health::up);
//! - a step [waits](Health::wait) for it, until the step ends, however it ends: the guard takes its word back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parts that must be there, and why one is not; faults that the service works on in spite of.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    parts: BTreeMap<String, Part>,
    faults: BTreeMap<String, String>,
    /// The number of the next step that waits.
    next_wait: u64,
}

/// A part that must be there.
#[derive(Debug, Default)]
struct Part {
    /// What was reported last: none when it is there.
    report: Option<Report>,
    /// Steps that wait for it, each with its reason.
    waits: BTreeMap<u64, String>,
    /// What the log has already: several may report one part by turns, each in its own words.
    told: BTreeSet<String>,
}

#[derive(Debug)]
enum Report {
    Starting,
    Down(String),
}

impl Part {
    fn is_missing(&self) -> bool {
        self.report.is_some() || !self.waits.is_empty()
    }

    fn why(&self) -> Option<String> {
        match (&self.report, self.waits.values().next()) {
            (Some(Report::Down(why)), _) | (_, Some(why)) => Some(why.clone()),
            (Some(Report::Starting), None) => Some("starting".to_owned()),
            (None, None) => None,
        }
    }

    /// Whether the log has to say that it is back: it is, and the log has said that it was away.
    fn is_back(&mut self) -> bool {
        !self.is_missing() && !std::mem::take(&mut self.told).is_empty()
    }
}

/// A step that waits for a part; dropped, it waits no longer.
#[derive(Debug)]
#[must_use = "dropped, the step waits no longer"]
pub struct Waiting {
    health: Arc<Health>,
    part: String,
    number: u64,
}

impl Health {
    /// With these parts missing until each reports itself.
    pub fn starting(parts: &[&str]) -> Self {
        let health = Self::default();
        parts.iter().for_each(|part| health.expect(part));
        health
    }

    /// One more part, missing until it reports itself.
    pub fn expect(&self, part: &str) {
        self.lock().parts.insert(part.to_owned(), Part { report: Some(Report::Starting), ..Part::default() });
    }

    /// A part is there. Says so in the log when it was not.
    pub fn up(&self, part: &str) {
        self.change(part, |state| state.report = None);
    }

    /// A part is not there. Each reason is logged once while it is away.
    pub fn down(&self, part: &str, why: &str) {
        self.change(part, |state| state.report = Some(Report::Down(why.to_owned())));
    }

    /// A step waits for a part from now on, and the part is missing at least until the guard is dropped.
    pub fn wait(self: &Arc<Self>, part: &str, why: &str) -> Waiting {
        let number = {
            let mut state = self.lock();
            state.next_wait += 1;
            state.next_wait
        };
        self.change(part, |state| drop(state.waits.insert(number, why.to_owned())));
        Waiting { health: self.clone(), part: part.to_owned(), number }
    }

    /// A part is there and works, but a person must look at it; readiness is kept. Logged when that is news.
    pub fn fault(&self, part: &str, what: &str) {
        let before = self.lock().faults.insert(part.to_owned(), what.to_owned());
        if before.as_deref() != Some(what) {
            tracing::error!(part, what, "fault");
        }
    }

    /// A part has no fault any more.
    pub fn mended(&self, part: &str) {
        if self.lock().faults.remove(part).is_some() {
            tracing::info!(part, "mended");
        }
    }

    /// What is missing, and why; empty when ready.
    pub fn missing(&self) -> BTreeMap<String, String> {
        self.lock().parts.iter().filter_map(|(name, part)| Some((name.clone(), part.why()?))).collect()
    }

    /// What is wrong although the service may be ready.
    pub fn faults(&self) -> BTreeMap<String, String> {
        self.lock().faults.clone()
    }

    /// Changes a part, and tells the log what is news about it.
    fn change(&self, name: &str, change: impl FnOnce(&mut Part)) {
        let (news, back) = {
            let mut state = self.lock();
            let part = state.parts.entry(name.to_owned()).or_default();
            change(part);
            let why = part.why().filter(|_| !matches!((&part.report, part.waits.len()), (Some(Report::Starting), 0)));
            (why.filter(|why| part.told.insert(why.clone())), part.is_back())
        };
        match news {
            Some(why) => tracing::warn!(part = name, why, "away"),
            None if back => tracing::info!(part = name, "back"),
            None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// What the step waits for, and its name in `/readyz`.
    pub fn part(&self) -> &str {
        &self.part
    }

    /// It waits for another reason now.
    pub fn because(&self, why: &str) {
        self.health.change(&self.part, |part| drop(part.waits.insert(self.number, why.to_owned())));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.health.change(&self.part, |part| drop(part.waits.remove(&self.number)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::Health;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Lines of the log.
    fn logged(work: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_reason_that_a_part_is_missing_for_is_logged_once_until_it_is_back() {
        let health = Health::starting(&["model"]);
        let whys = ["no champion", "another file", "no champion", "another file"];
        let lines = logged(|| whys.iter().for_each(|why| health.down("model", why)));
        let said = |line: &str, why: &str| line.contains("away") && line.contains(why);
        assert!(lines.len() == 2 && said(&lines[0], whys[0]) && said(&lines[1], whys[1]), "{lines:?}");
        assert_eq!(health.missing()["model"], "another file");
        let lines = logged(|| {
            health.up("model");
            health.down("model", "no champion");
        });
        assert!(lines.len() == 2 && lines[0].contains("back") && said(&lines[1], "no champion"), "{lines:?}");
    }

    #[test]
    fn a_part_is_missing_while_a_step_waits_for_it_and_no_longer_however_the_step_ends() {
        let health = Arc::new(Health::starting(&["postgres"]));
        health.up("postgres");
        let (first, second) = (health.wait("postgres", "no rights"), health.wait("postgres", "no rights"));
        health.up("postgres");
        assert_eq!(health.missing()["postgres"], "no rights", "a probe that answers does not speak for the step");
        drop(first);
        second.because("no table");
        assert_eq!(health.missing()["postgres"], "no table");
        let lines = logged(|| drop(second));
        assert!(health.missing().is_empty());
        assert!(lines.len() == 1 && lines[0].contains("back"), "{lines:?}");
        health.down("postgres", "refused");
        drop(health.wait("postgres", "no rights"));
        assert_eq!(health.missing()["postgres"], "refused", "nor does the step for the probe");
    }

    #[test]
    fn a_part_that_starts_is_missing_without_a_word_in_the_log() {
        let health = Health::starting(&["model"]);
        assert_eq!(health.missing()["model"], "starting");
        assert!(logged(|| health.up("model")).is_empty());
        assert!(health.missing().is_empty());
    }
}
