//! The thread that keeps `home`: makes durable each second what each commit noted there, and notes the time each minute.

use crate::clock::Clock;
use crate::log::committed::Committed;
use crate::log::home::Home;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often `home` is synced, if it changed.
///
/// Reason: after a power cut it may be so far behind the log; a sync with each commit would double what a commit costs.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How often the time is noted.
///
/// Reason: a start believes a clock that lies near it; a minute more or less of a week is nothing.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// What the thread works on.
pub(super) struct Kept {
    pub(super) home: Arc<Home>,
    pub(super) committed: Arc<Committed>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The running thread. Dropped, it ends at once.
pub struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn start(kept: Kept) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let run = move || {
            let mut noted = Instant::now();
            while stopped.recv_timeout(SYNC_EVERY) == Err(RecvTimeoutError::Timeout) {
                if noted.elapsed() >= CLOCK_EVERY {
                    noted = Instant::now();
                    kept.note_clock();
                }
                if let Err(error) = kept.home.sync() {
                    tracing::warn!(%error, "`home` is not synced: after a power cut it may know an earlier size");
                }
            }
        };
        let thread = std::thread::Builder::new().name("home".into()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to panic at, and nothing depends on it.
            let _ = thread.join();
        }
    }
}

impl Kept {
    /// Notes the time, if it is believed: a clock that jumped must not vouch for itself at the next start.
    fn note_clock(&self) {
        let mut time = self.committed.read().1.clock;
        if time.now(&*self.clock).is_ok() {
            self.home.note_clock(self.clock.now());
        }
    }
}
