//! How long to wait before trying again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// Doubling waits with full jitter, from 50–100 ms to 5–10 s, without end: whoever was cut off together must not come
/// back together.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(10);

    /// The next wait.
    pub fn delay(&mut self) -> Duration {
        let doubled = Self::FIRST.saturating_mul(1 << self.failures.min(16)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        doubled.mul_f64(0.5 + 0.5 * random())
    }

    /// Waits.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.delay()).await;
    }

    /// It worked: the next failure begins anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// From 0 to 1. The standard library's hash keys are random, which is all that jitter needs.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn waits_double_up_to_ten_seconds_and_begin_anew_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.delay()).collect();
        assert!(waits[0] <= Duration::from_millis(100) && waits[0] >= Duration::from_millis(50));
        assert!(waits[3] <= Duration::from_millis(800) && waits[3] >= Duration::from_millis(400));
        assert!(waits[10..].iter().all(|wait| (5.0..=10.0).contains(&wait.as_secs_f64())));
        assert!(waits[10..].iter().any(|wait| *wait != waits[10]), "jitter");
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_millis(100));
    }
}
