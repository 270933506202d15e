//! The store on fjall 3, a log-structured merge tree.
//!
//! One keyspace a table; a batch is one checksummed record of the common journal, which recovery replays whole or not at
//! all. Options are written down when a keyspace is made: to change one, raise the index's format version.

use super::batch::Batch;
use super::kv::{Reader, Store, StoreError, Visit};
use super::table::Table;
use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
    PartitioningPolicy,
};
use fjall::{
    Database, Iter, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Snapshot,
};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Cached blocks of all tables. The upper levels of a lookup's path stay in it: filters take 10 bits a key, so 10 million
/// identities need 12.5 MB of it for lookups that miss without a disk read, and the rest serves lists.
const CACHE_BYTES: u64 = 48 << 20;

/// A table's write buffer. A key is counted with 64 bytes of overhead, so it holds some 390,000 identities; there
/// are at most three for each of the two large tables (one active, two waiting to be flushed: `MAX_SEALED`).
/// Smaller ones mean more rounds of merging random keys into the whole of the next level. In tests it is small enough
/// that they see tables flushed and merged.
const MEMTABLE_BYTES: u64 = if cfg!(test) { 64 << 10 } else { 32 << 20 };

/// Sealed journals on disk before tables that hold them back are flushed: fjall's least. The journal is read again at
/// each start, so a small one is what makes a start fast.
const JOURNAL_BYTES: u64 = 64 << 20;

/// One thread flushes and merges. Of several, fjall 3.1 keeps the first for flushing, and that one spins while another
/// merges: it takes each request to merge from the queue and puts it back. A flush can wait for a merge: there is
/// room for two buffers of a table meanwhile (`MAX_SEALED`).
const WORKERS: usize = 1;

/// Open table files. A file is up to 64 MiB: this covers 8 GiB of a store. Two stores take a quarter of the usual limit
/// of 1,024 descriptors, as segments do.
const OPEN_FILES: usize = 128;

/// Bits a key in the filters of deeper levels: 1 lookup in 120 reads a block in vain.
const FILTER_BITS: f32 = 10.0;

/// False positives where there are several overlapping runs to ask (level 0).
const FILTER_FALSE_POSITIVES: f32 = 0.0001;

/// Blocks of lists. They are read in runs, so larger than the 4 KiB for point lookups.
const LIST_BLOCK_BYTES: u32 = 16 << 10;

/// Write buffers of a table waiting to be flushed before `apply` waits. Below fjall's own limit of 4, where it would wait
/// without noticing that its flushing thread has died.
const MAX_SEALED: usize = 2;

/// Files in level 0 before `apply` waits for merging; below fjall's limit of 30 for the same reason. Each is one more
/// filter to ask in a lookup.
const MAX_LEVEL_0: usize = 16;

/// How long closing waits for tables to be flushed: two buffers of `MEMTABLE_BYTES` take well under a second. Whatever
/// is not flushed by then stays in the journal.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// How often one who waits for flushing or merging looks again.
const STALL_RETRY: Duration = Duration::from_millis(2);

pub(super) struct FjallStore {
    db: Database,
    /// In the order of [`Table`]; none for a table that this store does not have.
    keyspaces: [Option<Keyspace>; Table::ALL.len()],
    tables: &'static [Table],
    dir: PathBuf,
}

impl FjallStore {
    pub(super) fn open(dir: &Path, tables: &'static [Table]) -> Result<Self, StoreError> {
        // Without any journal, fjall 3.1 numbers new writes from 0 again, and what its tables hold hides them.
        if dir.join("version").try_exists()? && journals(dir)?.is_empty() {
            return Err(StoreError::Engine("its journal is missing".into()));
        }
        let db = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .max_cached_files(Some(OPEN_FILES))
            .open()?;
        let mut keyspaces = [const { None }; Table::ALL.len()];
        for table in tables {
            let (name, options) = keyspace(*table);
            if let Some(place) = keyspaces.get_mut(*table as usize) {
                *place = Some(db.keyspace(name, || options)?);
            }
        }
        Ok(FjallStore { db, keyspaces, tables, dir: dir.to_owned() })
    }

    fn table(&self, table: Table) -> Result<&Keyspace, StoreError> {
        let keyspace = self.keyspaces.get(table as usize).and_then(Option::as_ref);
        keyspace.ok_or_else(|| StoreError::Engine(format!("this store has no table {table:?}").into()))
    }

    fn keyspaces(&self) -> impl Iterator<Item = &Keyspace> {
        self.tables.iter().filter_map(|table| self.keyspaces.get(*table as usize)?.as_ref())
    }

    /// Waits while flushing or merging is behind. fjall waits by itself at higher limits, but for ever if the thread it waits
    /// for has died of an error; asking it to persist tells.
    fn wait_for_room(&self) -> Result<(), StoreError> {
        let full = |keyspace: &Keyspace| {
            keyspace.sealed_memtable_count() >= MAX_SEALED || keyspace.l0_table_count() >= MAX_LEVEL_0
        };
        while self.keyspaces().any(full) {
            self.db.persist(PersistMode::Buffer)?;
            thread::sleep(STALL_RETRY);
        }
        Ok(())
    }

    /// Flushes all tables and then empties the journal, which holds nothing else any more.
    fn settle(&self) -> Result<(), StoreError> {
        for keyspace in self.keyspaces() {
            keyspace.rotate_memtable()?;
        }
        let started = Instant::now();
        while self.keyspaces().any(|keyspace| keyspace.sealed_memtable_count() > 0) {
            self.db.persist(PersistMode::Buffer)?;
            if started.elapsed() > CLOSE_PATIENCE {
                return Ok(());
            }
            thread::sleep(STALL_RETRY);
        }
        for journal in journals(&self.dir)? {
            OpenOptions::new().write(true).open(journal)?.set_len(0)?;
        }
        Ok(())
    }
}

/// A table's name, and the options that it is made with.
fn keyspace(table: Table) -> (&'static str, KeyspaceCreateOptions) {
    // By default, fjall 3.1 leaves the index and the filter of a file (up to 64 MiB) whole on the first three levels. Then
    // a lookup reads up to 3 MiB into the cache to look at some bytes of them; in parts, 4 KiB of each.
    let plain = KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(true));
    // Read by range alone, for which filters are no help.
    let listed = |options: KeyspaceCreateOptions| {
        options
            .data_block_size_policy(BlockSizePolicy::all(LIST_BLOCK_BYTES))
            .filter_policy(FilterPolicy::disabled())
    };
    match table {
        Table::Meta => ("meta", plain),
        Table::Ids => {
            let filters = FilterPolicy::new([
                FilterPolicyEntry::Bloom(BloomConstructionPolicy::FalsePositiveRate(FILTER_FALSE_POSITIVES)),
                FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(FILTER_BITS)),
            ]);
            // Random keys and short numbers do not compress.
            ("ids", plain.data_block_compression_policy(CompressionPolicy::disabled()).filter_policy(filters))
        }
        Table::Postings => ("postings", listed(plain)),
        // Who asks for a row has its number from elsewhere, so it is there: the last level needs no filter to say so.
        Table::Rows => ("rows", plain.expect_point_read_hits(true)),
        Table::Events => ("events", listed(plain)),
        Table::Terms => ("terms", listed(plain)),
    }
}

fn journals(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            journals.push(path);
        }
    }
    Ok(journals)
}

impl Drop for FjallStore {
    /// fjall 3.1 reads its journal again at each start, also what has long been flushed, and begins a new one only beyond
    /// 64 MB: 56 MB of it took 2.3 s. After a crash that has to be, after a clean stop it has not.
    fn drop(&mut self) {
        if let Err(error) = self.settle() {
            tracing::debug!(%error, "the index's journal is left for the next start");
        }
    }
}

impl Reader for FjallStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.table(table)?.get(key)?.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        visit_all(self.table(table)?.range(from..to), reverse, visit)
    }
}

/// What the store held at a moment. fjall keeps it as long as this lives.
struct Still<'a> {
    store: &'a FjallStore,
    snapshot: Snapshot,
}

impl Reader for Still<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.snapshot.get(self.store.table(table)?, key)?.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        visit_all(self.snapshot.range(self.store.table(table)?, from..to), reverse, visit)
    }
}

fn visit_all(mut pairs: Iter, reverse: bool, visit: &mut Visit<'_>) -> Result<(), StoreError> {
    loop {
        let next = if reverse { pairs.next_back() } else { pairs.next() };
        let Some(pair) = next else { return Ok(()) };
        let (key, value) = pair.into_inner()?;
        if visit(&key, &value).is_break() {
            return Ok(());
        }
    }
}

impl Store for FjallStore {
    fn snapshot(&self) -> Option<Box<dyn Reader + '_>> {
        Some(Box::new(Still { store: self, snapshot: self.db.snapshot() }))
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.wait_for_room()?;
        // `Buffer` hands the record to the operating system: it outlives this process, and nothing is synced.
        let mut writes = OwnedWriteBatch::with_capacity(self.db.clone(), batch.len())
            .durability(Some(PersistMode::Buffer));
        for (table, key, value) in batch.writes() {
            match value {
                Some(value) => writes.insert(self.table(table)?, key, value),
                None => writes.remove(self.table(table)?, key),
            }
        }
        Ok(writes.commit()?)
    }
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => StoreError::Locked,
            other => StoreError::Engine(Box::new(other)),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        StoreError::Engine(Box::new(error))
    }
}
