//! What is missing for a service to be ready, and what is wrong while it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts that must be there, and why one is not; faults that the service works on in spite of.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    missing: BTreeMap<String, Absence>,
    faults: BTreeMap<String, String>,
}

/// A part that is not there.
#[derive(Debug, Default)]
struct Absence {
    /// Why, as it was said last; none while it starts.
    why: Option<String>,
    /// What the log has already: several may report one part by turns, each in its own words.
    told: BTreeSet<String>,
}

impl Absence {
    /// Whether the log has not had this reason yet; from now on it has.
    fn is_news(&mut self, why: &str) -> bool {
        self.why = Some(why.to_owned());
        self.told.insert(why.to_owned())
    }
}

impl Health {
    /// With these parts missing until each reports itself.
    pub fn starting(parts: &[&str]) -> Self {
        let missing = parts.iter().map(|part| ((*part).to_owned(), Absence::default())).collect();
        Self(Mutex::new(State { missing, ..State::default() }))
    }

    /// One more part, missing until it reports itself.
    pub fn expect(&self, part: &str) {
        self.lock().missing.insert(part.to_owned(), Absence::default());
    }

    /// A part is there. Says so in the log when it was not.
    pub fn up(&self, part: &str) {
        if self.lock().missing.remove(part).is_some_and(|absence| absence.why.is_some()) {
            tracing::info!(part, "back");
        }
    }

    /// A part is not there. Each reason is logged once while it is away.
    pub fn down(&self, part: &str, why: &str) {
        if self.lock().missing.entry(part.to_owned()).or_default().is_news(why) {
            tracing::warn!(part, why, "away");
        }
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
        let why = |absence: &Absence| absence.why.clone().unwrap_or_else(|| "starting".to_owned());
        self.lock().missing.iter().map(|(part, absence)| (part.clone(), why(absence))).collect()
    }

    /// What is wrong although the service may be ready.
    pub fn faults(&self) -> BTreeMap<String, String> {
        self.lock().faults.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_part_that_starts_is_missing_without_a_word_in_the_log() {
        let health = Health::starting(&["model"]);
        assert_eq!(health.missing()["model"], "starting");
        assert!(logged(|| health.up("model")).is_empty());
        assert!(health.missing().is_empty());
    }
}
