//! Who an event is: replays, and what the index of identities does not know yet.

use super::kit::{Bench, seqs};
use crate::log::append::{AppendError, ExpectedVersion, Identities, Outcome, Submission};
use crate::log::{fingerprint, identity, open};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn identities_do_not_run_into_each_other() {
    assert_ne!(identity("a", "bc"), identity("ab", "c"));
    assert_ne!(identity("", "x"), identity("x", ""));
    assert_ne!(fingerprint("app:a", "b"), fingerprint("app:ab", ""));
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

/// An index that is a map, and as far behind as the test wants it.
#[derive(Default)]
struct SlowIndex {
    applied: AtomicU64,
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
        submission.expected_version =
            Some(ExpectedVersion { subject: "s".into(), version, sources: None, counted });
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
