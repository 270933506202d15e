//! The thread that follows the log and applies it to the index.
//!
//! Large batches are what makes an index cheap, and a reader who waits for its own write should not wait for a batch to
//! fill. So the thread takes whatever is there; when that is little, it first lingers a few milliseconds,
//! unless somebody waits in [`Projector::wait_applied`], which ends the lingering at once.

use super::feed::{Feed, FeedEntry};
use crate::index::{Index, IndexError};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Entries applied at once, at most. 32 bundles: beyond, a batch gains nothing more, and its memory (a few MB) does grow.
pub const MAX_BATCH: usize = 8_192;

/// With this many waiting there is nothing to linger for: two bundles, so that a list's record is written about once.
const FULL_ENOUGH: u64 = 512;

/// How long little work waits for more. Under load it makes tens of small batches a second into one larger one; it is
/// far below what a person notices, and nobody who waits for an entry is kept by it.
const LINGER: Duration = Duration::from_millis(4);

/// How long one wait for the log lasts, and so how long `stop` may take when nothing is appended.
const LOG_WAIT: Duration = Duration::from_millis(100);

/// What the projector is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectorState {
    /// It follows the log.
    Running,
    /// It was asked to stop, and has.
    Stopped,
    /// It has stopped because of an error. The index stays where it is, until the next start.
    Failed(String),
}

/// How far the projector has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries applied when it started.
    pub started_at: u64,
    /// Entries applied.
    pub applied: u64,
    /// Entries in the log.
    pub committed: u64,
    /// Since when it has been running.
    pub elapsed: Duration,
}

/// A running projector. Dropping it stops it.
pub struct Projector {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    started: Instant,
    started_at: u64,
}

struct Shared {
    index: Arc<Index>,
    feed: Arc<dyn Feed>,
    inner: Mutex<Inner>,
    /// Entries were applied, or the state has changed.
    moved: Condvar,
    /// Somebody waits, or the projector is to stop.
    nudged: Condvar,
}

struct Inner {
    state: ProjectorState,
    stopping: bool,
    waiters: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding it, and no update of it has two steps.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Projector {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(index: Arc<Index>, feed: Arc<dyn Feed>) -> io::Result<Projector> {
        let started_at = index.applied();
        let inner = Inner { state: ProjectorState::Running, stopping: false, waiters: 0 };
        let shared = Arc::new(Shared {
            index,
            feed,
            inner: Mutex::new(inner),
            moved: Condvar::new(),
            nudged: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new().name("projector".to_owned()).spawn(move || run(&worker))?;
        Ok(Projector { shared, thread: Mutex::new(Some(thread)), started: Instant::now(), started_at })
    }

    /// Waits until entry `seq` is applied, at most `timeout`, and says whether it is. It answers early if the projector
    /// has stopped. It blocks the calling thread.
    #[must_use]
    pub fn wait_applied(&self, seq: u64, timeout: Duration) -> bool {
        let Shared { index, moved, nudged, .. } = &*self.shared;
        let applied = || index.applied() > seq;
        if applied() {
            return true;
        }
        let mut inner = self.shared.lock();
        inner.waiters += 1;
        nudged.notify_all();
        let waiting = |inner: &mut Inner| inner.state == ProjectorState::Running && !applied();
        let (mut inner, _) =
            moved.wait_timeout_while(inner, timeout, waiting).unwrap_or_else(PoisonError::into_inner);
        inner.waiters -= 1;
        applied()
    }

    /// Entries of the log that are not yet applied.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.shared.feed.committed().saturating_sub(self.shared.index.applied())
    }

    /// How far it has come: for a progress bar while the index is built.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            started_at: self.started_at,
            applied: self.shared.index.applied(),
            committed: self.shared.feed.committed(),
            elapsed: self.started.elapsed(),
        }
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> ProjectorState {
        self.shared.lock().state.clone()
    }

    /// Stops it after the batch in hand, and waits for that: a tenth of a second, and longer only if the disk is.
    pub fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.nudged.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A thread that panicked has said so in its state.
        let _ = thread.map(JoinHandle::join);
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Applies what the log has beyond the index, up to entry `until` (exclusive), and reports (applied, until) after each
/// batch. For tools that rebuild without a server.
///
/// # Errors
/// The log cannot be read, or the index has failed.
pub fn catch_up(
    index: &Index,
    feed: &dyn Feed,
    until: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), IndexError> {
    let mut entries = Vec::new();
    while index.applied() < until {
        let room = usize::try_from(until - index.applied()).unwrap_or(usize::MAX);
        apply_some(index, feed, room.min(MAX_BATCH), &mut entries)?;
        progress(index.applied(), until);
    }
    Ok(())
}

fn apply_some(
    index: &Index,
    feed: &dyn Feed,
    max: usize,
    entries: &mut Vec<FeedEntry>,
) -> Result<(), IndexError> {
    let applied = index.applied();
    entries.clear();
    feed.read(applied, max, entries)?;
    if entries.is_empty() {
        // Or the caller would ask again for ever.
        return Err(IndexError::Gap { expected: applied, found: feed.committed() });
    }
    index.apply(entries)
}

fn run(shared: &Shared) {
    let mut ending = Ending { shared, state: ProjectorState::Failed("it panicked".to_owned()) };
    ending.state = match follow(shared) {
        Ok(()) => ProjectorState::Stopped,
        Err(error) => {
            tracing::error!(%error, applied = shared.index.applied(), "the projector has stopped");
            ProjectorState::Failed(error.to_string())
        }
    };
}

/// Says how the thread ended, also if it is by a panic: nobody waits for a thread that is gone.
struct Ending<'a> {
    shared: &'a Shared,
    state: ProjectorState,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.shared.lock().state = self.state.clone();
        self.shared.moved.notify_all();
    }
}

fn follow(shared: &Shared) -> Result<(), IndexError> {
    let Shared { index, feed, moved, .. } = shared;
    let mut entries = Vec::new();
    loop {
        if shared.lock().stopping {
            return Ok(());
        }
        let applied = index.applied();
        let committed = feed.wait_committed(applied, LOG_WAIT);
        if committed <= applied {
            continue;
        }
        if committed - applied < FULL_ENOUGH {
            linger(shared);
        }
        apply_some(index, &**feed, MAX_BATCH, &mut entries)?;
        // Under the lock, so that no waiter misses it between looking and waiting.
        let _inner = shared.lock();
        moved.notify_all();
    }
}

fn linger(shared: &Shared) {
    let idle = |inner: &mut Inner| inner.waiters == 0 && !inner.stopping;
    let waited = shared.nudged.wait_timeout_while(shared.lock(), LINGER, idle);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::testing::{MemoryLog, history};
    use crate::store::EngineKind;
    use tempfile::TempDir;

    const LONG: Duration = Duration::from_secs(20);

    fn start(dir: &TempDir, log: &Arc<MemoryLog>) -> (Arc<Index>, Projector) {
        let (index, _) = Index::open(dir.path(), EngineKind::Fjall, [1; 32], &**log).unwrap();
        let index = Arc::new(index);
        let feed: Arc<dyn Feed> = Arc::clone(log) as _;
        let projector = Projector::start(Arc::clone(&index), feed).unwrap();
        (index, projector)
    }

    #[test]
    fn what_the_log_has_and_what_it_gets_is_applied() {
        let dir = TempDir::new().unwrap();
        let log = Arc::new(MemoryLog::of(history(1, 0..20_000)));
        let (index, projector) = start(&dir, &log);
        assert!(projector.wait_applied(19_999, LONG));
        assert!(!projector.wait_applied(20_000, Duration::from_millis(1)));
        log.append(history(1, 20_000..20_003));
        assert!(projector.wait_applied(20_002, LONG));
        assert_eq!((index.applied(), projector.lag()), (20_003, 0));
        assert_eq!(projector.progress().applied, 20_003);
        assert_eq!(projector.state(), ProjectorState::Running);
        projector.stop();
        assert_eq!(projector.state(), ProjectorState::Stopped);
        log.append(history(1, 20_003..20_004));
        assert_eq!(projector.lag(), 1);
        assert!(!projector.wait_applied(20_003, LONG));
    }

    #[test]
    fn a_reader_of_its_own_write_does_not_wait_for_a_batch_to_fill() {
        let dir = TempDir::new().unwrap();
        let log = Arc::new(MemoryLog::default());
        let (_, projector) = start(&dir, &log);
        let mut waits = Vec::new();
        for seq in 0..200 {
            log.append(history(1, seq..seq + 1));
            let asked = Instant::now();
            assert!(projector.wait_applied(seq, LONG));
            waits.push(asked.elapsed());
        }
        waits.sort();
        assert!(waits[100] < LINGER, "median {:?}", waits[100]);
    }

    #[test]
    fn a_log_that_breaks_stops_the_projector_and_lets_nobody_wait() {
        let dir = TempDir::new().unwrap();
        let log = Arc::new(MemoryLog::of(history(1, 0..9_000)).broken_from(8_192));
        let (index, projector) = start(&dir, &log);
        assert!(!projector.wait_applied(8_999, LONG));
        assert!(matches!(projector.state(), ProjectorState::Failed(why) if why.contains("on purpose")));
        assert_eq!(index.applied(), 8_192);
        assert_eq!(projector.lag(), 808);
    }

    #[test]
    fn dropping_it_stops_it() {
        let dir = TempDir::new().unwrap();
        let log = Arc::new(MemoryLog::of(history(1, 0..9_000)));
        let (index, projector) = start(&dir, &log);
        drop(projector);
        assert_eq!(Arc::strong_count(&index), 1);
    }
}
