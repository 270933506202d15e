//! Reading the log: entries, bundles, tiles and proofs, from what is committed and nothing beyond.

use crate::log::disk::{Disk, File};
use crate::log::open_files::OpenFiles;
use crate::log::segment::{self, Tail};
use crate::log::tiles::TileTree;
use crate::spec::checkpoint::Checkpoint;
use crate::spec::entry::{Entry, MAX_ENTRY_BYTES};
use crate::spec::layout::{Head, SEGMENT_ENTRIES};
use crate::spec::merkle::{self, Frontier, Hash, leaf_hash};
use crate::spec::note::VerifierKey;
use crate::spec::receipt::Receipt;
use crate::spec::tile::{self, LENGTH_BYTES, TILE_WIDTH, fold, split_framed};
use crate::spec::time::Timestamp;
use crate::sync::{Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use quick_cache::sync::Cache;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not in the log, or not yet.
    #[error("the log has {size} entries")]
    NotThere { size: u64 },
    /// The bytes on the disk are not those that were committed.
    #[error("entry {seq} is damaged on the disk: its hash is not the one that was committed")]
    Damaged { seq: u64 },
    /// A file that is derived from the entries does not fit what is above it in the tree.
    #[error("tile {level}/{number} is damaged on the disk; `daybook check --repair` makes it again")]
    DamagedTile { level: u8, number: u64 },
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A key and the entries from which it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInForce {
    pub key: VerifierKey,
    /// The first entry that this key alone signs: 0, or the one after the rotation.
    pub from: u64,
    /// The entry that brought it into force; none for the first key.
    pub rotation: Option<u64>,
    /// Whether a commitment to the next key was made with it.
    pub next: Option<Hash>,
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug)]
pub struct SignedCheckpoint {
    pub checkpoint: Checkpoint,
    pub note: Arc<str>,
}

/// What of the log is in memory.
pub struct State {
    pub head: Head,
    /// When the last entry was recorded.
    pub last_time: Timestamp,
    /// Full segments whose derived files are not written yet, oldest first.
    pub unsealed: Vec<Arc<Tail>>,
    /// The segment that the next entry goes to, or that is just full.
    pub current: Tail,
    /// Levels 2 and up: the roots of segments, of 256 segments, …
    pub upper: Vec<Vec<Hash>>,
    /// The history of keys, oldest first. Never empty once the log has its first entry.
    pub keys: Vec<KeyInForce>,
    /// The latest checkpoint.
    pub checkpoint: Option<SignedCheckpoint>,
}

impl State {
    /// Adds one committed entry.
    pub fn push(&mut self, end: u64, leaf: Hash) {
        if self.current.is_full() {
            let next = Tail::new(self.current.segment + 1);
            self.unsealed.push(Arc::new(std::mem::replace(&mut self.current, next)));
        }
        self.current.push(end, leaf);
        if let Some(root) = self.current.root() {
            push_upper(&mut self.upper, root);
        }
    }

    fn tail(&self, segment: u64) -> Option<&Tail> {
        if self.current.segment == segment {
            return Some(&self.current);
        }
        self.unsealed.iter().find(|tail| tail.segment == segment).map(AsRef::as_ref)
    }
}

/// Adds a segment's root to the upper levels, completing what it completes.
pub fn push_upper(upper: &mut Vec<Vec<Hash>>, root: Hash) {
    let mut hash = root;
    for level in 0.. {
        if upper.len() == level {
            upper.push(Vec::new());
        }
        let Some(hashes) = upper.get_mut(level) else { return };
        hashes.push(hash);
        if !hashes.len().is_multiple_of(TILE_WIDTH as usize) {
            return;
        }
        match hashes.last_chunk::<{ TILE_WIDTH as usize }>().and_then(|tile| fold(tile)) {
            Some(parent) => hash = parent,
            None => return,
        }
    }
}

/// Checked tiles of sealed segments that are kept.
///
/// Reason: a proof looks at two of them sixteen times, one of 256 entries and its segment's; 8 MiB, in which those of the
/// segments of tens of millions of entries find room, as they are looked at more often.
const MAX_TILES: usize = 512;

/// Where hashes of a tile are.
enum Part {
    /// Those that were asked for, from memory.
    Hashes(Vec<Hash>),
    /// In a tile of a sealed segment.
    Of(Arc<TileTree>),
}

/// The committed log.
pub struct Store {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) log_dir: PathBuf,
    origin: String,
    state: RwLock<State>,
    files: OpenFiles,
    /// Tiles of sealed segments that lead to their segment's root, by level and number.
    tiles: Cache<(u8, u64), Arc<TileTree>>,
    /// The committed size again, for waiting: blocking threads use the condition, tasks the watch.
    grown: (Mutex<u64>, Condvar),
    watch: watch::Sender<u64>,
}

impl Store {
    /// A store of what recovery found.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, log_dir: PathBuf, origin: String, state: State) -> Self {
        let size = state.head.size;
        Self {
            disk,
            log_dir,
            origin,
            state: RwLock::new(state),
            files: OpenFiles::new(),
            tiles: Cache::new(MAX_TILES),
            grown: (Mutex::new(size), Condvar::new()),
            watch: watch::Sender::new(size),
        }
    }

    /// The store with what only the entries could tell, once recovery has read them.
    #[must_use]
    pub(super) fn with_history(
        mut self,
        origin: String,
        keys: Vec<KeyInForce>,
        last_time: Timestamp,
        checkpoint: Option<SignedCheckpoint>,
    ) -> Self {
        self.origin = origin;
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        (state.keys, state.last_time, state.checkpoint) = (keys, last_time, checkpoint);
        self
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes those who wait for growth.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut RwLockWriteGuard<'_, State>) -> T) -> T {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let size = state.head.size;
        drop(state);
        // Two who update may come here in either order; what was announced never goes back.
        {
            let mut grown = self.grown.0.lock().unwrap_or_else(PoisonError::into_inner);
            *grown = size.max(*grown);
        }
        self.grown.1.notify_all();
        self.watch.send_if_modified(|announced| {
            let grew = size > *announced;
            *announced = size.max(*announced);
            grew
        });
        result
    }

    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where the log is.
    #[must_use]
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// Entries that are committed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state().head.size
    }

    /// Follows the committed size from a task.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.watch.subscribe()
    }

    /// Waits in a thread until more than `beyond` entries are committed, or the time is up; answers how many are.
    pub fn wait_beyond(&self, beyond: u64, timeout: Duration) -> u64 {
        let size = self.grown.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.grown.1.wait_timeout_while(size, timeout, |size| *size <= beyond);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The latest checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Option<SignedCheckpoint> {
        self.state().checkpoint.clone()
    }

    /// The history of keys, oldest first.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInForce> {
        self.state().keys.clone()
    }

    /// The bytes of one entry, checked against the committed hash.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn entry(&self, seq: u64) -> Result<Vec<u8>, ReadError> {
        let framed = self.framed(seq..seq + 1)?;
        Ok(framed.get(LENGTH_BYTES..).unwrap_or_default().to_vec())
    }

    /// Framed entries of one bundle, as they stand in `entries`, each checked against its committed hash.
    ///
    /// # Errors
    /// See [`ReadError`]; the range must be within one bundle and within the log.
    pub fn framed(&self, seqs: Range<u64>) -> Result<Vec<u8>, ReadError> {
        let segment = seqs.start / SEGMENT_ENTRIES;
        let (first, last) =
            ((seqs.start % SEGMENT_ENTRIES) as usize, ((seqs.end - 1) % SEGMENT_ENTRIES) as usize);
        let in_memory = {
            let state = self.state();
            if seqs.end > state.head.size || seqs.is_empty() {
                return Err(ReadError::NotThere { size: state.head.size });
            }
            #[expect(clippy::indexing_slicing, reason = "below the head the tail has every entry")]
            state.tail(segment).map(|tail| {
                let start = if first == 0 { 0 } else { tail.ends[first - 1] };
                (start, tail.ends[last], tail.hashes[first..=last].to_vec())
            })
        };
        let (start, end, hashes) = match in_memory {
            Some(place) => place,
            None => self.sealed_place(segment, first, last)?,
        };
        let width = (last - first + 1) as u64;
        if end.saturating_sub(start) > width * (MAX_ENTRY_BYTES + LENGTH_BYTES) as u64 || end < start {
            return Err(ReadError::Damaged { seq: seqs.start });
        }
        // Bounded just above.
        let mut bytes = vec![0; (end - start) as usize];
        self.file(&segment::entries_path(&self.log_dir, segment))?.read_exact_at(&mut bytes, start)?;
        let mut rest = &bytes[..];
        for (seq, hash) in seqs.zip(&hashes) {
            let (entry, after) = split_framed(rest).ok_or(ReadError::Damaged { seq })?;
            if leaf_hash(entry) != *hash {
                return Err(ReadError::Damaged { seq });
            }
            rest = after;
        }
        if rest.is_empty() {
            Ok(bytes)
        } else {
            Err(ReadError::Damaged { seq: segment * SEGMENT_ENTRIES + last as u64 })
        }
    }

    fn sealed_place(
        &self,
        segment: u64,
        first: usize,
        last: usize,
    ) -> Result<(u64, u64, Vec<Hash>), ReadError> {
        let skip = usize::from(first > 0);
        let mut ends = vec![[0; 8]; last - first + 1 + skip];
        let offsets = self.file(&segment::offsets_path(&self.log_dir, segment))?;
        offsets.read_exact_at(ends.as_flattened_mut(), ((first - skip) * 8) as u64)?;
        let number = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let start = if first == 0 { 0 } else { number(ends.first()) };
        let end = number(ends.last());
        let hashes =
            self.hashes_at(&segment::hashes_path(&self.log_dir, segment), first as u64, last - first + 1)?;
        Ok((start, end, hashes))
    }

    fn hashes_at(&self, path: &Path, first: u64, count: usize) -> Result<Vec<Hash>, ReadError> {
        let mut hashes = vec![[0; 32]; count];
        self.file(path)?.read_exact_at(hashes.as_flattened_mut(), first * 32)?;
        Ok(hashes)
    }

    fn file(&self, path: &Path) -> Result<Arc<dyn File>, ReadError> {
        Ok(self.files.open(&*self.disk, path)?)
    }

    /// Hashes of a tile, checked before they leave. The caller checks that the tile is within the size it answers for.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn tile_hashes(&self, level: u8, number: u64, range: Range<usize>) -> Result<Vec<Hash>, ReadError> {
        match self.part(level, number, &range)? {
            Part::Hashes(hashes) => Ok(hashes),
            Part::Of(tile) => {
                let found = tile.hashes().get(range).map(<[Hash]>::to_vec);
                found.ok_or_else(|| ReadError::NotThere { size: self.size() })
            }
        }
    }

    fn part(&self, level: u8, number: u64, range: &Range<usize>) -> Result<Part, ReadError> {
        let first = number * TILE_WIDTH + range.start as u64;
        let of_state = |state: &State, found: Option<&[Hash]>| {
            let hashes = found.map(<[Hash]>::to_vec).ok_or(ReadError::NotThere { size: state.head.size });
            hashes.map(Part::Hashes)
        };
        if level >= 2 {
            let state = self.state();
            let hashes = state.upper.get(usize::from(level) - 2);
            let first = usize::try_from(first).unwrap_or(usize::MAX);
            let found = hashes.and_then(|hashes| hashes.get(first..first.saturating_add(range.len())));
            return of_state(&state, found);
        }
        let width = if level == 0 { SEGMENT_ENTRIES } else { TILE_WIDTH };
        let segment = first / width;
        let within = (first % width) as usize;
        {
            let state = self.state();
            if let Some(tail) = state.tail(segment) {
                let hashes = if level == 0 { &tail.hashes } else { &tail.bundles };
                return of_state(&state, hashes.get(within..within + range.len()));
            }
            if segment > state.current.segment {
                return Err(ReadError::NotThere { size: state.head.size });
            }
        }
        self.sealed_tile(level, number).map(Part::Of)
    }

    /// A whole tile of a sealed segment, level 0 or 1. What its file says is derived and may have rotted: it counts
    /// only if it leads to the tile above it, and that to the segment's root.
    fn sealed_tile(&self, level: u8, number: u64) -> Result<Arc<TileTree>, ReadError> {
        if let Some(tile) = self.tiles.get(&(level, number)) {
            return Ok(tile);
        }
        let width = TILE_WIDTH as usize;
        let first = number * TILE_WIDTH;
        let (hashes, parent) = if level == 0 {
            let segment = first / SEGMENT_ENTRIES;
            let path = segment::hashes_path(&self.log_dir, segment);
            let hashes = self.hashes_at(&path, first % SEGMENT_ENTRIES, width)?;
            let above = self.sealed_tile(1, segment)?;
            (hashes, above.hashes().get((number % TILE_WIDTH) as usize).copied())
        } else {
            let hashes = self.hashes_at(&segment::level_path(&self.log_dir, 1), first, width)?;
            let roots = self.state().upper.first().and_then(|roots| roots.get(number as usize).copied());
            (hashes, roots)
        };
        let tile = TileTree::over(&hashes)
            .filter(|tile| Some(tile.root()) == parent)
            .map(Arc::new)
            .ok_or(ReadError::DamagedTile { level, number })?;
        self.tiles.insert((level, number), tile.clone());
        Ok(tile)
    }

    fn node(&self, level: u32, index: u64) -> Result<Hash, ReadError> {
        let (level, number, range) = tile::locate(level, index);
        let node = match self.part(level, number, &range)? {
            Part::Hashes(hashes) => fold(&hashes),
            Part::Of(tile) => tile.node(&range),
        };
        node.ok_or_else(|| ReadError::NotThere { size: self.size() })
    }

    /// The root of the first `size` entries.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn root_at(&self, size: u64) -> Result<Hash, ReadError> {
        self.within(size)?;
        merkle::root(size, |level, index| self.node(level, index))
    }

    /// The inclusion proof of `seq` in the first `size` entries, checked before it leaves.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.within(size)?;
        if seq >= size {
            return Err(ReadError::NotThere { size });
        }
        let proof = merkle::inclusion_proof(seq, size, |level, index| self.node(level, index))?;
        // That of the checkpoint is at hand, and signed; any other is folded from tiles.
        let signed = self.checkpoint().filter(|signed| signed.checkpoint.size == size);
        let root = signed.map_or_else(|| self.root_at(size), |signed| Ok(signed.checkpoint.root))?;
        let leaf = self.node(0, seq)?;
        merkle::verify_inclusion(&leaf, seq, size, &proof, &root).map_err(|_| ReadError::Damaged { seq })?;
        Ok(proof)
    }

    /// The consistency proof between two sizes, checked before it leaves.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        self.within(new)?;
        if old > new {
            return Err(ReadError::NotThere { size: new });
        }
        let proof = merkle::consistency_proof(old, new, |level, index| self.node(level, index))?;
        let (old_root, new_root) = (self.root_at(old)?, self.root_at(new)?);
        merkle::verify_consistency(old, &old_root, new, &new_root, &proof)
            .map_err(|_| ReadError::Damaged { seq: old })?;
        Ok(proof)
    }

    /// The right edge of the committed tree, to append to.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(super) fn frontier(&self) -> Result<Frontier, ReadError> {
        Frontier::load(self.size(), |level, index| self.node(level, index))
    }

    fn within(&self, size: u64) -> Result<(), ReadError> {
        let committed = self.size();
        if size > committed { Err(ReadError::NotThere { size: committed }) } else { Ok(()) }
    }

    /// The receipt of an entry, in the latest checkpoint.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn receipt(&self, seq: u64) -> Result<Receipt, ReadError> {
        let signed = self.checkpoint().ok_or(ReadError::NotThere { size: 0 })?;
        let size = signed.checkpoint.size;
        let (entry, proof) = (self.entry(seq)?, self.inclusion(seq, size)?);
        // The pair of the check when the proof was made: against the root that is signed.
        merkle::verify_inclusion(&leaf_hash(&entry), seq, size, &proof, &signed.checkpoint.root)
            .map_err(|_| ReadError::Damaged { seq })?;
        Ok(Receipt { seq, entry, proof, checkpoint: signed.note.to_string() })
    }

    /// When an entry was recorded.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn time(&self, seq: u64) -> Result<Timestamp, ReadError> {
        let bytes = self.entry(seq)?;
        Entry::parse(&bytes).map(|entry| entry.time).map_err(|_| ReadError::Damaged { seq })
    }

    /// The first entry recorded at or after a time; the size of the log if there is none. Ledger time never goes
    /// back, so this is a binary search.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn first_at_or_after(&self, time: Timestamp) -> Result<u64, ReadError> {
        let (mut low, mut high) = (0, self.size());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.time(middle)? < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
