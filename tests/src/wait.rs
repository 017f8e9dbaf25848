//! Waiting for a condition, never for luck.

use std::time::{Duration, Instant};

/// Polls until the condition gives a value; panics with `what` after the deadline.
pub async fn until<T>(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(started.elapsed() < deadline, "not within {} s: {what}", deadline.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
