//! The thread that follows the log and applies it to the views, and builds newer versions of them in between.

use super::{Engine, EngineError, Event, EventFeed, Result};
use crate::follow::projector::ProjectorState;
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Entries applied at once, at most.
///
/// Reason: rows that change several times in a batch are written once, and readers wait for the writing of one batch:
/// some tens of milliseconds at this size.
const MAX_BATCH: usize = 1_024;

/// Batches that are read and not yet applied, at most.
const READ_AHEAD: usize = 2;

/// With this many waiting there is nothing to linger for.
const FULL_ENOUGH: u64 = 256;

/// How long little work waits for more, unless somebody waits for it.
const LINGER: Duration = Duration::from_millis(4);

/// How long one wait for the log lasts, and so how long `stop` may take when nothing is appended.
const LOG_WAIT: Duration = Duration::from_millis(100);

/// A running follower. Dropping it stops it.
pub struct Follower {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    engine: Arc<Engine>,
    feed: Arc<dyn EventFeed>,
    inner: Mutex<Inner>,
    /// Entries were applied, or the state has changed.
    moved: Condvar,
    /// Somebody waits, or it is to stop.
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

    /// Tells those who wait that something has changed.
    fn tell(&self) {
        // Under the lock, so that no waiter misses it between looking and waiting.
        let _inner = self.lock();
        self.moved.notify_all();
    }
}

impl Follower {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(engine: Arc<Engine>, feed: Arc<dyn EventFeed>) -> io::Result<Follower> {
        let inner = Inner { state: ProjectorState::Running, stopping: false, waiters: 0 };
        let shared = Arc::new(Shared {
            engine,
            feed,
            inner: Mutex::new(inner),
            moved: Condvar::new(),
            nudged: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new().name("views".to_owned()).spawn(move || run(&worker))?;
        Ok(Follower { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Waits until the views have `size` entries, at most `timeout`, and says whether they do. Answers early if the
    /// follower has stopped. It blocks the calling thread.
    #[must_use]
    pub fn wait_applied(&self, size: u64, timeout: Duration) -> bool {
        let Shared { engine, moved, nudged, .. } = &*self.shared;
        let applied = || engine.applied() >= size;
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

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> ProjectorState {
        self.shared.lock().state.clone()
    }

    /// Stops it after the batch in hand, and waits for that.
    pub fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.nudged.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A thread that panicked has said so in its state.
        let _ = thread.map(JoinHandle::join);
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared) {
    let mut ending = Ending { shared, state: ProjectorState::Failed("it panicked".to_owned()) };
    ending.state = match follow(shared) {
        Ok(()) => ProjectorState::Stopped,
        Err(error) => {
            tracing::error!(%error, applied = shared.engine.applied(), "the views no longer follow the log");
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

fn follow(shared: &Shared) -> Result<()> {
    let Shared { engine, feed, .. } = shared;
    let mut events: Vec<Event> = Vec::new();
    while !shared.lock().stopping {
        let more_to_do = engine.has_more_to_do();
        let applied = engine.applied();
        let patience = if more_to_do { Duration::ZERO } else { LOG_WAIT };
        let committed = feed.wait_committed(applied, patience);
        if committed.saturating_sub(applied) > MAX_BATCH as u64 && !more_to_do {
            catch_up(shared, applied, committed)?;
        } else if committed > applied {
            if committed - applied < FULL_ENOUGH && !more_to_do {
                linger(shared);
            }
            events.clear();
            feed.read(applied, MAX_BATCH, &mut events)?;
            engine.apply(&events)?;
        }
        if more_to_do {
            engine.build(MAX_BATCH)?;
        }
        shared.tell();
    }
    Ok(())
}

/// Applies the entries `from..to`, while a thread of its own reads and parses ahead: that is a third of the work, and
/// there is time for it while a batch is written.
fn catch_up(shared: &Shared, from: u64, to: u64) -> Result<()> {
    let Shared { engine, feed, .. } = shared;
    std::thread::scope(|scope| {
        let (read, batches) = sync_channel(READ_AHEAD);
        // What has been applied goes back to be dropped: by the thread that made it, while this one works on.
        let (give_back, used) = sync_channel(READ_AHEAD);
        let reading = scope.spawn(move || {
            let mut next = from;
            while next < to {
                let mut events = used.try_recv().unwrap_or_else(|_| Vec::new());
                events.clear();
                feed.read(next, MAX_BATCH, &mut events)?;
                next = events.last().map_or(to, |event| event.seq + 1);
                // Nobody takes them any more if it is to end.
                if read.send(events).is_err() {
                    break;
                }
            }
            Ok::<_, EngineError>(())
        });
        // Moved, so that the reader does not wait for room after an error here.
        for events in batches {
            engine.apply(&events)?;
            let _ = give_back.try_send(events);
            shared.tell();
            if shared.lock().stopping || engine.has_more_to_do() {
                break;
            }
        }
        reading.join().map_err(|_| EngineError::Failed("reading the log panicked".into()))?
    })
}

fn linger(shared: &Shared) {
    let idle = |inner: &mut Inner| inner.waiters == 0 && !inner.stopping;
    let waited = shared.nudged.wait_timeout_while(shared.lock(), LINGER, idle);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
}
