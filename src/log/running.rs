//! The running log: its threads, and what is handed to them.

use crate::clock::Clock;
use crate::log::append::{self, AppendError, Identities, Listener, Submission};
use crate::log::clock::LedgerTime;
use crate::log::committed::{Committed, Cursor, Keys};
use crate::log::committer::{self, Committer, Hands};
use crate::log::home::{Home, Lock};
use crate::log::keeper::{Keeper, Kept};
use crate::log::own_events::{OwnEvent, Rotation};
use crate::log::sequencer::{Command, Sequencer};
use crate::log::signing::SigningPool;
use crate::log::store::{SignedCheckpoint, Store};
use crate::log::vitals::Vitals;
use crate::log::{recent, sealer};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use crate::sync::thread::{self, JoinHandle};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Submissions that may wait.
///
/// Reason: a tenth of a second of single events at the highest rate; whoever is further behind is better told so.
pub(super) const MAX_WAITING: usize = 4_096;

/// Bytes of events that may wait.
///
/// Reason: eight of the largest batches.
pub(super) const MAX_WAITING_BYTES: usize = 64 << 20;

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

pub(super) struct Parts {
    pub(super) store: Arc<Store>,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lock: Lock,
    pub(super) listener: Option<Arc<dyn Listener>>,
    pub(super) home: Arc<Home>,
    /// The clock, held to what is known.
    pub(super) time: LedgerTime,
}

/// The running log.
pub struct Log {
    pub(super) store: Arc<Store>,
    commands: Option<SyncSender<Command>>,
    /// False when opened without its key.
    accepts: bool,
    /// Entries when it was opened: the index must have these before events are taken.
    started_at: u64,
    pub(super) waiting_bytes: Arc<AtomicUsize>,
    vitals: Arc<Vitals>,
    committed: Option<Arc<Committed>>,
    checkpoints: watch::Sender<Option<SignedCheckpoint>>,
    failure: watch::Sender<committer::Failure>,
    threads: Vec<JoinHandle<()>>,
    /// Where it is noted how long the log is; none if it is open for reading only.
    home: Option<Arc<Home>>,
    clock: Option<Arc<dyn Clock>>,
    _lock: Lock,
}

impl Log {
    pub(super) fn reading(store: Arc<Store>, lock: Lock) -> Self {
        Self {
            checkpoints: watch::Sender::new(store.checkpoint()),
            store,
            commands: None,
            accepts: false,
            started_at: 0,
            waiting_bytes: Arc::default(),
            vitals: Arc::default(),
            committed: None,
            failure: watch::Sender::new(None),
            threads: Vec::new(),
            home: None,
            clock: None,
            _lock: lock,
        }
    }

    pub(super) fn start(parts: Parts, identities: Arc<dyn Identities>) -> io::Result<Self> {
        let Parts { store, keys, clock, lock, listener, home, time } = parts;
        let (accepts, started_at) = (keys.usable, store.size());
        let cursor = {
            let state = store.state();
            Cursor {
                size: state.head.size,
                chain: state.head.chain,
                time: state.last_time,
                clock: time,
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
        let vitals = Arc::new(Vitals::default());
        let hands = Hands {
            committed: committed.clone(),
            checkpoints: checkpoints.clone(),
            failure: failure.clone(),
            wake_sealer: wake_sealer.clone(),
            listener,
            home: home.clone(),
            vitals: vitals.clone(),
        };
        let committer = Committer::new(batches_in, store.clone(), hands)?;
        committer.begin();
        let workers = thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).min(7));
        let sequencer = Sequencer {
            commands: commands_in,
            waiting_bytes: waiting_bytes.clone(),
            batches,
            committed: committed.clone(),
            store: store.clone(),
            identities,
            clock: clock.clone(),
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
            vitals,
            committed: Some(committed),
            checkpoints,
            failure,
            threads,
            home: Some(home),
            clock: Some(clock),
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

    /// Why the clock is not believed, and nothing recorded; none if it is.
    #[must_use]
    pub fn clock_trouble(&self) -> Option<AppendError> {
        let (clock, committed) = (self.clock.as_ref()?, self.committed.as_ref()?);
        let mut time = committed.read().1.clock;
        time.now(&**clock).err().map(AppendError::from)
    }

    /// Keeps what is noted of the log outside it durable, and the time in it new, for as long as what this gives is held.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn keep_home(&self) -> io::Result<Option<Keeper>> {
        let (Some(home), Some(committed), Some(clock)) = (&self.home, &self.committed, &self.clock) else {
            return Ok(None);
        };
        let kept = Kept { home: home.clone(), committed: committed.clone(), clock: clock.clone() };
        Keeper::start(kept).map(Some)
    }

    /// Whether this is an adopted copy that was not told to publish: its sinks are the original's.
    #[must_use]
    pub fn keeps_quiet(&self) -> bool {
        self.home.as_ref().is_some_and(|home| home.keeps_quiet())
    }

    /// Bytes of events that wait to be recorded, and how many may.
    #[must_use]
    pub fn waiting(&self) -> (u64, u64) {
        (self.waiting_bytes.load(Ordering::Relaxed) as u64, MAX_WAITING_BYTES as u64)
    }

    /// Batches made durable since the start, and how long that took together.
    #[must_use]
    pub fn commits(&self) -> (u64, Duration) {
        self.vitals.commits()
    }

    /// Whether the last batch was refused by a quota or a limit, of which free room on the disk says nothing.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.vitals.is_bounded()
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
        if let Some(home) = self.home.take() {
            if self.clock_trouble().is_none()
                && let Some(clock) = &self.clock
            {
                home.note_clock(clock.now());
            }
            if let Err(error) = home.sync() {
                tracing::warn!(%error, "`home` is not synced: after a power cut it may know an earlier size");
            }
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
