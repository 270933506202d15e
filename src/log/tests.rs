//! The log with a disk and a clock that the test owns.

use super::append::{AppendError, ExpectedVersion, Item, Outcome, OwnEvent, Submission};
use super::clock::ManualClock;
use super::disk::{Disk, File, Mode, RealDisk};
use super::*;
use crate::spec::entry::{Draft, Entry};
use crate::spec::time::Timestamp;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Condvar, Mutex};

/// What the disk does wrong.
#[derive(Default)]
struct Faults {
    /// Bytes that may still be written to `entries`; below zero: no room.
    room: AtomicI64,
    /// The next sync of this file fails.
    fail_sync: Mutex<Option<&'static str>>,
    /// While true, syncs of `entries` wait.
    hold: Mutex<bool>,
    released: Condvar,
    limited: AtomicBool,
}

impl Faults {
    fn hold(self: &Arc<Self>) -> Hold {
        *self.hold.lock().unwrap() = true;
        Hold(self.clone())
    }
}

/// Holds syncs of `entries` until it is dropped, also by a failing test.
struct Hold(Arc<Faults>);

impl Drop for Hold {
    fn drop(&mut self) {
        *self.0.hold.lock().unwrap() = false;
        self.0.released.notify_all();
    }
}

struct FaultyDisk(Arc<Faults>);

struct FaultyFile {
    inner: Arc<dyn File>,
    name: String,
    faults: Arc<Faults>,
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Arc::new(FaultyFile { inner: RealDisk.open(path, mode)?, name, faults: self.0.clone() }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
}

impl File for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
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

struct Bench {
    dir: tempfile::TempDir,
    faults: Arc<Faults>,
    clock: Arc<ManualClock>,
    next: std::cell::Cell<u64>,
}

const START: i64 = 1_700_000_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(START + seconds * 1_000_000).unwrap()
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            dir: tempfile::tempdir().unwrap(),
            faults: Arc::default(),
            clock: Arc::new(ManualClock::new(at(0))),
            next: std::cell::Cell::new(0),
        };
        create(&bench.options(), "log.example", None).unwrap();
        bench
    }

    fn options(&self) -> Options {
        Options {
            data_dir: self.dir.path().to_owned(),
            keys_dir: self.dir.path().join("keys"),
            passphrase: None,
            disk: Arc::new(FaultyDisk(self.faults.clone())),
            clock: self.clock.clone(),
            read_only: false,
            key_lost: false,
            adopt: None,
        }
    }

    fn open(&self) -> Log {
        open(self.options()).unwrap().start(Arc::new(NoIndex)).unwrap()
    }

    fn item(&self, bytes: usize) -> Item {
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
        }
    }

    fn submission(&self, items: usize, bytes: usize) -> Submission {
        let items = (0..items).map(|_| self.item(bytes)).collect();
        Submission { items, expected_version: None, looked_up_at: u64::MAX }
    }

    fn append(&self, log: &Log, submission: Submission) -> append::Answer {
        log.append(submission).unwrap().blocking_recv().unwrap_or(Err(AppendError::Stopped))
    }

    fn verifies(&self) {
        use crate::verify::{Options, Outcome, Quiet, Source, verify};
        let outcome = verify(Source::Folder(self.dir.path().to_owned()), &Options::default(), &Quiet);
        assert!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
    }
}

fn seqs(answer: &append::Answer) -> Vec<u64> {
    let seq = |outcome: &Outcome| match outcome {
        Outcome::Recorded { seq, .. } | Outcome::Replayed { seq } => *seq,
    };
    answer.as_ref().unwrap().iter().map(seq).collect()
}

#[test]
fn identities_do_not_run_into_each_other() {
    assert_ne!(identity("a", "bc"), identity("ab", "c"));
    assert_ne!(identity("", "x"), identity("x", ""));
    assert_ne!(fingerprint("app:a", "b"), fingerprint("app:ab", ""));
}

#[test]
fn no_room_answers_all_and_the_log_goes_on_where_it_was() {
    let bench = Bench::new();
    let log = bench.open();
    assert_eq!(seqs(&bench.append(&log, bench.submission(3, 10))), [1, 2, 3]);
    bench.faults.room.store(5_000, Ordering::SeqCst);
    bench.faults.limited.store(true, Ordering::SeqCst);
    // Several at once: those already numbered after the one that found no room must be taken back too.
    let answers: Vec<_> = (0..40).map(|_| log.append(bench.submission(2, 2_000)).unwrap()).collect();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
    let refused = answers.iter().filter(|answer| **answer == Err(AppendError::NoRoom)).count();
    assert!(refused > 30, "{refused}");
    bench.faults.limited.store(false, Ordering::SeqCst);
    let size = log.store().size();
    assert_eq!(seqs(&bench.append(&log, bench.submission(2, 2_000))), [size, size + 1], "no gap");
    log.close();
    bench.verifies();
    let opened = open(bench.options()).unwrap();
    assert_eq!((opened.store.size(), opened.recovered.cut_bytes), (size + 2, 0));
}

#[test]
fn an_event_refused_for_room_can_be_sent_again() {
    let bench = Bench::new();
    let log = bench.open();
    let item = bench.item(100);
    let send = || Submission { items: vec![item.clone()], expected_version: None, looked_up_at: u64::MAX };
    bench.faults.limited.store(true, Ordering::SeqCst);
    assert_eq!(bench.append(&log, send()), Err(AppendError::NoRoom));
    bench.faults.limited.store(false, Ordering::SeqCst);
    assert!(matches!(bench.append(&log, send()).unwrap()[0], Outcome::Recorded { seq: 1, .. }));
    assert_eq!(bench.append(&log, send()).unwrap()[0], Outcome::Replayed { seq: 1 });
}

#[test]
fn after_a_failed_sync_nothing_more_is_recorded_until_the_next_start() {
    for file in ["entries", "head"] {
        let bench = Bench::new();
        let log = bench.open();
        bench.append(&log, bench.submission(1, 10)).unwrap();
        *bench.faults.fail_sync.lock().unwrap() = Some(file);
        let answer = bench.append(&log, bench.submission(1, 10));
        assert_eq!(answer, Err(AppendError::Stopped), "{file}");
        assert!(log.failure().borrow().is_some());
        let after = log.append(bench.submission(1, 10)).map(|answer| answer.blocking_recv());
        assert!(!matches!(after, Ok(Ok(Ok(_)))), "{file}: something was recorded after the fault");
        log.close();
        bench.verifies();
        let log = bench.open();
        let size = log.store().size();
        assert!(size == 2 || (file == "head" && size == 3), "{file}: {size}");
        assert_eq!(seqs(&bench.append(&log, bench.submission(1, 10))), [size]);
        log.close();
        bench.verifies();
    }
}

#[test]
fn what_waits_is_bounded_and_what_was_taken_is_answered() {
    let bench = Bench::new();
    let log = bench.open();
    let hold = bench.faults.hold();
    let (mut taken, mut refused) = (Vec::new(), 0);
    for _ in 0..3 * MAX_WAITING {
        match log.append(bench.submission(1, 10)) {
            Ok(answer) => taken.push(answer),
            Err(error) => {
                assert_eq!(error, AppendError::Overloaded);
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && taken.len() >= MAX_WAITING);
    drop(hold);
    let taken = taken.into_iter().map(|answer| answer.blocking_recv().unwrap());
    assert!(taken.map(|answer| seqs(&answer)[0]).is_sorted());
    log.close();
    bench.verifies();
}

#[test]
fn bytes_that_wait_are_bounded_too() {
    let bench = Bench::new();
    let log = bench.open();
    let hold = bench.faults.hold();
    let mut taken = Vec::new();
    let refused = loop {
        match log.append(bench.submission(100, 60_000)) {
            Ok(answer) => taken.push(answer),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Overloaded);
    assert!(taken.len() * 6_000_000 < 2 * MAX_WAITING_BYTES, "{} were taken", taken.len());
    drop(hold);
    for answer in taken {
        assert!(answer.blocking_recv().unwrap().is_ok());
    }
}

#[test]
fn a_replay_is_not_answered_before_its_original_is_durable() {
    let bench = Bench::new();
    let log = bench.open();
    let hold = bench.faults.hold();
    let item = bench.item(10);
    let send = || {
        let submission =
            Submission { items: vec![item.clone()], expected_version: None, looked_up_at: u64::MAX };
        log.append(submission).unwrap()
    };
    let (original, mut replay) = (send(), send());
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(replay.try_recv().is_err(), "answered while the original is not durable");
    drop(hold);
    assert_eq!(seqs(&original.blocking_recv().unwrap()), [1]);
    assert_eq!(replay.blocking_recv().unwrap().unwrap(), [Outcome::Replayed { seq: 1 }]);
}

#[test]
fn ledger_time_never_goes_back_and_does_not_jump_unconfirmed() {
    let bench = Bench::new();
    let log = bench.open();
    bench.clock.advance_to(at(10));
    let time = |answer: append::Answer| match answer.unwrap()[0] {
        Outcome::Recorded { time, .. } => time,
        Outcome::Replayed { .. } => panic!("replayed"),
    };
    assert_eq!(time(bench.append(&log, bench.submission(1, 1))), at(10));
    bench.clock.set_wall(at(10 - 3600));
    assert_eq!(time(bench.append(&log, bench.submission(1, 1))), at(10), "set back an hour: time repeats");
    bench.clock.set_wall(at(365 * 86_400));
    let refused = bench.append(&log, bench.submission(1, 1));
    assert!(matches!(refused, Err(AppendError::ClockJumped { .. })), "{refused:?}");
    let confirmed =
        log.own(OwnEvent::ClockConfirmed { by: "user:op".into() }).unwrap().blocking_recv().unwrap();
    assert_eq!(seqs(&confirmed), [3]);
    assert_eq!(time(bench.append(&log, bench.submission(1, 1))), at(365 * 86_400));
    log.close();
    bench.verifies();
}

/// An index that is a map, and as far behind as the test wants it.
#[derive(Default)]
struct SlowIndex {
    applied: std::sync::atomic::AtomicU64,
    known: Mutex<HashMap<[u8; 16], u64>>,
}

impl Identities for SlowIndex {
    fn applied(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }

    fn find(&self, identity: &[u8; 16]) -> Result<(Option<u64>, u64), String> {
        let applied = self.applied();
        Ok((self.known.lock().unwrap().get(identity).copied().filter(|seq| *seq < applied), applied))
    }

    fn version(&self, _: &str) -> Result<(u64, u64), String> {
        // Entry 0 has no subject; all others have the same.
        Ok((self.applied().saturating_sub(1), self.applied()))
    }
}

#[test]
fn appending_waits_for_the_index_of_identities() {
    let bench = Bench::new();
    let log = bench.open();
    let item = bench.item(10);
    let send = |looked_up_at| Submission { items: vec![item.clone()], expected_version: None, looked_up_at };
    bench.append(&log, send(u64::MAX)).unwrap();
    log.close();
    let index = Arc::new(SlowIndex::default());
    let log = open(bench.options()).unwrap().start(index.clone()).unwrap();
    let behind = bench.append(&log, send(0));
    assert_eq!(behind, Err(AppendError::IndexBehind { applied: 0, size: 2 }));
    index.known.lock().unwrap().insert(item.identity, 1);
    index.applied.store(2, Ordering::SeqCst);
    // The handler looked when the index did not know it yet: the sequencer looks again.
    assert_eq!(bench.append(&log, send(0)).unwrap(), [Outcome::Replayed { seq: 1 }]);
}

#[test]
fn a_version_counts_what_the_index_does_not_have_yet() {
    let bench = Bench::new();
    let index = Arc::new(SlowIndex::default());
    index.applied.store(1, Ordering::SeqCst);
    let log = open(bench.options()).unwrap().start(index.clone()).unwrap();
    let expecting_counted = |version, counted| {
        let mut submission = bench.submission(1, 1);
        submission.looked_up_at = 1;
        submission.expected_version = Some(ExpectedVersion { subject: "s".into(), version, counted });
        bench.append(&log, submission)
    };
    let expecting = |version| expecting_counted(version, None);
    assert_eq!(seqs(&expecting(0)), [1]);
    assert_eq!(seqs(&expecting(1)), [2]);
    assert_eq!(expecting(1), Err(AppendError::WrongVersion { actual: 2 }));
    index.applied.store(2, Ordering::SeqCst);
    assert_eq!(expecting(3), Err(AppendError::WrongVersion { actual: 2 }));
    assert_eq!(seqs(&expecting(2)), [3]);
    // A handler's count is counted on from where it stood, unless that is too long ago.
    assert_eq!(expecting_counted(0, Some((7, 2))), Err(AppendError::WrongVersion { actual: 9 }));
    assert_eq!(expecting_counted(0, Some((7, 0))), Err(AppendError::WrongVersion { actual: 3 }));
}

#[test]
fn a_batch_over_a_segments_end_is_whole_and_the_log_opens_the_same() {
    let bench = Bench::new();
    let log = bench.open();
    let per_batch = 4_000;
    for _ in 0..17 {
        bench.append(&log, bench.submission(per_batch, 1)).unwrap();
    }
    let size = log.store().size();
    assert!(size > crate::spec::layout::SEGMENT_ENTRIES);
    let root = log.store().root_at(size).unwrap();
    let early = log.store().root_at(65_537).unwrap();
    let proof = log.store().inclusion(65_535, size).unwrap();
    log.close();
    bench.verifies();
    let opened = open(bench.options()).unwrap();
    assert_eq!(opened.store.size(), size);
    assert_eq!(opened.store.root_at(size).unwrap(), root);
    assert_eq!(opened.store.root_at(65_537).unwrap(), early);
    assert_eq!(opened.store.inclusion(65_535, size).unwrap(), proof);
    for seq in [0, 65_535, 65_536, size - 1] {
        assert_eq!(Entry::parse(&opened.store.entry(seq).unwrap()).unwrap().seq, seq);
    }
}

#[test]
fn two_rotations_at_once_do_not_ruin_the_ledger() {
    let bench = Bench::new();
    let log = bench.open();
    let key = || Arc::new(keys::LedgerKey::from_seed("log.example", &[42; 32]).unwrap());
    let rotation = || append::Rotation {
        by: "user:op".into(),
        signer: key(),
        next: None,
        overlap_until: None,
        old_key_lost: false,
    };
    let hold = bench.faults.hold();
    let first = log.rotate(rotation()).unwrap();
    // The same again before the first is committed, as an impatient client sends it.
    let second = log.rotate(rotation()).unwrap();
    drop(hold);
    assert_eq!(seqs(&first.blocking_recv().unwrap()), [1]);
    assert_eq!(second.blocking_recv().unwrap(), Err(AppendError::RotationInFlight));
    bench.append(&log, bench.submission(1, 1)).unwrap();
    log.close();
    bench.verifies();
}

#[test]
fn a_confirmation_that_found_no_room_is_taken_back() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, bench.submission(1, 1)).unwrap();
    bench.clock.set_wall(at(365 * 86_400));
    bench.faults.limited.store(true, Ordering::SeqCst);
    let confirmed =
        log.own(OwnEvent::ClockConfirmed { by: "user:op".into() }).unwrap().blocking_recv().unwrap();
    assert_eq!(confirmed, Err(AppendError::NoRoom));
    bench.faults.limited.store(false, Ordering::SeqCst);
    let refused = bench.append(&log, bench.submission(1, 1));
    assert!(matches!(refused, Err(AppendError::ClockJumped { .. })), "{refused:?}");
}

#[test]
fn making_a_ledger_can_be_cut_off_and_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench {
        dir,
        faults: Arc::default(),
        clock: Arc::new(ManualClock::new(at(0))),
        next: std::cell::Cell::new(0),
    };
    *bench.faults.fail_sync.lock().unwrap() = Some("entries");
    assert!(create(&bench.options(), "log.example", None).is_err());
    assert!(!is_made(bench.dir.path()));
    create(&bench.options(), "log.example", None).unwrap();
    assert!(is_made(bench.dir.path()));
    let log = bench.open();
    bench.append(&log, bench.submission(1, 1)).unwrap();
    log.close();
    bench.verifies();
}

#[test]
fn a_head_that_cannot_be_made_durable_is_not_opened() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, bench.submission(1, 1)).unwrap();
    log.close();
    // What was read may be in the page cache alone; nothing may be signed over it before it is on the disk.
    for file in ["head", "entries"] {
        *bench.faults.fail_sync.lock().unwrap() = Some(file);
        assert!(open(bench.options()).is_err(), "{file} was not synced");
        *bench.faults.fail_sync.lock().unwrap() = None;
    }
    assert_eq!(open(bench.options()).unwrap().store.size(), 2);
}
