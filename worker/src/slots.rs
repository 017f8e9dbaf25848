//! The threads that decode and infer. Never the async ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

use crate::failure::Failure;

/// So many images are worked on at once, each on a rayon pool of its own. Who finds none idle waits: that is the bound.
#[derive(Debug)]
pub struct Slots {
    idle: Mutex<Vec<ThreadPool>>,
    count: Semaphore,
}

impl Slots {
    /// # Errors
    /// The threads cannot be started.
    pub fn start(lane: &str, slots: usize, threads_each: usize) -> anyhow::Result<Self> {
        let pool = |slot: usize| {
            let name = format!("{lane}-{slot}");
            ThreadPoolBuilder::new().num_threads(threads_each).thread_name(move |_| name.clone()).build()
        };
        let pools = (0..slots).map(pool).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { count: Semaphore::new(pools.len()), idle: Mutex::new(pools) })
    }

    /// Runs `work` in the next idle slot.
    ///
    /// # Errors
    /// [`Failure::Panicked`]
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let _permit = self.count.acquire().await.expect("the semaphore is never closed");
        let pool = self.lock().pop().expect("as many pools as permits");
        let (sender, receiver) = oneshot::channel();
        pool.spawn(move || {
            // Nothing the work touched is seen again after a panic. Nobody listening any more is no error.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        });
        let answer = receiver.await;
        self.lock().push(pool);
        answer.map_err(|_| Failure::Panicked)?.map_err(|_| Failure::Panicked)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ThreadPool>> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Failure, Slots};

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_slots_and_a_panic_frees_its_slot() {
        let slots = Arc::new(Slots::start("test", 2, 1).unwrap());
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (slots, running, most) = (slots.clone(), running.clone(), most.clone());
            tasks.spawn(async move {
                let work = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    assert!(number != 7, "the seventh panics");
                    number
                };
                slots.run(work).await
            });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 19);
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(Failure::Panicked))).count(), 1);
        assert!(most.load(Ordering::SeqCst) <= 2);
    }
}
