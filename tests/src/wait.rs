//! Waiting for a condition, never for luck.

use std::future::Future;
use std::time::{Duration, Instant};

/// Polls until the condition gives a value; panics with `what` after the deadline.
pub async fn until<T, F, C>(what: &str, deadline: Duration, mut condition: C) -> T
where
    C: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(started.elapsed() < deadline, "not within {} s: {what}", deadline.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
