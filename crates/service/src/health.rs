//! What is missing for a service to be ready, and what is wrong while it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts that must be there, and why one is not; faults that the service works on in spite of.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    missing: BTreeMap<String, String>,
    faults: BTreeMap<String, String>,
}

impl Health {
    /// With these parts missing until each reports itself.
    pub fn starting(parts: &[&str]) -> Self {
        let missing = parts.iter().map(|part| ((*part).to_owned(), "starting".to_owned())).collect();
        Self(Mutex::new(State { missing, ..State::default() }))
    }

    /// One more part, missing until it reports itself.
    pub fn expect(&self, part: &str) {
        self.lock().missing.insert(part.to_owned(), "starting".to_owned());
    }

    /// A part is there. Says so in the log when it was not.
    pub fn up(&self, part: &str) {
        if self.lock().missing.remove(part).is_some_and(|why| why != "starting") {
            tracing::info!(part, "back");
        }
    }

    /// A part is not there. Logged when that is news.
    pub fn down(&self, part: &str, why: &str) {
        let before = self.lock().missing.insert(part.to_owned(), why.to_owned());
        if before.is_none_or(|before| before == "starting") {
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
        self.lock().missing.clone()
    }

    /// What is wrong although the service may be ready.
    pub fn faults(&self) -> BTreeMap<String, String> {
        self.lock().faults.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
