//! The thread that makes batches durable and answers for them: entries, fdatasync, head, fdatasync, checkpoint,
//! answers (FORMATS.md section 8). Whatever crashes between any two of these, the next start finds the batch whole
//! or not at all.

use crate::log::append::{AppendError, Listener, Outcome, Reply, SignedEntry};
use crate::log::committed::{Committed, Cursor};
use crate::log::disk::{File, Mode};
use crate::log::home::Home;
use crate::log::segment;
use crate::log::store::{KeyInForce, SignedCheckpoint, Store};
use crate::log::vitals::Vitals;
use crate::spec::checkpoint::Checkpoint;
use crate::spec::layout::{CHECKPOINT_FILE, HEAD_FILE, Head, SEGMENT_ENTRIES, SLOT_BYTES};
use crate::spec::merkle::Frontier;
use crate::spec::note::{Signer, sign};
use crate::spec::tile::push_framed;
use crate::sync::mpsc::{Receiver, SyncSender};
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// A signed batch.
pub struct Batch {
    /// The epoch in which it was numbered.
    pub epoch: u64,
    pub entries: Vec<SignedEntry>,
    pub answers: Vec<(Reply, Result<Vec<Outcome>, AppendError>)>,
    /// Where the log ends when the batch is in it.
    pub after: Cursor,
}

/// Why a batch is not committed.
enum CommitError {
    /// No room; the log is cut back to its head and goes on.
    NoRoom(io::Error),
    /// A file could not be opened because so many are; the log is cut back to its head and goes on.
    NoDescriptor(io::Error),
    /// Nothing is known about what is durable. Only a new start can tell.
    Fatal(&'static str, io::Error),
}

/// Whether and why the log is stopped.
pub type Failure = Option<Arc<str>>;

/// The committer's belongings.
pub struct Committer {
    batches: Receiver<Batch>,
    committed: Arc<Committed>,
    store: Arc<Store>,
    head_file: Arc<dyn File>,
    checkpoint_file: Option<Arc<dyn File>>,
    entries: Option<(u64, Arc<dyn File>)>,
    frontier: Frontier,
    /// The slot that the next head goes to: the one that does not hold the current head.
    next_slot: u64,
    checkpoints: watch::Sender<Option<SignedCheckpoint>>,
    failure: watch::Sender<Failure>,
    wake_sealer: SyncSender<()>,
    listener: Option<Arc<dyn Listener>>,
    /// Where it is noted, beside the log, how long the log is.
    home: Arc<Home>,
    vitals: Arc<Vitals>,
}

/// What the committer is given by whoever starts it.
pub struct Hands {
    pub committed: Arc<Committed>,
    pub checkpoints: watch::Sender<Option<SignedCheckpoint>>,
    pub failure: watch::Sender<Failure>,
    pub wake_sealer: SyncSender<()>,
    pub listener: Option<Arc<dyn Listener>>,
    pub home: Arc<Home>,
    pub vitals: Arc<Vitals>,
}

impl Committer {
    /// A committer that goes on where `store` ends.
    ///
    /// # Errors
    /// The head file cannot be opened, or the tree not be read.
    pub fn new(batches: Receiver<Batch>, store: Arc<Store>, hands: Hands) -> io::Result<Self> {
        let Hands { committed, checkpoints, failure, wake_sealer, listener, home, vitals } = hands;
        let head_file = store.disk.open(&store.log_dir.join(HEAD_FILE), Mode::Write)?;
        let checkpoint_file = store.disk.open(&store.log_dir.join(CHECKPOINT_FILE), Mode::Write).ok();
        let frontier = store.frontier().map_err(|error| io::Error::other(error.to_string()))?;
        let mut bytes = vec![0; 4 * SLOT_BYTES];
        head_file.read_exact_at(&mut bytes, 0)?;
        let newest = store.state().head;
        // Slot A is copies 0 and 1. If both slots hold the head in force, either may be next.
        let [a, a_twin, b, b_twin] = Head::read_copies(&bytes).map(|copy| copy == Some(newest));
        let next_slot = u64::from((a || a_twin) && !(b || b_twin));
        Ok(Self {
            batches,
            committed,
            store,
            head_file,
            checkpoint_file,
            entries: None,
            frontier,
            next_slot,
            checkpoints,
            failure,
            wake_sealer,
            listener,
            home,
            vitals,
        })
    }

    /// Signs a checkpoint of what is there: the same bytes as before, if the key is the same. Before anyone reads, so that
    /// no entry is seen without it: the stored one may have been lost.
    pub fn begin(&self) {
        let cursor = self.committed.read().1;
        if self.store.size() > 0 && cursor.keys.usable {
            let signed = self.checkpoint(&self.store.state().head.clone(), &cursor);
            self.store.update(|state| state.checkpoint = Some(signed.clone()));
            self.announce(signed);
        }
    }

    /// Runs until the sequencer is gone or the disk fails.
    pub fn run(mut self) {
        while let Ok(batch) = self.batches.recv() {
            if batch.epoch != self.committed.read().0 {
                // It was numbered after a batch that found no room.
                answer_all(batch.answers, Some(&AppendError::NoRoom));
                continue;
            }
            let began = Instant::now();
            let result = if batch.entries.is_empty() { Ok(()) } else { self.commit(&batch) };
            if result.is_ok() && !batch.entries.is_empty() {
                self.vitals.committed(began.elapsed());
            }
            match result {
                Ok(()) => {
                    answer_all(batch.answers, None);
                    self.tell(batch.after.size, batch.entries);
                }
                Err(CommitError::NoRoom(error)) => {
                    tracing::error!(%error, "no room for {} entries; nothing of them is recorded", batch.entries.len());
                    self.vitals.refused(&error);
                    if !self.go_back(batch.answers, &AppendError::NoRoom) {
                        return;
                    }
                }
                Err(CommitError::NoDescriptor(error)) => {
                    tracing::error!(
                        %error,
                        "a segment cannot be begun, because as many files are open as may be; {} entries are not recorded",
                        batch.entries.len()
                    );
                    if !self.go_back(batch.answers, &AppendError::Overloaded) {
                        return;
                    }
                }
                Err(CommitError::Fatal(what, error)) => {
                    self.stop(what, &error, batch.answers);
                    return;
                }
            }
        }
    }

    /// Takes back what was written of a batch. False if that fails, and the log stops.
    fn go_back(
        &mut self,
        answers: Vec<(Reply, Result<Vec<Outcome>, AppendError>)>,
        why: &AppendError,
    ) -> bool {
        if let Err(error) = self.cut_back() {
            self.stop("cutting back to the head failed", &error, answers);
            return false;
        }
        self.committed.go_back();
        answer_all(answers, Some(why));
        true
    }

    /// Hands on what was written. After the answers, which nobody who only follows the log may delay.
    fn tell(&self, size: u64, entries: Vec<SignedEntry>) {
        if let Some(listener) = self.listener.as_ref().filter(|_| !entries.is_empty()) {
            listener.committed(size - entries.len() as u64, entries);
        }
    }

    fn stop(&self, what: &str, error: &io::Error, answers: Vec<(Reply, Result<Vec<Outcome>, AppendError>)>) {
        tracing::error!(%error, "{what}; the ledger stops, the next start trusts only the head");
        self.failure.send_replace(Some(format!("{what}: {error}").into()));
        answer_all(answers, Some(&AppendError::Stopped));
        // Answers for batches that still come: the channel is dropped with `self`, and the sequencer with it.
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        let head = self.store.state().head;
        let mut frontier = self.frontier.clone();
        let (mut segment, mut start) = (head.segment, head.end);
        if head.size > 0 && head.size.is_multiple_of(SEGMENT_ENTRIES) {
            (segment, start) = (head.segment + 1, 0);
        }
        let mut ends = Vec::with_capacity(batch.entries.len());
        let mut bytes = Vec::with_capacity(batch.entries.iter().map(|entry| entry.bytes.len() + 2).sum());
        for entry in &batch.entries {
            if frontier.size() > head.size && frontier.size().is_multiple_of(SEGMENT_ENTRIES) {
                // At a segment's end: the old one is synced before the new one begins.
                self.write_entries(segment, start, &bytes)?;
                bytes.clear();
                (segment, start) = (segment + 1, 0);
            }
            push_framed(&mut bytes, &entry.bytes);
            frontier.push(entry.leaf);
            ends.push(start + bytes.len() as u64);
        }
        self.write_entries(segment, start, &bytes)?;
        let new = Head {
            size: batch.after.size,
            segment,
            end: ends.last().copied().unwrap_or(start),
            chain: batch.after.chain,
            root: frontier.root(),
        };
        debug_assert_eq!(frontier.size(), new.size);
        self.write_head(&new)?;
        // From here on the batch is the log's, whatever happens. Before anybody hears of it, it is noted outside the log.
        self.home.note_size(new.size);
        self.frontier = frontier;
        let cursor = batch.after.clone();
        let key_change = self.key_change(&cursor);
        let signed = self.checkpoint(&new, &cursor);
        let sealable = self.store.update(|state| {
            state.head = new;
            state.last_time = cursor.time;
            // With the entries, so that whoever sees one can have its receipt.
            state.checkpoint = Some(signed.clone());
            state.keys.extend(key_change);
            for (end, entry) in ends.iter().zip(&batch.entries) {
                state.push(*end, entry.leaf);
            }
            !state.unsealed.is_empty()
        });
        self.committed.advance(cursor);
        self.announce(signed);
        if sealable {
            let _ = self.wake_sealer.try_send(());
        }
        Ok(())
    }

    /// The new entry of the key history, if this batch changed the key.
    fn key_change(&self, cursor: &Cursor) -> Option<KeyInForce> {
        let state = self.store.state();
        let key = cursor.keys.current.verifier();
        if state.keys.last().is_some_and(|last| last.key == *key) {
            return None;
        }
        // A key change is a batch of its own, so its entry is the last one.
        let rotation = (cursor.size > 1).then_some(cursor.size - 1);
        let from = rotation.map_or(0, |seq| seq + 1);
        Some(KeyInForce { key: key.clone(), from, rotation, next: cursor.keys.next })
    }

    fn write_entries(&mut self, segment: u64, start: u64, bytes: &[u8]) -> Result<(), CommitError> {
        let file = self.entries_file(segment)?;
        file.write_all_at(bytes, start).map_err(|error| sort_error("writing entries", error))?;
        file.sync_data().map_err(|error| CommitError::Fatal("syncing entries", error))
    }

    fn entries_file(&mut self, segment: u64) -> Result<Arc<dyn File>, CommitError> {
        if let Some((open, file)) = &self.entries
            && *open == segment
        {
            return Ok(file.clone());
        }
        let (disk, log_dir) = (&self.store.disk, &self.store.log_dir);
        let opened = (|| {
            disk.create_dir(&segment::folder(log_dir, segment))?;
            disk.open(&segment::entries_path(log_dir, segment), Mode::Write)
        })();
        let file: Arc<dyn File> = opened.map_err(|error| sort_error("beginning a segment", error))?;
        // A failed sync of a folder is a failed sync, whatever its reason: asked again, it would seem to succeed.
        disk.sync_dir(&segment::folder(log_dir, segment))
            .and_then(|()| disk.sync_dir(log_dir))
            // A folder that could not even be opened was not synced, and is asked again with the next batch.
            .map_err(|error| match error {
                error if is_want_of_descriptors(&error) => CommitError::NoDescriptor(error),
                error => CommitError::Fatal("syncing the folder of a new segment", error),
            })?;
        self.entries = Some((segment, file.clone()));
        Ok(file)
    }

    fn write_head(&mut self, head: &Head) -> Result<(), CommitError> {
        let slot = head.to_slot();
        let twins = [slot, slot];
        let at = self.next_slot * twins.as_flattened().len() as u64;
        self.head_file
            .write_all_at(twins.as_flattened(), at)
            .map_err(|e| CommitError::Fatal("writing the head", e))?;
        self.head_file.sync_data().map_err(|error| CommitError::Fatal("syncing the head", error))?;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }

    /// After a write without room: nothing above the head stays.
    fn cut_back(&mut self) -> io::Result<()> {
        let head = self.store.state().head;
        let mut open = self.entries.take();
        for (segment, end) in [(head.segment, head.end), (head.segment + 1, 0)] {
            let file = match open.take_if(|(open, _)| *open == segment) {
                // Without another descriptor: there may be none.
                Some((_, file)) => file,
                None => {
                    let path = segment::entries_path(&self.store.log_dir, segment);
                    match self.store.disk.open(&path, Mode::Read) {
                        Ok(_) => self.store.disk.open(&path, Mode::Write)?,
                        // It was to be begun, and was not: nothing is written in it.
                        Err(error) if is_want_of_descriptors(&error) && segment > head.segment => continue,
                        Err(error) if is_want_of_descriptors(&error) => return Err(error),
                        Err(_) => continue,
                    }
                }
            };
            file.set_len(end)?;
            file.sync_data()?;
            if segment == head.segment {
                // Kept: there may be no other descriptor for it.
                self.entries = Some((segment, file));
            }
        }
        Ok(())
    }

    /// The checkpoint over a head that is durable.
    fn checkpoint(&self, head: &Head, cursor: &Cursor) -> SignedCheckpoint {
        let checkpoint =
            Checkpoint { origin: self.store.origin().to_owned(), size: head.size, root: head.root };
        let mut signers: Vec<&dyn Signer> = vec![&*cursor.keys.current];
        if let Some((old, until)) = &cursor.keys.overlap
            && cursor.time < *until
        {
            signers.push(&**old);
        }
        let note: Arc<str> = sign(&checkpoint.text(), &signers).into();
        SignedCheckpoint { checkpoint, note }
    }

    /// Tells a checkpoint to those who follow, and to those who read the folder.
    fn announce(&self, signed: SignedCheckpoint) {
        // The file is derived and need not be durable.
        if let Some(file) = &self.checkpoint_file {
            let note = signed.note.as_bytes();
            let written = file.write_all_at(note, 0).and_then(|()| {
                // A change of length is a change of the folder's journal too; the notes are nearly all as long.
                if file.size()? == note.len() as u64 { Ok(()) } else { file.set_len(note.len() as u64) }
            });
            if let Err(error) = written {
                tracing::warn!(%error, "the checkpoint file is not written");
            }
        }
        self.checkpoints.send_replace(Some(signed));
    }
}

fn sort_error(what: &'static str, error: io::Error) -> CommitError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            CommitError::NoRoom(error)
        }
        _ if is_want_of_descriptors(&error) => CommitError::NoDescriptor(error),
        _ => CommitError::Fatal(what, error),
    }
}

/// Whether a file could not be opened because this process, or the system, has as many open as it may (EMFILE, ENFILE): that
/// says nothing of the disk.
pub(super) fn is_want_of_descriptors(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

fn answer_all(answers: Vec<(Reply, Result<Vec<Outcome>, AppendError>)>, failed: Option<&AppendError>) {
    for (reply, outcome) in answers {
        // A client that is gone does not hear; what it sent is recorded all the same.
        let _ = reply.send(failed.map_or(outcome, |error| Err(error.clone())));
    }
}
