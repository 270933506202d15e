//! A log whose disk and clock the test owns.

use crate::clock::ManualClock;
use crate::log::append::{self, AppendError, Item, Outcome, Submission};
use crate::log::disk::{Disk, File, Mode, RealDisk};
use crate::log::{Log, NoIndex, Options, create, fingerprint, identity, open, subject_hash};
use crate::spec::entry::Draft;
use crate::spec::time::Timestamp;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long a test waits for what must happen soon.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the disk does wrong.
#[derive(Default)]
pub struct Faults {
    /// Bytes that may still be written to `entries`; below zero: no room.
    pub room: AtomicI64,
    /// The next sync of this file fails.
    pub fail_sync: Mutex<Option<&'static str>>,
    /// While true, syncs of `entries` wait.
    hold: Mutex<bool>,
    released: Condvar,
    pub limited: AtomicBool,
    /// While true, no file can be opened and no folder synced: as many are open as may be.
    pub no_descriptors: AtomicBool,
    /// Reads of `entries` go through it.
    pub reads: Gate,
}

impl Faults {
    pub fn hold(self: &Arc<Self>) -> Hold {
        *self.hold.lock().unwrap() = true;
        Hold(self.clone())
    }
}

/// How many reads pass before the next one stops, if any stops.
#[derive(Default)]
pub struct Gate {
    passing: Mutex<Option<usize>>,
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub fn close_after(&self, reads: usize) {
        *self.passing.lock().unwrap() = Some(reads);
    }

    fn pass(&self) {
        {
            let mut passing = self.passing.lock().unwrap();
            match &mut *passing {
                None => return,
                Some(0) => *passing = None,
                Some(left) => {
                    *left -= 1;
                    return;
                }
            }
        }
        let mut stopped = self.stopped.lock().unwrap();
        *stopped = true;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(stopped, PATIENCE, |stopped| *stopped).unwrap());
    }

    /// Waits until a read stands at the gate.
    pub fn wait(&self) {
        let stopped = self.stopped.lock().unwrap();
        let waited = self.changed.wait_timeout_while(stopped, PATIENCE, |stopped| !*stopped).unwrap();
        assert!(!waited.1.timed_out(), "nobody came to the gate");
    }

    pub fn open(&self) {
        *self.stopped.lock().unwrap() = false;
        self.changed.notify_all();
    }
}

/// Holds syncs of `entries` until it is dropped, also by a failing test.
pub struct Hold(Arc<Faults>);

impl Drop for Hold {
    fn drop(&mut self) {
        *self.0.hold.lock().unwrap() = false;
        self.0.released.notify_all();
    }
}

pub struct FaultyDisk(pub Arc<Faults>);

struct FaultyFile {
    inner: Arc<dyn File>,
    name: String,
    faults: Arc<Faults>,
}

impl FaultyDisk {
    fn needs_descriptor(&self) -> io::Result<()> {
        let wanted = self.0.no_descriptors.load(Ordering::SeqCst);
        if wanted { Err(io::Error::from(rustix::io::Errno::MFILE)) } else { Ok(()) }
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        self.needs_descriptor()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Arc::new(FaultyFile { inner: RealDisk.open(path, mode)?, name, faults: self.0.clone() }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.needs_descriptor()?;
        RealDisk.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn identity(&self, path: &Path) -> io::Result<String> {
        RealDisk.identity(path)
    }
}

impl File for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        if self.name == "entries" {
            self.faults.reads.pass();
        }
        self.inner.read_exact_at(buffer, at)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.name == "entries" && self.faults.limited.load(Ordering::SeqCst) {
            let room = self.faults.room.fetch_sub(bytes.len() as i64, Ordering::SeqCst);
            if room < bytes.len() as i64 {
                // As a real disk does: some of it is written.
                self.inner.write_all_at(&bytes[..room.max(0) as usize], at)?;
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
        }
        self.inner.write_all_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.name == "entries" {
            let hold = self.faults.hold.lock().unwrap();
            drop(self.faults.released.wait_while(hold, |hold| *hold).unwrap());
        }
        let mut fail = self.faults.fail_sync.lock().unwrap();
        if *fail == Some(self.name.as_str()) {
            *fail = None;
            return Err(io::Error::other("the test says so"));
        }
        self.inner.sync_data()
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub faults: Arc<Faults>,
    pub clock: Arc<ManualClock>,
    pub next: std::cell::Cell<u64>,
}

pub const START: i64 = 1_700_000_000_000_000;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(START + seconds * 1_000_000).unwrap()
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self {
            dir: tempfile::tempdir().unwrap(),
            faults: Arc::default(),
            clock: Arc::new(ManualClock::new(at(0))),
            next: std::cell::Cell::new(0),
        };
        create(&bench.options(), "log.example", None).unwrap();
        bench
    }

    pub fn options(&self) -> Options {
        Options {
            data_dir: self.dir.path().to_owned(),
            keys_dir: self.dir.path().join("keys"),
            passphrase: None,
            disk: Arc::new(FaultyDisk(self.faults.clone())),
            clock: self.clock.clone(),
            read_only: false,
            key_lost: false,
            adopt: None,
            publish: false,
            confirm_clock: false,
            known: Vec::new(),
        }
    }

    pub fn open(&self) -> Log {
        open(self.options()).unwrap().start(Arc::new(NoIndex)).unwrap()
    }

    pub fn item(&self, bytes: usize) -> Item {
        let number = self.next.replace(self.next.get() + 1);
        let data = "x".repeat(bytes);
        let event = format!(
            r#"{{"data":"{data}","id":"{number}","source":"/t","specversion":"1.0","subject":"s","type":"t"}}"#
        );
        Item {
            draft: Draft::new("app:t", &event, "log.example"),
            identity: identity("/t", &number.to_string()),
            fingerprint: fingerprint("app:t", &event),
            subject: Some(subject_hash("s")),
            source: "/t".into(),
            not_before: None,
        }
    }

    pub fn submission(&self, items: usize, bytes: usize) -> Submission {
        let items = (0..items).map(|_| self.item(bytes)).collect();
        Submission { items, expected_version: None, looked_up_at: u64::MAX }
    }

    pub fn append(&self, log: &Log, submission: Submission) -> append::Answer {
        log.append(submission).unwrap().blocking_recv().unwrap_or(Err(AppendError::Stopped))
    }

    pub fn verifies(&self) {
        use crate::verify::{Options, Outcome, Quiet, Source, verify};
        let outcome = verify(Source::Folder(self.dir.path().to_owned()), &Options::default(), &Quiet);
        assert!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
    }
}

pub fn seqs(answer: &append::Answer) -> Vec<u64> {
    let seq = |outcome: &Outcome| match outcome {
        Outcome::Recorded { seq, .. } | Outcome::Replayed { seq } => *seq,
    };
    answer.as_ref().unwrap().iter().map(seq).collect()
}
