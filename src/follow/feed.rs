//! The newest entries, handed on as they were written and read once for all who follow.
//!
//! The thread that commits puts them into an inbox and goes on; a thread of the feed's own reads them and holds them in the
//! ring, from which each follower takes them at its own pace. Whatever the inbox or the ring has no room for stands in
//! the log, and whoever misses it reads it there.

use super::event::Event;
use super::ring::{self, Ring};
use super::source::{FeedError, LogSource, Portion, Source};
use crate::log::append::{Listener, SignedEntry};
use crate::log::store::Store;
use crate::spec::entry::Entry;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes of entries that wait to be read, at most.
///
/// Reason: two of the largest commits. The thread that reads them is faster than the one that writes them; where it is
/// not, for want of a processor, nothing is lost by leaving some out.
const MAX_INBOX_BYTES: usize = 16 << 20;

/// Entries of one commit, from the committer.
struct Commit {
    /// None if there was no room for them.
    entries: Vec<SignedEntry>,
    /// The number after the last one.
    end: u64,
}

#[derive(Default)]
struct Inbox {
    commits: VecDeque<Commit>,
    bytes: usize,
    closed: bool,
}

struct Held {
    ring: Ring,
    /// Entries below this are in the ring, or were: whoever waits for one of them need not wait any more.
    announced: u64,
    /// Who follows, and the entry that each will take next.
    readers: Vec<(u64, u64)>,
    next_reader: u64,
}

impl Held {
    /// Lets go of what all have taken.
    fn let_go(&mut self, gone: &mut Vec<Arc<Event>>) {
        let passed = self.readers.iter().map(|(_, next)| *next).min().unwrap_or(u64::MAX);
        self.ring.let_go(passed, gone);
    }
}

struct Shared {
    source: Arc<dyn Source>,
    inbox: Mutex<Inbox>,
    /// Something is in the inbox, or it is closed.
    arrived: Condvar,
    held: Mutex<Held>,
    /// Something was announced, or somebody is to look up.
    announced: Condvar,
}

impl Shared {
    // Nothing panics while holding either lock, and what holds them leaves nothing half done.
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces entries below `end`; those in `entries` can be had from the ring.
    fn announce(&self, entries: Vec<(Arc<Event>, usize)>, end: u64) {
        // Dropped after the lock is free.
        let mut gone = Vec::new();
        let mut held = self.held();
        held.let_go(&mut gone);
        held.ring.push(entries, &mut gone);
        held.announced = held.announced.max(end);
        drop(held);
        self.announced.notify_all();
    }

    /// Reads what was committed until the inbox is closed.
    fn run(&self) {
        loop {
            let mut inbox = self.inbox();
            while inbox.commits.is_empty() && !inbox.closed {
                inbox = self.arrived.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if inbox.closed {
                return;
            }
            let commits = std::mem::take(&mut inbox.commits);
            inbox.bytes = 0;
            drop(inbox);
            for Commit { entries, end } in commits {
                // Nobody there to take them: an index that is being opened, say, reads the log.
                let wanted = !self.held().readers.is_empty();
                self.announce(if wanted { read(entries) } else { Vec::new() }, end);
            }
        }
    }
}

/// Reads entries; none of them if that fails, which whoever reads them from the log will find out and say.
fn read(entries: Vec<SignedEntry>) -> Vec<(Arc<Event>, usize)> {
    let read_one = |entry: &SignedEntry| {
        let event = Event::of(&Entry::parse(&entry.bytes).ok()?);
        let weight = event.weight();
        Some((Arc::new(event), weight))
    };
    let read_all = || entries.iter().map(read_one).collect::<Option<Vec<_>>>();
    catch_unwind(AssertUnwindSafe(read_all)).ok().flatten().unwrap_or_else(|| {
        tracing::error!("entries that were just written cannot be read");
        Vec::new()
    })
}

/// The committer's end of the feed.
struct Ear(Arc<Shared>);

impl Listener for Ear {
    fn committed(&self, first: u64, entries: Vec<SignedEntry>) {
        let end = first + entries.len() as u64;
        let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
        let mut inbox = self.0.inbox();
        if inbox.bytes + bytes <= MAX_INBOX_BYTES {
            inbox.bytes += bytes;
            inbox.commits.push_back(Commit { entries, end });
        } else if let Some(last) = inbox.commits.back_mut().filter(|last| last.entries.is_empty()) {
            last.end = end;
        } else {
            inbox.commits.push_back(Commit { entries: Vec::new(), end });
        }
        drop(inbox);
        self.0.arrived.notify_one();
    }
}

/// See the module. Dropping it ends its thread; followers must have ended before.
pub struct Feed {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Feed {
    /// A feed of this ledger's log. Until it [listens](Feed::listen), followers read all from the log.
    #[must_use]
    pub fn of(store: &Arc<Store>) -> Arc<Feed> {
        Feed::over(Arc::new(LogSource(store.clone())))
    }

    /// A feed over any log.
    #[must_use]
    pub fn over(source: Arc<dyn Source>) -> Arc<Feed> {
        Feed::within(source, ring::MAX_ENTRIES, ring::MAX_BYTES)
    }

    fn within(source: Arc<dyn Source>, max_entries: usize, max_bytes: usize) -> Arc<Feed> {
        let announced = source.committed();
        let ring = Ring::new(announced, max_entries, max_bytes);
        let held = Held { ring, announced, readers: Vec::new(), next_reader: 0 };
        let shared = Shared {
            source,
            inbox: Mutex::default(),
            arrived: Condvar::new(),
            held: Mutex::new(held),
            announced: Condvar::new(),
        };
        Arc::new(Feed { shared: Arc::new(shared), thread: Mutex::new(None) })
    }

    /// Starts the feed's thread, and gives the ear that the log is to tell of what it commits (see
    /// [`Opened::tell`](crate::log::Opened::tell)).
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn listen(&self) -> io::Result<Arc<dyn Listener>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = self.shared.clone();
            *thread = Some(thread::Builder::new().name("feed".to_owned()).spawn(move || shared.run())?);
        }
        Ok(Arc::new(Ear(self.shared.clone())))
    }

    /// The log itself, for looking back.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.shared.source
    }

    /// How many entries are durable.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.shared.source.committed()
    }

    /// Entries in the ring, and the bytes of memory that they take.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        self.shared.held().ring.size()
    }

    /// The most that the ring holds: entries, and bytes of memory.
    #[must_use]
    pub const fn bounds() -> (usize, usize) {
        (ring::MAX_ENTRIES, ring::MAX_BYTES)
    }

    /// A reader who has the entries below `next`.
    #[must_use]
    pub fn reader(&self, next: u64) -> Reader {
        let mut held = self.shared.held();
        let id = held.next_reader;
        held.next_reader += 1;
        held.readers.push((id, next));
        Reader { shared: self.shared.clone(), id }
    }

    /// Has all who wait ask whether they are wanted elsewhere.
    pub(super) fn wake(&self) {
        // Under the lock, so that nobody misses it between looking and waiting.
        let _held = self.shared.held();
        self.shared.announced.notify_all();
    }

    /// For tests: the log has grown, and its entries are to be read there.
    #[cfg(test)]
    pub(crate) fn grew(&self) {
        self.shared.announce(Vec::new(), self.shared.source.committed());
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.inbox().closed = true;
        self.shared.arrived.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It catches the panics of what it reads; another one has been reported by the panic's own message.
        let _ = thread.map(JoinHandle::join);
    }
}

/// One follower's place in the feed. The ring holds what it has not taken yet, as far as there is room.
pub struct Reader {
    shared: Arc<Shared>,
    id: u64,
}

impl Reader {
    /// Waits until more than `beyond` entries can be had, at most `at_most`, and says how many can. It ends early if
    /// `is_wanted` says so when the feed is [woken](Feed::wake).
    pub fn wait(&self, beyond: u64, at_most: Duration, is_wanted: &dyn Fn() -> bool) -> u64 {
        let mut gone = Vec::new();
        let mut held = self.shared.held();
        self.stands_at(&mut held, beyond);
        if held.announced <= beyond {
            // There is time for it, and the last who takes an entry is the one who waits for the next.
            held.let_go(&mut gone);
            drop(held);
            gone.clear();
            held = self.shared.held();
        }
        let idle = |held: &mut Held| held.announced <= beyond && !is_wanted();
        let waited = self.shared.announced.wait_timeout_while(held, at_most, idle);
        let (held, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let announced = held.announced;
        drop(held);
        // A log that nobody listens to grows as well; whoever has other work to do looks another time.
        let look = timeout.timed_out() && !at_most.is_zero();
        if look { announced.max(self.shared.source.committed()) } else { announced }
    }

    /// Appends to `out` a portion of the entries from `from` on, if the ring holds that one, and says whether it does.
    pub fn take(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> bool {
        let mut held = self.shared.held();
        let taken = held.ring.take(from, portion, out);
        let next = out.last().filter(|_| taken).map_or(from, |last| last.seq + 1);
        self.stands_at(&mut held, next);
        taken
    }

    /// Whether the ring holds an entry.
    #[must_use]
    pub fn holds(&self, seq: u64) -> bool {
        self.shared.held().ring.holds(seq)
    }

    /// Reads a portion of the entries from `from` on from the log: at least one, which must be there.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError> {
        read_some(&*self.shared.source, from, portion, out)
    }

    fn stands_at(&self, held: &mut Held, next: u64) {
        if let Some(reader) = held.readers.iter_mut().find(|(id, _)| *id == self.id) {
            reader.1 = next;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut gone = Vec::new();
        let mut held = self.shared.held();
        held.readers.retain(|(id, _)| *id != self.id);
        held.let_go(&mut gone);
        drop(held);
    }
}

/// Reads a portion from a log, at least one entry: or whoever asks would ask again for ever.
pub(super) fn read_some(
    source: &dyn Source,
    from: u64,
    portion: Portion,
    out: &mut Vec<Arc<Event>>,
) -> Result<(), FeedError> {
    let before = out.len();
    source.read(from, portion, out)?;
    if out.len() == before {
        return Err(FeedError(format!("entry {from} is not there").into()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
