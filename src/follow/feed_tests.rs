//! The feed of a log that is written meanwhile, and of one whose followers stand still.

use super::*;
use crate::follow::testing::{MemoryLog, history};
use crate::log::tests::kit::Bench;
use crate::log::{Log, NoIndex, open};
use std::time::Instant;

const LONG: Duration = Duration::from_secs(20);
const ALL: Portion = Portion { entries: usize::MAX, bytes: usize::MAX, data: true };

/// A log, and a feed with this much room that listens to it.
fn followed(bench: &Bench, max_entries: usize, max_bytes: usize) -> (Log, Arc<Feed>) {
    let mut opened = open(bench.options()).unwrap();
    let feed = Feed::within(Arc::new(LogSource(opened.store.clone())), max_entries, max_bytes);
    opened.tell(feed.listen().unwrap());
    (opened.start(Arc::new(NoIndex)).unwrap(), feed)
}

fn wait(reader: &Reader, size: u64) {
    let began = Instant::now();
    while reader.wait(size - 1, Duration::from_millis(50), &|| false) < size {
        assert!(began.elapsed() < LONG, "entry {} is not announced", size - 1);
    }
}

fn take(reader: &Reader, from: u64) -> Option<Vec<Arc<Event>>> {
    let mut taken = Vec::new();
    reader.take(from, ALL, &mut taken).then_some(taken)
}

#[test]
fn what_is_committed_is_read_once_for_all_who_follow() {
    let bench = Bench::new();
    let (log, feed) = followed(&bench, 1_000, 1 << 20);
    let readers = [feed.reader(1), feed.reader(1)];
    bench.append(&log, bench.submission(20, 10)).unwrap();
    bench.append(&log, bench.submission(30, 10)).unwrap();
    let [one, other] = readers.each_ref().map(|reader| {
        wait(reader, 51);
        take(reader, 1).unwrap()
    });
    assert_eq!(one.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..51).collect::<Vec<_>>());
    assert!(one.iter().zip(&other).all(|(one, other)| Arc::ptr_eq(one, other)));
    // It is what the log says.
    for event in &one {
        assert_eq!(**event, feed.source().event(event.seq).unwrap());
    }
    // And gone once both have it, and one of them waits for more.
    assert_eq!(feed.held().0, 50);
    readers[0].wait(51, Duration::ZERO, &|| false);
    assert_eq!((feed.held(), take(&readers[1], 1)), ((0, 0), None));
}

#[test]
fn who_falls_out_of_the_ring_reads_the_log_and_holds_nobody_up() {
    let bench = Bench::new();
    let (log, feed) = followed(&bench, 64, 1 << 20);
    let (swift, slow) = (feed.reader(1), feed.reader(1));
    for round in 0..20 {
        bench.append(&log, bench.submission(10, 10)).unwrap();
        let next = 1 + round * 10;
        wait(&swift, next + 10);
        assert_eq!(take(&swift, next).unwrap().len(), 10, "{round}");
        assert!(feed.held().0 <= 64);
    }
    wait(&slow, 201);
    assert_eq!(take(&slow, 1), None);
    let mut read = Vec::new();
    slow.read(1, Portion { entries: 150, ..ALL }, &mut read).unwrap();
    assert_eq!(read.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..151).collect::<Vec<_>>());
    // What he is missing now is still there.
    assert_eq!(take(&slow, 151).unwrap().len(), 50);
}

#[test]
fn without_a_follower_nothing_is_kept() {
    let bench = Bench::new();
    let (log, feed) = followed(&bench, 64, 1 << 20);
    bench.append(&log, bench.submission(10, 10)).unwrap();
    let began = Instant::now();
    while feed.shared.held().announced < 11 {
        assert!(began.elapsed() < LONG);
        thread::sleep(Duration::from_millis(1));
    }
    let late = feed.reader(1);
    assert_eq!((feed.held(), take(&late, 1)), ((0, 0), None));
    bench.append(&log, bench.submission(10, 10)).unwrap();
    wait(&late, 21);
    assert_eq!(take(&late, 11).unwrap().len(), 10);
}

#[test]
fn what_finds_no_room_or_cannot_be_read_is_announced_and_left_to_the_log() {
    let log = Arc::new(MemoryLog::of(history(1, 0..3)));
    let feed = Feed::over(log.clone());
    let reader = feed.reader(3);
    let large = || vec![SignedEntry { bytes: vec![0; MAX_INBOX_BYTES / 2], leaf: [0; 32] }];
    // Nobody empties the inbox yet: the committer does not wait for that.
    let ear = Ear(feed.shared.clone());
    (3..9).for_each(|first| ear.committed(first, large()));
    {
        let inbox = feed.shared.inbox();
        assert_eq!((inbox.bytes, inbox.commits.len()), (MAX_INBOX_BYTES, 3));
    }
    log.append(history(1, 3..9));
    feed.listen().unwrap();
    wait(&reader, 9);
    assert_eq!(take(&reader, 3), None);
    let mut read = Vec::new();
    reader.read(3, ALL, &mut read).unwrap();
    assert_eq!(read.len(), 6);
    // There is room again.
    assert_eq!(feed.shared.inbox().bytes, 0);
}
