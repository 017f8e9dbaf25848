//! What is missing for the worker to be ready.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// Parts that must be there, and why one is not.
#[derive(Debug, Default)]
pub struct Health {
    missing: Mutex<BTreeMap<String, String>>,
}

impl Health {
    /// With these parts missing until each reports itself.
    pub fn starting(parts: &[&str]) -> Self {
        let missing = parts.iter().map(|part| ((*part).to_owned(), "starting".to_owned())).collect();
        Self { missing: Mutex::new(missing) }
    }

    /// One more part, missing until it reports itself.
    pub fn expect(&self, part: &str) {
        self.lock().insert(part.to_owned(), "starting".to_owned());
    }

    /// A part is there. Says so in the log when it was not.
    pub fn up(&self, part: &str) {
        if self.lock().remove(part).is_some_and(|why| why != "starting") {
            tracing::info!(part, "back");
        }
    }

    /// A part is not there. Logged when that is news.
    pub fn down(&self, part: &str, why: &str) {
        let before = self.lock().insert(part.to_owned(), why.to_owned());
        if before.is_none_or(|before| before == "starting") {
            tracing::warn!(part, why, "away");
        }
    }

    /// What is missing, and why; empty when ready.
    pub fn missing(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.missing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
