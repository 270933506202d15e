//! A data folder, also while a ledger is writing to it (FORMATS.md section 8).
//!
//! Only what the head covers is read: it was acknowledged, and it never changes. The order of reading matters: the
//! ledger writes entries, then the head, then the checkpoint; here the checkpoint is read first, then the head, so a
//! checkpoint that covers more than the head is no accident of timing.

use crate::entries::{Chunk, Framing};
use crate::failure::{Code, Fault, Problem};
use crate::source::{CHUNK_BYTES, CHUNK_ENTRIES, Claims, EntrySource};
use daybook_spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use daybook_spec::entry::MAX_ENTRY_BYTES;
use daybook_spec::layout::{
    CHECKPOINT_FILE, ENTRIES_FILE, HEAD_BYTES, HEAD_FILE, Head, LOG_DIR, SEGMENT_ENTRIES, segment_dir,
};
use daybook_spec::tile::LENGTH_BYTES;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the checkpoint is read, at most, to have two readings agree.
///
/// Reason: a busy ledger writes it a thousand times a second and a reading takes microseconds.
const READINGS: usize = 16;

/// How often head and checkpoint are read again where they do not fit, and how long to wait in between.
///
/// Reason: a running ledger writes either within milliseconds; what does not fit after this is not in motion.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct FolderSource {
    log: PathBuf,
    segment_entries: u64,
    head: Head,
    checkpoint: Vec<u8>,
    checkpoint_size: u64,
    entries: u64,
    segment: Option<Segment>,
    /// A fault behind a chunk that was not empty.
    held: Option<Problem>,
    done: bool,
    warnings: Vec<String>,
}

/// The segment being read.
struct Segment {
    number: u64,
    file: std::io::Take<File>,
    /// Bytes that were read and not yet handed out: the beginning of the next chunk.
    rest: Vec<u8>,
    entries: u64,
    /// Bytes of those entries, frames included.
    bytes: u64,
    ended: bool,
}

impl FolderSource {
    pub(crate) fn open(folder: &Path) -> Result<Self, Problem> {
        Self::open_with(folder, SEGMENT_ENTRIES)
    }

    /// With segments of another size: what they do not depend on the size of can be tested with few entries.
    pub(crate) fn open_with(folder: &Path, segment_entries: u64) -> Result<Self, Problem> {
        let log = folder.join(LOG_DIR);
        check_dir(&log)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match read_ends(&log) {
                Ok((head, checkpoint, checkpoint_size)) => {
                    return Ok(Self {
                        log,
                        segment_entries,
                        head,
                        checkpoint,
                        checkpoint_size,
                        entries: 0,
                        segment: None,
                        held: None,
                        done: false,
                        warnings: Vec::new(),
                    });
                }
                Err(problem @ Problem::Failed(_)) if attempt == ATTEMPTS => return Err(problem),
                Err(Problem::Failed(_)) => std::thread::sleep(PAUSE),
                Err(problem) => return Err(problem),
            }
        }
    }

    fn open_segment(&self, number: u64) -> Result<Segment, Problem> {
        let folder = self.log.join(segment_dir(number));
        let entries = folder.join(ENTRIES_FILE);
        let missing = fs::symlink_metadata(&entries).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if missing {
            // The head says that it was acknowledged, so this is a finding and not an obstacle.
            let text =
                format!("segment {number} is missing, although the head covers {} entries", self.head.size);
            return Err(Fault::new(Code::Truncated, text).at(self.entries));
        }
        check_dir(&folder)?;
        let file = open_file(&entries)?;
        let limit = if number == self.head.segment { self.head.end } else { u64::MAX };
        Ok(Segment { number, file: file.take(limit), rest: Vec::new(), entries: 0, bytes: 0, ended: false })
    }

    /// Fills a chunk from one segment. A fault may follow what was found before it.
    fn fill(&self, segment: &mut Segment, chunk: &mut Chunk) -> Result<(), Problem> {
        let mut bytes = std::mem::take(&mut segment.rest);
        if !segment.ended {
            let want = CHUNK_BYTES + LENGTH_BYTES + MAX_ENTRY_BYTES;
            let missing = want.saturating_sub(bytes.len());
            let read =
                segment.file.by_ref().take(missing as u64).read_to_end(&mut bytes).map_err(|error| {
                    Problem::could_not(format!("segment {} cannot be read: {error}", segment.number))
                })?;
            segment.ended = read < missing;
        }
        chunk.bytes = bytes;
        let room = self.segment_entries - segment.entries;
        let mut at = 0;
        while chunk.count < CHUNK_ENTRIES.min(room) && at < CHUNK_BYTES {
            let Some(entry) = frame_at(&chunk.bytes, at) else { break };
            at = entry.end;
            chunk.note(entry);
        }
        segment.rest = chunk.bytes.split_off(at);
        segment.entries += chunk.count;
        segment.bytes += at as u64;
        Ok(())
    }

    /// What is wrong with the end of a segment, if anything.
    fn check_end(&self, segment: &Segment) -> Result<(), Problem> {
        let (number, found) = (segment.number, segment.entries);
        if number < self.head.segment {
            return if found < self.segment_entries {
                let text =
                    format!("segment {number} ends after {found} entries; older segments are always full");
                Err(Fault::new(Code::Truncated, text).at(self.entries))
            } else if !segment.rest.is_empty() || !segment.ended {
                Err(Problem::failed(
                    Code::SegmentInvalid,
                    format!("segment {number} goes on after its {found} entries"),
                ))
            } else {
                Ok(())
            };
        }
        let size = self.head.size;
        if self.entries < size {
            let text = format!("the entries end here, but the head says that {size} were acknowledged");
            Err(Fault::new(Code::Truncated, text).at(self.entries))
        } else if self.entries > size || segment.bytes != self.head.end {
            Err(Problem::failed(
                Code::HeadMismatch,
                format!("the head says that {size} entries end at another byte than they do"),
            ))
        } else {
            Ok(())
        }
    }

    /// Tells of what lies above the head; it was never acknowledged, so it is no part of the ledger.
    fn look_beyond(&mut self, segment: &Segment) {
        let length = segment.file.get_ref().metadata().map_or(0, |metadata| metadata.len());
        let beyond = length.saturating_sub(self.head.end);
        if beyond > 0 {
            self.warnings.push(format!(
                "{beyond} bytes lie above the head; they were never acknowledged and are not part of the ledger"
            ));
        }
        if fs::symlink_metadata(self.log.join(segment_dir(segment.number + 1))).is_ok() {
            self.warnings.push("a segment lies above the head; it was never acknowledged".to_owned());
        }
    }
}

impl EntrySource for FolderSource {
    fn next(&mut self) -> Result<Option<Chunk>, Problem> {
        if let Some(problem) = self.held.take() {
            return Err(problem);
        }
        while !self.done {
            let mut segment = match self.segment.take() {
                Some(segment) => segment,
                None => self.open_segment(self.entries / self.segment_entries)?,
            };
            let mut chunk = Chunk::new(self.entries, Framing::Lengths);
            self.fill(&mut segment, &mut chunk)?;
            self.entries += chunk.count;
            let full = segment.entries == self.segment_entries && segment.number < self.head.segment;
            let stuck = chunk.count == 0 || full;
            if stuck {
                // What was asked for to find the end of an older segment: one byte more.
                if full && segment.rest.is_empty() && !segment.ended {
                    let mut byte = [0];
                    let more = segment.file.read(&mut byte).map_err(|error| {
                        Problem::could_not(format!("segment {} cannot be read: {error}", segment.number))
                    })?;
                    segment.ended = more == 0;
                }
                if let Err(problem) = self.check_end(&segment) {
                    if chunk.count == 0 {
                        return Err(problem);
                    }
                    self.held = Some(problem);
                }
                if segment.number == self.head.segment {
                    self.look_beyond(&segment);
                    self.done = true;
                }
            } else {
                self.segment = Some(segment);
            }
            if chunk.count > 0 {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    fn total(&self) -> Option<u64> {
        Some(self.head.size)
    }

    fn checkpoint_size(&self) -> Option<u64> {
        Some(self.checkpoint_size)
    }

    fn claims(&mut self) -> Result<Claims, Problem> {
        Ok(Claims {
            checkpoint: std::mem::take(&mut self.checkpoint),
            may_trail: true,
            head: Some(self.head),
            header: None,
            warnings: std::mem::take(&mut self.warnings),
        })
    }
}

/// The range of the entry whose frame starts at `at`, if it is there whole.
fn frame_at(bytes: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let length = bytes.get(at..)?.first_chunk::<LENGTH_BYTES>()?;
    let start = at + LENGTH_BYTES;
    let end = start + usize::from(u16::from_be_bytes(*length));
    (end <= bytes.len()).then_some(start..end)
}

/// A small file that a running ledger rewrites in place: read until two readings agree, so that none is half old and
/// half new. If they never do, the last one is judged as it is.
fn read_settled(path: &Path, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut last = read_small(path, limit)?;
    for _ in 0..READINGS {
        let again = read_small(path, limit)?;
        if again == last {
            break;
        }
        last = again;
    }
    Ok(last)
}

/// Checkpoint and head, in this order, fitting together.
fn read_ends(log: &Path) -> Result<(Head, Vec<u8>, u64), Problem> {
    let checkpoint = read_settled(&log.join(CHECKPOINT_FILE), MAX_CHECKPOINT_BYTES)?;
    let size = match Checkpoint::parse(&checkpoint) {
        Ok((checkpoint, _)) => checkpoint.size,
        Err(error) => {
            return Err(Problem::failed(
                Code::CheckpointInvalid,
                format!("the checkpoint is malformed: {error}"),
            ));
        }
    };
    let head = read_small(&log.join(HEAD_FILE), HEAD_BYTES)?;
    let damaged = || {
        Problem::failed(
            Code::HeadDamaged,
            "the head is damaged in both copies of a slot, so what was acknowledged cannot be known from it",
        )
    };
    if head.len() != HEAD_BYTES {
        return Err(damaged());
    }
    let head = Head::in_force(&Head::read_copies(&head)).ok_or_else(damaged)?;
    if head.size == 0 {
        return Err(Problem::failed(Code::Empty, "the ledger holds no entry"));
    }
    if size > head.size {
        return Err(Problem::failed(
            Code::Truncated,
            format!(
                "the checkpoint covers {size} entries, but the folder holds only {}: entries were cut off",
                head.size
            ),
        ));
    }
    Ok((head, checkpoint, size))
}

fn obstacle(path: &Path, error: &std::io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound => Problem::could_not(format!("{} does not exist", path.display())),
        _ => Problem::could_not(format!("{}: {error}", path.display())),
    }
}

/// Refuses links: they would lead out of the folder that the caller named.
fn check_kind(path: &Path, what: &str, fits: impl Fn(&fs::FileType) -> bool) -> Result<(), Problem> {
    let kind = fs::symlink_metadata(path).map_err(|error| obstacle(path, &error))?.file_type();
    if fits(&kind) {
        return Ok(());
    }
    let is = if kind.is_symlink() { "a symbolic link, which is not followed" } else { "something else" };
    Err(Problem::could_not(format!("{} should be {what} and is {is}", path.display())))
}

fn check_dir(path: &Path) -> Result<(), Problem> {
    check_kind(path, "a folder", fs::FileType::is_dir)
}

fn open_file(path: &Path) -> Result<File, Problem> {
    // Looked at before it is opened, because opening a pipe would wait for its other end.
    check_kind(path, "a file", fs::FileType::is_file)?;
    File::open(path).map_err(|error| obstacle(path, &error))
}

/// Reads a file of at most `limit` bytes, and one byte more of a longer one, so that it is seen to be too long.
fn read_small(path: &Path, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let file = open_file(path)?;
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| obstacle(path, &error))?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
