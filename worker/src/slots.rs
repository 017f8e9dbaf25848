//! The threads that decode and infer. Never the async ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
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
    /// What `longest` is of: for who gives way to others the time that its thread was given a processor, else any.
    gives_way: bool,
}

impl Slots {
    /// How nice a thread is that gives way: as nice as can be.
    const BEHIND: i32 = 19;

    /// Work that takes over `longest` is given up.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn start(lane: &str, slots: usize, threads_each: usize, longest: Duration) -> anyhow::Result<Self> {
        let pools = pools(lane, slots, || ThreadPoolBuilder::new().num_threads(threads_each))?;
        Ok(Self { count: Semaphore::new(pools.len()), idle: Mutex::new(pools), longest, gives_way: false })
    }

    /// One slot with one thread, which gives way to the other slots' wherever they want its processor. Work is given up that
    /// has had a processor for `longest`: a busy machine may take any time to give it that.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start_behind(lane: &str, longest: Duration) -> anyhow::Result<Self> {
        let pools = pools(lane, 1, || {
            ThreadPoolBuilder::new().num_threads(1).start_handler(|_| {
                // Of this thread alone, on Linux. A system that refuses leaves it as it was.
                let _ = rustix::process::nice(Self::BEHIND);
            })
        })?;
        Ok(Self { count: Semaphore::new(1), idle: Mutex::new(pools), longest, gives_way: true })
    }

    /// Runs `work` in the next idle slot.
    ///
    /// # Errors
    /// [`Failure::Panicked`]; [`Failure::Stuck`], and then the slot is lost: a thread cannot be killed.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let permit = self.count.acquire().await.expect("the semaphore is never closed");
        let slot = Slot { pool: self.lock().pop(), slots: self };
        let (sender, mut receiver) = oneshot::channel();
        let begun = Arc::new(OnceLock::new());
        let begins = begun.clone();
        slot.pool.as_ref().expect("as many pools as permits").spawn(move || {
            begins.get_or_init(Begun::here);
            // Nothing the work touched is seen again after a panic. Nobody listening any more is no error.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        });
        loop {
            if let Ok(answer) = tokio::time::timeout(self.longest, &mut receiver).await {
                return answer.map_err(|_| Failure::Panicked)?.map_err(|_| Failure::Panicked);
            }
            let is_starved = |begun: &Begun| begun.used().is_some_and(|used| used < self.longest);
            if !(self.gives_way && begun.get().is_none_or(is_starved)) {
                // Its thread never comes back: nor may its pool, nor its permit.
                std::mem::forget(slot);
                permit.forget();
                return Err(Failure::Stuck);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ThreadPool>> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn pools(lane: &str, slots: usize, builder: impl Fn() -> ThreadPoolBuilder) -> anyhow::Result<Vec<ThreadPool>> {
    let pool = |slot: usize| {
        let name = format!("{lane}-{slot}");
        builder().thread_name(move |_| name.clone()).build()
    };
    Ok((0..slots).map(pool).collect::<Result<_, _>>()?)
}

/// The thread that work began on, and how long it had been given a processor by then.
struct Begun {
    /// Linux' account of it: its first number is that time, in ns.
    schedstat: PathBuf,
    had: Option<Duration>,
}

impl Begun {
    fn here() -> Self {
        let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
        let schedstat = Path::new("/proc").join(thread).join("schedstat");
        Self { had: given(&schedstat), schedstat }
    }

    /// For how long it was given a processor since; none where the system does not say.
    fn used(&self) -> Option<Duration> {
        Some(given(&self.schedstat)?.saturating_sub(self.had?))
    }
}

fn given(schedstat: &Path) -> Option<Duration> {
    let said = std::fs::read_to_string(schedstat).ok()?;
    said.split(' ').next()?.parse().ok().map(Duration::from_nanos)
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
    async fn work_that_gives_way_is_given_up_for_the_processors_time_it_took_and_not_for_the_time_it_waited() {
        let slots = Slots::start_behind("test", Duration::from_millis(20)).unwrap();
        let waits = slots.run(|| std::thread::sleep(Duration::from_millis(200)));
        assert!(matches!(waits.await, Ok(())), "a busy machine looks like this");
        let end = Arc::new(AtomicUsize::new(0));
        let ended = end.clone();
        let spins = move || while ended.load(Ordering::Relaxed) == 0 {};
        assert!(matches!(slots.run(spins).await, Err(Failure::Stuck)));
        end.store(1, Ordering::Relaxed);
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
