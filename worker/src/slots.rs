//! The threads that decode and infer. Never the async ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

use crate::failure::Failure;

/// So many images are worked on at once, each on a rayon pool of its own. Who finds none idle waits: that is the bound.
#[derive(Debug)]
pub struct Slots {
    idle: Mutex<Vec<ThreadPool>>,
    count: Semaphore,
    longest: Duration,
}

impl Slots {
    /// How nice a thread is that gives way: as nice as can be.
    const BEHIND: i32 = 19;

    /// Work that takes over `longest` is given up.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn start(lane: &str, slots: usize, threads_each: usize, longest: Duration) -> anyhow::Result<Self> {
        Self::with(lane, slots, longest, || ThreadPoolBuilder::new().num_threads(threads_each))
    }

    /// One slot with one thread, which gives way to the other slots' wherever they want its processor.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start_behind(lane: &str, longest: Duration) -> anyhow::Result<Self> {
        Self::with(lane, 1, longest, || {
            ThreadPoolBuilder::new().num_threads(1).start_handler(|_| {
                // Of this thread alone, on Linux. A system that refuses leaves it as it was.
                let _ = rustix::process::nice(Self::BEHIND);
            })
        })
    }

    fn with(
        lane: &str,
        slots: usize,
        longest: Duration,
        builder: impl Fn() -> ThreadPoolBuilder,
    ) -> anyhow::Result<Self> {
        let pool = |slot: usize| {
            let name = format!("{lane}-{slot}");
            builder().thread_name(move |_| name.clone()).build()
        };
        let pools = (0..slots).map(pool).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { count: Semaphore::new(pools.len()), idle: Mutex::new(pools), longest })
    }

    /// Runs `work` in the next idle slot.
    ///
    /// # Errors
    /// [`Failure::Panicked`]; [`Failure::Stuck`], and then the slot is lost: a thread cannot be killed.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let permit = self.count.acquire().await.expect("the semaphore is never closed");
        let slot = Slot { pool: self.lock().pop(), slots: self };
        let (sender, receiver) = oneshot::channel();
        slot.pool.as_ref().expect("as many pools as permits").spawn(move || {
            // Nothing the work touched is seen again after a panic. Nobody listening any more is no error.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        });
        let Ok(answer) = tokio::time::timeout(self.longest, receiver).await else {
            // Its thread never comes back: nor may its pool, nor its permit.
            std::mem::forget(slot);
            permit.forget();
            return Err(Failure::Stuck);
        };
        answer.map_err(|_| Failure::Panicked)?.map_err(|_| Failure::Panicked)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ThreadPool>> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A pool in use; it is idle again when this is dropped, also by a caller that waits no longer.
struct Slot<'a> {
    pool: Option<ThreadPool>,
    slots: &'a Slots,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.slots.lock().extend(self.pool.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use std::time::Duration;

    use super::{Failure, Slots};

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_slots_and_a_panic_frees_its_slot() {
        let slots = Arc::new(Slots::start("test", 2, 1, Duration::from_secs(60)).unwrap());
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

    #[tokio::test]
    async fn work_that_does_not_end_is_given_up() {
        let slots = Slots::start("test", 1, 1, Duration::from_millis(20)).unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        assert!(matches!(slots.run(move || ended.recv()).await, Err(Failure::Stuck)));
        drop(end);
    }

    #[tokio::test]
    async fn a_caller_that_waits_no_longer_leaves_its_slot_to_the_next() {
        let slots = Slots::start("test", 1, 1, Duration::from_secs(60)).unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let left = tokio::time::timeout(Duration::from_millis(20), slots.run(move || ended.recv())).await;
        assert!(left.is_err());
        drop(end);
        assert_eq!(slots.run(|| 7).await.unwrap(), 7);
    }
}
