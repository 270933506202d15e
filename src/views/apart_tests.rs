//! Views that stand still, panic, have no room or build another version: posting and looking up identities go on as if there
//! were none, nothing piles up in memory, and afterwards the views say the same as new ones.

use super::engine::{Projection, Tallier};
use super::{LogViews, projections};
use crate::catalog::Catalog;
use crate::follow::{Event, Feed};
use crate::index::LogIndex;
use crate::log::append::{Answer, Identities, Item, Outcome, Submission};
use crate::log::tests::kit::Bench;
use crate::log::{Log, fingerprint, identity, open, subject_hash};
use crate::spec::canonical::canonicalize;
use crate::spec::entry::Draft;
use crate::spec::json::MAX_EVENT_DEPTH;
use crate::store::{EngineKind, full};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Events posted in all: in a build without optimisation, some ten seconds' worth; with `DAYBOOK_SOAK`, the number that is
/// promised.
const EVENTS: u64 = 20_000;
const SOAK_EVENTS: u64 = 200_000;

/// Events in a batch.
const BATCH: u64 = 250;

/// How long the views may take for what they have to make up for, in such a build.
const LONG: Duration = Duration::from_secs(900);

/// What the projection of this test does with an event.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Calm,
    Parked,
    Panicking,
    /// Its second version takes its time.
    Slow,
}

static MOOD: Mutex<Mood> = Mutex::new(Mood::Calm);
static CHANGED: Condvar = Condvar::new();
static VERSION: AtomicU64 = AtomicU64::new(1);

fn be(mood: Mood) {
    *MOOD.lock().unwrap() = mood;
    CHANGED.notify_all();
}

/// A projection that does what the test says, and counts events by type.
struct Moody(u64);

impl Tallier for Moody {
    fn name(&self) -> &str {
        "moody"
    }

    fn version(&self) -> u64 {
        self.0
    }

    fn names_of(&self, event: &Event, _: &Catalog) -> Vec<String> {
        let mood = MOOD.lock().unwrap();
        let mood = *CHANGED.wait_while(mood, |mood| *mood == Mood::Parked).unwrap();
        assert_ne!(mood, Mood::Panicking, "the test says so");
        if mood == Mood::Slow && self.0 == 2 {
            thread::sleep(Duration::from_millis(2));
        }
        vec![event.ty.clone()]
    }

    fn add(&self, _: &str, sum: &mut Value, events: &[&Event], _: &Catalog) -> Vec<(String, Value)> {
        *sum = json!(sum.as_u64().unwrap_or(0) + events.len() as u64);
        Vec::new()
    }
}

fn all_and_a_moody_one(catalog: &Catalog) -> Vec<Projection> {
    let mut all = projections(catalog);
    all.push(Projection::Tallies(Arc::new(Moody(VERSION.load(Ordering::SeqCst)))));
    all
}

/// A decision, and now and then a contest that names it, or a correction of one that was made before.
fn item(number: u64) -> Item {
    let id = format!("d-{number}");
    let (ty, data) = match number % 50 {
        7 => ("decision.contested", json!({"decision": format!("d-{}", number - 5), "contest": id})),
        9 => ("event.corrected", json!({"target": {"source": "/t", "id": format!("d-{}", number - 4)}})),
        _ => (
            "decision.made",
            json!({
                "decision": id, "case": format!("c-{}", number % 997), "model": "m", "version": "1.0", "by": "app:m",
                "outcome": if number.is_multiple_of(3) { "approved" } else { "declined" }, "inputs": {"ref": number},
            }),
        ),
    };
    let subject = format!("c-{}", number % 997);
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/t", "type": ty, "subject": subject, "data": data,
        "time": "2026-03-01T09:30:00Z",
    });
    let event = canonicalize(event.to_string().as_bytes(), MAX_EVENT_DEPTH).unwrap();
    Item {
        draft: Draft::new("app:t", &event, "log.example"),
        identity: identity("/t", &id),
        fingerprint: fingerprint("app:t", &event),
        subject: Some(subject_hash(&subject)),
        source: "/t".into(),
        not_before: None,
    }
}

/// A ledger that is posted to as the API does it.
struct Ledger {
    bench: Bench,
    log: Log,
    feed: Arc<Feed>,
    index: LogIndex,
    identities: Arc<dyn Identities>,
    next: u64,
}

impl Ledger {
    fn start() -> Ledger {
        let bench = Bench::new();
        let mut opened = open(bench.options()).unwrap();
        let feed = Feed::of(&opened.store);
        opened.tell(feed.listen().unwrap());
        let dir = bench.dir.path().join("index");
        let (index, _) = LogIndex::start(&dir, EngineKind::Fjall, &feed, LONG).unwrap();
        let identities = index.identities();
        let log = opened.start(index.identities()).unwrap();
        Ledger { bench, log, feed, index, identities, next: 0 }
    }

    fn views(&self, dir: &str) -> LogViews {
        let dir = self.bench.dir.path().join(dir);
        LogViews::keeping(all_and_a_moody_one, &dir, EngineKind::Fjall, &self.feed, self.identities.clone())
            .unwrap()
    }

    fn size(&self) -> u64 {
        self.log.store().size()
    }

    /// Posts so many events, and gives the median time of a batch from the first look-up to the answer.
    fn post(&mut self, events: u64) -> Duration {
        let mut times = Vec::new();
        for _ in 0..events / BATCH {
            let items: Vec<Item> = (self.next..self.next + BATCH).map(item).collect();
            let began = Instant::now();
            let looked_up_at = self.identities.applied();
            for item in &items {
                assert_eq!(self.identities.find(&item.identity).unwrap().0, None);
            }
            let submission = Submission { items, expected_version: None, looked_up_at };
            let answer: Answer = self.log.append(submission).unwrap().blocking_recv().unwrap();
            times.push(began.elapsed());
            let outcomes = answer.unwrap();
            assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Recorded { .. })));
            self.next += BATCH;
            self.bounded();
        }
        // What was posted is found again.
        assert!(self.index.wait_applied(self.size(), LONG), "{:?}", self.index.problem());
        for number in (0..self.next).rev().step_by(self.next as usize / 50 + 1) {
            let found = self.identities.find(&identity("/t", &format!("d-{number}"))).unwrap().0;
            assert_eq!(found, Some(number + 1));
        }
        times.sort();
        times[times.len() / 2]
    }

    fn bounded(&self) {
        let ((entries, bytes), (most, most_bytes)) = (self.feed.held(), Feed::bounds());
        assert!(entries <= most && bytes <= most_bytes, "{entries} entries of {bytes} bytes are held");
    }

    /// Posting gives way to nobody.
    fn nobody_is_kept_by(&self, views: &LogViews) {
        soon("somebody waits for views that do not move", || views.arrears() == 0);
    }
}

fn soon(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn digests(views: &LogViews) -> Vec<(String, u64, String, u64)> {
    let standing = views.now().unwrap().standing();
    let mut digests: Vec<_> =
        standing.into_iter().map(|view| (view.name, view.version, view.digest, view.rows)).collect();
    digests.sort();
    digests
}

fn is_full(dir: &Path, full: bool) {
    full::set(&dir.join(EngineKind::Fjall.name()), full);
}

#[test]
fn views_that_stand_still_keep_nobody() {
    let events = if std::env::var_os("DAYBOOK_SOAK").is_some() { SOAK_EVENTS } else { EVENTS };
    let mut ledger = Ledger::start();
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let alone = ledger.post(events / 5);
    let views = ledger.views("views");
    views.set_catalog(catalog.clone());
    assert!(views.wait_applied(ledger.size(), LONG), "{:?}", views.problem());

    let began = Instant::now();
    be(Mood::Parked);
    let before = views.applied();
    let parked = ledger.post(events / 4);
    ledger.nobody_is_kept_by(&views);
    assert_eq!(views.applied(), before, "they were to stand still");

    be(Mood::Panicking);
    let panicking = ledger.post(events / 4);
    soon("they were to panic", || views.problem().is_some_and(|why| why.contains("panic")));
    ledger.nobody_is_kept_by(&views);

    let dir = ledger.bench.dir.path().join("views");
    is_full(&dir, true);
    be(Mood::Calm);
    soon("they were to find no room", || views.problem().is_some_and(|why| why.contains("no storage space")));
    let full = ledger.post(events / 4);
    ledger.nobody_is_kept_by(&views);

    // There is room again, and they make up for all of it. Then another version is built, slowly.
    is_full(&dir, false);
    soon("they do not catch up", || views.applied() == ledger.size());
    VERSION.store(2, Ordering::SeqCst);
    be(Mood::Slow);
    views.set_catalog(Arc::new(Catalog::clone(&catalog)));
    let building = |views: &LogViews| views.now().is_ok_and(|engine| engine.is_building());
    soon("they were to build", || building(&views));
    let built_beside = ledger.post(events / 4);
    assert!(building(&views), "the other version was to be built slowly");
    ledger.nobody_is_kept_by(&views);
    be(Mood::Calm);

    soon("the other version is not built", || !building(&views));
    soon("they do not catch up", || views.applied() == ledger.size());
    println!(
        "{} events posted beside views that stand still, caught up after {:.1?}",
        ledger.next,
        began.elapsed()
    );
    println!(
        "a batch of {BATCH}: {alone:.1?} without views; parked {parked:.1?}, panicking {panicking:.1?}, \
        without room {full:.1?}, building {built_beside:.1?}"
    );
    let fresh = ledger.views("fresh");
    fresh.set_catalog(catalog);
    assert!(fresh.wait_applied(ledger.size(), LONG), "{:?}", fresh.problem());
    assert_eq!(digests(&views), digests(&fresh));
    // Twice and a half: what else runs on the machine takes its part.
    for slowest in [parked, panicking, full, built_beside] {
        assert!(
            slowest < alone * 5 / 2 + Duration::from_millis(20),
            "{slowest:?}, and {alone:?} without views"
        );
    }
    drop((views, fresh));
    let Ledger { log, index, feed, bench, .. } = ledger;
    drop(index);
    log.close();
    assert_eq!(Arc::strong_count(&feed), 1);
    bench.verifies();
}
