//! The views over the real log: the two joined, for the API.

use super::engine::{Engine, EngineError, Event, EventFeed, Follower};
use super::projections;
use crate::catalog::Catalog;
use crate::follow::{FeedError, ProjectorState};
use crate::log::append::Identities;
use crate::log::store::{ReadError, Store};
use crate::spec::entry::Entry;
use crate::spec::tile::{TILE_WIDTH, split_framed};
use crate::store::EngineKind;
use crate::store::opening::{OpenReport, Opened};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Said while an engine reads its files.
const OPENING: &str = "the views are being opened";

/// Said while it is not known what there is to keep.
const NO_CATALOG: &str = "the catalogue is being read";

/// How often it is looked whether the catalogue is known.
const CATALOG_RETRY: Duration = Duration::from_millis(5);

/// How often views that failed are tried again.
///
/// Reason: what makes them fail is most often a full disk; a second more or less does not matter then.
const RETRY: Duration = Duration::from_secs(1);

/// Bytes of entries after which no further bundle is read at once.
///
/// Reason: a thousand large events would take a quarter of a gigabyte; this many ordinary ones are a full batch.
const MAX_READ_BYTES: usize = 4 << 20;

/// How long a correction waits for the index of identities before the views give up and begin again where they were.
const INDEX_PATIENCE: Duration = Duration::from_secs(30);

/// How often it looks.
const INDEX_RETRY: Duration = Duration::from_millis(2);

/// The log as the views see it.
struct LogEvents {
    store: Arc<Store>,
    identities: Arc<dyn Identities>,
}

fn feed_error(error: ReadError) -> FeedError {
    FeedError(Box::new(error))
}

impl EventFeed for LogEvents {
    fn committed(&self) -> u64 {
        self.store.size()
    }

    fn wait_committed(&self, beyond: u64, timeout: Duration) -> u64 {
        self.store.wait_beyond(beyond, timeout)
    }

    fn read(&self, from: u64, max: usize, out: &mut Vec<Event>) -> Result<(), FeedError> {
        let end = self.store.size().min(from.saturating_add(max as u64));
        let (mut seq, mut bytes_read) = (from, 0);
        while seq < end && bytes_read < MAX_READ_BYTES {
            // One bundle stands in one piece in one file.
            let to = end.min((seq / TILE_WIDTH + 1) * TILE_WIDTH);
            let framed = self.store.framed(seq..to).map_err(feed_error)?;
            bytes_read += framed.len();
            let mut rest = &framed[..];
            while let Some((bytes, after)) = split_framed(rest) {
                let entry = Entry::parse(bytes).map_err(|_| feed_error(ReadError::Damaged { seq }))?;
                out.push(Event::of(&entry));
                (rest, seq) = (after, seq + 1);
            }
        }
        Ok(())
    }

    fn event(&self, seq: u64) -> Result<Event, FeedError> {
        let bytes = self.store.entry(seq).map_err(feed_error)?;
        let entry = Entry::parse(&bytes).map_err(|_| feed_error(ReadError::Damaged { seq }))?;
        Ok(Event::of(&entry))
    }

    fn text_hash(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        let bytes = self.store.entry(seq).map_err(feed_error)?;
        let entry = Entry::parse(&bytes).map_err(|_| feed_error(ReadError::Damaged { seq }))?;
        Ok(entry.text_hash())
    }

    fn find(&self, identity: &[u8; 16], before: u64) -> Result<Option<u64>, FeedError> {
        let began = Instant::now();
        loop {
            let (found, applied) = self.identities.find(identity).map_err(|why| FeedError(why.into()))?;
            match found {
                Some(seq) => return Ok(Some(seq).filter(|seq| *seq < before)),
                None if applied >= before => return Ok(None),
                None if began.elapsed() > INDEX_PATIENCE => {
                    return Err(FeedError(format!("the index has {applied} of {before} entries").into()));
                }
                None => std::thread::sleep(INDEX_RETRY),
            }
        }
    }
}

/// The engine and the thread that feeds it.
struct Running {
    // Declared first, so that it is stopped first.
    follower: Follower,
    engine: Arc<Engine>,
    /// Entries in the log when they were opened.
    at_opening: u64,
}

impl Running {
    fn problem(&self) -> Option<String> {
        match (self.engine.failure(), self.follower.state()) {
            (Some(why), _) | (_, ProjectorState::Failed(why)) => Some(format!("the views failed: {why}")),
            _ => None,
        }
    }
}

struct Shared {
    dir: PathBuf,
    kind: EngineKind,
    feed: Arc<LogEvents>,
    /// None until somebody says which.
    catalog: RwLock<Option<Arc<Catalog>>>,
    /// While there is none: why.
    running: RwLock<Result<Arc<Running>, String>>,
}

impl Shared {
    fn running(&self) -> Result<Arc<Running>, String> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, running: Result<Arc<Running>, String>) {
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = running;
    }

    fn catalog(&self) -> Option<Arc<Catalog>> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open(&self) -> Result<OpenReport, EngineError> {
        // Entry 0 holds the origin and the first key: no two ledgers have the same.
        let first = self.feed.store.entry(0).map_err(feed_error)?;
        let ledger = Sha256::digest(first).into();
        let Some(catalog) = self.catalog() else {
            return Err(EngineError::Failed(NO_CATALOG.into()));
        };
        let all = projections(&catalog);
        let feed: Arc<dyn EventFeed> = self.feed.clone();
        let (engine, report) =
            Engine::open(&self.dir, self.kind, ledger, feed.clone(), catalog.clone(), &all)?;
        let engine = Arc::new(engine);
        let at_opening = feed.committed();
        let follower = Follower::start(engine.clone(), feed)?;
        // Opening takes a while, and another catalogue may have come meanwhile. The lock is held until they can be found:
        // either it is seen here, or whoever brings it finds them.
        let current = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = current.as_ref().filter(|current| !Arc::ptr_eq(current, &catalog)) {
            engine.set(current.clone(), &projections(current))?;
        }
        self.set(Ok(Arc::new(Running { follower, engine, at_opening })));
        Ok(report)
    }

    /// Replaces views that have failed, until that succeeds.
    fn replace_if_failed(&self) {
        let why = match self.running() {
            Ok(running) => match running.problem() {
                Some(problem) => problem,
                None => return,
            },
            Err(why) => why,
        };
        tracing::warn!(%why, "the views are opened again");
        // The old ones are closed first: their folder is locked. Whoever still asks them keeps them for a moment.
        self.set(Err(format!("the views are being opened again: {why}")));
        if let Err(error) = self.open() {
            self.set(Err(error.to_string()));
        }
    }
}

/// The views of a ledger, following its log. If they fail, as on a full disk, they are replaced while the ledger runs;
/// no entry waits for them.
pub struct LogViews {
    shared: Arc<Shared>,
    stop: Option<Sender<()>>,
    supervisor: Option<JoinHandle<()>>,
}

impl LogViews {
    /// Opens or makes the views in `dir`, and begins to follow the log, in a thread of its own, as soon as
    /// [`LogViews::set_catalog`] has said what there is to keep; whoever asks before they are open is told so.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        dir: &Path,
        kind: EngineKind,
        store: &Arc<Store>,
        identities: Arc<dyn Identities>,
    ) -> std::io::Result<LogViews> {
        let feed = Arc::new(LogEvents { store: store.clone(), identities });
        let running = RwLock::new(Err(OPENING.into()));
        let catalog = RwLock::new(None);
        let shared = Arc::new(Shared { dir: dir.to_owned(), kind, feed, catalog, running });
        let (stop, stopped) = channel::<()>();
        let watched = shared.clone();
        let supervisor = std::thread::Builder::new().name("views-watch".into()).spawn(move || {
            while watched.catalog().is_none() {
                if stopped.recv_timeout(CATALOG_RETRY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
            match watched.open() {
                Ok(report) => tell(&report),
                Err(error) => watched.set(Err(error.to_string())),
            }
            while stopped.recv_timeout(RETRY) == Err(RecvTimeoutError::Timeout) {
                watched.replace_if_failed();
            }
        })?;
        Ok(LogViews { shared, stop: Some(stop), supervisor: Some(supervisor) })
    }

    /// The engine as it is now.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub fn now(&self) -> Result<Arc<Engine>, String> {
        self.shared.running().map(|running| running.engine.clone())
    }

    /// Entries that the views have.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.shared.running().map_or(0, |running| running.engine.applied())
    }

    /// Waits in a thread until the views have this many entries, at most `timeout`.
    #[must_use]
    pub fn wait_applied(&self, size: u64, timeout: Duration) -> bool {
        let began = Instant::now();
        loop {
            match self.shared.running() {
                Ok(running) => {
                    return running.follower.wait_applied(size, timeout.saturating_sub(began.elapsed()));
                }
                Err(_) if began.elapsed() >= timeout => return false,
                Err(_) => std::thread::sleep(INDEX_RETRY),
            }
        }
    }

    /// Waits in a thread, at most `timeout`, until the views have as many entries as the log had when they were opened,
    /// and says whether they have. Before that they are not a little behind, but being made, or made up for.
    #[must_use]
    pub fn wait_present(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        while self.shared.running().is_err() && Instant::now() < until {
            std::thread::sleep(INDEX_RETRY);
        }
        let left = until.saturating_duration_since(Instant::now());
        self.shared.running().is_ok_and(|running| running.follower.wait_applied(running.at_opening, left))
    }

    /// Entries by which the views that follow the log are behind it: nothing while they are being made, or have failed.
    #[must_use]
    pub fn arrears(&self) -> u64 {
        match self.shared.running() {
            Ok(running) if running.engine.applied() >= running.at_opening && running.problem().is_none() => {
                self.shared.feed.committed().saturating_sub(running.engine.applied())
            }
            _ => 0,
        }
    }

    /// Why the views do not answer, or do not follow; none if they do both.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self.shared.running() {
            Ok(running) => running.problem(),
            Err(why) => Some(why),
        }
    }

    /// From now on the catalogue is this one: what it declares otherwise is built beside what there is.
    ///
    /// # Errors
    /// The store failed; then the views are opened again by themselves.
    pub fn set_catalog(&self, catalog: Arc<Catalog>) -> Result<(), EngineError> {
        // Held until the engine has it: see `Shared::open`.
        let mut current = self.shared.catalog.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(catalog.clone());
        match self.now() {
            Ok(engine) => engine.set(catalog.clone(), &projections(&catalog)),
            // Whoever opens them takes this one.
            Err(_) => Ok(()),
        }
    }
}

/// What opening came to, for whoever reads the program's own log.
fn tell(report: &OpenReport) {
    if let Opened::Rebuilt(why) = &report.opened {
        tracing::warn!(%why, "the views are made anew from the log");
    }
    if report.behind > 0 {
        tracing::info!(behind = report.behind, "the views catch up with the log");
    }
}

impl Drop for LogViews {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
        self.shared.set(Err("the ledger is closed".into()));
    }
}

#[cfg(test)]
#[path = "log_views_tests.rs"]
mod tests;
