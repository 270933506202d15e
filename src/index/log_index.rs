//! The index over the real log: the two joined, for the API and for the sequencer.

use crate::follow::{Feed, FeedEntry, FeedError, Projector, ProjectorState};
use crate::index::{Filter, Index, IndexError, IndexState};
use crate::log::append::Identities;
use crate::log::store::{ReadError, Store};
use crate::spec::entry::Entry;
use crate::spec::merkle::Hash;
use crate::store::EngineKind;
use crate::store::opening::{OpenReport, Opened};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// The log as projections see it.
struct LogFeed(Arc<Store>);

fn feed_error(error: ReadError) -> FeedError {
    FeedError(Box::new(error))
}

/// Entries whose bytes are read at once.
///
/// Reason: one bundle, which stands in one piece in one file.
const BUNDLE: u64 = crate::spec::tile::TILE_WIDTH;

impl Feed for LogFeed {
    fn committed(&self) -> u64 {
        self.0.size()
    }

    fn wait_committed(&self, beyond: u64, timeout: Duration) -> u64 {
        self.0.wait_beyond(beyond, timeout)
    }

    fn read(&self, from: u64, max: usize, out: &mut Vec<FeedEntry>) -> Result<(), FeedError> {
        let end = self.0.size().min(from.saturating_add(max as u64));
        let mut seq = from;
        while seq < end {
            let to = end.min((seq / BUNDLE + 1) * BUNDLE);
            let framed = self.0.framed(seq..to).map_err(feed_error)?;
            let mut rest = &framed[..];
            while let Some((bytes, after)) = crate::spec::tile::split_framed(rest) {
                let entry = Entry::parse(bytes).map_err(|_| feed_error(ReadError::Damaged { seq }))?;
                out.push(feed_entry(&entry));
                (rest, seq) = (after, seq + 1);
            }
        }
        Ok(())
    }

    fn text_hash(&self, seq: u64) -> Result<Hash, FeedError> {
        let bytes = self.0.entry(seq).map_err(feed_error)?;
        let entry = Entry::parse(&bytes).map_err(|_| feed_error(ReadError::Damaged { seq }))?;
        Ok(entry.text_hash())
    }
}

fn feed_entry(entry: &Entry<'_>) -> FeedEntry {
    let text = |name| entry.attribute(name).unwrap_or_default().to_owned();
    FeedEntry {
        seq: entry.seq,
        source: text("source"),
        id: text("id"),
        ty: text("type"),
        subject: entry.attribute("subject").map(str::to_owned),
        actor: entry.actor.clone(),
        text_hash: entry.text_hash(),
    }
}

/// Said while an engine reads its files.
const OPENING: &str = "the index is being opened";

/// How often a failed index is tried again.
///
/// Reason: what makes one fail is most often a full disk; a second more or less does not matter then.
const RETRY: Duration = Duration::from_secs(1);

/// One index and the thread that feeds it.
struct Running {
    index: Arc<Index>,
    projector: Projector,
}

impl Running {
    fn start(place: &Place) -> Result<(Self, OpenReport), IndexError> {
        let feed = Arc::new(LogFeed(place.store.clone()));
        // Entry 0 holds the origin and the first key: no two ledgers have the same.
        let first = feed.0.entry(0).map_err(|error| IndexError::Feed(feed_error(error)))?;
        let (index, report) = Index::open(&place.dir, place.kind, Sha256::digest(first).into(), &*feed)?;
        let index = Arc::new(index);
        let projector = Projector::start(index.clone(), feed)?;
        Ok((Self { index, projector }, report))
    }

    fn problem(&self) -> Option<String> {
        match (self.index.state(), self.projector.state()) {
            (IndexState::Failed(why), _) | (_, ProjectorState::Failed(why)) => {
                Some(format!("the index failed: {why}"))
            }
            _ => None,
        }
    }
}

struct Place {
    dir: PathBuf,
    kind: EngineKind,
    store: Arc<Store>,
}

struct Shared {
    place: Place,
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

    /// Replaces a failed index by a new one, made from the log, until that succeeds. Posting waits meanwhile.
    fn replace_if_failed(&self) {
        let why = match self.running() {
            Ok(running) => match running.problem() {
                Some(problem) => problem,
                None => return,
            },
            Err(why) => why,
        };
        tracing::warn!(%why, "the index is made anew");
        // The old one is closed first: its folder is locked. Whoever still asks it keeps it alive for a moment.
        self.set(Err(format!("the index is being made anew: {why}")));
        if let Err(error) = self.open() {
            self.set(Err(error.to_string()));
        }
    }

    fn open(&self) -> Result<OpenReport, IndexError> {
        let (running, report) = Running::start(&self.place)?;
        self.set(Ok(Arc::new(running)));
        Ok(report)
    }
}

/// What opening came to, for whoever reads the program's own log.
fn tell(report: &OpenReport) {
    if let Opened::Rebuilt(why) = &report.opened {
        tracing::warn!(%why, "the index is made anew from the log");
    }
    if report.behind > 0 {
        tracing::info!(
            behind = report.behind,
            "the index catches up with the log; posting waits while it is far behind"
        );
    }
}

/// The index of a ledger, following its log. One that fails, as on a full disk, is replaced while the ledger runs.
pub struct LogIndex {
    shared: Arc<Shared>,
    stop: Option<Sender<()>>,
    supervisor: Option<JoinHandle<()>>,
}

impl LogIndex {
    /// Opens or makes the index in `dir`, and begins to follow the log. What an engine has to read back after a crash
    /// can take seconds; whoever waits no longer than `patience` gets an index that says so, and goes on without a
    /// report.
    ///
    /// # Errors
    /// See [`Index::open`]; those that come later are tried again, and are in [`LogIndex::problem`].
    pub fn start(
        dir: &Path,
        kind: EngineKind,
        store: &Arc<Store>,
        patience: Duration,
    ) -> Result<(Self, Option<OpenReport>), IndexError> {
        let place = Place { dir: dir.to_owned(), kind, store: store.clone() };
        let shared = Arc::new(Shared { place, running: RwLock::new(Err(OPENING.into())) });
        let (stop, stopped) = channel::<()>();
        let (opened, report) = channel();
        let watched = shared.clone();
        let supervisor = std::thread::Builder::new().name("index-watch".into()).spawn(move || {
            let first = watched.open();
            match &first {
                Ok(report) => tell(report),
                Err(error) => watched.set(Err(error.to_string())),
            }
            let _ = opened.send(first);
            while stopped.recv_timeout(RETRY) == Err(RecvTimeoutError::Timeout) {
                watched.replace_if_failed();
            }
        })?;
        let index = Self { shared, stop: Some(stop), supervisor: Some(supervisor) };
        match report.recv_timeout(patience) {
            Ok(first) => Ok((index, Some(first?))),
            Err(RecvTimeoutError::Timeout) => Ok((index, None)),
            // The thread panicked.
            Err(RecvTimeoutError::Disconnected) => {
                Err(IndexError::Failed("opening the index ended without a result".into()))
            }
        }
    }

    /// The same index for the sequencer.
    #[must_use]
    pub fn identities(&self) -> Arc<dyn Identities> {
        Arc::new(IndexIdentities(self.shared.clone()))
    }

    /// Entries that the index has.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.shared.running().map_or(0, |running| running.index.applied())
    }

    /// Waits in a thread until the index has this many entries.
    #[must_use]
    pub fn wait_applied(&self, size: u64, timeout: Duration) -> bool {
        let running = self.shared.running();
        size == 0 || running.is_ok_and(|running| running.projector.wait_applied(size - 1, timeout))
    }

    /// Why the index does not answer, or does not follow; none if it does both.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self.shared.running() {
            Ok(running) => running.problem(),
            Err(why) => Some(why),
        }
    }

    /// The index as it is now, for several questions that must go to the same one.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub fn now(&self) -> Result<Arc<Index>, String> {
        self.shared.running().map(|running| running.index.clone())
    }

    /// The entry of an identity.
    ///
    /// # Errors
    /// The engine's text.
    pub fn find(&self, identity: &[u8; 16]) -> Result<Option<u64>, String> {
        let index = self.now()?;
        index.find(identity).map_err(|error| error.to_string())
    }

    /// Entries that have these values, or very rarely others whose hashes are the same; the caller looks.
    ///
    /// # Errors
    /// See [`Index::list`].
    pub fn list(
        &self,
        filter: Filter<'_>,
        from: u64,
        to: u64,
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        let index = self.now().map_err(IndexError::Failed)?;
        index.list(&filter, from, to, newest_first, limit)
    }
}

impl Drop for LogIndex {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
        self.shared.set(Err("the ledger is closed".into()));
    }
}

struct IndexIdentities(Arc<Shared>);

impl Identities for IndexIdentities {
    fn applied(&self) -> u64 {
        self.0.running().map_or(0, |running| running.index.applied())
    }

    fn find(&self, identity: &[u8; 16]) -> Result<(Option<u64>, u64), String> {
        let running = self.0.running()?;
        let applied = running.index.applied();
        Ok((running.index.find(identity).map_err(|error| error.to_string())?, applied))
    }

    fn version(&self, subject: &str) -> Result<(u64, u64), String> {
        let running = self.0.running()?;
        running.index.version(subject).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::log::disk::RealDisk;
    use crate::log::{self, Options};

    /// The folder and the log of a ledger with entry 0 alone.
    fn ledger() -> (tempfile::TempDir, Arc<Store>) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            data_dir: dir.path().to_owned(),
            keys_dir: dir.path().join("keys"),
            passphrase: None,
            disk: Arc::new(RealDisk),
            clock: Arc::new(SystemClock),
            read_only: false,
            key_lost: false,
            adopt: None,
        };
        log::create(&options, "log.example", None).unwrap();
        let store = log::open(options).unwrap().store;
        (dir, store)
    }

    #[test]
    fn who_does_not_wait_for_the_opening_gets_an_index_that_answers_later() {
        let (dir, store) = ledger();
        let dir = dir.path().join("index");
        let (index, report) = LogIndex::start(&dir, EngineKind::Fjall, &store, Duration::ZERO).unwrap();
        assert!(report.is_none());
        let first =
            Entry::parse(&store.entry(0).unwrap()).map(|entry| entry.attribute("id").map(str::to_owned));
        let identity = log::identity(store.origin(), &first.unwrap().unwrap());
        let found = loop {
            match index.now() {
                Ok(_) if index.wait_applied(1, Duration::from_secs(60)) => {
                    break index.find(&identity).unwrap();
                }
                Ok(_) => panic!("it opened and never caught up: {:?}", index.problem()),
                // It is not taken for an index that knows nothing.
                Err(why) => assert_eq!((why.as_str(), index.applied()), (OPENING, 0)),
            }
        };
        assert_eq!(found, Some(0));
    }

    #[test]
    fn what_goes_wrong_while_somebody_waits_is_said_at_once() {
        let (dir, store) = ledger();
        let dir = dir.path().join("index");
        let first = LogIndex::start(&dir, EngineKind::Fjall, &store, Duration::MAX).unwrap();
        let second = LogIndex::start(&dir, EngineKind::Fjall, &store, Duration::MAX);
        assert!(matches!(second, Err(IndexError::InUse)));
        drop(first);
    }
}
