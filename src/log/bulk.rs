//! Whole logs at once: reading every entry of a folder up to its checkpoint, and writing a log from entries that
//! exist already. For export, import, backup and restore. A log written here has no home yet, so it opens read-only
//! until it is adopted.

use crate::log::disk::{Disk, Mode, read_all, replace};
use crate::log::recovery::{RecoverError, note_key_change, read_head};
use crate::log::segment::{self, Tail, WalkError};
use crate::spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use crate::spec::entry::{Entry, FIRST_PREV};
use crate::spec::layout::{CHECKPOINT_FILE, COPIES, HEAD_FILE, Head};
use crate::spec::merkle::{Frontier, Hash, leaf_hash};
use crate::spec::tile::push_framed;
use std::io;
use std::path::{Path, PathBuf};

/// Why a log cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the folder holds no readable checkpoint; start the ledger once, it signs a new one")]
    NoCheckpoint,
    #[error("entry {seq}: {why}")]
    Entry { seq: u64, why: String },
    #[error("the checkpoint covers {covered} entries, there are {entries}")]
    WrongSize { covered: u64, entries: u64 },
}

/// The stored checkpoint of a log and the entries it covers. Works while the ledger is served: entries only grow.
///
/// # Errors
/// No head, or no checkpoint.
pub fn latest_checkpoint(disk: &dyn Disk, log_dir: &Path) -> Result<(String, Checkpoint), BulkError> {
    // A running ledger rewrites the file in place; a read in the middle of that is no checkpoint, the next one is.
    for _ in 0..20 {
        let bytes = read_all(disk, &log_dir.join(CHECKPOINT_FILE), MAX_CHECKPOINT_BYTES as u64)
            .map_err(|_| BulkError::NoCheckpoint)?;
        if let Ok((checkpoint, _)) = Checkpoint::parse(&bytes) {
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), checkpoint));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Err(BulkError::NoCheckpoint)
}

/// Calls `visit` with each of the first `size` entries.
///
/// # Errors
/// The log's, or the first one of `visit`.
pub fn read_entries(
    disk: &dyn Disk,
    log_dir: &Path,
    size: u64,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), BulkError>,
) -> Result<(), BulkError> {
    let (head, _) = read_head(disk, log_dir)?;
    let mut seq = 0;
    for number in 0..=head.segment {
        if seq == size {
            return Ok(());
        }
        let bytes = if number == head.segment {
            head.end
        } else {
            disk.open(&segment::entries_path(log_dir, number), Mode::Read)?.size()?
        };
        let mut failed = Ok(());
        let walked = segment::walk(disk, log_dir, number, bytes, |_, _, entry| {
            if failed.is_ok() && seq < size {
                failed = visit(seq, entry);
                seq += 1;
            }
        });
        failed?;
        walked.map_err(|error| match error {
            WalkError::Io(error) => BulkError::Io(error),
            cut @ WalkError::Cut { .. } => BulkError::Entry { seq, why: cut.to_string() },
        })?;
    }
    if seq == size { Ok(()) } else { Err(BulkError::WrongSize { covered: size, entries: seq }) }
}

/// Writes a log from its entries, in order. Nothing opens it before [`Builder::finish`].
pub struct Builder<'a> {
    disk: &'a dyn Disk,
    log_dir: PathBuf,
    tail: Tail,
    frontier: Frontier,
    chain: Hash,
    key_changes: Vec<u64>,
    buffer: Vec<u8>,
    written: u64,
    roots: Vec<Hash>,
}

/// Bytes that are written at once.
const WRITE_BYTES: usize = 1 << 20;

impl<'a> Builder<'a> {
    /// Begins a log in a folder that holds none.
    ///
    /// # Errors
    /// There is one, or the folder cannot be made.
    pub fn new(disk: &'a dyn Disk, log_dir: &Path) -> Result<Self, BulkError> {
        if disk.open(&log_dir.join(HEAD_FILE), Mode::Read).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a log already").into());
        }
        disk.create_dir(&segment::folder(log_dir, 0))?;
        Ok(Self {
            disk,
            log_dir: log_dir.to_owned(),
            tail: Tail::new(0),
            frontier: Frontier::new(),
            chain: FIRST_PREV,
            key_changes: Vec::new(),
            buffer: Vec::new(),
            written: 0,
            roots: Vec::new(),
        })
    }

    /// Entries so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Adds the next entry. Whether it is the right one is the verifier's business, not this function's.
    ///
    /// # Errors
    /// It is no entry, or cannot be written.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), BulkError> {
        let seq = self.size();
        let entry = Entry::parse(bytes).map_err(|error| BulkError::Entry { seq, why: error.to_string() })?;
        if self.tail.is_full() {
            self.seal()?;
        }
        note_key_change(bytes, seq, &mut self.key_changes);
        self.chain = entry.text_hash();
        push_framed(&mut self.buffer, bytes);
        let leaf = leaf_hash(bytes);
        self.frontier.push(leaf);
        self.tail.push(self.written + self.buffer.len() as u64, leaf);
        if self.buffer.len() >= WRITE_BYTES { self.flush(false) } else { Ok(()) }
    }

    fn flush(&mut self, sync: bool) -> Result<(), BulkError> {
        let file = self.disk.open(&segment::entries_path(&self.log_dir, self.tail.segment), Mode::Write)?;
        file.write_all_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        if sync {
            file.sync_data()?;
            self.disk.sync_dir(&segment::folder(&self.log_dir, self.tail.segment))?;
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<(), BulkError> {
        self.flush(true)?;
        segment::seal(self.disk, &self.log_dir, &self.tail, std::mem::take(&mut self.key_changes))?;
        self.roots.extend(self.tail.root());
        segment::write_level(self.disk, &self.log_dir, 2, 0, &self.roots)?;
        let next = self.tail.segment + 1;
        self.disk.create_dir(&segment::folder(&self.log_dir, next))?;
        (self.tail, self.written) = (Tail::new(next), 0);
        Ok(())
    }

    /// Ends the log with a checkpoint over exactly its entries. The head comes last: without it there is no log.
    ///
    /// # Errors
    /// The checkpoint covers another number of entries, or something cannot be written.
    pub fn finish(mut self, checkpoint: &str) -> Result<Head, BulkError> {
        let (said, _) = Checkpoint::parse(checkpoint.as_bytes()).map_err(|_| BulkError::NoCheckpoint)?;
        if said.size != self.size() {
            return Err(BulkError::WrongSize { covered: said.size, entries: self.size() });
        }
        self.flush(true)?;
        let head = Head {
            size: self.size(),
            segment: self.tail.segment,
            end: self.tail.end(),
            chain: self.chain,
            root: self.frontier.root(),
        };
        self.disk.sync_dir(&self.log_dir)?;
        replace(self.disk, &self.log_dir.join(CHECKPOINT_FILE), checkpoint.as_bytes())?;
        let copies = [head.to_slot(); COPIES];
        replace(self.disk, &self.log_dir.join(HEAD_FILE), copies.as_flattened())?;
        Ok(head)
    }
}

/// Copies the log of one data folder, as far as its checkpoint covers it, into another that has none.
///
/// # Errors
/// See [`BulkError`].
pub fn copy(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Head, BulkError> {
    let (note, checkpoint) = latest_checkpoint(disk, from)?;
    let mut builder = Builder::new(disk, to)?;
    read_entries(disk, from, checkpoint.size, |seq, bytes| {
        progress(seq, checkpoint.size);
        builder.push(bytes)
    })?;
    builder.finish(&note)
}
