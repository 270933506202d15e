//! What waits is bounded.

use super::kit::{Bench, seqs};
use crate::log::append::AppendError;
use crate::log::running::{MAX_WAITING, MAX_WAITING_BYTES};

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
