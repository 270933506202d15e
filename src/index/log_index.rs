//! The index over the real log: the two joined, for the API and for the sequencer.

use crate::follow::{
    Current, Derived, Event, Feed, Follower, FollowerState, Portion, Stop, Supervise, Supervised,
};
use crate::index::lookup::{Filter, Index, IndexError, IndexState};
use crate::log::append::Identities;
use crate::store::EngineKind;
use crate::store::opening::{OpenReport, Opened};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

impl Derived for Index {
    type Error = IndexError;

    const NAME: &'static str = "index";

    /// 32 bundles: beyond, a batch gains nothing more, and its memory (a few MB) does grow. Large entries come in smaller
    /// batches.
    const PORTION: Portion = Portion { entries: 8_192, bytes: 16 << 20, data: false };

    /// Two bundles, so that a list's record is written about once.
    const FULL_ENOUGH: u64 = 512;

    fn applied(&self) -> u64 {
        Index::applied(self)
    }

    fn apply(&self, events: &[Arc<Event>]) -> Result<(), IndexError> {
        Index::apply(self, events)
    }
}

/// An index that follows its log.
type Running = Follower<Index>;

/// Where the index is, and what it follows.
struct Place {
    dir: PathBuf,
    kind: EngineKind,
    feed: Arc<Feed>,
}

impl Supervise for Place {
    type Running = Running;
    type Report = OpenReport;
    type Error = IndexError;

    const WATCH: &'static str = "index-watch";
    const OPENING: &'static str = "the index is being opened";
    const REPLACING: &'static str = "the index is being made anew";

    fn open(&self, install: &mut dyn FnMut(Running)) -> Result<OpenReport, IndexError> {
        let log = &**self.feed.source();
        let (index, report) = Index::open(&self.dir, self.kind, log.ledger()?, log)?;
        install(Follower::start(Arc::new(index), &self.feed, Stop::default())?);
        Ok(report)
    }

    fn tell(&self, report: &OpenReport) {
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

    fn problem(&self, running: &Running) -> Option<String> {
        match (running.derived().state(), running.state()) {
            (IndexState::Failed(why), _) | (_, FollowerState::Failed(why)) => {
                Some(format!("the index failed: {why}"))
            }
            _ => None,
        }
    }

    fn end(&self, running: &Running) {
        running.stop();
    }
}

/// The index of a ledger, following its log. One that fails, as on a full disk, is replaced while the ledger runs; posting
/// waits meanwhile.
pub struct LogIndex(Supervised<Place>);

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
        feed: &Arc<Feed>,
        patience: Duration,
    ) -> Result<(Self, Option<OpenReport>), IndexError> {
        let place = Place { dir: dir.to_owned(), kind, feed: feed.clone() };
        let (supervised, first) = Supervised::start(place)?;
        supervised.begin();
        let index = Self(supervised);
        match first.recv_timeout(patience) {
            Ok(first) => Ok((index, Some(first?))),
            Err(RecvTimeoutError::Timeout) => Ok((index, None)),
            Err(RecvTimeoutError::Disconnected) => {
                Err(IndexError::Failed("opening the index ended without a result".into()))
            }
        }
    }

    /// The same index for the sequencer.
    #[must_use]
    pub fn identities(&self) -> Arc<dyn Identities> {
        Arc::new(IndexIdentities(self.0.current().clone()))
    }

    /// Entries that the index has.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.0.now().map_or(0, |running| running.derived().applied())
    }

    /// Waits in a thread until the index has this many entries, at most `timeout`; while it is being opened, for that too.
    #[must_use]
    pub fn wait_applied(&self, size: u64, timeout: Duration) -> bool {
        if size == 0 {
            return true;
        }
        let began = Instant::now();
        let running = self.0.current().wait(timeout);
        running.is_ok_and(|running| running.wait_applied(size, timeout.saturating_sub(began.elapsed())))
    }

    /// Why the index does not answer, or does not follow; none if it does both.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.0.problem()
    }

    /// The index as it is now, for several questions that must go to the same one.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub fn now(&self) -> Result<Arc<Index>, String> {
        self.0.now().map(|running| running.derived().clone())
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

struct IndexIdentities(Arc<Current<Running>>);

impl Identities for IndexIdentities {
    fn applied(&self) -> u64 {
        self.0.now().map_or(0, |running| running.derived().applied())
    }

    fn find(&self, identity: &[u8; 16]) -> Result<(Option<u64>, u64), String> {
        let running = self.0.now()?;
        let applied = running.derived().applied();
        Ok((running.derived().find(identity).map_err(|error| error.to_string())?, applied))
    }

    fn version(&self, subject: &str) -> Result<(u64, u64), String> {
        let running = self.0.now()?;
        running.derived().version(subject).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::log::disk::RealDisk;
    use crate::log::store::Store;
    use crate::log::{self, Options};
    use crate::spec::entry::Entry;

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
            publish: false,
            confirm_clock: false,
            known: Vec::new(),
        };
        log::create(&options, "log.example", None).unwrap();
        let store = log::open(options).unwrap().store;
        (dir, store)
    }

    #[test]
    fn who_does_not_wait_for_the_opening_gets_an_index_that_answers_later() {
        let (dir, store) = ledger();
        let dir = dir.path().join("index");
        let (index, report) =
            LogIndex::start(&dir, EngineKind::Fjall, &Feed::of(&store), Duration::ZERO).unwrap();
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
                Err(why) => assert_eq!((why.as_str(), index.applied()), (Place::OPENING, 0)),
            }
        };
        assert_eq!(found, Some(0));
    }

    #[test]
    fn what_goes_wrong_while_somebody_waits_is_said_at_once() {
        let (dir, store) = ledger();
        let dir = dir.path().join("index");
        let first = LogIndex::start(&dir, EngineKind::Fjall, &Feed::of(&store), Duration::MAX).unwrap();
        let second = LogIndex::start(&dir, EngineKind::Fjall, &Feed::of(&store), Duration::MAX);
        assert!(matches!(second, Err(IndexError::InUse)));
        drop(first);
    }
}
