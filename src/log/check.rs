//! `daybook check`: everything derived is derived again from `entries` and compared. Repairs what is derivable; never
//! touches entries.

use crate::log::disk::{Disk, Mode, read_all};
use crate::log::recovery::{RecoverError, note_key_change, read_head};
use crate::log::segment::{self, Seal, Tail};
use crate::log::store::push_upper;
use crate::spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use crate::spec::entry::{Entry, FIRST_PREV};
use crate::spec::layout::{CHECKPOINT_FILE, COPIES, HEAD_FILE, Head, SEGMENT_ENTRIES};
use crate::spec::merkle::{Frontier, Hash, leaf_hash};
use crate::spec::tile::{LENGTH_BYTES, split_framed};
use std::io;
use std::path::Path;

/// Something that is not as the entries say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file, relative to the data folder.
    pub place: String,
    pub what: String,
    /// Whether it could be made again, and was.
    pub repaired: bool,
}

/// What a check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// Entries looked at.
    pub entries: u64,
    pub differences: Vec<Difference>,
}

impl Checked {
    fn differs(&mut self, place: impl Into<String>, what: impl Into<String>, repaired: bool) {
        self.differences.push(Difference { place: place.into(), what: what.into(), repaired });
    }
}

/// Compares what is derived in the log's folder with its entries, up to the head, and makes it again with `repair`.
///
/// # Errors
/// The head is lost, the entries are damaged, or the disk cannot be read.
pub fn check(
    disk: &dyn Disk,
    log_dir: &Path,
    repair: bool,
    mut progress: impl FnMut(u64, u64),
) -> Result<Checked, RecoverError> {
    let mut checked = Checked::default();
    let (head, damaged_copies) = read_head(disk, log_dir)?;
    if damaged_copies > 0 {
        if repair {
            write_head(disk, log_dir, &head)?;
        }
        checked.differs(
            "log/head",
            format!("{damaged_copies} of {COPIES} stored copies are damaged"),
            repair,
        );
    }
    let mut upper: Vec<Vec<Hash>> = Vec::new();
    let mut frontier = Frontier::new();
    let mut chain = FIRST_PREV;
    for number in 0..=head.segment {
        let last = number == head.segment;
        let bytes = if last {
            head.end
        } else {
            disk.open(&segment::entries_path(log_dir, number), Mode::Read)?.size()?
        };
        let (mut tail, mut key_changes) = (Tail::new(number), Vec::new());
        let walked = segment::walk(disk, log_dir, number, bytes, |index, end, entry| {
            let seq = number * SEGMENT_ENTRIES + index;
            note_key_change(entry, seq, &mut key_changes);
            let leaf = leaf_hash(entry);
            frontier.push(leaf);
            tail.push(end, leaf);
            chain = super::recovery::last_text_hash(entry);
            if seq.is_multiple_of(1024) {
                progress(seq, head.size);
            }
        });
        walked.map_err(|error| RecoverError::Damaged(format!("segment {number}: {error}")))?;
        if !last && !tail.is_full() {
            return Err(RecoverError::Damaged(format!("segment {number} holds {} entries", tail.ends.len())));
        }
        checked.entries += tail.ends.len() as u64;
        if let Some(root) = tail.root() {
            push_upper(&mut upper, root);
            check_segment(disk, log_dir, &tail, key_changes, last, repair, &mut checked)?;
        }
    }
    if (frontier.size(), frontier.root(), chain) != (head.size, head.root, head.chain) {
        return Err(RecoverError::Damaged(
            "the entries do not lead to the size, root and chain that were committed; `daybook verify` names the \
             first bad one"
                .into(),
        ));
    }
    check_levels(disk, log_dir, head.segment, &upper, repair, &mut checked)?;
    check_checkpoint(disk, log_dir, &head, &mut checked);
    Ok(checked)
}

fn check_segment(
    disk: &dyn Disk,
    log_dir: &Path,
    tail: &Tail,
    key_changes: Vec<u64>,
    last: bool,
    repair: bool,
    checked: &mut Checked,
) -> io::Result<()> {
    let number = tail.segment;
    let expected =
        Seal { end: tail.end(), root: tail.root().unwrap_or_default(), key_changes: key_changes.clone() };
    let sealed = Seal::read(disk, log_dir, number);
    if sealed.is_none() && last {
        // Just full: it is sealed in the background, or at the next start.
        return Ok(());
    }
    let is = |path: std::path::PathBuf, expected: &[u8]| {
        read_all(disk, &path, expected.len() as u64).is_ok_and(|bytes| bytes == expected)
    };
    let offsets: Vec<u8> = tail.ends.iter().flat_map(|end| end.to_be_bytes()).collect();
    let mut wrong = Vec::new();
    if sealed != Some(expected) {
        wrong.push(("seal", segment::seal_path(log_dir, number)));
    }
    if !is(segment::offsets_path(log_dir, number), &offsets) {
        wrong.push(("offsets", segment::offsets_path(log_dir, number)));
    }
    if !is(segment::hashes_path(log_dir, number), tail.hashes.as_flattened()) {
        wrong.push(("hashes", segment::hashes_path(log_dir, number)));
    }
    if !bundles_are(disk, log_dir, tail) {
        wrong.push(("levels/1", segment::level_path(log_dir, 1)));
    }
    if !wrong.is_empty() && repair {
        segment::seal(disk, log_dir, tail, key_changes)?;
    }
    for (name, _) in wrong {
        let place =
            if name == "levels/1" { "log/levels/1".to_owned() } else { format!("log/{number:08}/{name}") };
        checked.differs(place, format!("not what the entries of segment {number} lead to"), repair);
    }
    Ok(())
}

fn bundles_are(disk: &dyn Disk, log_dir: &Path, tail: &Tail) -> bool {
    let mut bytes = vec![0; tail.bundles.len() * 32];
    let read = disk
        .open(&segment::level_path(log_dir, 1), Mode::Read)
        .and_then(|file| file.read_exact_at(&mut bytes, tail.segment * 256 * 32));
    read.is_ok() && bytes == tail.bundles.as_flattened()
}

fn check_levels(
    disk: &dyn Disk,
    log_dir: &Path,
    sealed_segments: u64,
    upper: &[Vec<Hash>],
    repair: bool,
    checked: &mut Checked,
) -> io::Result<()> {
    for (level, hashes) in (2_u8..).zip(upper) {
        // A segment that is just full may not be written here yet.
        let width = 256_u64.pow(u32::from(level) - 2);
        let certain = hashes.get(..(sealed_segments / width) as usize).unwrap_or(hashes);
        let mut bytes = vec![0; certain.len() * 32];
        let read = disk
            .open(&segment::level_path(log_dir, level), Mode::Read)
            .and_then(|file| file.read_exact_at(&mut bytes, 0));
        let good = certain.is_empty() || (read.is_ok() && bytes == certain.as_flattened());
        if !good {
            if repair {
                segment::write_level(disk, log_dir, level, 0, certain)?;
            }
            checked.differs(format!("log/levels/{level}"), "not what the entries lead to", repair);
        }
    }
    Ok(())
}

fn check_checkpoint(disk: &dyn Disk, log_dir: &Path, head: &Head, checked: &mut Checked) {
    let again = "; the next start signs it again";
    let place = format!("log/{CHECKPOINT_FILE}");
    let Ok(bytes) = read_all(disk, &log_dir.join(CHECKPOINT_FILE), MAX_CHECKPOINT_BYTES as u64) else {
        return checked.differs(place, format!("missing{again}"), false);
    };
    match Checkpoint::parse(&bytes) {
        Err(error) => checked.differs(place, format!("{error}{again}"), false),
        Ok((checkpoint, _)) if checkpoint.size > head.size => {
            let what = format!("it covers {} entries, {} were acknowledged", checkpoint.size, head.size);
            checked.differs(place, what, false);
        }
        Ok((checkpoint, _)) if checkpoint.size == head.size && checkpoint.root != head.root => {
            checked.differs(place, "another root than the entries lead to", false);
        }
        Ok(_) => {}
    }
}

fn write_head(disk: &dyn Disk, log_dir: &Path, head: &Head) -> io::Result<()> {
    // In place, copy by copy: the file keeps its inode, by which a ledger knows its home.
    let file = disk.open(&log_dir.join(HEAD_FILE), Mode::Write)?;
    for copy in 0..COPIES as u64 {
        file.write_all_at(&head.to_slot(), copy * head.to_slot().len() as u64)?;
        file.sync_data()?;
    }
    Ok(())
}

/// What is left to decide by when the head is lost.
#[derive(Debug)]
pub struct WithoutHead {
    /// Whole entries, chained from entry 0.
    pub entries: u64,
    /// Entries that the stored checkpoint covers: these were acknowledged for certain.
    pub covered: Option<u64>,
}

/// Counts what a log without a readable head holds; with `accept` makes a new head over that many entries.
///
/// # Errors
/// `accept` is less than was handed out or more than there is; or the disk cannot be read or written.
pub fn without_head(
    disk: &dyn Disk,
    log_dir: &Path,
    accept: Option<u64>,
) -> Result<WithoutHead, RecoverError> {
    let covered = read_all(disk, &log_dir.join(CHECKPOINT_FILE), MAX_CHECKPOINT_BYTES as u64)
        .ok()
        .and_then(|bytes| Checkpoint::parse(&bytes).map(|(checkpoint, _)| checkpoint.size).ok());
    let mut frontier = Frontier::new();
    let (mut chain, mut new_head) = (FIRST_PREV, None);
    let mut number = 0;
    'segments: while let Ok(file) = disk.open(&segment::entries_path(log_dir, number), Mode::Read) {
        let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        let (mut rest, mut end) = (&bytes[..], 0);
        while let Some((entry, after)) = split_framed(rest) {
            let Ok(parsed) = Entry::parse(entry) else { break 'segments };
            if parsed.prev != chain || parsed.seq != frontier.size() {
                break 'segments;
            }
            chain = parsed.text_hash();
            frontier.push(leaf_hash(entry));
            end += (LENGTH_BYTES + entry.len()) as u64;
            if accept == Some(frontier.size()) {
                new_head =
                    Some(Head { size: frontier.size(), segment: number, end, chain, root: frontier.root() });
            }
            rest = after;
        }
        if !frontier.size().is_multiple_of(SEGMENT_ENTRIES) || !rest.is_empty() {
            break;
        }
        number += 1;
    }
    let found = WithoutHead { entries: frontier.size(), covered };
    if let Some(size) = accept {
        if covered.is_some_and(|covered| size < covered) {
            return Err(RecoverError::Damaged(format!(
                "the stored checkpoint covers more than {size} entries"
            )));
        }
        let head = new_head.ok_or_else(|| {
            RecoverError::Damaged(format!("there are {} whole entries, not {size}", found.entries))
        })?;
        write_head(disk, log_dir, &head)?;
    }
    Ok(found)
}
