//! Order: time, keys, and the segments that entries stand in.

use super::kit::{Bench, at, seqs};
use crate::log::append::{Answer, AppendError, Outcome};
use crate::log::check::check;
use crate::log::disk::RealDisk;
use crate::log::keys::LedgerKey;
use crate::log::open;
use crate::log::own_events::{OwnEvent, Rotation};
use crate::spec::entry::Entry;
use std::sync::Arc;

#[test]
fn ledger_time_never_goes_back_and_does_not_jump_unconfirmed() {
    let bench = Bench::new();
    let log = bench.open();
    bench.clock.advance_to(at(10));
    let time = |answer: Answer| match answer.unwrap()[0] {
        Outcome::Recorded { time, .. } => time,
        Outcome::Replayed { .. } => panic!("replayed"),
    };
    assert_eq!(time(bench.append(&log, bench.submission(1, 1))), at(10));
    bench.clock.set_wall(at(10 - 600));
    assert_eq!(
        time(bench.append(&log, bench.submission(1, 1))),
        at(10),
        "set back ten minutes: time repeats"
    );
    bench.clock.set_wall(at(10 - 3600));
    let refused = bench.append(&log, bench.submission(1, 1));
    assert!(matches!(refused, Err(AppendError::ClockBehind { .. })), "{refused:?}");
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

#[test]
fn two_rotations_at_once_do_not_ruin_the_ledger() {
    let bench = Bench::new();
    let log = bench.open();
    let key = || Arc::new(LedgerKey::from_seed("log.example", &[42; 32]).unwrap());
    let rotation = || Rotation {
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
    // As a crash may leave it that came after the file had its length and before it had its contents.
    std::fs::write(bench.dir.path().join("log/levels/2"), [0; 32]).unwrap();
    let opened = open(bench.options()).unwrap();
    let checked = check(&RealDisk, &bench.dir.path().join("log"), false, |_, _| {}).unwrap();
    assert_eq!(checked.differences, []);
    assert_eq!(opened.store.size(), size);
    assert_eq!(opened.store.root_at(size).unwrap(), root);
    assert_eq!(opened.store.root_at(65_537).unwrap(), early);
    assert_eq!(opened.store.inclusion(65_535, size).unwrap(), proof);
    for seq in [0, 65_535, 65_536, size - 1] {
        assert_eq!(Entry::parse(&opened.store.entry(seq).unwrap()).unwrap().seq, seq);
    }
}
