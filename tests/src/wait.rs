//! Waiting for a condition, never for luck.

use std::time::{Duration, Instant};

/// How many times as long as on an idle machine anything may take: what else runs there is no test's matter, and only a
/// test that fails waits so long.
const BUSY: u32 = 10;
/// No longer than this for it, unless an idle machine takes longer already.
const LONGEST: Duration = Duration::from_secs(600);

/// Polls until the condition gives a value, for what takes an idle machine at most `idle`; panics with `what` when a busy
/// one does not come to it either.
pub async fn until<T>(what: &str, idle: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = (BUSY * idle).min(idle.max(LONGEST));
    let started = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(started.elapsed() < deadline, "not within {} s: {what}", deadline.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
