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
pub mod publish;
mod recent;
pub mod recovery;
mod sealer;
pub mod segment;
mod sequencer;
mod signing;
pub mod store;

use append::{AppendError, Identities, OwnEvent, Rotation, Submission};
use clock::Clock;
use committer::{Committed, Committer, Cursor, Keys};
use disk::{Disk, replace};
use home::Lock;
use keys::KeyFileError;
use recovery::{RecoverError, Recovered};
use sequencer::{Command, Sequencer};
use sha2::{Digest as _, Sha256};
use signing::SigningPool;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use store::{ReadError, SignedCheckpoint, Store};
use tokio::sync::{oneshot, watch};

use crate::spec::checkpoint::{Checkpoint, is_origin};
use crate::spec::entry::{Entry, FIRST_PREV};
use crate::spec::layout::{COPIES, HEAD_FILE, Head, LOG_DIR};
use crate::spec::merkle::{Hash, empty_root};
use crate::spec::note::{Signer, VerifierKey};
use crate::spec::time::Timestamp;

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

/// Names the first damaged entry of a data folder, for the operator who is told that it does not open.
pub(crate) fn locate_damage(data_dir: &Path) -> Option<String> {
    use crate::verify::{Options, Outcome, Quiet, Source, verify};
    match verify(Source::Folder(data_dir.to_owned()), &Options::default(), &Quiet) {
        Outcome::Failed(failure) => Some(failure.to_string()),
        Outcome::Verified(_) | Outcome::CouldNotCheck(_) => None,
    }
}

/// Where a ledger is and who it is.
pub struct Options {
    pub data_dir: PathBuf,
    /// Where the signing keys are; apart from the data when they are kept elsewhere.
    pub keys_dir: PathBuf,
    pub passphrase: Option<String>,
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    /// Open for reading though nothing forbids writing.
    pub read_only: bool,
    /// The current key is lost: open without it, for the rotation to the key that was committed to and nothing else.
    pub key_lost: bool,
    /// The newest checkpoint that anyone is known to hold; with it a copy becomes the ledger.
    pub adopt: Option<Vec<u8>>,
}

/// Why a ledger does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another process has the folder {0}")]
    Locked(PathBuf),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Key(#[from] KeyFileError),
    #[error(
        "{0:?} is no origin: a schema-less URL without spaces and '+', at most 255 bytes, such as bank.example/ai"
    )]
    Origin(String),
    #[error("there is a ledger in {0} already")]
    Exists(PathBuf),
    #[error("the checkpoint given with --adopt cannot be used: {0}")]
    Adopt(String),
    #[error("the ledger cannot be started: {0}")]
    Start(String),
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

/// A ledger whose log is read and checked; appending has not begun.
pub struct Opened {
    pub store: Arc<Store>,
    pub recovered: Recovered,
    /// Why nothing can be appended; none if something can.
    pub read_only: Option<String>,
    options: Options,
    /// The checkpoint on whose strength a copy goes on.
    adopting: Option<String>,
    lock: Lock,
}

/// Whether a folder holds a ledger: one with its first entry, whatever state it is in.
#[must_use]
pub fn is_made(data_dir: &Path) -> bool {
    match recovery::read_head(&disk::RealDisk, &data_dir.join(LOG_DIR)) {
        // Making it was cut off before entry 0 was acknowledged.
        Ok((head, _)) => head.size > 0,
        Err(RecoverError::NoLog(_)) => false,
        Err(_) => true,
    }
}

/// Makes a new ledger: its folder, its first key, and entry 0.
///
/// # Errors
/// See [`OpenError`].
pub fn create(options: &Options, origin: &str, next: Option<Hash>) -> Result<VerifierKey, OpenError> {
    if !is_origin(origin) {
        return Err(OpenError::Origin(origin.to_owned()));
    }
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io { path: path.clone(), error }
    };
    std::fs::create_dir_all(&options.data_dir).map_err(io_error(&options.data_dir))?;
    let lock = Lock::take(&options.data_dir).map_err(io_error(&options.data_dir))?;
    let lock = lock.ok_or_else(|| OpenError::Locked(options.data_dir.clone()))?;
    let log_dir = options.data_dir.join(LOG_DIR);
    if is_made(&options.data_dir) {
        return Err(OpenError::Exists(options.data_dir.clone()));
    }
    let (key, _) = keys::generate(&options.keys_dir, origin, options.passphrase.as_deref())?;
    let key = Arc::new(key);
    let head = Head { size: 0, segment: 0, end: 0, chain: FIRST_PREV, root: empty_root() };
    let laid_out = options.disk.create_dir(&log_dir).and_then(|()| {
        let copies = [head.to_slot(); COPIES];
        replace(&*options.disk, &log_dir.join(HEAD_FILE), copies.as_flattened())?;
        options.disk.sync_dir(&options.data_dir)
    });
    laid_out.map_err(io_error(&log_dir))?;
    let (store, _) = recovery::recover(options.disk.clone(), &log_dir, false)?;
    home::settle(&options.data_dir, 0).map_err(io_error(&options.data_dir))?;
    let store = Arc::new(store.with_history(origin.to_owned(), Vec::new(), EPOCH, None));
    let keys = Keys { current: key.clone(), next, usable: true, overlap: None };
    let parts = Parts { store, keys, clock: options.clock.clone(), lock };
    let log = Log::start(parts, Arc::new(NoIndex)).map_err(|error| OpenError::Start(error.to_string()))?;
    let recorded = log.own(OwnEvent::Created { next }).map(|answer| answer.blocking_recv());
    if !matches!(recorded, Ok(Ok(Ok(_)))) {
        return Err(OpenError::Start("entry 0 is not recorded".into()));
    }
    log.close();
    Ok(key.verifier().clone())
}

const EPOCH: Timestamp = match Timestamp::from_micros(0) {
    Some(epoch) => epoch,
    None => unreachable!(),
};

/// Opens a ledger's log and checks it against its head.
///
/// # Errors
/// See [`OpenError`].
pub fn open(mut options: Options) -> Result<Opened, OpenError> {
    let data_dir = options.data_dir.clone();
    let io_error = |error| OpenError::Io { path: data_dir.clone(), error };
    let log_dir = options.data_dir.join(LOG_DIR);
    let (head, _) = recovery::read_head(&*options.disk, &log_dir)?;
    let lock = Lock::take(&options.data_dir).map_err(io_error)?;
    let lock = lock.ok_or_else(|| OpenError::Locked(options.data_dir.clone()))?;
    let at_home = home::is_home(&options.data_dir, head.size).map_err(io_error)?;
    // At home there is nothing to adopt: a ledger started with --adopt again is just started.
    let adopt = options.adopt.take().filter(|_| !at_home);
    let read_only = if options.read_only {
        Some("it was started with --read-only".to_owned())
    } else if !at_home && adopt.is_none() {
        Some(
            "this folder is a copy (restored, imported or copied). If it is to go on as the ledger, start it once \
             with --adopt FILE, where FILE is the newest checkpoint that anyone holds"
                .to_owned(),
        )
    } else {
        None
    };
    // A copy is changed in nothing before it is clear that it may go on.
    let adopting = match adopt {
        Some(note) => {
            let (store, _) = recovery::recover(options.disk.clone(), &log_dir, true)?;
            Some(check_adoption(&store, &note)?)
        }
        None => None,
    };
    let (store, recovered) = recovery::recover(options.disk.clone(), &log_dir, read_only.is_some())?;
    Ok(Opened { store: Arc::new(store), recovered, read_only, options, adopting, lock })
}

impl Opened {
    /// Begins appending, unless the ledger is open for reading only.
    ///
    /// # Errors
    /// The key is missing, or a copy is not to be adopted.
    pub fn start(self, identities: Arc<dyn Identities>) -> Result<Log, OpenError> {
        if self.read_only.is_some() {
            return Ok(Log::reading(self.store, self.lock));
        }
        let passphrase = self.options.passphrase.as_deref();
        let history = self.store.keys();
        let last = history.last().ok_or_else(|| OpenError::Start("the log has no entry 0".into()))?;
        let usable = !self.options.key_lost;
        let current: Arc<dyn Signer> = if usable {
            Arc::new(keys::find(&self.options.keys_dir, &last.key, passphrase)?)
        } else {
            Arc::new(keys::LostKey(last.key.clone()))
        };
        let overlap = last.rotation.and_then(|seq| overlap(&self.store, seq, &self.options));
        let keys = Keys { current, next: last.next, usable, overlap };
        let adopting = self.adopting;
        let data_dir = self.options.data_dir;
        let parts = Parts { store: self.store, keys, clock: self.options.clock, lock: self.lock };
        let mut log = Log::start(parts, identities).map_err(|error| OpenError::Start(error.to_string()))?;
        if let Some(checkpoint) = adopting {
            let recorded = log.own(OwnEvent::Restored { checkpoint }).map(|answer| answer.blocking_recv());
            if !matches!(recorded, Ok(Ok(Ok(_)))) {
                return Err(OpenError::Start(format!("the adoption is not recorded: {recorded:?}")));
            }
        }
        home::settle(&data_dir, log.store.size())
            .map_err(|error| OpenError::Io { path: data_dir.clone(), error })?;
        log.home = Some(data_dir);
        Ok(log)
    }
}

/// The old key of a rotation whose overlap is not over, if its file is still there.
fn overlap(store: &Store, seq: u64, options: &Options) -> Option<(Arc<dyn Signer>, Timestamp)> {
    let bytes = store.entry(seq).ok()?;
    let entry = Entry::parse(&bytes).ok()?;
    let until = Timestamp::parse(entry.event.get("data")?.get("overlap_until")?.as_str()?)?;
    if until <= options.clock.now() {
        return None;
    }
    let history = store.keys();
    let old = &history.get(history.len().checked_sub(2)?)?.key;
    let key = keys::find(&options.keys_dir, old, options.passphrase.as_deref()).ok()?;
    Some((Arc::new(key), until))
}

/// Bytes of a checkpoint that is recorded with an adoption.
///
/// Reason: it must fit an entry with every byte escaped.
const MAX_ADOPTED_BYTES: usize = 8 << 10;

/// A copy may go on as the ledger only if it holds everything that was ever handed out.
fn check_adoption(store: &Store, note: &[u8]) -> Result<String, OpenError> {
    let refuse = |why: String| OpenError::Adopt(why);
    // It becomes part of an entry, escaped; the ledger's own signature is all that is needed.
    if note.len() > MAX_ADOPTED_BYTES {
        return Err(refuse(format!("it has more than {MAX_ADOPTED_BYTES} bytes; leave cosignatures out")));
    }
    let (claimed, _) = Checkpoint::parse(note).map_err(|error| refuse(error.to_string()))?;
    let keys: Vec<_> =
        store.keys().into_iter().filter(|key| key.from <= claimed.size).map(|key| key.key).collect();
    Checkpoint::open(note, &keys).map_err(|error| refuse(error.to_string()))?;
    if claimed.origin != store.origin() {
        return Err(refuse(format!("it is of another ledger, {}", claimed.origin)));
    }
    if claimed.size > store.size() {
        return Err(refuse(format!(
            "it covers {} entries, this folder holds {}: something newer was handed out. Restore a newer copy",
            claimed.size,
            store.size()
        )));
    }
    let root = store.root_at(claimed.size).map_err(|error| refuse(error.to_string()))?;
    if root != claimed.root {
        return Err(refuse("this folder holds another history than it covers".into()));
    }
    Ok(String::from_utf8_lossy(note).into_owned())
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
        let workers =
            std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).min(7));
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
            std::thread::Builder::new().name(name.to_owned()).spawn(move || {
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
            && let Err(error) = home::settle(&home, self.store.size())
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

/// A reading error that means "not there".
#[must_use]
pub fn is_not_there(error: &ReadError) -> bool {
    matches!(error, ReadError::NotThere { .. })
}

#[cfg(test)]
mod tests;
