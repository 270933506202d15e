//! A disk without room.

use super::kit::{Bench, at, seqs};
use crate::log::append::{AppendError, Outcome, Submission};
use crate::log::open;
use crate::log::own_events::OwnEvent;
use crate::spec::layout::SEGMENT_ENTRIES;
use std::sync::atomic::Ordering;

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

/// As many files are open as may be, when the log needs another one: that says nothing of the disk.
#[test]
fn a_want_of_descriptors_at_the_end_of_a_segment_is_no_broken_disk() {
    let bench = Bench::new();
    let log = bench.open();
    while log.store().size() + 4_096 < SEGMENT_ENTRIES {
        bench.append(&log, bench.submission(4_096, 10)).unwrap();
    }
    let rest = usize::try_from(SEGMENT_ENTRIES - log.store().size()).unwrap();
    bench.append(&log, bench.submission(rest - 4, 10)).unwrap();
    bench.faults.no_descriptors.store(true, Ordering::SeqCst);
    // One that spans two segments, several times; what fits into the old one is taken meanwhile.
    for _ in 0..3 {
        assert_eq!(bench.append(&log, bench.submission(10, 100)), Err(AppendError::Overloaded));
    }
    bench.append(&log, bench.submission(4, 10)).unwrap();
    // One that begins the new one.
    assert_eq!(bench.append(&log, bench.submission(10, 100)), Err(AppendError::Overloaded));
    bench.faults.no_descriptors.store(false, Ordering::SeqCst);
    let answer = bench.append(&log, bench.submission(10, 100));
    assert_eq!(seqs(&answer)[0], SEGMENT_ENTRIES, "no gap");
    assert_eq!(log.failure().borrow().as_deref(), None);
    log.close();
    bench.verifies();
    let opened = open(bench.options()).unwrap();
    assert_eq!((opened.store.size(), opened.recovered.cut_bytes), (SEGMENT_ENTRIES + 10, 0));
}
