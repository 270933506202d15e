//! A small ordered key-value store for data that can be derived again: one trait, two engines.
//!
//! Here live the [`Store`] trait, the [`Batch`] it takes, and the engines behind it: fjall (the default) and sled (with the
//! Cargo feature of that name), both held to the same conformance suite. Keys and values mean nothing here.
//! This module may use the engines' crates and the standard library, and must never know of entries, sync to disk on
//! purpose, try to repair what it finds, or let an engine's panic out: an engine that panics has failed, that is all.

mod fjall;
pub mod folder;
pub mod opening;
pub mod postings;
pub mod seal;
#[cfg(feature = "sled")]
mod sled;

#[cfg(test)]
mod conformance;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long [`open`] keeps trying while the engine's own lock is held. A store that this process has just dropped may
/// still be closing its background threads; two seconds are far beyond what that takes, and short for a person.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How often it tries in that time.
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// A key space of its own. Batches span tables, scans do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What the index says about itself: a handful of keys.
    Meta,
    /// Point lookups of random keys, most of which miss.
    Ids,
    /// Lists, read by range.
    Postings,
    /// Rows of views: read one by one, and changed.
    Rows,
    /// The events of rows, read by range.
    Events,
    /// Keys without values that come and go, read by range.
    Terms,
}

impl Table {
    /// What the index of identities and lists consists of.
    pub const INDEX: [Table; 3] = [Table::Meta, Table::Ids, Table::Postings];

    /// All tables, in key order: what the views consist of.
    pub const ALL: [Table; 6] =
        [Table::Meta, Table::Ids, Table::Postings, Table::Rows, Table::Events, Table::Terms];
}

/// Which engine keeps the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// A log-structured merge tree: steady append rate, small memory.
    #[default]
    Fjall,
    /// A lock-free B-tree on a log. It takes memory and start-up time in proportion to what it holds.
    #[cfg(feature = "sled")]
    Sled,
}

impl EngineKind {
    /// The names of all engines there ever were: of a store's folder, those that are not in use are removed.
    pub const FOLDERS: [&str; 2] = ["fjall", "sled"];

    /// The engine's name, as written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Fjall => "fjall",
            #[cfg(feature = "sled")]
            EngineKind::Sled => "sled",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        match name {
            "fjall" => Ok(EngineKind::Fjall),
            #[cfg(feature = "sled")]
            "sled" => Ok(EngineKind::Sled),
            _ => Err(UnknownEngine(name.to_owned())),
        }
    }
}

/// A name that is no engine of this build.
#[derive(Debug, thiserror::Error)]
#[error("no index engine {0:?} in this build (fjall; sled with the Cargo feature `sled`)")]
pub struct UnknownEngine(String);

/// Why a store could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody has this store open. It is not damaged; leave it alone.
    #[error("the index store is open elsewhere")]
    Locked,
    /// The engine says that it cannot go on: damage, no room, a failing disk. Drop the store.
    #[error("the index engine failed: {0}")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
    /// The engine panicked, which some do on damaged files. Drop the store.
    #[error("the index engine panicked: {0}")]
    Panicked(String),
    /// The store is being dropped.
    #[error("the index store is closed")]
    Closed,
}

/// What a scan calls for each pair, in order; `Break` ends the scan.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered key-value store. Keys have at most 64 KiB.
///
/// Reads see every batch whose [`Store::apply`] has returned. While a batch is being applied, they may see any part of it.
pub trait Store: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// The engine failed.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the pairs with `from <= key < to` in ascending order, or descending if `reverse`.
    ///
    /// # Errors
    /// The engine failed; some pairs may have been visited.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;

    /// Applies a batch: after a crash, all of it is there or nothing, and nothing of a later batch without it.
    /// It is not synced: the last batches may be gone after a crash.
    ///
    /// # Errors
    /// The engine failed; whether the batch will be there after a reopen is unknown.
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;
}

/// Opens the store in `dir` with these tables, creating it where there is none. A store is always opened with the same
/// ones, and no others are asked for.
///
/// # Errors
/// [`StoreError::Locked`] if it stays locked for two seconds; otherwise what the engine says.
pub fn open(kind: EngineKind, dir: &Path, tables: &'static [Table]) -> Result<Arc<dyn Store>, StoreError> {
    let started = Instant::now();
    loop {
        let opened = caught(|| -> Result<Box<dyn Store>, StoreError> {
            match kind {
                EngineKind::Fjall => Ok(Box::new(fjall::FjallStore::open(dir, tables)?)),
                #[cfg(feature = "sled")]
                EngineKind::Sled => Ok(Box::new(sled::SledStore::open(dir)?)),
            }
        });
        match opened {
            Err(StoreError::Locked) if started.elapsed() < LOCK_PATIENCE => thread::sleep(LOCK_RETRY),
            Err(error) => return Err(error),
            Ok(inner) => {
                return Ok(Arc::new(Guarded {
                    inner: Some(inner),
                    #[cfg(test)]
                    dir: dir.to_owned(),
                }));
            }
        }
    }
}

/// Puts and deletes over tables, applied as one. Where a key occurs twice, the later call counts.
#[derive(Debug, Default)]
pub struct Batch {
    /// Keys and values end to end: one allocation for thousands of small pieces.
    bytes: Vec<u8>,
    writes: Vec<Write>,
}

/// Where in `Batch::bytes` a key lies, and its value right behind it; no value deletes.
#[derive(Debug)]
struct Write {
    table: Table,
    start: usize,
    key_len: usize,
    value_len: Option<usize>,
}

impl Write {
    // Both slices lie inside `bytes` because `Batch::push` alone makes a `Write` and nothing removes bytes.
    fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.start + self.key_len]
    }

    fn value<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.start + self.key_len;
        self.value_len.map(|len| &bytes[start..start + len])
    }
}

impl Batch {
    /// Sets `key` to `value`.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.push(table, key, Some(value));
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.push(table, key, None);
    }

    /// Adds what another batch writes, after what this one does.
    pub fn append(&mut self, other: Batch) {
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.writes
            .extend(other.writes.into_iter().map(|write| Write { start: write.start + offset, ..write }));
    }

    fn push(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.writes.push(Write { table, start, key_len: key.len(), value_len: value.map(<[u8]>::len) });
    }

    /// Sorts by table and key, and keeps the last write of each key. Engines differ in what two writes of a key in one
    /// batch come to, and all of them insert sorted keys faster.
    fn settle(&mut self) {
        let bytes = &self.bytes;
        // The sort is stable: turned round first, the later write of a key comes first and is the one kept.
        self.writes.reverse();
        self.writes.sort_by(|a, b| (a.table, a.key(bytes)).cmp(&(b.table, b.key(bytes))));
        self.writes.dedup_by(|a, b| a.table == b.table && a.key(bytes) == b.key(bytes));
    }

    /// The settled writes: table, key, and the value to put or nothing to delete.
    fn writes(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.writes.iter().map(|write| (write.table, write.key(&self.bytes), write.value(&self.bytes)))
    }
}

/// An engine behind a wall: its panics become errors, also the one while it is dropped.
struct Guarded {
    /// Taken out in `drop` alone.
    inner: Option<Box<dyn Store>>,
    #[cfg(test)]
    dir: std::path::PathBuf,
}

impl Guarded {
    fn with<T>(&self, call: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let inner = self.inner.as_deref().ok_or(StoreError::Closed)?;
        caught(|| call(inner))
    }
}

impl Store for Guarded {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|inner| inner.get(table, key))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if from >= to {
            // The engines differ: one gives nothing, one panics.
            return Ok(());
        }
        self.with(|inner| inner.scan(table, from, to, reverse, visit))
    }

    fn apply(&self, mut batch: Batch) -> Result<(), StoreError> {
        #[cfg(test)]
        full::check(&self.dir)?;
        batch.settle();
        self.with(|inner| inner.apply(batch))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let inner = self.inner.take();
        if let Err(StoreError::Panicked(reason)) = caught(|| {
            drop(inner);
            Ok(())
        }) {
            tracing::warn!(reason, "the index engine panicked while closing");
        }
    }
}

/// Runs an engine's code and makes its panic an error. After a panic the store is only dropped, so that it does not
/// matter in what state the panic left it.
fn caught<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|payload| Err(StoreError::Panicked(panic_text(&*payload))))
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

/// For tests: folders in which there is no room.
#[cfg(test)]
pub(crate) mod full {
    use super::StoreError;
    use std::collections::BTreeSet;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    static FULL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

    pub(crate) fn set(dir: &Path, full: bool) {
        let mut folders = FULL.lock().unwrap();
        if full {
            folders.insert(dir.to_owned());
        } else {
            folders.remove(dir);
        }
    }

    pub(super) fn check(dir: &Path) -> Result<(), StoreError> {
        if FULL.lock().unwrap().contains(dir) {
            return Err(StoreError::Engine(Box::new(io::Error::from(io::ErrorKind::StorageFull))));
        }
        Ok(())
    }
}
