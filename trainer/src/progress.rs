//! A line on stderr while many things are done: overwritten on a terminal, else every tenth of the way.

use std::io::{IsTerminal, Write as _};
use std::sync::Mutex;
use std::time::Instant;

/// Counts what is done, from any thread.
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    start: Instant,
    done: Mutex<usize>,
}

impl Progress {
    /// Of `total` things to do; `what` begins the line.
    pub fn new(what: &'static str, total: usize) -> Progress {
        Progress { what, total, start: Instant::now(), done: Mutex::new(0) }
    }

    /// One more is done.
    pub fn one_more(&self) {
        let mut done = self.done.lock().expect("no thread panics while it counts");
        *done += 1;
        let (what, done, total) = (self.what, *done, self.total);
        let terminal = std::io::stderr().is_terminal();
        let tenth = done * 10 / total != (done - 1) * 10 / total;
        if !tenth && !(terminal && (done % 8 == 0)) {
            return;
        }
        let rate = done as f64 / self.start.elapsed().as_secs_f64().max(1e-6);
        let left = (total - done) as f64 / rate;
        let (from, to) = if terminal { ("\r", if done == total { "\n" } else { "" }) } else { ("", "\n") };
        // A closed stderr is no reason to stop.
        let _ = write!(std::io::stderr(), "{from}{what} {done}/{total}  {rate:.1}/s  {left:.0} s left   {to}");
    }
}
