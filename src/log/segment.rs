//! One segment of the log: 65,536 entries in a folder (FORMATS.md section 8).
//!
//! `entries` is the truth. `offsets` and `hashes` are derived from it and written once, when the segment is full;
//! the `seal` beside them says that they are complete. Until then they live in memory, in a [`Tail`].

use crate::log::disk::{Disk, Mode, read_all, replace};
use crate::spec::canonical;
use crate::spec::encoding::{hash_from_base64, to_base64, to_hex};
use crate::spec::entry::MAX_ENTRY_BYTES;
use crate::spec::json::Json;
use crate::spec::layout::{ENTRIES_FILE, SEGMENT_ENTRIES, segment_dir};
use crate::spec::merkle::{Hash, leaf_hash};
use crate::spec::tile::{LENGTH_BYTES, TILE_WIDTH, fold, split_framed};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};

const OFFSETS_FILE: &str = "offsets";
const HASHES_FILE: &str = "hashes";
const SEAL_FILE: &str = "seal";

/// Bytes of the longest seal: its fixed members, and room for a key rotation in every bundle.
const MAX_SEAL_BYTES: u64 = 16 * 1024;

/// Paths in one segment's folder.
#[must_use]
pub fn folder(log_dir: &Path, segment: u64) -> PathBuf {
    log_dir.join(segment_dir(segment))
}

/// The segment's `entries`.
#[must_use]
pub fn entries_path(log_dir: &Path, segment: u64) -> PathBuf {
    folder(log_dir, segment).join(ENTRIES_FILE)
}

/// The segment's `offsets`: the end of each entry, u64 each.
#[must_use]
pub fn offsets_path(log_dir: &Path, segment: u64) -> PathBuf {
    folder(log_dir, segment).join(OFFSETS_FILE)
}

/// The segment's `hashes`: the hash of each leaf.
#[must_use]
pub fn hashes_path(log_dir: &Path, segment: u64) -> PathBuf {
    folder(log_dir, segment).join(HASHES_FILE)
}

/// The segment's seal.
#[must_use]
pub fn seal_path(log_dir: &Path, segment: u64) -> PathBuf {
    folder(log_dir, segment).join(SEAL_FILE)
}

/// Upper levels of the tree, `log/levels/<L>`: flat files of hashes.
#[must_use]
pub fn level_path(log_dir: &Path, level: u8) -> PathBuf {
    log_dir.join("levels").join(level.to_string())
}

/// What is derived from a segment's entries, in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    pub segment: u64,
    /// Where each entry ends in `entries`, length prefix included.
    pub ends: Vec<u64>,
    /// The hash of each leaf.
    pub hashes: Vec<Hash>,
    /// The root of each full bundle.
    pub bundles: Vec<Hash>,
}

impl Tail {
    /// An empty segment.
    #[must_use]
    pub fn new(segment: u64) -> Self {
        Self { segment, ..Self::default() }
    }

    /// Adds an entry that ends at `end` and has this leaf hash.
    pub fn push(&mut self, end: u64, leaf: Hash) {
        self.ends.push(end);
        self.hashes.push(leaf);
        if self.hashes.len().is_multiple_of(TILE_WIDTH as usize)
            && let Some(bundle) = self.hashes.last_chunk::<{ TILE_WIDTH as usize }>()
        {
            self.bundles.extend(fold(bundle));
        }
    }

    /// Whether the segment has all its entries.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ends.len() as u64 == SEGMENT_ENTRIES
    }

    /// The root over a full segment.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        if self.is_full() { fold(&self.bundles) } else { None }
    }

    /// Bytes of `entries` so far.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Where entry `index` of the segment stands, length prefix excluded.
    #[must_use]
    pub fn range(&self, index: usize) -> Option<(u64, u64)> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        Some((start + LENGTH_BYTES as u64, end))
    }
}

/// How many bytes of `entries` are read at a time.
///
/// Reason: large enough that the disk reads in sequence, small enough that memory does not matter.
const READ_BYTES: usize = 1 << 20;

/// A walk over framed entries that went wrong.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Entry `index` of the segment does not end within the bytes that hold it.
    #[error("entry {index} of the segment is cut off at byte {at}")]
    Cut { index: u64, at: u64 },
}

/// Reads the first `bytes` bytes of a segment's `entries` and calls `visit(index, end, entry)` for each entry.
///
/// # Errors
/// The file system's, or entries that do not end at exactly `bytes`.
pub fn walk(
    disk: &dyn Disk,
    log_dir: &Path,
    segment: u64,
    bytes: u64,
    mut visit: impl FnMut(u64, u64, &[u8]),
) -> Result<(), WalkError> {
    if bytes == 0 {
        return Ok(());
    }
    let file = disk.open(&entries_path(log_dir, segment), Mode::Read)?;
    let mut buffer: Vec<u8> = Vec::with_capacity(READ_BYTES + MAX_ENTRY_BYTES + LENGTH_BYTES);
    let (mut read, mut index, mut end) = (0_u64, 0_u64, 0_u64);
    while read < bytes {
        let kept = buffer.len();
        let more = usize::try_from(bytes - read).unwrap_or(usize::MAX).min(READ_BYTES);
        buffer.resize(kept + more, 0);
        #[expect(clippy::indexing_slicing, reason = "it was just made longer than what was kept")]
        file.read_exact_at(&mut buffer[kept..], read)?;
        read += more as u64;
        let mut rest = &buffer[..];
        while let Some((entry, after)) = split_framed(rest) {
            end += (LENGTH_BYTES + entry.len()) as u64;
            visit(index, end, entry);
            index += 1;
            rest = after;
        }
        let unread = rest.len();
        buffer.drain(..buffer.len() - unread);
    }
    if buffer.is_empty() { Ok(()) } else { Err(WalkError::Cut { index, at: end }) }
}

/// Derives a segment's tail from its entries.
///
/// # Errors
/// See [`walk`].
pub fn derive(disk: &dyn Disk, log_dir: &Path, segment: u64, bytes: u64) -> Result<Tail, WalkError> {
    let mut tail = Tail::new(segment);
    walk(disk, log_dir, segment, bytes, |_, end, entry| tail.push(end, leaf_hash(entry)))?;
    Ok(tail)
}

/// What a seal says of a full segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Bytes of `entries`.
    pub end: u64,
    /// The root over the segment's leaves.
    pub root: Hash,
    /// Entries that brought a key into force.
    pub key_changes: Vec<u64>,
}

impl Seal {
    /// One line of canonical JSON and one of its SHA-256, so that a damaged seal is no seal.
    fn to_bytes(&self) -> Vec<u8> {
        let json = canonical::to_string(&Json::object([
            ("end", Json::Number(self.end as f64)),
            ("keys", Json::Array(self.key_changes.iter().map(|seq| Json::Number(*seq as f64)).collect())),
            ("root", Json::string(to_base64(&self.root))),
        ]));
        let digest = to_hex(&Sha256::digest(&json));
        format!("{json}\n{digest}\n").into_bytes()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (line, digest) = text.strip_suffix('\n')?.split_once('\n')?;
        if to_hex(&Sha256::digest(line)) != digest {
            return None;
        }
        let json = Json::parse(line.as_bytes(), 2).ok()?;
        let Some(Json::Array(keys)) = json.get("keys") else { return None };
        Some(Seal {
            end: json.get("end")?.as_u64()?,
            root: hash_from_base64(json.get("root")?.as_str()?)?,
            key_changes: keys.iter().map(Json::as_u64).collect::<Option<_>>()?,
        })
    }

    /// Reads a segment's seal; none if it is missing, damaged, or its files do not have their sizes.
    #[must_use]
    pub fn read(disk: &dyn Disk, log_dir: &Path, segment: u64) -> Option<Self> {
        let seal = Self::parse(&read_all(disk, &seal_path(log_dir, segment), MAX_SEAL_BYTES).ok()?)?;
        let len = |path: PathBuf| disk.open(&path, Mode::Read).and_then(|file| file.size()).ok();
        let complete = len(offsets_path(log_dir, segment)) == Some(SEGMENT_ENTRIES * 8)
            && len(hashes_path(log_dir, segment)) == Some(SEGMENT_ENTRIES * 32)
            && len(entries_path(log_dir, segment)) == Some(seal.end);
        complete.then_some(seal)
    }
}

/// Writes what is derived from a full segment, and its seal last.
///
/// # Errors
/// As the file system says. The segment is then not sealed, which costs time at the next start and nothing else.
pub fn seal(disk: &dyn Disk, log_dir: &Path, tail: &Tail, key_changes: Vec<u64>) -> io::Result<()> {
    let Some(root) = tail.root() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "only a full segment is sealed"));
    };
    let write = |path: &Path, bytes: &[u8]| {
        let file = disk.open(path, Mode::Write)?;
        file.set_len(bytes.len() as u64)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()
    };
    let offsets: Vec<u8> = tail.ends.iter().flat_map(|end| end.to_be_bytes()).collect();
    write(&offsets_path(log_dir, tail.segment), &offsets)?;
    write(&hashes_path(log_dir, tail.segment), tail.hashes.as_flattened())?;
    disk.create_dir(&log_dir.join("levels"))?;
    write_level(disk, log_dir, 1, tail.segment * TILE_WIDTH, &tail.bundles)?;
    let seal = Seal { end: tail.end(), root, key_changes };
    replace(disk, &seal_path(log_dir, tail.segment), &seal.to_bytes())
}

/// Writes hashes of an upper level at their place.
///
/// # Errors
/// As the file system says.
pub fn write_level(
    disk: &dyn Disk,
    log_dir: &Path,
    level: u8,
    first: u64,
    hashes: &[Hash],
) -> io::Result<()> {
    let file = disk.open(&level_path(log_dir, level), Mode::Write)?;
    file.write_all_at(hashes.as_flattened(), first * 32)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_seal_is_no_seal() {
        let seal = Seal { end: 45_000_000, root: [3; 32], key_changes: vec![0, 65_000] };
        let bytes = seal.to_bytes();
        assert_eq!(Seal::parse(&bytes), Some(seal));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(Seal::parse(&bad), None, "byte {at}");
        }
    }
}
