//! Making and opening a ledger: its folder, its key, who may go on writing, and the adoption of a copy.

use crate::clock::Clock;
use crate::log::adoption;
use crate::log::append::{Identities, Listener};
use crate::log::clock::LedgerTime;
use crate::log::committed::Keys;
use crate::log::disk::{Disk, RealDisk, create_dir_durably, replace};
use crate::log::home::{Home, Lock, Noted};
use crate::log::keys::{self, KeyFileError};
use crate::log::memory::{self, Memory, PutBack};
use crate::log::own_events::OwnEvent;
use crate::log::recovery::{self, RecoverError, Recovered};
use crate::log::running::{Log, NoIndex, Parts};
use crate::log::store::Store;
use crate::spec::checkpoint::is_origin;
use crate::spec::entry::{Entry, FIRST_PREV};
use crate::spec::layout::{COPIES, HEAD_FILE, Head, LOG_DIR};
use crate::spec::merkle::{Hash, empty_root};
use crate::spec::note::{Signer, VerifierKey};
use crate::spec::time::Timestamp;
use crate::sync::wait_for;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// An adopted copy publishes where its settings say, as the original did.
    pub publish: bool,
    /// An operator says that the clock is right; recorded if it was doubted.
    pub confirm_clock: bool,
    /// What there is on this host, beside the log and `home`, that remembers the log.
    pub known: Vec<Memory>,
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
    #[error(
        "{folder} was the home of a ledger with {size} entries, and its log is gone. Put the log back; for another ledger take \
         another folder"
    )]
    Gone { folder: PathBuf, size: u64 },
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
    /// What proves that the log was put back: what is derived knows entries that it does not have. Also with an adoption,
    /// which forgets them.
    pub put_back: Vec<PutBack>,
    options: Options,
    /// What `home` said.
    noted: Option<Noted>,
    /// The checkpoint on whose strength a copy goes on.
    adopting: Option<String>,
    lock: Lock,
    listener: Option<Arc<dyn Listener>>,
}

/// Whether a folder holds a ledger: one with its first entry, whatever state it is in.
#[must_use]
pub fn is_made(data_dir: &Path) -> bool {
    is_made_on(&RealDisk, data_dir)
}

pub(super) fn is_made_on(disk: &dyn Disk, data_dir: &Path) -> bool {
    match recovery::read_head(disk, &data_dir.join(LOG_DIR)) {
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
    create_dir_durably(&*options.disk, &options.data_dir).map_err(io_error(&options.data_dir))?;
    let lock = Lock::take(&options.data_dir).map_err(io_error(&options.data_dir))?;
    let lock = lock.ok_or_else(|| OpenError::Locked(options.data_dir.clone()))?;
    if is_made_on(&*options.disk, &options.data_dir) {
        return Err(OpenError::Exists(options.data_dir.clone()));
    }
    // A new log in the place of one that is gone would look like it.
    let noted = Noted::read(&*options.disk, &options.data_dir).map_err(io_error(&options.data_dir))?;
    if let Some(noted) = noted.filter(|noted| noted.size > 0) {
        return Err(OpenError::Gone { folder: options.data_dir.clone(), size: noted.size });
    }
    let (key, _) = keys::generate(&options.keys_dir, origin, options.passphrase.as_deref())?;
    let vkey = key.verifier().clone();
    begin(options, Arc::new(key), next, lock)?.close();
    Ok(vkey)
}

/// Lays a new log out, starts it under this key, and records entry 0.
pub(super) fn begin(
    options: &Options,
    key: Arc<dyn Signer>,
    next: Option<Hash>,
    lock: Lock,
) -> Result<Log, OpenError> {
    let log_dir = options.data_dir.join(LOG_DIR);
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io { path: path.clone(), error }
    };
    let origin = key.verifier().name().to_owned();
    let head = Head { size: 0, segment: 0, end: 0, chain: FIRST_PREV, root: empty_root() };
    let laid_out = options.disk.create_dir(&log_dir).and_then(|()| {
        let copies = [head.to_slot(); COPIES];
        replace(&*options.disk, &log_dir.join(HEAD_FILE), copies.as_flattened())?;
        options.disk.sync_dir(&options.data_dir)
    });
    laid_out.map_err(io_error(&log_dir))?;
    let (store, _) = recovery::recover(options.disk.clone(), &log_dir, false)?;
    let (clock, now) = (options.clock.clone(), options.clock.now());
    let home = Arc::new(Home::new(options.disk.clone(), &options.data_dir, 0, Some(now), false));
    home.settle().map_err(io_error(&options.data_dir))?;
    let store = Arc::new(store.with_history(origin, Vec::new(), Timestamp::EPOCH, None));
    let keys = Keys { current: key, next, usable: true, overlap: None };
    let time = LedgerTime::start(Timestamp::EPOCH, None, &*clock);
    let parts = Parts { store, keys, clock, lock, listener: None, home, time };
    let log = Log::start(parts, Arc::new(NoIndex)).map_err(|error| OpenError::Start(error.to_string()))?;
    let recorded = log.own(OwnEvent::Created { next }).map(wait_for);
    if !matches!(recorded, Ok(Ok(Ok(_)))) {
        return Err(OpenError::Start("entry 0 is not recorded".into()));
    }
    Ok(log)
}

/// Opens a ledger's log and checks it against its head.
///
/// # Errors
/// See [`OpenError`].
pub fn open(mut options: Options) -> Result<Opened, OpenError> {
    let data_dir = options.data_dir.clone();
    let io_error = |error| OpenError::Io { path: data_dir.clone(), error };
    let log_dir = options.data_dir.join(LOG_DIR);
    let (head, _) = recovery::read_head(&*options.disk, &log_dir)?;
    let lock = match Lock::take(&options.data_dir) {
        // Whoever only reads needs nothing from a medium that can only be read.
        Err(error) if options.read_only && is_unwritable(&error) => Lock::look(&options.data_dir),
        taken => taken,
    };
    let lock = lock.map_err(io_error)?.ok_or_else(|| OpenError::Locked(options.data_dir.clone()))?;
    let noted = Noted::read(&*options.disk, &options.data_dir).map_err(io_error)?;
    let is_here = |noted: &Noted| noted.is_here(&*options.disk, &options.data_dir);
    let at_home = noted.as_ref().map_or(Ok(false), is_here).map_err(io_error)?;
    let memories = adoption::memories(&*options.disk, &data_dir, &options.known, noted.as_ref());
    let is_shorter = memories.iter().any(|memory| memory.size() > head.size);
    // A copy, and a log that was put back, are changed in nothing before it is clear that they may go on.
    let wanted = options.adopt.is_some();
    let reading = options.read_only || !at_home || is_shorter;
    let mut found = recovery::read(options.disk.clone(), &log_dir, reading)?;
    let put_back = memory::against(&found.store, &memories).map_err(RecoverError::from)?;
    let moved = !at_home || !put_back.is_empty();
    let mut adopting = None;
    // At home there is nothing to adopt: a ledger started with --adopt again is just started.
    if let Some(note) = options.adopt.take().filter(|_| moved) {
        adopting = Some(adoption::check(&found.store, &note, &put_back).map_err(OpenError::Adopt)?);
        found = recovery::read(options.disk.clone(), &log_dir, false)?;
    }
    let read_only = match put_back.first() {
        _ if options.read_only => Some("it was started with --read-only".to_owned()),
        _ if wanted => None,
        Some(first) => Some(format!(
            "the log was put back: {first}. Put the newer log in its place again. If what came after is lost for good, \
             start it once with --adopt FILE, where FILE is the newest checkpoint that anyone holds"
        )),
        None if !at_home => Some(
            "this folder is a copy (restored, imported or copied). If it is to go on as the ledger, start it once \
             with --adopt FILE, where FILE is the newest checkpoint that anyone holds"
                .to_owned(),
        ),
        None => None,
    };
    let (store, recovered) =
        if read_only.is_some() { (found.store, found.report) } else { found.make_ready()? };
    let store = Arc::new(store);
    Ok(Opened { store, recovered, read_only, put_back, options, noted, adopting, lock, listener: None })
}

fn is_unwritable(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | StorageFull)
}

impl Opened {
    /// Has this one hear of all entries that are committed from now on.
    pub fn tell(&mut self, listener: Arc<dyn Listener>) {
        self.listener = Some(listener);
    }

    /// Nothing is appended, for this reason: somebody elsewhere knows more than the log.
    pub fn forbid(&mut self, why: String) {
        tracing::warn!("open for reading only: {why}");
        self.read_only = Some(why);
    }

    /// Whether this is an adopted copy that was not told to publish.
    #[must_use]
    pub fn keeps_quiet(&self) -> bool {
        let noted = self.noted.as_ref().is_some_and(|noted| noted.keeps_quiet);
        (self.adopting.is_some() || noted) && !self.options.publish
    }

    /// Whether a copy, or a log that was put back, goes on as the ledger from now on.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.adopting.is_some()
    }

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
        let (home, time, doubted) = self.home();
        let home = Arc::new(home);
        let Options { data_dir, clock, confirm_clock, .. } = self.options;
        let settle = || home.settle().map_err(|error| OpenError::Io { path: data_dir.clone(), error });
        if self.adopting.is_none() {
            settle()?;
        }
        let (lock, listener) = (self.lock, self.listener);
        let parts = Parts { store: self.store, keys, clock, lock, listener, home: home.clone(), time };
        let log = Log::start(parts, identities).map_err(|error| OpenError::Start(error.to_string()))?;
        if let Some(checkpoint) = self.adopting {
            let known = self.put_back.iter().map(|known| known.known).max();
            let known = known.filter(|known| *known > log.store().size());
            let recorded = log.own(OwnEvent::Restored { checkpoint, known }).map(wait_for);
            if !matches!(recorded, Ok(Ok(Ok(_)))) {
                return Err(OpenError::Start(format!("the adoption is not recorded: {recorded:?}")));
            }
            // Only now: a copy is not at home before its adoption is recorded.
            settle()?;
        }
        if confirm_clock && doubted {
            let recorded = log.own(OwnEvent::ClockConfirmed { by: "operator".to_owned() }).map(wait_for);
            if !matches!(recorded, Ok(Ok(Ok(_)))) {
                return Err(OpenError::Start(format!(
                    "the clock's confirmation is not recorded: {recorded:?}"
                )));
            }
        }
        Ok(log)
    }

    /// What is to be noted from now on, and the clock, held to what is known.
    fn home(&self) -> (Home, LedgerTime, bool) {
        let Options { data_dir, disk, clock, confirm_clock, .. } = &self.options;
        let here = self.noted.as_ref().filter(|_| self.adopting.is_none());
        let noted = here.and_then(|noted| noted.clock);
        let last = self.store.state().last_time;
        let mut time = LedgerTime::start(last, noted, &**clock);
        let is_believed = |mut time: LedgerTime| time.now(&**clock).is_ok();
        let doubted = !is_believed(time);
        if *confirm_clock {
            time.confirm(&**clock);
        }
        // A clock that is not believed is not noted.
        let believed = is_believed(time).then(|| clock.now());
        match (here, noted, believed) {
            (_, _, None) => tracing::warn!(
                "nothing is recorded until the clock is put right, or confirmed (`daybook clock confirm`): it says {}, \
                 and the latest time that is known is {}",
                clock.now(),
                noted.map_or(last, |noted| noted.max(last))
            ),
            (Some(_), None, Some(now)) => {
                tracing::info!("no time was noted here yet: the clock is believed to say {now}, this once");
            }
            _ => {}
        }
        // What an adopted copy has for sinks are the original's.
        let quiet = self.keeps_quiet();
        (Home::new(disk.clone(), data_dir, self.store.size(), noted.max(believed), quiet), time, doubted)
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
