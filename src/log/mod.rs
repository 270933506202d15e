//! The append-only log: order, chain, signatures, durability, reading and proofs.
//!
//! One sequencer thread owns the order, one committer thread owns the disk; between them at most one batch waits
//! while one is being synced. Readers see what is committed and nothing else ([`store::Store`]). The folder is laid
//! out as FORMATS.md section 8 says. May use `spec` and `verify`; must never know what an event means, who may post
//! it, or how it came in.

pub mod append;
pub mod bulk;
pub mod check;
pub mod clock;
mod committer;
pub mod disk;
pub mod home;
pub mod keys;
mod open_files;
mod opening;
pub mod publish;
mod recent;
pub mod recovery;
mod sealer;
pub mod segment;
mod sequencer;
mod signing;
pub mod store;
mod tiles;

pub use opening::{OpenError, Opened, Options, create, is_made, open};

use crate::clock::Clock;
use append::{AppendError, Identities, OwnEvent, Rotation, Submission};
use committer::{Committed, Committer, Cursor, Keys};
use home::Lock;
use sequencer::{Command, Sequencer};
use sha2::{Digest as _, Sha256};
use signing::SigningPool;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use store::{SignedCheckpoint, Store};
use tokio::sync::{oneshot, watch};

use crate::spec::merkle::Hash;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use crate::sync::thread::{self, JoinHandle};

/// Submissions that may wait.
///
/// Reason: a tenth of a second of single events at the highest rate; whoever is further behind is better told so.
const MAX_WAITING: usize = 4_096;

/// Bytes of events that may wait.
///
/// Reason: eight of the largest batches.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Who an event is, for ever: a hash of CloudEvents `source` and `id`, lengths first so that no two pairs run into
/// each other.
#[must_use]
pub fn identity(source: &str, id: &str) -> [u8; 16] {
    let hash = Sha256::new()
        .chain_update("daybook/identity/v1\n")
        .chain_update((source.len() as u64).to_be_bytes())
        .chain_update(source)
        .chain_update(id)
        .finalize();
    first_16(&hash)
}

/// A hash of a subject, for counting.
#[must_use]
pub fn subject_hash(subject: &str) -> [u8; 16] {
    first_16(&Sha256::new().chain_update("daybook/subject/v1\n").chain_update(subject).finalize())
}

fn first_16(hash: &[u8]) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    first
}

/// What an event says and who says so: two submissions are the same if their fingerprints are.
#[must_use]
pub fn fingerprint(actor: &str, event: &str) -> Hash {
    let actor_bytes = (actor.len() as u64).to_be_bytes();
    Sha256::new().chain_update(actor_bytes).chain_update(actor).chain_update(event).finalize().into()
}

/// No index at all: for making entry 0, and for measuring the log alone. Only recent identities are known.
pub struct NoIndex;

impl Identities for NoIndex {
    fn applied(&self) -> u64 {
        u64::MAX
    }

    fn find(&self, _: &[u8; 16]) -> Result<(Option<u64>, u64), String> {
        Ok((None, u64::MAX))
    }

    fn version(&self, _: &str) -> Result<(u64, u64), String> {
        Err("there is no index".into())
    }
}

struct Parts {
    store: Arc<Store>,
    keys: Keys,
    clock: Arc<dyn Clock>,
    lock: Lock,
}

/// The running log.
pub struct Log {
    store: Arc<Store>,
    commands: Option<SyncSender<Command>>,
    /// False when opened without its key.
    accepts: bool,
    /// Entries when it was opened: the index must have these before events are taken.
    started_at: u64,
    waiting_bytes: Arc<AtomicUsize>,
    committed: Option<Arc<Committed>>,
    checkpoints: watch::Sender<Option<SignedCheckpoint>>,
    failure: watch::Sender<committer::Failure>,
    threads: Vec<JoinHandle<()>>,
    /// Where to note the size when the ledger is closed.
    home: Option<PathBuf>,
    _lock: Lock,
}

impl Log {
    fn reading(store: Arc<Store>, lock: Lock) -> Self {
        Self {
            checkpoints: watch::Sender::new(store.checkpoint()),
            store,
            commands: None,
            accepts: false,
            started_at: 0,
            waiting_bytes: Arc::default(),
            committed: None,
            failure: watch::Sender::new(None),
            threads: Vec::new(),
            home: None,
            _lock: lock,
        }
    }

    fn start(parts: Parts, identities: Arc<dyn Identities>) -> io::Result<Self> {
        let Parts { store, keys, clock, lock } = parts;
        let (accepts, started_at) = (keys.usable, store.size());
        let cursor = {
            let state = store.state();
            Cursor {
                size: state.head.size,
                chain: state.head.chain,
                time: state.last_time,
                clock: None,
                keys,
            }
        };
        let committed = Arc::new(Committed::new(cursor));
        let (commands, commands_in) = sync_channel(MAX_WAITING);
        // No batch waits in the channel: one is with the committer, one in the sequencer's hands.
        let (batches, batches_in) = sync_channel(0);
        let (wake_sealer, sealer_woken) = sync_channel(1);
        let (checkpoints, failure) = (watch::Sender::new(None), watch::Sender::new(None));
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let committer = Committer::new(
            batches_in,
            committed.clone(),
            store.clone(),
            checkpoints.clone(),
            failure.clone(),
            wake_sealer.clone(),
        )?;
        committer.begin();
        let workers = thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).min(7));
        let sequencer = Sequencer {
            commands: commands_in,
            waiting_bytes: waiting_bytes.clone(),
            batches,
            committed: committed.clone(),
            store: store.clone(),
            identities,
            clock,
            pool: SigningPool::new(workers),
        };
        let for_sealer = store.clone();
        // Recovery may have left segments to seal.
        let _ = wake_sealer.try_send(());
        let spawn = |name: &'static str, run: Box<dyn FnOnce() + Send>| {
            let on_panic = OnPanic(name, failure.clone());
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                let _on_panic = on_panic;
                run();
            })
        };
        let threads = vec![
            spawn("sequencer", Box::new(move || sequencer.run()))?,
            spawn("committer", Box::new(move || committer.run()))?,
            spawn("sealer", Box::new(move || sealer::run(&for_sealer, &sealer_woken)))?,
        ];
        Ok(Self {
            store,
            commands: Some(commands),
            accepts,
            started_at,
            waiting_bytes,
            committed: Some(committed),
            checkpoints,
            failure,
            threads,
            home: None,
            _lock: lock,
        })
    }

    /// The committed log, for reading.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Whether nothing can be appended.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.commands.is_none()
    }

    /// Whether events are refused until an index with so many entries has caught up.
    #[must_use]
    pub fn waits_for_index(&self, applied: u64) -> bool {
        applied < self.started_at || self.store.size().saturating_sub(applied) > recent::MAX_INDEX_LAG
    }

    /// Follows the checkpoints as they are made.
    #[must_use]
    pub fn checkpoints(&self) -> watch::Receiver<Option<SignedCheckpoint>> {
        self.checkpoints.subscribe()
    }

    /// Tells when the log stops because of its disk.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.failure.subscribe()
    }

    /// Hands events to the sequencer. The answer comes when they are durable.
    ///
    /// # Errors
    /// Nothing was taken: too much is waiting, the ledger is read-only or stopped.
    pub fn append(&self, submission: Submission) -> Result<oneshot::Receiver<append::Answer>, AppendError> {
        let commands = self.commands.as_ref().filter(|_| self.accepts).ok_or(AppendError::ReadOnly)?;
        let bytes = submission.items.iter().map(|item| item.draft.len()).sum();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > MAX_WAITING_BYTES && waiting > 0 {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(AppendError::Overloaded);
        }
        let (reply, answer) = oneshot::channel();
        commands.try_send(Command::Append { submission, bytes, reply }).map_err(|error| {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => AppendError::Overloaded,
                TrySendError::Disconnected(_) => AppendError::Stopped,
            }
        })?;
        Ok(answer)
    }

    /// Has the ledger record an event of its own.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn own(&self, event: OwnEvent) -> Result<oneshot::Receiver<append::Answer>, AppendError> {
        let commands = self.commands.as_ref().ok_or(AppendError::ReadOnly)?;
        let only_rotation = self.committed.as_ref().is_some_and(|committed| !committed.read().1.keys.usable);
        if only_rotation && !matches!(event, OwnEvent::KeyRotated(_)) {
            return Err(AppendError::ReadOnly);
        }
        let (reply, answer) = oneshot::channel();
        commands.try_send(Command::Own { event, reply }).map_err(|error| match error {
            TrySendError::Full(_) => AppendError::Overloaded,
            TrySendError::Disconnected(_) => AppendError::Stopped,
        })?;
        Ok(answer)
    }

    /// Brings a new key into force.
    ///
    /// # Errors
    /// The key was used before or belongs to another ledger; without the old key, nothing was committed to or not
    /// this key.
    pub fn rotate(&self, mut rotation: Rotation) -> Result<oneshot::Receiver<append::Answer>, RotateError> {
        let key = rotation.signer.verifier();
        if key.name() != self.store.origin() {
            return Err(RotateError::WrongName);
        }
        if self.store.keys().iter().any(|used| used.key.public_key() == key.public_key()) {
            return Err(RotateError::UsedBefore);
        }
        if rotation.old_key_lost {
            // What is lost signs nothing more.
            rotation.overlap_until = None;
        }
        let committed = self.committed.as_ref().ok_or(RotateError::Append(AppendError::ReadOnly))?;
        if rotation.old_key_lost && !append::satisfies(key, committed.read().1.keys.next) {
            return Err(RotateError::NotCommitted);
        }
        self.own(OwnEvent::KeyRotated(rotation)).map_err(RotateError::Append)
    }

    /// Ends appending: what was handed in is answered, then the threads end.
    pub fn close(mut self) {
        self.shut();
    }

    fn shut(&mut self) {
        self.commands = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the log panicked");
            }
        }
        if let Some(home) = self.home.take()
            && let Err(error) = home::settle(&*self.store.disk, &home, self.store.size())
        {
            tracing::warn!(%error, "the size at closing is not noted; the one at starting stands");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Tells of a thread that panicked: a bug, and the ledger must not seem to run on without it.
struct OnPanic(&'static str, watch::Sender<committer::Failure>);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.1.send_replace(Some(format!("the {} thread panicked", self.0).into()));
        }
    }
}

/// Why a key does not come into force.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("the key's name is not this ledger's origin")]
    WrongName,
    #[error("the key was in force before")]
    UsedBefore,
    #[error("no commitment to this key was made; without one the old key must sign too")]
    NotCommitted,
    #[error(transparent)]
    Append(AppendError),
}

#[cfg(test)]
pub(crate) mod tests;
