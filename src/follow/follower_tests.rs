//! One follower over a log in memory, and over one that is written while it follows.

use super::*;
use crate::follow::testing::{MemoryLog, history};
use crate::index::Index;
use crate::store::EngineKind;
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(20);

struct Bench {
    _dir: TempDir,
    log: Arc<MemoryLog>,
    feed: Arc<Feed>,
    index: Arc<Index>,
    follower: Follower<Index>,
}

impl Bench {
    fn of(log: MemoryLog) -> Bench {
        let dir = TempDir::new().unwrap();
        let log = Arc::new(log);
        let feed = Feed::over(log.clone());
        let (index, _) = Index::open(dir.path(), EngineKind::Fjall, [1; 32], &*log).unwrap();
        let index = Arc::new(index);
        let follower = Follower::start(index.clone(), &feed, Stop::default()).unwrap();
        Bench { _dir: dir, log, feed, index, follower }
    }

    fn append(&self, seqs: std::ops::Range<u64>) {
        self.log.append(history(1, seqs));
        self.feed.grew();
    }
}

#[test]
fn what_the_log_has_and_what_it_gets_is_applied() {
    let bench = Bench::of(MemoryLog::of(history(1, 0..20_000)));
    let Bench { index, follower, .. } = &bench;
    assert!(follower.wait_applied(20_000, LONG));
    assert!(!follower.wait_applied(20_001, Duration::from_millis(1)));
    bench.append(20_000..20_003);
    assert!(follower.wait_applied(20_003, LONG));
    assert_eq!((index.applied(), follower.lag()), (20_003, 0));
    assert_eq!(follower.state(), FollowerState::Running);
    follower.stop();
    assert_eq!(follower.state(), FollowerState::Stopped);
    bench.append(20_003..20_004);
    assert_eq!(follower.lag(), 1);
    assert!(!follower.wait_applied(20_004, LONG));
}

#[test]
fn a_log_that_nobody_listens_to_is_followed_as_well() {
    let bench = Bench::of(MemoryLog::of(history(1, 0..10)));
    assert!(bench.follower.wait_applied(10, LONG));
    bench.log.append(history(1, 10..20));
    assert!(bench.follower.wait_applied(20, LONG));
}

#[test]
fn a_reader_of_its_own_write_does_not_wait_for_a_batch_to_fill() {
    let bench = Bench::of(MemoryLog::default());
    let mut waits = Vec::new();
    for seq in 0..200 {
        bench.append(seq..seq + 1);
        let asked = Instant::now();
        assert!(bench.follower.wait_applied(seq + 1, LONG));
        waits.push(asked.elapsed());
    }
    waits.sort();
    assert!(waits[100] < LINGER, "median {:?}", waits[100]);
}

#[test]
fn a_log_that_breaks_stops_the_follower_and_lets_nobody_wait() {
    let bench = Bench::of(MemoryLog::of(history(1, 0..9_000)).broken_from(8_192));
    assert!(!bench.follower.wait_applied(9_000, LONG));
    let state = bench.follower.state();
    assert!(matches!(state, FollowerState::Failed(why) if why.contains("on purpose")));
    assert_eq!(bench.index.applied(), 8_192);
    assert_eq!(bench.follower.lag(), 808);
}

#[test]
fn dropping_it_stops_it() {
    let Bench { follower, index, _dir, .. } = Bench::of(MemoryLog::of(history(1, 0..9_000)));
    drop(follower);
    assert_eq!(Arc::strong_count(&index), 1);
}

#[test]
fn a_stop_ends_a_wait_for_the_log_at_once() {
    let bench = Bench::of(MemoryLog::of(history(1, 0..10)));
    assert!(bench.follower.wait_applied(10, LONG));
    let began = Instant::now();
    bench.follower.stop();
    assert!(began.elapsed() < FEED_WAIT / 2, "{:?}", began.elapsed());
}

/// Counts what it is given; panics at an entry, if told to.
#[derive(Default)]
struct Counter {
    applied: Mutex<u64>,
    panics_at: Option<u64>,
    chores: AtomicBool,
}

impl Derived for Counter {
    type Error = FeedError;
    const NAME: &'static str = "counter";
    const PORTION: Portion = Portion { entries: 100, bytes: usize::MAX, data: true };
    const FULL_ENOUGH: u64 = 10;

    fn applied(&self) -> u64 {
        *self.applied.lock().unwrap()
    }

    fn apply(&self, events: &[Arc<Event>]) -> Result<(), FeedError> {
        assert!(events.len() <= Self::PORTION.entries);
        for event in events {
            let mut applied = self.applied.lock().unwrap();
            assert_eq!(event.seq, *applied);
            *applied += 1;
            drop(applied);
            assert_ne!(Some(event.seq), self.panics_at);
        }
        Ok(())
    }

    fn has_more_to_do(&self) -> bool {
        self.chores.load(Ordering::SeqCst)
    }

    fn do_more(&self) -> Result<(), FeedError> {
        self.chores.store(false, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_panic_is_the_followers_own_end_and_no_others() {
    let log = Arc::new(MemoryLog::of(history(1, 0..1_000)));
    let feed = Feed::over(log.clone());
    let start = |panics_at| {
        let counter = Arc::new(Counter { panics_at, ..Counter::default() });
        Follower::start(counter, &feed, Stop::default()).unwrap()
    };
    let (good, bad) = (start(None), start(Some(700)));
    assert!(!bad.wait_applied(1_000, LONG));
    assert_eq!(bad.state(), FollowerState::Failed("it panicked".to_owned()));
    assert!(good.wait_applied(1_000, LONG));
    log.append(history(1, 1_000..1_200));
    feed.grew();
    assert!(good.wait_applied(1_200, LONG) && good.state() == FollowerState::Running);
}

#[test]
fn a_nudge_has_other_work_done_though_nothing_is_appended() {
    let feed = Feed::over(Arc::new(MemoryLog::of(history(1, 0..10))));
    let counter = Arc::new(Counter::default());
    let follower = Follower::start(counter.clone(), &feed, Stop::default()).unwrap();
    assert!(follower.wait_applied(10, LONG));
    counter.chores.store(true, Ordering::SeqCst);
    let began = Instant::now();
    assert!(follower.nudge(LONG, |counter| !counter.has_more_to_do()));
    assert!(began.elapsed() < FEED_WAIT / 2, "{:?}", began.elapsed());
}

#[test]
fn only_a_cursor_that_moves_is_waited_for() {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let mut motion = Motion::new(start, 0);
    assert!(!motion.is_moving(at(0), 0));
    // Ten thousand entries a second.
    for tenth in 1..=20 {
        motion.note(at(tenth * 100), tenth * 1_000);
        assert!(motion.is_moving(at(tenth * 100), tenth * 1_000), "{tenth}");
    }
    assert!(motion.is_moving(at(2_500), 20_000));
    assert!(!motion.is_moving(at(3_100), 20_000));
    // A batch of a thousand entries every two seconds is no pace to come down to.
    for second in (4..20).step_by(2) {
        motion.note(at(second * 1_000), 20_000 + second * 500);
        assert!(!motion.is_moving(at(second * 1_000), 20_000 + second * 500), "{second}");
    }
}
