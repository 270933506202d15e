//! The store on sled 0.34, a lock-free B-tree on a log.
//!
//! One tree, the table's number before each key: sled recovers a batch whole or not at all only within one tree.

use super::batch::Batch;
use super::kv::{Reader, Store, StoreError, Visit};
use super::table::Table;
use sled::{Config, Db, Mode};
use std::io;
use std::path::Path;

/// Cached pages. sled takes several times what is asked for; beyond this it gains little for random keys.
const CACHE_BYTES: u64 = 64 << 20;

pub(super) struct SledStore {
    db: Db,
}

impl SledStore {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let db = Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(Mode::HighThroughput)
            // No flushes by the clock: each would be an fsync beside those of the log. A crash loses what the
            // last, partly filled buffer (512 KiB) held, which the log gives again.
            .flush_every_ms(None)
            .open()?;
        Ok(SledStore { db })
    }
}

fn in_table(table: Table, key: &[u8]) -> Vec<u8> {
    let number = match table {
        Table::Meta => 0,
        Table::Ids => 1,
        Table::Postings => 2,
        Table::Rows => 3,
        Table::Events => 4,
        Table::Terms => 5,
    };
    let mut out = Vec::with_capacity(1 + key.len());
    out.push(number);
    out.extend_from_slice(key);
    out
}

impl Reader for SledStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(in_table(table, key))?.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let mut pairs = self.db.range(in_table(table, from)..in_table(table, to));
        loop {
            let next = if reverse { pairs.next_back() } else { pairs.next() };
            let Some(pair) = next else { return Ok(()) };
            let (key, value) = pair?;
            if visit(key.get(1..).unwrap_or_default(), &value).is_break() {
                return Ok(());
            }
        }
    }
}

impl Store for SledStore {
    /// sled 0.34 has none.
    fn snapshot(&self) -> Option<Box<dyn Reader + '_>> {
        None
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut writes = sled::Batch::default();
        for (table, key, value) in batch.writes() {
            match value {
                Some(value) => writes.insert(in_table(table, key), value),
                None => writes.remove(in_table(table, key)),
            }
        }
        Ok(self.db.apply_batch(writes)?)
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        match &error {
            // sled has no error of its own for this.
            sled::Error::Io(io)
                if io.kind() == io::ErrorKind::Other && io.to_string().contains("acquire lock") =>
            {
                StoreError::Locked
            }
            _ => StoreError::Engine(Box::new(error)),
        }
    }
}
