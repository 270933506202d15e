//! Syncs that fail, and what the next start makes of it.

use super::kit::{Bench, at, seqs};
use crate::clock::ManualClock;
use crate::log::append::AppendError;
use crate::log::{create, is_made, open};
use std::sync::Arc;

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
fn a_ledger_whose_stored_checkpoint_is_lost_never_runs_without_one() {
    let bench = Bench::new();
    std::fs::remove_file(bench.dir.path().join("log/checkpoint")).unwrap();
    let log = bench.open();
    assert_eq!(log.store().receipt(0).unwrap().seq, 0);
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
