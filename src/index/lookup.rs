//! The index itself.
//!
//! Nothing in the store is ever taken away and every answer is cut at [`Index::applied`], read before the store is. So a
//! reader needs no snapshot and no lock: what a batch in flight has already written lies beyond the cut.

use super::keys::{Field, list_key, read_seq, seq_record};
use crate::follow::{Event, FeedError};
use crate::store::folder::{Folder, FolderError};
use crate::store::postings::{
    BUNDLE, Key16, ListCursor, ListError, Offsets, bundle_of, intersect, posting_key, scan_list,
};
use crate::store::reach::ReachFile;
use crate::store::seal::{SEAL_KEY, Seal};
use crate::store::{Batch, Store, StoreError, Table};
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Why the index could not be opened or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It has failed and answers no more. It is built anew at the next start.
    #[error("the index has failed: {0}")]
    Failed(String),
    /// Another process has it open.
    #[error("the index folder is in use by another process")]
    InUse,
    /// The entries to apply do not follow those applied. Nothing was applied.
    #[error("the index expected entry {expected} and was given {found}")]
    Gap {
        /// The seq that comes next.
        expected: u64,
        /// The seq that was given.
        found: u64,
    },
    /// The log could not be read; the index may be as it should.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The engine cannot make a new, empty store.
    #[error("the index cannot be created: {0}")]
    Create(#[source] StoreError),
    /// It knows entries that the log does not have: the log was put back. It is kept, as the proof.
    #[error("the index knows more than the log: {0}")]
    KnowsMore(String),
    /// Its folder cannot be read or written.
    #[error("the index folder: {0}")]
    Io(#[from] io::Error),
}

impl From<FolderError> for IndexError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::InUse => IndexError::InUse,
            FolderError::Io(error) => IndexError::Io(error),
        }
    }
}

/// What the index's calls give.
pub type Result<T> = std::result::Result<T, IndexError>;

/// Whether the index answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// It answers.
    Ready,
    /// The engine failed, for this reason. It is built anew at the next start.
    Failed(String),
}

/// Which entries to list: those that have every value given here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// CloudEvents `type`.
    pub ty: Option<&'a str>,
    /// CloudEvents `source`.
    pub source: Option<&'a str>,
    /// CloudEvents `subject`.
    pub subject: Option<&'a str>,
    /// Who submitted the entry.
    pub actor: Option<&'a str>,
}

impl Filter<'_> {
    fn lists(&self) -> Vec<Key16> {
        let fields = [
            (Field::Type, self.ty),
            (Field::Source, self.source),
            (Field::Subject, self.subject),
            (Field::Actor, self.actor),
        ];
        fields.into_iter().filter_map(|(field, value)| Some(list_key(field, value?))).collect()
    }
}

/// The index of one ledger's log. One thread applies, any number ask.
pub struct Index {
    // Declared before `folder`: the store is closed before the folder's lock is given back.
    pub(super) store: Arc<dyn Store>,
    /// Entries applied. Raised after the store has them.
    pub(super) applied: AtomicU64,
    pub(super) tail: Mutex<Tail>,
    pub(super) failed: OnceLock<String>,
    pub(super) folder: Folder,
    /// Where it is noted how far it has come.
    pub(super) reach: ReachFile,
}

/// The lists of the last bundle while it is not full. Its records are written again, whole, as it grows.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) lists: HashMap<Key16, TailList>,
}

#[derive(Debug, Default)]
pub(super) struct TailList {
    offsets: Offsets,
    /// In `offsets`, but not yet in a batch.
    pub(super) changed: bool,
}

impl Tail {
    fn add(&mut self, list: Key16, offset: u8) {
        let entry = self.lists.entry(list).or_default();
        entry.offsets.insert(offset);
        entry.changed = true;
    }

    pub(super) fn add_entry(&mut self, entry: &Event) {
        let offset = (entry.seq % BUNDLE) as u8;
        lists_of(entry).for_each(|list| self.add(list, offset));
    }

    /// Puts the changed records of bundle `bundle` into `batch`.
    fn write(&mut self, bundle: u32, batch: &mut Batch) {
        let mut record = Vec::new();
        for (list, entry) in self.lists.iter_mut().filter(|(_, entry)| entry.changed) {
            record.clear();
            entry.offsets.record(&mut record);
            batch.put(Table::Postings, &posting_key(list, bundle), &record);
            entry.changed = false;
        }
    }
}

/// The lists that an entry is on.
pub(super) fn lists_of(entry: &Event) -> impl Iterator<Item = Key16> {
    let fields = [
        (Field::Type, Some(&entry.ty)),
        (Field::Source, Some(&entry.source)),
        (Field::Subject, entry.subject.as_ref()),
        (Field::Actor, Some(&entry.actor)),
    ];
    fields.into_iter().filter_map(|(field, value)| Some(list_key(field, value?)))
}

/// As many entries as bundles of 32 bits can number, 10^12: the log would be some 800 TB by then. The last bundle's
/// number stays free, as the end of a range.
const MAX_ENTRIES: u64 = u32::MAX as u64 * BUNDLE;

impl Index {
    /// How many entries are applied: the seq of the next one. From memory.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Whether the index answers.
    #[must_use]
    pub fn state(&self) -> IndexState {
        self.failed.get().map_or(IndexState::Ready, |reason| IndexState::Failed(reason.clone()))
    }

    /// Applies entries, which must be consecutive from [`Index::applied`]: all of them or, after a crash, none.
    /// Many at a time are far cheaper than one by one.
    ///
    /// # Errors
    /// [`IndexError::Gap`], and nothing was applied. [`IndexError::Failed`], and the index answers no more.
    pub fn apply(&self, entries: &[Arc<Event>]) -> Result<()> {
        self.check()?;
        // Poisoned only if a panic passed through here; then `tail` is not trusted.
        let mut guard = self.tail.lock().map_err(|_| self.fail("a panic while applying".to_owned()))?;
        let tail = &mut *guard;
        let mut next = self.applied();
        for entry in entries {
            if entry.seq != next {
                return Err(IndexError::Gap { expected: next, found: entry.seq });
            }
            next += 1;
        }
        let Some(last) = entries.last() else { return Ok(()) };
        if next > MAX_ENTRIES {
            return Err(self.fail("more entries than its format can number".to_owned()));
        }

        let mut batch = Batch::default();
        for entry in entries {
            let id = crate::log::identity(&entry.source, &entry.id);
            batch.put(Table::Ids, &id, seq_record(entry.seq, &mut [0; 8]));
            tail.add_entry(entry);
            if (entry.seq + 1).is_multiple_of(BUNDLE) {
                tail.write(bundle_of(entry.seq), &mut batch);
                tail.lists.clear();
            }
        }
        tail.write(bundle_of(last.seq), &mut batch);
        let seal = Seal { applied: next, anchor: last.text_hash };
        put_seal(&mut batch, &seal);
        // Before the engine has them: that they are in the log is true already.
        self.reach.note(&seal);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        self.applied.store(next, Ordering::Release);
        Ok(())
    }

    /// The entry with this identity ([`crate::log::identity`]), if it has been applied.
    ///
    /// # Errors
    /// [`IndexError::Failed`].
    pub fn find(&self, identity: &[u8; 16]) -> Result<Option<u64>> {
        self.check()?;
        let record = self.store.get(Table::Ids, identity).map_err(|error| self.fail(error.to_string()))?;
        let Some(record) = record else { return Ok(None) };
        // It may already show an entry of the batch in flight: that is in the log, and the sooner seen the better.
        let seq = read_seq(&record).ok_or_else(|| self.fail(UNREADABLE.to_owned()))?;
        Ok(Some(seq))
    }

    /// How many events `subject` has, and how many entries were applied when it had that many: one consistent pair,
    /// whatever is applied meanwhile. The cost grows with the number of bundles that the subject is in.
    ///
    /// # Errors
    /// [`IndexError::Failed`].
    pub fn version(&self, subject: &str) -> Result<(u64, u64)> {
        self.check()?;
        let applied = self.applied();
        let last = bundle_of(applied);
        let mut count = 0;
        let mut add = |bundle, offsets: Offsets| {
            let seen = if bundle < last { offsets } else { offsets.and(Offsets::range(0, applied % BUNDLE)) };
            count += seen.count();
            ControlFlow::Continue(())
        };
        let bounds = (0, last.saturating_add(1));
        scan_list(&*self.store, &list_key(Field::Subject, subject), bounds, false, &mut add)
            .map_err(|error| self.fail_list(error))?;
        Ok((count, applied))
    }

    /// The seqs, at most `limit`, of the entries in `from_seq..to_seq` that match `filter`, ascending or the newest
    /// first. None at or beyond [`Index::applied`].
    ///
    /// They are candidates: lists are kept by hashes of the values, so the caller compares the entries themselves.
    ///
    /// # Errors
    /// [`IndexError::Failed`].
    pub fn list(
        &self,
        filter: &Filter<'_>,
        from_seq: u64,
        to_seq: u64,
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>> {
        self.check()?;
        let to_seq = to_seq.min(self.applied());
        if from_seq >= to_seq || limit == 0 {
            return Ok(Vec::new());
        }
        let lists = filter.lists();
        if lists.is_empty() {
            let all = from_seq..to_seq;
            return Ok(if newest_first {
                all.rev().take(limit).collect()
            } else {
                all.take(limit).collect()
            });
        }
        let cursors =
            lists.into_iter().map(|list| ListCursor::new(&*self.store, list, newest_first)).collect();
        intersect(cursors, from_seq, to_seq, newest_first, limit).map_err(|error| self.fail_list(error))
    }

    pub(super) fn check(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |reason| Err(IndexError::Failed(reason.clone())))
    }

    pub(super) fn fail_list(&self, error: ListError) -> IndexError {
        match error {
            ListError::Store(error) => self.fail(error.to_string()),
            ListError::Unreadable => self.fail(UNREADABLE.to_owned()),
        }
    }

    /// From here on the index answers nothing, and the next start builds it anew.
    pub(super) fn fail(&self, reason: String) -> IndexError {
        let reason = self.failed.get_or_init(|| {
            tracing::error!(reason, "the index has failed; it will be built anew at the next start");
            if let Err(error) = self.folder.mark(&reason) {
                tracing::error!(%error, "the index's failure could not be noted in its folder");
            }
            reason
        });
        IndexError::Failed(reason.clone())
    }
}

/// What is said of a record that the index never wrote.
pub(super) const UNREADABLE: &str = "an unreadable record";

/// The same seal in each table: see [`Seal`].
pub(super) fn put_seal(batch: &mut Batch, seal: &Seal) {
    for table in Table::INDEX {
        batch.put(table, SEAL_KEY, &seal.record());
    }
}
