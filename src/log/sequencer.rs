//! The one thread that owns the log's order. It takes whatever waits, answers for identities, gives number, time and
//! `prev`, has the batch signed, and hands it to the committer. While that one syncs, the next batch is prepared.

use crate::clock::Clock;
use crate::log::append::{AppendError, Identities, Item, Outcome, Reply, Submission, satisfies};
use crate::log::clock::LedgerTime;
use crate::log::committed::{Committed, Cursor};
use crate::log::committer::Batch;
use crate::log::own_events::{OwnEvent, Place, Rotation, own_item};
use crate::log::recent::{MAX_INDEX_LAG, Recent};
use crate::log::signing::{Signers, SigningPool};
use crate::log::store::Store;
use crate::spec::canonical;
use crate::spec::entry::{Entry as LogEntry, text_hash};
use crate::spec::merkle::Hash;
use crate::spec::note::VerifierKey;
use crate::spec::time::Timestamp;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::mpsc::{Receiver, SyncSender};
use crate::sync::thread;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Entries that a batch takes before it is closed.
///
/// Reason: a batch's answers wait for its signatures; 4,096 are about 40 ms of two cores.
const MAX_BATCH_ENTRIES: usize = 4_096;

/// Bytes of drafts that a batch takes before it is closed.
///
/// Reason: what is in the sequencer's and the committer's hands is held on top of what waits; two batches of this size
/// and one submission more are the bound.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// How often the sequencer gives way to other threads before it closes a batch.
///
/// Reason: each time may last a time slice, some milliseconds, if that many threads are busy; without it a commit had a
/// dozen events at the highest rate on two cores, and spent as much on syncing as on them.
const MAX_YIELDS: usize = 4;

/// What the sequencer is told.
pub enum Command {
    Append { submission: Submission, bytes: usize, reply: Reply },
    Own { event: OwnEvent, reply: Reply },
}

/// The sequencer's belongings.
pub struct Sequencer {
    pub commands: Receiver<Command>,
    /// Bytes of submissions that wait in `commands`.
    pub waiting_bytes: Arc<AtomicUsize>,
    pub batches: SyncSender<Batch>,
    pub committed: Arc<Committed>,
    pub store: Arc<Store>,
    pub identities: Arc<dyn Identities>,
    pub clock: Arc<dyn Clock>,
    pub pool: SigningPool,
}

/// Where the next entry goes.
struct Position {
    epoch: u64,
    cursor: Cursor,
    time: LedgerTime,
    recent: Recent,
}

/// A batch being put together.
#[derive(Default)]
struct Open {
    texts: Vec<String>,
    bytes: usize,
    answers: Vec<(Reply, Result<Vec<Planned>, AppendError>)>,
}

/// An outcome before its leaf hash is known.
#[derive(Clone, Copy)]
enum Planned {
    /// The entry at this place of the batch.
    New {
        place: usize,
        seq: u64,
        time: Timestamp,
    },
    Replayed {
        seq: u64,
    },
}

impl Sequencer {
    /// Runs until all senders of commands are gone, or the committer is.
    pub fn run(self) {
        let (epoch, cursor) = self.committed.read();
        let time = cursor.clock;
        let recent = Recent::new(cursor.size);
        let mut position = Position { epoch, cursor, time, recent };
        while let Ok(first) = self.commands.recv() {
            self.let_others_add();
            self.follow_committer(&mut position);
            position.recent.prune(self.identities.applied().min(self.store.size()));
            let mut open = Open::default();
            let mut next = Some(first);
            // A key change is a batch of its own: a checkpoint has one key, and so has a batch.
            while let Some(command) = next {
                match command {
                    Command::Append { submission, bytes, reply } => {
                        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                        let planned = self.plan(&submission, &mut position, &mut open);
                        open.answers.push((reply, planned));
                    }
                    Command::Own { event, reply } => {
                        if !self.close(&mut position, std::mem::take(&mut open), None) {
                            return;
                        }
                        if !self.own(event, reply, &mut position) {
                            return;
                        }
                    }
                }
                let has_room = open.texts.len() < MAX_BATCH_ENTRIES && open.bytes < MAX_BATCH_BYTES;
                next = has_room.then(|| self.commands.try_recv().ok()).flatten();
            }
            if !self.close(&mut position, open, None) {
                return;
            }
        }
    }

    /// Gives way to threads that could run and are about to add to this batch. Where processors are free it returns at
    /// once; where they are not, the handlers come first and the batches grow, which is what makes each event cheaper.
    fn let_others_add(&self) {
        for _ in 0..MAX_YIELDS {
            let waiting = self.waiting_bytes.load(Ordering::Relaxed);
            thread::yield_now();
            if self.waiting_bytes.load(Ordering::Relaxed) == waiting {
                return;
            }
        }
    }

    /// Goes back to what is committed if the committer had to.
    fn follow_committer(&self, position: &mut Position) {
        let (epoch, cursor) = self.committed.read();
        if epoch != position.epoch {
            // Also a confirmation of the clock that was not recorded is taken back.
            position.time = cursor.clock;
            position.recent.rewind(cursor.size);
            position.epoch = epoch;
            position.cursor = cursor;
        }
    }

    /// Decides what becomes of a submission, and if it is recorded, takes its place in the order.
    fn plan(
        &self,
        submission: &Submission,
        position: &mut Position,
        open: &mut Open,
    ) -> Result<Vec<Planned>, AppendError> {
        let (applied, size) = (self.identities.applied(), position.cursor.size);
        if applied < position.recent.floor() || size.saturating_sub(applied) > MAX_INDEX_LAG {
            return Err(AppendError::IndexBehind { applied, size });
        }
        let mut replays = Vec::with_capacity(submission.items.len());
        let mut conflicts = Vec::new();
        let mut places = HashMap::with_capacity(submission.items.len());
        for (i, item) in submission.items.iter().enumerate() {
            // Twice in one submission: the second is a replay of the first, which has no number yet.
            let twin = match places.entry(item.identity) {
                Entry::Occupied(earlier) => Some(*earlier.get()),
                Entry::Vacant(first) => {
                    first.insert((i, item.fingerprint));
                    None
                }
            };
            let known = match twin {
                Some((twin, fingerprint)) => Some((Known::Twin(twin), fingerprint)),
                None => self.find(item, submission.looked_up_at, position)?,
            };
            match known {
                Some((_, fingerprint)) if fingerprint != item.fingerprint => conflicts.push(i),
                other => replays.push(other.map(|(known, _)| known)),
            }
        }
        if !conflicts.is_empty() {
            return Err(AppendError::Conflict { items: conflicts });
        }
        let records_anything = replays.iter().any(Option::is_none);
        if let Some(expected) = submission.expected_version.as_ref().filter(|_| records_anything) {
            let subject = submission.items.first().and_then(|item| item.subject);
            // Only what was counted before everything here must be counted again.
            let (indexed, at) = match expected.counted {
                Some((indexed, at)) if at >= position.recent.floor() => (indexed, at),
                // Only the handler can count those of some sources: it looks again.
                Some((_, at)) if expected.sources.is_some() => {
                    return Err(AppendError::IndexBehind { applied: at, size });
                }
                _ => self.identities.version(&expected.subject).map_err(AppendError::Index)?,
            };
            if at < position.recent.floor() {
                return Err(AppendError::IndexBehind { applied: at, size });
            }
            let recent = |subject| position.recent.count(&subject, at, expected.sources.as_ref());
            let recent =
                subject.map_or(Some(0), recent).ok_or(AppendError::IndexBehind { applied: at, size })?;
            let actual = indexed + recent;
            if actual != expected.version {
                return Err(AppendError::WrongVersion { actual });
            }
        }
        let time = if records_anything {
            position.time.now(&*self.clock)?
        } else {
            // A retry needs no time.
            position.cursor.time
        };
        let ahead = ahead_of(time, &submission.items, &replays);
        if !ahead.is_empty() {
            return Err(AppendError::Ahead { items: ahead, now: time });
        }
        let mut planned: Vec<Planned> = Vec::with_capacity(submission.items.len());
        for (item, replay) in submission.items.iter().zip(replays) {
            let plan = match replay {
                Some(Known::Entry(seq)) => Planned::Replayed { seq },
                #[expect(clippy::indexing_slicing, reason = "a twin stands before what repeats it")]
                Some(Known::Twin(twin)) => Planned::Replayed { seq: planned[twin].seq() },
                None => take_place(item, time, position, open),
            };
            planned.push(plan);
        }
        Ok(planned)
    }

    /// An entry with this identity, wherever it is: on its way, recent, or in the index.
    fn find(
        &self,
        item: &Item,
        looked_up_at: u64,
        position: &Position,
    ) -> Result<Option<(Known, Hash)>, AppendError> {
        if let Some((seq, fingerprint)) = position.recent.find(&item.identity) {
            return Ok(Some((Known::Entry(seq), fingerprint)));
        }
        // The handler looked when the index had all entries before `looked_up_at`; those from the floor on are
        // here. Only if something lies between must we look again.
        if looked_up_at >= position.recent.floor() {
            return Ok(None);
        }
        let (found, applied) = self.identities.find(&item.identity).map_err(AppendError::Index)?;
        let Some(seq) = found else {
            // The index may have been made anew in between, and know nothing yet.
            let (floor, size) = (position.recent.floor(), position.cursor.size);
            return if applied < floor { Err(AppendError::IndexBehind { applied, size }) } else { Ok(None) };
        };
        let bytes = self.store.entry(seq).map_err(|error| AppendError::Index(error.to_string()))?;
        let entry = LogEntry::parse(&bytes).map_err(|error| AppendError::Index(error.to_string()))?;
        Ok(Some((
            Known::Entry(seq),
            crate::log::names::fingerprint_of(
                &entry.actor,
                &entry.event,
                &canonical::to_string(&entry.event),
            ),
        )))
    }

    /// Signs an open batch and hands it over. False if the committer is gone.
    fn close(&self, position: &mut Position, open: Open, signers: Option<Signers>) -> bool {
        if open.answers.is_empty() {
            return true;
        }
        let signers = signers.unwrap_or_else(|| vec![position.cursor.keys.current.clone()]);
        let entries = self.pool.sign(open.texts, &signers);
        let answers = open
            .answers
            .into_iter()
            .map(|(reply, planned)| {
                let outcomes = planned.map(|planned| {
                    let outcome = |plan: Planned| match plan {
                        Planned::Replayed { seq } => Outcome::Replayed { seq },
                        #[expect(
                            clippy::indexing_slicing,
                            reason = "signing gives back as many as it was given"
                        )]
                        Planned::New { place, seq, time } => {
                            Outcome::Recorded { seq, time, leaf: entries[place].leaf }
                        }
                    };
                    planned.into_iter().map(outcome).collect()
                });
                (reply, outcomes)
            })
            .collect();
        let batch = Batch { epoch: position.epoch, entries, answers, after: position.cursor.clone() };
        self.batches.send(batch).is_ok()
    }

    /// What [`crate::log::Log::rotate`] checked against what was committed, checked again against what is on its way:
    /// two rotations at once must not make a ledger that never verifies.
    fn check_rotation(&self, rotation: &Rotation, position: &Position) -> Result<(), AppendError> {
        let key = rotation.signer.verifier();
        let same = |other: &VerifierKey| other.public_key() == key.public_key();
        let used =
            same(position.cursor.keys.current.verifier()) || self.store.keys().iter().any(|k| same(&k.key));
        if used || (rotation.old_key_lost && !satisfies(key, position.cursor.keys.next)) {
            return Err(AppendError::RotationInFlight);
        }
        Ok(())
    }

    /// Records an event of the ledger's own. False if the committer is gone.
    fn own(&self, event: OwnEvent, reply: Reply, position: &mut Position) -> bool {
        self.follow_committer(position);
        if let OwnEvent::ClockConfirmed { .. } = event {
            position.time.confirm(&*self.clock);
        }
        let time = match position.time.now(&*self.clock) {
            Ok(time) => time,
            Err(trouble) => {
                let _ = reply.send(Err(trouble.into()));
                return true;
            }
        };
        if let OwnEvent::KeyRotated(rotation) = &event
            && let Err(why) = self.check_rotation(rotation, position)
        {
            let _ = reply.send(Err(why));
            return true;
        }
        let mut open = Open::default();
        let cursor = &position.cursor;
        let key = cursor.keys.current.verifier();
        let (origin, wall) = (self.store.origin(), self.clock.now());
        let item = own_item(&event, &Place { origin, seq: cursor.size, time, wall, key });
        let planned = take_place(&item, time, position, &mut open);
        open.answers.push((reply, Ok(vec![planned])));
        let mut signers = None;
        if let OwnEvent::KeyRotated(rotation) = event {
            let old = position.cursor.keys.current.clone();
            let both = if rotation.old_key_lost { vec![] } else { vec![old] };
            signers = Some([both, vec![rotation.signer.clone()]].concat());
            position.cursor.keys.rotate(rotation);
        }
        self.close(position, open, signers)
    }
}

/// Which items would be recorded and may not be yet. What is there already stays what it is.
fn ahead_of(time: Timestamp, items: &[Item], replays: &[Option<Known>]) -> Vec<usize> {
    let new = items.iter().zip(replays).enumerate().filter(|(_, (_, replay))| replay.is_none());
    new.filter(|(_, (item, _))| item.not_before.is_some_and(|from| from > time)).map(|(i, _)| i).collect()
}

/// An entry that is there already.
#[derive(Clone, Copy)]
enum Known {
    Entry(u64),
    /// The item at this place of the same submission.
    Twin(usize),
}

impl Planned {
    fn seq(self) -> u64 {
        match self {
            Planned::New { seq, .. } | Planned::Replayed { seq } => seq,
        }
    }
}

/// Gives an item the next number: the chain grows here.
fn take_place(item: &Item, time: Timestamp, position: &mut Position, open: &mut Open) -> Planned {
    let seq = position.cursor.size;
    let text = item.draft.text(&position.cursor.chain, seq, time);
    position.cursor.chain = text_hash(text.as_bytes());
    position.cursor.size += 1;
    position.cursor.time = time;
    position.cursor.clock = position.time;
    position.recent.push(item);
    open.bytes += text.len();
    open.texts.push(text);
    Planned::New { place: open.texts.len() - 1, seq, time }
}
