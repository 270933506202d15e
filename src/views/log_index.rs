//! The index over the real log: the two joined, for the API and for the sequencer.

use crate::log::append::Identities;
use crate::log::store::{ReadError, Store};
use crate::spec::entry::Entry;
use crate::spec::merkle::Hash;
use crate::views::{
    EngineKind, Feed, FeedEntry, FeedError, Filter, Index, IndexError, IndexState, OpenReport,
};
use crate::views::{Projector, ProjectorState};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::Arc;
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

/// The index of a ledger, following its log.
pub struct LogIndex {
    index: Arc<Index>,
    projector: Projector,
}

impl LogIndex {
    /// Opens or makes the index in `dir`, and begins to follow the log.
    ///
    /// # Errors
    /// See [`Index::open`].
    pub fn start(dir: &Path, kind: EngineKind, store: &Arc<Store>) -> Result<(Self, OpenReport), IndexError> {
        let feed = Arc::new(LogFeed(store.clone()));
        // Entry 0 holds the origin and the first key: no two ledgers have the same.
        let first = feed.0.entry(0).map_err(|error| IndexError::Feed(feed_error(error)))?;
        let (index, report) = Index::open(dir, kind, Sha256::digest(first).into(), &*feed)?;
        let index = Arc::new(index);
        let projector = Projector::start(index.clone(), feed)?;
        Ok((Self { index, projector }, report))
    }

    /// The same index for the sequencer.
    #[must_use]
    pub fn identities(&self) -> Arc<dyn Identities> {
        Arc::new(IndexIdentities(self.index.clone()))
    }

    /// Entries that the index has.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.index.applied()
    }

    /// Waits in a thread until the index has this many entries.
    #[must_use]
    pub fn wait_applied(&self, size: u64, timeout: Duration) -> bool {
        size == 0 || self.projector.wait_applied(size - 1, timeout)
    }

    /// Why the index does not answer, or does not follow; none if it does both.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match (self.index.state(), self.projector.state()) {
            (IndexState::Failed(why), _) | (_, ProjectorState::Failed(why)) => {
                Some(format!("the index failed: {why}"))
            }
            _ => None,
        }
    }

    /// The entry of an identity.
    ///
    /// # Errors
    /// The engine's text.
    pub fn find(&self, identity: &[u8; 16]) -> Result<Option<u64>, String> {
        self.index.find(identity).map_err(|error| error.to_string())
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
        self.index.list(&filter, from, to, newest_first, limit)
    }
}

struct IndexIdentities(Arc<Index>);

impl Identities for IndexIdentities {
    fn applied(&self) -> u64 {
        self.0.applied()
    }

    fn find(&self, identity: &[u8; 16]) -> Result<Option<u64>, String> {
        self.0.find(identity).map_err(|error| error.to_string())
    }

    fn version(&self, subject: &str) -> Result<(u64, u64), String> {
        self.0.version(subject).map_err(|error| error.to_string())
    }
}
