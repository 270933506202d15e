//! How the index is opened, and when it is thrown away.
//!
//! Its folder holds the engine's own folder, a `lock`, and two markers: `rebuild` (it must not be used again, and why)
//! and `opening` (an engine is being opened; a byte for each time). Nothing is repaired. An index that is not beyond
//! doubt this ledger's, up to an entry that the log has, is wiped; the follower then applies the log from 0.

use super::keys::{FORMAT_VERSION, read_seq};
use super::lookup::{Index, IndexError, Result, Tail, lists_of, put_seal};
use crate::follow::{FeedError, Portion, Source};
use crate::store::folder::{Folder, remove_folder};
use crate::store::opening::{OpenReport, Opened, RebuildReason, UNFINISHED_OPENS};
use crate::store::postings::{BUNDLE, Offsets, bundle_of, posting_key};
use crate::store::reach::ReachFile;
use crate::store::seal::{HEADER_KEY, SEAL_KEY, Seal, header_record, read_header};
use crate::store::{self, Batch, EngineKind, Store, StoreError, Table};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

/// Folders of all engines there ever were here: whichever is not in use is removed.
const ENGINE_FOLDERS: [&str; 2] = EngineKind::FOLDERS;

/// Entries spread over all that are applied, which are looked up at each opening: see `spot_check`.
const SPREAD_SAMPLES: u64 = 64;

/// Why an existing index is not used: it is to be wiped, or nobody can say now.
enum Unusable {
    Wipe(RebuildReason),
    Unknown(IndexError),
}

impl From<FeedError> for Unusable {
    fn from(error: FeedError) -> Self {
        Unusable::Unknown(error.into())
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Unusable::Unknown(error.into())
    }
}

impl From<StoreError> for Unusable {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked => Unusable::Unknown(IndexError::InUse),
            other => damaged(other.to_string()),
        }
    }
}

fn knows_more(how: String) -> Unusable {
    Unusable::Unknown(IndexError::KnowsMore(how))
}

fn damaged(what: impl Into<String>) -> Unusable {
    Unusable::Wipe(RebuildReason::Damaged(what.into()))
}

impl Index {
    /// Opens the index of the ledger `ledger_id` in `dir`, or makes it. It may then be behind the log; it is never
    /// wrong about it.
    ///
    /// # Errors
    /// Another process has it open, `dir` cannot be written, the engine cannot even make a new store, or the log cannot be
    /// read. Damage is no error: it is wiped, and the report says why.
    pub fn open(
        dir: &Path,
        kind: EngineKind,
        ledger_id: [u8; 32],
        log: &dyn Source,
    ) -> Result<(Index, OpenReport)> {
        let folder = Folder::take(dir)?;
        for other in ENGINE_FOLDERS.iter().filter(|name| **name != kind.name()) {
            remove_folder(&dir.join(other))?;
        }
        let engine_dir = dir.join(kind.name());
        let reason = if !engine_dir.try_exists()? {
            None
        } else {
            match examine(&folder, kind, &engine_dir, &ledger_id, log) {
                Ok((store, seal, tail)) => {
                    let reach = ReachFile::open(dir, ledger_id, &seal)?;
                    return Ok(finish((folder, reach), store, seal, tail, Opened::Kept, log));
                }
                Err(Unusable::Unknown(error)) => return Err(error),
                Err(Unusable::Wipe(reason)) => Some(reason),
            }
        };
        if let Some(reason) = &reason {
            tracing::warn!(%reason, "the index is wiped and built anew");
            // Marked first: a wipe that a crash cuts short must not leave something that looks whole.
            folder.mark(&reason.to_string())?;
            remove_folder(&engine_dir)?;
        }
        let store = create(kind, &engine_dir, &ledger_id).map_err(IndexError::Create)?;
        folder.clear()?;
        let opened = reason.map_or(Opened::Created, Opened::Rebuilt);
        let reach = ReachFile::open(dir, ledger_id, &Seal::EMPTY)?;
        Ok(finish((folder, reach), store, Seal::EMPTY, Tail::default(), opened, log))
    }
}

fn finish(
    (folder, reach): (Folder, ReachFile),
    store: Arc<dyn Store>,
    seal: Seal,
    tail: Tail,
    opened: Opened,
    log: &dyn Source,
) -> (Index, OpenReport) {
    let applied = seal.applied;
    let report = OpenReport { opened, applied, behind: log.committed().saturating_sub(applied) };
    let index = Index {
        store,
        applied: AtomicU64::new(applied),
        tail: Mutex::new(tail),
        failed: OnceLock::new(),
        folder,
        reach,
    };
    (index, report)
}

fn create(
    kind: EngineKind,
    engine_dir: &Path,
    ledger: &[u8; 32],
) -> std::result::Result<Arc<dyn Store>, StoreError> {
    let store = store::open(kind, engine_dir, &Table::INDEX)?;
    let mut batch = Batch::default();
    batch.put(Table::Meta, HEADER_KEY, &header_record(FORMAT_VERSION, ledger));
    put_seal(&mut batch, &Seal::EMPTY);
    store.apply(batch)?;
    Ok(store)
}

/// Opens an existing index and asks whether it can be used.
fn examine(
    folder: &Folder,
    kind: EngineKind,
    engine_dir: &Path,
    ledger: &[u8; 32],
    log: &dyn Source,
) -> std::result::Result<(Arc<dyn Store>, Seal, Tail), Unusable> {
    if let Some(reason) = folder.marked()? {
        return Err(Unusable::Wipe(RebuildReason::FailedBefore(reason)));
    }
    if folder.unfinished_opens()? >= UNFINISHED_OPENS {
        return Err(Unusable::Wipe(RebuildReason::UnfinishedOpens));
    }
    folder.begin_open()?;
    let opened = store::open(kind, engine_dir, &Table::INDEX).map_err(Unusable::from);
    let checked = opened.and_then(|store| {
        let seal = check(&*store, ledger, log)?;
        spot_check(&*store, seal.applied, log)?;
        let tail = read_tail(seal.applied, log)?;
        Ok((store, seal, tail))
    });
    folder.end_open()?;
    checked
}

/// Reads what the index says of itself, and compares it with the log.
fn check(store: &dyn Store, ledger: &[u8; 32], log: &dyn Source) -> std::result::Result<Seal, Unusable> {
    let header = store.get(Table::Meta, HEADER_KEY)?.ok_or_else(|| damaged("no header"))?;
    match read_header(&header) {
        Some((version, _)) if version != FORMAT_VERSION => {
            return Err(Unusable::Wipe(RebuildReason::OtherVersion {
                found: version,
                expected: FORMAT_VERSION,
            }));
        }
        Some((_, Some(id))) if id == *ledger => {}
        Some((_, Some(_))) => return Err(Unusable::Wipe(RebuildReason::OtherLedger)),
        Some((_, None)) | None => return Err(damaged("an unreadable header")),
    }
    let seal_of = |table| {
        let record = store.get(table, SEAL_KEY)?.ok_or_else(|| damaged("a table without its seal"))?;
        Seal::read(&record).ok_or_else(|| damaged("an unreadable seal"))
    };
    let seal = seal_of(Table::Meta)?;
    if seal_of(Table::Ids)? != seal || seal_of(Table::Postings)? != seal {
        return Err(damaged("its tables have come to different entries"));
    }
    let committed = log.committed();
    if seal.applied > committed {
        return Err(knows_more(format!("it has {} entries, and the log {committed}", seal.applied)));
    }
    match seal.applied.checked_sub(1) {
        None if seal != Seal::EMPTY => Err(damaged("an empty index with an anchor")),
        Some(last) if log.event(last)?.text_hash != seal.anchor => {
            Err(knows_more(format!("entry {last} is another one in the log")))
        }
        _ => Ok(seal),
    }
}

/// Looks some entries up that must be there. fjall's list of a table's files has no checksum that is read (lsm-tree 3.1.10,
/// `version/recovery.rs`): damaged in the wrong place, it names fewer files, and what they held is silently gone. A file
/// holds entries of all ages or those of one age, so half of the samples are spread evenly, and half get denser towards
/// the end. Some hundred lookups: a few milliseconds, tens from a cold disk.
fn spot_check(store: &dyn Store, applied: u64, log: &dyn Source) -> std::result::Result<(), Unusable> {
    let step = (applied / SPREAD_SAMPLES).max(1);
    let spread = (0..applied).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    let ages = std::iter::successors(Some(1_u64), |age| Some(age + age.div_ceil(4)));
    let recent = ages.map_while(|age| applied.checked_sub(age));
    for seq in spread.chain(recent) {
        let entry = log.event(seq)?;
        let id = store.get(Table::Ids, &crate::log::identity(&entry.source, &entry.id))?;
        if id.as_deref().and_then(read_seq) != Some(seq) {
            return Err(damaged(format!("entry {seq} is not found by its identity")));
        }
        for list in lists_of(&entry) {
            let record = store.get(Table::Postings, &posting_key(&list, bundle_of(seq)))?;
            let offsets = record.as_deref().and_then(Offsets::read);
            if !offsets.is_some_and(|offsets| offsets.contains((seq % BUNDLE) as u8)) {
                return Err(damaged(format!("entry {seq} is not on one of its lists")));
            }
        }
    }
    Ok(())
}

/// The lists of the last bundle, if it is not full, from the log: at most 255 entries.
fn read_tail(applied: u64, log: &dyn Source) -> std::result::Result<Tail, FeedError> {
    let mut tail = Tail::default();
    let mut next = applied - applied % BUNDLE;
    let mut entries = Vec::new();
    while next < applied {
        entries.clear();
        // Fewer than a bundle.
        let portion = Portion { entries: (applied - next) as usize, bytes: usize::MAX, data: false };
        log.read(next, portion, &mut entries)?;
        if entries.is_empty() {
            return Err(FeedError(format!("entry {next} is not there").into()));
        }
        for entry in &entries {
            if entry.seq != next {
                return Err(FeedError(format!("entry {} where {next} should be", entry.seq).into()));
            }
            tail.add_entry(entry);
            next += 1;
        }
    }
    // They are in the store.
    tail.lists.values_mut().for_each(|list| list.changed = false);
    Ok(tail)
}
