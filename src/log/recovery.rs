//! Opening the log: what is at or below the head is taken and checked, what is above is cut (FORMATS.md section 8).

use crate::log::disk::{Disk, Mode, read_all};
use crate::log::segment::{self, Seal, Tail, WalkError};
use crate::log::store::{KeyInForce, ReadError, SignedCheckpoint, State, Store, push_upper};
use crate::spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use crate::spec::entry::{Entry, FIRST_PREV, TYPE_CREATED, TYPE_KEY_ROTATED};
use crate::spec::layout::{CHECKPOINT_FILE, HEAD_BYTES, HEAD_FILE, Head, SEGMENT_ENTRIES};
use crate::spec::merkle::{Hash, leaf_hash};
use crate::spec::time::Timestamp;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Bytes above the head, never acknowledged, that were cut off.
    pub cut_bytes: u64,
    /// Copies of head slots that were damaged and have been written again.
    pub mended_head_copies: usize,
    /// Older segments whose derived files were made again.
    pub resealed: Vec<u64>,
}

/// Why the log is not opened.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("there is no log in {0}")]
    NoLog(String),
    #[error(
        "log/head is damaged beyond its redundancy: nothing says any more what was acknowledged. \
         `daybook check DIR --repair` explains what can be done"
    )]
    HeadLost,
    /// Damage at or below the head. Never cut, never believed.
    #[error("acknowledged entries are damaged: {0}. Nothing was changed; restore this folder from a copy")]
    Damaged(String),
    #[error("cannot read or write the log: {0}")]
    Io(#[from] io::Error),
}

impl From<ReadError> for RecoverError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => RecoverError::Io(error),
            other => RecoverError::Damaged(other.to_string()),
        }
    }
}

/// Reads the head in force and how many of its stored copies are damaged.
///
/// # Errors
/// No head file, or a head that cannot be told.
pub fn read_head(disk: &dyn Disk, log_dir: &Path) -> Result<(Head, usize), RecoverError> {
    let path = log_dir.join(HEAD_FILE);
    let bytes = match read_all(disk, &path, HEAD_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let held = disk.open(&segment::entries_path(log_dir, 0), Mode::Read).and_then(|file| file.size());
            let lost = held.is_ok_and(|bytes| bytes > 0);
            return Err(if lost {
                RecoverError::HeadLost
            } else {
                RecoverError::NoLog(log_dir.display().to_string())
            });
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(RecoverError::HeadLost),
        Err(error) => return Err(error.into()),
    };
    if bytes.len() != HEAD_BYTES {
        return Err(RecoverError::HeadLost);
    }
    let copies = Head::read_copies(&bytes);
    let head = Head::in_force(&copies).ok_or(RecoverError::HeadLost)?;
    Ok((head, copies.iter().filter(|copy| copy.is_none()).count()))
}

/// Opens the log in `log_dir`. With `read_only` nothing on the disk is changed.
///
/// # Errors
/// See [`RecoverError`].
pub fn recover(
    disk: Arc<dyn Disk>,
    log_dir: &Path,
    read_only: bool,
) -> Result<(Store, Recovered), RecoverError> {
    let found = read(disk, log_dir, read_only)?;
    if read_only { Ok((found.store, found.report)) } else { found.make_ready() }
}

/// A log that was read and checked, and not yet made ready for writing.
pub struct Found {
    pub store: Store,
    pub report: Recovered,
    log_dir: PathBuf,
    head: Head,
    damaged_copies: usize,
}

impl Found {
    /// Makes it ready for writing: what is above the head is cut, and what was read is made durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn make_ready(mut self) -> Result<(Store, Recovered), RecoverError> {
        let (disk, log_dir, head) = (self.store.disk.clone(), &self.log_dir, self.head);
        write_missing_levels(&*disk, log_dir, &self.store, head.segment)?;
        self.report.cut_bytes = cut_above(&*disk, log_dir, head)?;
        make_durable(&*disk, log_dir, &head)?;
        self.report.mended_head_copies = self.damaged_copies;
        Ok((self.store, self.report))
    }
}

/// Reads and checks the log in `log_dir`. But for derived files of full segments, which `read_only` forbids too, nothing on
/// the disk is changed.
///
/// # Errors
/// See [`RecoverError`].
pub fn read(disk: Arc<dyn Disk>, log_dir: &Path, read_only: bool) -> Result<Found, RecoverError> {
    let (head, damaged_copies) = read_head(&*disk, log_dir)?;
    let mut report = Recovered::default();
    // First with what the seals say; if that does not lead to the head's root, from the entries alone.
    let (mut state, mut scan) = load(&*disk, log_dir, head, read_only, true, &mut report)?;
    let mut store = Store::new(disk.clone(), log_dir.to_owned(), String::new(), state);
    let mut history = read_keys(&store, head, &scan);
    // Reading the keys also compares entries with their hashes, of which the seals say nothing.
    if !scan.resealed_all && (store.root_at(head.size)? != head.root || history.is_err()) {
        report.resealed.clear();
        (state, scan) = load(&*disk, log_dir, head, read_only, false, &mut report)?;
        store = Store::new(disk.clone(), log_dir.to_owned(), String::new(), state);
        history = read_keys(&store, head, &scan);
    }
    if store.root_at(head.size)? != head.root {
        return Err(damage(log_dir, "the entries do not lead to the root that was committed"));
    }
    if scan.chain != head.chain {
        return Err(damage(log_dir, "the last entry is not the one that was committed"));
    }
    let (origin, keys, last_time) = history?;
    let checkpoint = read_checkpoint(&*disk, log_dir, &store, &keys);
    let store = store.with_history(origin, keys, last_time, checkpoint);
    Ok(Found { store, report, log_dir: log_dir.to_owned(), head, damaged_copies })
}

/// The refusal, with the first bad entry named where one can be found.
fn damage(log_dir: &Path, what: &str) -> RecoverError {
    let place = log_dir.parent().and_then(crate::log::damage::locate_damage);
    RecoverError::Damaged(place.map_or_else(|| what.to_owned(), |place| format!("{what}; {place}")))
}

struct Scan {
    /// Text hash of the last entry.
    chain: Hash,
    /// Entries that name keys.
    key_changes: Vec<u64>,
    resealed_all: bool,
}

fn load(
    disk: &dyn Disk,
    log_dir: &Path,
    head: Head,
    read_only: bool,
    trust_seals: bool,
    report: &mut Recovered,
) -> Result<(State, Scan), RecoverError> {
    let mut upper = Vec::new();
    let mut unsealed = Vec::new();
    let mut scan = Scan { chain: FIRST_PREV, key_changes: Vec::new(), resealed_all: true };
    let levels_len =
        disk.open(&segment::level_path(log_dir, 1), Mode::Read).and_then(|file| file.size()).unwrap_or(0);
    for number in 0..head.segment {
        let sealed = if trust_seals && levels_len >= (number + 1) * 256 * 32 {
            Seal::read(disk, log_dir, number)
        } else {
            None
        };
        let root = if let Some(seal) = sealed {
            scan.resealed_all = false;
            scan.key_changes.extend(seal.key_changes);
            seal.root
        } else {
            let (tail, key_changes) = derive_older(disk, log_dir, number)?;
            let root =
                tail.root().ok_or_else(|| damage(log_dir, &format!("segment {number} is not full")))?;
            scan.key_changes.extend(&key_changes);
            report.resealed.push(number);
            if read_only || segment::seal(disk, log_dir, &tail, key_changes).is_err() {
                unsealed.push(Arc::new(tail));
            }
            root
        };
        push_upper(&mut upper, root);
    }
    let mut current = Tail::new(head.segment);
    let walked = segment::walk(disk, log_dir, head.segment, head.end, |index, end, entry| {
        current.push(end, leaf_hash(entry));
        note_key_change(entry, head.segment * SEGMENT_ENTRIES + index, &mut scan.key_changes);
        scan.chain = last_text_hash(entry);
    });
    match walked {
        Ok(()) => {}
        Err(WalkError::Io(error))
            if error.kind() != io::ErrorKind::UnexpectedEof && error.kind() != io::ErrorKind::NotFound =>
        {
            return Err(error.into());
        }
        Err(WalkError::Io(_)) => {
            return Err(damage(log_dir, "the last segment is shorter than what was acknowledged"));
        }
        Err(error) => return Err(damage(log_dir, &error.to_string())),
    }
    if head.segment * SEGMENT_ENTRIES + current.ends.len() as u64 != head.size {
        return Err(damage(log_dir, "the last segment does not hold as many entries as were acknowledged"));
    }
    if let Some(root) = current.root() {
        push_upper(&mut upper, root);
    }
    let state = State {
        head,
        last_time: Timestamp::EPOCH,
        unsealed,
        current,
        upper,
        keys: Vec::new(),
        checkpoint: None,
    };
    Ok((state, scan))
}

fn derive_older(disk: &dyn Disk, log_dir: &Path, number: u64) -> Result<(Tail, Vec<u64>), RecoverError> {
    let len = disk.open(&segment::entries_path(log_dir, number), Mode::Read).and_then(|file| file.size());
    let len = match len {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damage(log_dir, &format!("segment {number} is missing")));
        }
        other => other?,
    };
    let (mut tail, mut key_changes) = (Tail::new(number), Vec::new());
    let walked = segment::walk(disk, log_dir, number, len, |index, end, entry| {
        tail.push(end, leaf_hash(entry));
        note_key_change(entry, number * SEGMENT_ENTRIES + index, &mut key_changes);
    });
    match walked {
        Ok(()) => Ok((tail, key_changes)),
        Err(WalkError::Io(error)) => Err(error.into()),
        Err(error) => Err(damage(log_dir, &format!("segment {number}: {error}"))),
    }
}

/// Spots the entries that name keys. Canonical text has one spelling, so the type is there literally; whether it is
/// the event's type is decided when the entry is read.
pub(super) fn note_key_change(entry: &[u8], seq: u64, key_changes: &mut Vec<u64>) {
    let needle = b"\"type\":\"ledger.";
    let is_candidate = entry.windows(needle.len()).any(|window| window == needle);
    let named = |entry: &Entry<'_>| matches!(entry.event_type(), TYPE_CREATED | TYPE_KEY_ROTATED);
    if is_candidate && Entry::parse(entry).is_ok_and(|entry| named(&entry)) {
        key_changes.push(seq);
    }
}

/// The text hash of an entry without parsing it: the text ends before the empty line. An entry without one hashes
/// to something that is not in the head.
pub(super) fn last_text_hash(entry: &[u8]) -> Hash {
    let end = entry.windows(2).rposition(|pair| pair == b"\n\n").map_or(0, |at| at + 1);
    crate::spec::entry::text_hash(entry.get(..end).unwrap_or_default())
}

fn read_keys(
    store: &Store,
    head: Head,
    scan: &Scan,
) -> Result<(String, Vec<KeyInForce>, Timestamp), RecoverError> {
    let (mut origin, mut keys, mut last_time) = (String::new(), Vec::new(), Timestamp::EPOCH);
    for seq in &scan.key_changes {
        let bytes = store.entry(*seq)?;
        let entry =
            Entry::parse(&bytes).map_err(|error| RecoverError::Damaged(format!("entry {seq}: {error}")))?;
        let change =
            entry.key_change().map_err(|error| RecoverError::Damaged(format!("entry {seq}: {error}")))?;
        let Some(change) = change else { continue };
        let rotation = (*seq > 0).then_some(*seq);
        let from = rotation.map_or(0, |seq| seq + 1);
        keys.push(KeyInForce { key: change.key, from, rotation, next: change.next });
        origin = entry.ledger;
    }
    if head.size > 0 {
        if keys.first().is_none_or(|key| key.from != 0) {
            return Err(RecoverError::Damaged("entry 0 does not name the ledger's first key".into()));
        }
        last_time = store.time(head.size - 1)?;
    }
    Ok((origin, keys, last_time))
}

/// The stored checkpoint, if it is one of this log's. It is derived, so anything wrong with it makes it absent.
fn read_checkpoint(
    disk: &dyn Disk,
    log_dir: &Path,
    store: &Store,
    keys: &[KeyInForce],
) -> Option<SignedCheckpoint> {
    let bytes = read_all(disk, &log_dir.join(CHECKPOINT_FILE), MAX_CHECKPOINT_BYTES as u64).ok()?;
    let (size, _) = Checkpoint::parse(&bytes).map(|(checkpoint, _)| (checkpoint.size, ())).ok()?;
    let key = keys.iter().rev().find(|key| key.from <= size)?;
    let (checkpoint, _) = Checkpoint::open(&bytes, std::slice::from_ref(&key.key)).ok()?;
    let holds = store.root_at(size).is_ok_and(|root| root == checkpoint.root);
    holds.then(|| SignedCheckpoint { checkpoint, note: String::from_utf8_lossy(&bytes).into() })
}

/// What was just read may be in the page cache alone: a process that died between writing and syncing leaves such a
/// head, and so does a failed sync. Before anything is signed or answered over it, it is made durable. Both slots then
/// say the head in force, copy by copy, so that one whole twin of each is there at any moment.
fn make_durable(disk: &dyn Disk, log_dir: &Path, head: &Head) -> io::Result<()> {
    if head.size > 0 {
        disk.open(&segment::entries_path(log_dir, head.segment), Mode::Write)?.sync_data()?;
        disk.sync_dir(&segment::folder(log_dir, head.segment))?;
    }
    let file = disk.open(&log_dir.join(HEAD_FILE), Mode::Write)?;
    for copy in 0..4 {
        file.write_all_at(&head.to_slot(), copy * head.to_slot().len() as u64)?;
        file.sync_data()?;
    }
    disk.sync_dir(log_dir)
}

/// Level 2 and up, where their files are not what they should be: a crash may have left them short, or long enough and
/// empty. They hold little and are in memory anyway.
fn write_missing_levels(disk: &dyn Disk, log_dir: &Path, store: &Store, sealed: u64) -> io::Result<()> {
    let upper = store.state().upper.clone();
    for (level, hashes) in (2_u8..).zip(&upper) {
        // A segment that is just full is written when it is sealed.
        let certain = hashes.get(..(sealed >> (8 * (level - 2))) as usize).unwrap_or(hashes);
        let mut stored = vec![0; certain.len() * 32];
        let read = disk
            .open(&segment::level_path(log_dir, level), Mode::Read)
            .and_then(|file| file.read_exact_at(&mut stored, 0));
        if !certain.is_empty() && (read.is_err() || stored != certain.as_flattened()) {
            segment::write_level(disk, log_dir, level, 0, hashes)?;
        }
    }
    Ok(())
}

/// Cuts what is above the head, valid or not: it was never acknowledged.
fn cut_above(disk: &dyn Disk, log_dir: &Path, head: Head) -> io::Result<u64> {
    let mut cut = 0;
    let path = segment::entries_path(log_dir, head.segment);
    match disk.open(&path, Mode::Read).and_then(|file| file.size()) {
        Ok(len) if len > head.end => {
            let file = disk.open(&path, Mode::Write)?;
            file.set_len(head.end)?;
            file.sync_data()?;
            cut += len - head.end;
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && head.size == 0 => {}
        Err(error) => return Err(error),
    }
    // One batch can have begun the next segment, never the one after it.
    let next = segment::entries_path(log_dir, head.segment + 1);
    if let Ok(len) = disk.open(&next, Mode::Read).and_then(|file| file.size())
        && len > 0
    {
        let file = disk.open(&next, Mode::Write)?;
        file.set_len(0)?;
        file.sync_data()?;
        cut += len;
    }
    Ok(cut)
}
