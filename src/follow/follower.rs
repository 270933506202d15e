//! One thread that follows the log and applies it to one store.
//!
//! Large batches are what makes a store cheap, and a reader who waits for its own write should not wait for a batch to
//! fill. So the thread takes whatever is there; when that is little, it first lingers a few milliseconds, or as long as the
//! last batch took, unless somebody waits in [`Follower::wait_applied`], which ends the lingering at once. What the feed no
//! longer holds it reads from the log, ahead of what it applies.

use super::event::Event;
use super::feed::{Feed, Reader, read_some};
use super::source::{FeedError, Portion, Source};
use super::stop::Stop;
use std::fmt::Display;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Portions that are read from the log and not yet applied, at most.
const READ_AHEAD: usize = 2;

/// How long little work waits for more. Under load it makes tens of small batches a second into one larger one; it is
/// far below what a person notices, and nobody who waits for an entry is kept by it.
const LINGER: Duration = Duration::from_millis(4);

/// The same after a batch that took longer, and so has folded long rows again: as long as it took, but no longer than this.
const LONGEST_LINGER: Duration = Duration::from_millis(500);

/// How long one wait for the feed lasts.
///
/// Reason: the feed wakes whoever waits; only a log that nobody listens to is looked at as often as this.
const FEED_WAIT: Duration = Duration::from_millis(250);

/// How long a follower may take for a batch and still be moving.
///
/// Reason: a batch takes some tens of milliseconds; one that takes twenty times as long is kept by something that no
/// pause of anybody else will help.
const STILL: Duration = Duration::from_secs(1);

/// Entries a second below which a follower counts as standing still.
///
/// Reason: a fiftieth of what the views do at ease. Whoever is slower is not kept by the rate of posting.
const CRAWLING: u64 = 1_000;

/// Something that is derived from the log: it has applied the entries below its cursor, and is given the next ones.
pub trait Derived: Send + Sync + 'static {
    /// Why it cannot go on.
    type Error: Display + From<FeedError> + Send;

    /// What it is called: of one word, for its thread and for the operator.
    const NAME: &'static str;

    /// What it takes at once.
    const PORTION: Portion;

    /// With this many entries waiting there is nothing to linger for.
    const FULL_ENOUGH: u64;

    /// How many entries are applied: the seq of the next one.
    fn applied(&self) -> u64;

    /// Applies entries, which are consecutive from [`Derived::applied`].
    ///
    /// # Errors
    /// It can apply no more, or the log cannot be read.
    fn apply(&self, events: &[Arc<Event>]) -> Result<(), Self::Error>;

    /// Whether there is other work, to be done between two batches.
    fn has_more_to_do(&self) -> bool {
        false
    }

    /// Does some of that, about as much as a batch.
    ///
    /// # Errors
    /// As [`Derived::apply`].
    fn do_more(&self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// What a follower is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowerState {
    /// It follows the log.
    Running,
    /// It was asked to stop, and has.
    Stopped,
    /// It has stopped because of an error. What it applies to stays where it is, until it is opened again.
    Failed(String),
}

/// A running follower. Dropping it stops it.
pub struct Follower<P: Derived> {
    shared: Arc<Shared<P>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared<P> {
    derived: Arc<P>,
    feed: Arc<Feed>,
    stop: Stop,
    /// There is more to do than to follow.
    nudged: AtomicBool,
    inner: Mutex<Inner>,
    /// Entries were applied, or the state has changed.
    moved: Condvar,
    /// Somebody waits, or it is to stop.
    hurried: Condvar,
}

struct Inner {
    state: FollowerState,
    waiters: usize,
    motion: Motion,
}

/// How fast the cursor moves.
struct Motion {
    /// The beginning of the stretch that is measured, and of the one before it: when, and entries applied.
    begun: (Instant, u64),
    before: (Instant, u64),
    last: Instant,
}

impl Motion {
    fn new(now: Instant, applied: u64) -> Motion {
        Motion { begun: (now, applied), before: (now, applied), last: now }
    }

    /// Notes that a batch has ended, and how much is applied with it.
    fn note(&mut self, now: Instant, applied: u64) {
        if now.duration_since(self.last) > STILL {
            *self = Motion::new(now, applied);
        } else if now.duration_since(self.begun.0) >= STILL / 2 {
            self.before = std::mem::replace(&mut self.begun, (now, applied));
        }
        self.last = now;
    }

    fn is_moving(&self, now: Instant, applied: u64) -> bool {
        let took = now.saturating_duration_since(self.before.0).max(STILL / 2);
        let moved = applied.saturating_sub(self.before.1) as f64;
        now.saturating_duration_since(self.last) < STILL && moved >= CRAWLING as f64 * took.as_secs_f64()
    }
}

impl<P: Derived> Shared<P> {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding it, and no update of it has two steps.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that entries were applied, and tells those who wait.
    fn tell(&self) {
        let applied = self.derived.applied();
        // Under the lock, so that no waiter misses it between looking and waiting.
        self.lock().motion.note(Instant::now(), applied);
        self.moved.notify_all();
    }
}

impl<P: Derived> Follower<P> {
    /// Starts the thread. Saying `stop` elsewhere is how work inside of [`Derived::apply`] learns that it is to end; it is
    /// said by [`Follower::stop`].
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(derived: Arc<P>, feed: &Arc<Feed>, stop: Stop) -> io::Result<Follower<P>> {
        let motion = Motion::new(Instant::now(), derived.applied());
        let inner = Inner { state: FollowerState::Running, waiters: 0, motion };
        let shared = Arc::new(Shared {
            derived,
            feed: feed.clone(),
            stop,
            nudged: AtomicBool::new(false),
            inner: Mutex::new(inner),
            moved: Condvar::new(),
            hurried: Condvar::new(),
        });
        let worker = shared.clone();
        let thread = thread::Builder::new().name(P::NAME.to_owned()).spawn(move || run(&worker))?;
        Ok(Follower { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Waits until `size` entries are applied, at most `timeout`, and says whether they are. Answers early if the follower
    /// has stopped. It blocks the calling thread.
    #[must_use]
    pub fn wait_applied(&self, size: u64, timeout: Duration) -> bool {
        self.wait_until(timeout, |derived| derived.applied() >= size)
    }

    /// Has it look whether there is [more to do](Derived::has_more_to_do), and waits, at most `timeout`, until `done`.
    pub fn nudge(&self, timeout: Duration, done: impl Fn(&P) -> bool) -> bool {
        self.shared.nudged.store(true, Ordering::Release);
        self.shared.feed.wake();
        self.wait_until(timeout, done)
    }

    fn wait_until(&self, timeout: Duration, done: impl Fn(&P) -> bool) -> bool {
        let Shared { derived, moved, hurried, .. } = &*self.shared;
        if done(derived) {
            return true;
        }
        let mut inner = self.shared.lock();
        inner.waiters += 1;
        hurried.notify_all();
        let waiting = |inner: &mut Inner| inner.state == FollowerState::Running && !done(derived);
        let (mut inner, _) =
            moved.wait_timeout_while(inner, timeout, waiting).unwrap_or_else(PoisonError::into_inner);
        inner.waiters -= 1;
        drop(inner);
        done(derived)
    }

    /// What it applies to.
    #[must_use]
    pub fn derived(&self) -> &Arc<P> {
        &self.shared.derived
    }

    /// Entries of the log that are not yet applied.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.shared.feed.committed().saturating_sub(self.shared.derived.applied())
    }

    /// Whether its cursor moves, and fast enough that there is a sense in waiting for it.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        let applied = self.shared.derived.applied();
        let inner = self.shared.lock();
        inner.state == FollowerState::Running && inner.motion.is_moving(Instant::now(), applied)
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> FollowerState {
        self.shared.lock().state.clone()
    }

    /// Stops it after the batch in hand, and waits for that.
    pub fn stop(&self) {
        self.shared.stop.say();
        drop(self.shared.lock());
        self.shared.hurried.notify_all();
        self.shared.feed.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A thread that panicked has said so in its state.
        let _ = thread.map(JoinHandle::join);
    }
}

impl<P: Derived> Drop for Follower<P> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Applies what a log has beyond what is applied, up to entry `until` (exclusive), and reports (applied, until) after each
/// batch. For tools that rebuild without a server.
///
/// # Errors
/// The log cannot be read, or nothing more can be applied.
pub fn catch_up<P: Derived>(
    derived: &P,
    source: &dyn Source,
    until: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), P::Error> {
    let mut events = Vec::new();
    while derived.applied() < until {
        let room = usize::try_from(until - derived.applied()).unwrap_or(usize::MAX);
        let portion = Portion { entries: room.min(P::PORTION.entries), ..P::PORTION };
        events.clear();
        read_some(source, derived.applied(), portion, &mut events)?;
        derived.apply(&events)?;
        progress(derived.applied(), until);
    }
    Ok(())
}

fn run<P: Derived>(shared: &Shared<P>) {
    let mut ending = Ending { shared, state: FollowerState::Failed("it panicked".to_owned()) };
    ending.state = match follow(shared) {
        Ok(()) => FollowerState::Stopped,
        // What it waited for was given up.
        Err(_) if shared.stop.is_said() => FollowerState::Stopped,
        Err(error) => {
            let applied = shared.derived.applied();
            tracing::error!(%error, applied, "the thread {:?} no longer follows the log", P::NAME);
            FollowerState::Failed(error.to_string())
        }
    };
}

/// Says how the thread ended, also if it is by a panic: nobody waits for a thread that is gone.
struct Ending<'a, P: Derived> {
    shared: &'a Shared<P>,
    state: FollowerState,
}

impl<P: Derived> Drop for Ending<'_, P> {
    fn drop(&mut self) {
        self.shared.lock().state = self.state.clone();
        self.shared.moved.notify_all();
    }
}

fn follow<P: Derived>(shared: &Shared<P>) -> Result<(), P::Error> {
    let Shared { derived, feed, stop, nudged, .. } = shared;
    let reader = feed.reader(derived.applied());
    let is_wanted = || stop.is_said() || nudged.swap(false, Ordering::Acquire);
    let mut events = Vec::new();
    let mut took = Duration::ZERO;
    while !stop.is_said() {
        let busy = derived.has_more_to_do();
        let applied = derived.applied();
        let patience = if busy { Duration::ZERO } else { FEED_WAIT };
        let waiting = reader.wait(applied, patience, &is_wanted).saturating_sub(applied);
        if waiting > 0 {
            if waiting < P::FULL_ENOUGH && !busy {
                linger(shared, took.clamp(LINGER, LONGEST_LINGER));
            }
            let begun = Instant::now();
            events.clear();
            if reader.take(applied, P::PORTION, &mut events) {
                derived.apply(&events)?;
            } else if waiting > P::PORTION.entries as u64 && !busy {
                catch_up_ahead(shared, &reader, applied, applied + waiting)?;
            } else {
                reader.read(applied, P::PORTION, &mut events)?;
                derived.apply(&events)?;
            }
            took = begun.elapsed();
        }
        if busy {
            derived.do_more()?;
        }
        if busy || waiting > 0 {
            shared.tell();
        }
    }
    Ok(())
}

/// Applies the entries `from..to`, or up to where the feed holds them, while a thread of its own reads ahead: that is a
/// third of the work, and there is time for it while a batch is written.
fn catch_up_ahead<P: Derived>(
    shared: &Shared<P>,
    reader: &Reader,
    from: u64,
    to: u64,
) -> Result<(), P::Error> {
    let Shared { derived, stop, .. } = shared;
    thread::scope(|scope| {
        let (read, batches) = sync_channel(READ_AHEAD);
        // What has been applied goes back to be dropped: by the thread that made it, while this one works on.
        let (give_back, used) = sync_channel(READ_AHEAD);
        let read_ahead = move || {
            let mut next = from;
            while next < to && !stop.is_said() && !reader.holds(next) {
                let mut events: Vec<Arc<Event>> = used.try_recv().unwrap_or_default();
                events.clear();
                reader.read(next, P::PORTION, &mut events)?;
                next = events.last().map_or(to, |event| event.seq + 1);
                // Nobody takes them any more if it is to end.
                if read.send(events).is_err() {
                    break;
                }
            }
            Ok(())
        };
        let name = format!("{}-ahead", P::NAME);
        let reading = thread::Builder::new().name(name).spawn_scoped(scope, read_ahead);
        let reading = reading.map_err(|error| FeedError(error.into()))?;
        // Moved, so that the reader does not wait for room after an error here.
        for events in batches {
            derived.apply(&events)?;
            let _ = give_back.try_send(events);
            shared.tell();
            if stop.is_said() || derived.has_more_to_do() {
                break;
            }
        }
        let ended = reading.join().map_err(|_| FeedError("reading ahead panicked".into()))?;
        Ok(ended?)
    })
}

fn linger<P: Derived>(shared: &Shared<P>, patience: Duration) {
    let idle = |inner: &mut Inner| inner.waiters == 0 && !shared.stop.is_said();
    let waited = shared.hurried.wait_timeout_while(shared.lock(), patience, idle);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
