//! Acts of two and imports over the engine: rows, lists and counts as of any moment, with corrections, restarts and rebuilds.

use super::engine::tests::{MemoryEvents, event, said};
use super::engine::{Ask, Engine, Event, EventFeed, Found, When};
use super::projections;
use crate::catalog::Catalog;
use crate::follow::{Portion, Source};
use crate::spec::encoding::to_hex;
use crate::spec::time::{MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};
use crate::store::EngineKind;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::embedded().unwrap()));

/// 1 June 2026.
const BEGIN: Timestamp = Timestamp::clamped(1_780_272_000_000_000);

fn minute(minutes: i64) -> Timestamp {
    BEGIN.saturating_add(minutes * MICROS_PER_MINUTE)
}

fn day(days: i64) -> Timestamp {
    BEGIN.saturating_add(days * MICROS_PER_DAY)
}

struct Ledger {
    feed: Arc<MemoryEvents>,
    engine: Engine,
    // After the engine: it is closed first.
    _dir: tempfile::TempDir,
}

fn opened(dir: &Path, feed: &Arc<MemoryEvents>) -> Engine {
    let of_log: Arc<dyn EventFeed> = feed.clone();
    let (ledger, views) = (feed.ledger().unwrap(), projections(&CATALOG));
    Engine::open(dir, EngineKind::default(), ledger, of_log, CATALOG.clone(), &views).unwrap().0
}

impl Ledger {
    fn new() -> Ledger {
        let dir = tempfile::tempdir().unwrap();
        let feed = Arc::new(MemoryEvents::default());
        let engine = opened(dir.path(), &feed);
        Ledger { feed, engine, _dir: dir }
    }

    /// Records what somebody says of a source, so many minutes after the beginning, done then or earlier.
    fn tell(&self, at: Timestamp, (source, by): (&str, &str), ty: &str, done: Timestamp, data: Value) -> u64 {
        let mut events = self.feed.0.lock().unwrap();
        let seq = events.len() as u64;
        let mut data = data;
        data["by"] = by.into();
        events.push(Event {
            source: source.to_owned(),
            actor: by.to_owned(),
            happened_at: done,
            ..event(seq, ty, at, data)
        });
        drop(events);
        let mut batch = Vec::new();
        let portion = Portion { entries: 10, bytes: usize::MAX, data: true };
        self.feed.read(self.engine.applied(), portion, &mut batch).unwrap();
        self.engine.apply(&batch).unwrap();
        seq
    }

    fn open(&self, at: i64, by: &str, import: &str) -> u64 {
        let data = json!({
            "import": import, "source": "/old", "from": day(-3_650).to_string(), "to": day(-1).to_string(),
        });
        self.tell(minute(at), ("/gov", by), "import.opened", minute(at), data)
    }

    fn confirm(&self, at: Timestamp, by: &str, of: u64) -> u64 {
        let digest = self.digest(of);
        let data = json!({"of": {"source": "/gov", "id": of.to_string()}, "digest": digest});
        self.tell(at, ("/gov", by), "act.confirmed", at, data)
    }

    fn digest(&self, of: u64) -> String {
        format!("sha256:{}", to_hex(&said(&self.feed.event(of).unwrap())))
    }

    fn decide(&self, at: i64, decision: &str, done: Timestamp) -> u64 {
        let data = json!({
            "decision": decision, "case": "c", "model": "m", "version": "1", "outcome": "approved", "inputs": {},
        });
        self.tell(minute(at), ("/old", "app:old"), "decision.made", done, data)
    }

    fn close(&self, at: i64, import: &str, counts: Value) -> u64 {
        let data = json!({"import": import, "counts": counts});
        self.tell(minute(at), ("/gov", "user:a"), "import.closed", minute(at), data)
    }

    fn annul(&self, at: i64, source: &str, of: u64) -> u64 {
        let data =
            json!({"target": {"source": source, "id": of.to_string()}, "kind": "annul", "reason": "r"});
        self.tell(minute(at), ("/gov", "user:c"), "event.corrected", minute(at), data)
    }

    fn now(&self) -> u64 {
        self.engine.applied()
    }

    fn row(&self, view: &str, id: &str, known: u64, at: Timestamp) -> Option<Found> {
        self.engine.row(view, id, When { known, at }).unwrap()
    }

    fn import(&self, id: &str, known: u64, at: Timestamp) -> Found {
        self.row("imports", id, known, at).unwrap()
    }

    fn state(&self, id: &str, known: u64, at: Timestamp) -> String {
        self.import(id, known, at).row.state
    }

    fn imported(&self, decision: &str) -> Value {
        let found = self.row("decisions", decision, self.now(), day(1)).unwrap();
        found.row.value("imported").cloned().unwrap_or_default()
    }
}

#[test]
fn an_import_is_proposed_then_open_then_closed_and_what_differs_is_told() {
    let ledger = Ledger::new();
    let of = ledger.open(0, "user:a", "I");
    let proposed = ledger.import("I", 1, minute(1));
    let week = minute(0).saturating_add(7 * MICROS_PER_DAY);
    assert_eq!((proposed.row.state.as_str(), proposed.row.due_at), ("proposed", Some(week)));
    assert_eq!(proposed.row.text("of_source"), Some("/old"));
    let act = &proposed.row.value("acts").unwrap()[0];
    assert_eq!((&act["standing"], &act["digest"]), (&json!("proposed"), &json!(ledger.digest(of))));
    ledger.decide(1, "early", day(-9));
    let confirmation = ledger.confirm(minute(2), "user:b", of);
    let open = ledger.import("I", ledger.now(), minute(3));
    let due = minute(2).saturating_add(30 * MICROS_PER_DAY);
    assert_eq!((open.row.state.as_str(), open.row.due_at, open.last_seq), ("open", Some(due), confirmation));
    assert_eq!(open.row.value("acts").unwrap()[0]["confirmed_at"], minute(2).to_string());
    // As of before the second entry it was not in effect, and at a moment before it neither.
    assert_eq!(ledger.state("I", confirmation, minute(2)), "proposed");
    assert_eq!(ledger.state("I", ledger.now(), minute(1)), "proposed");
    ledger.decide(3, "inside", day(-9));
    ledger.decide(4, "of now", minute(4));
    // Never closed, it is overdue.
    assert!(!ledger.import("I", ledger.now(), day(30)).overdue(day(30)));
    assert!(ledger.import("I", ledger.now(), day(31)).overdue(day(31)));
    assert_eq!(ledger.engine.overdue("imports", day(31), None).unwrap(), 1);
    ledger.close(5, "I", json!({"decision.made": 2, "decision.reviewed": 1}));
    ledger.decide(6, "after", day(-9));
    let closed = ledger.import("I", ledger.now(), minute(7));
    assert_eq!((closed.row.state.as_str(), closed.row.ended), ("closed", true));
    assert_eq!(closed.row.value("inside"), Some(&json!({"decision.made": 1})));
    let expected = json!([
        {"type": "decision.made", "counted": 2, "inside": 1}, {"type": "decision.reviewed", "counted": 1, "inside": 0},
    ]);
    assert_eq!(closed.row.value("differences"), Some(&expected));
    // It took effect with the second entry.
    assert_eq!((closed.opened_at, closed.row.ended_at), (minute(2), Some(minute(5))));
    let ask = Ask::all(When { known: ledger.now(), at: minute(7) }, 10).with("differs", "true");
    assert_eq!(ledger.engine.list("imports", &ask).unwrap().rows.len(), 1);
    let counts = ledger.engine.counts("imports", "state", minute(7), None).unwrap();
    assert_eq!(counts, [("closed".to_owned(), 1)]);
    // Which rows say so, and which do not.
    let inside = json!([{"import": "I", "source": "/old"}]);
    let imported = ["early", "inside", "of now", "after"].map(|decision| ledger.imported(decision));
    assert_eq!(imported, [Value::Null, inside.clone(), Value::Null, Value::Null]);
    let holds = |known: u64, place: u64| {
        let imports = ledger.engine.imports(known).unwrap();
        imports.iter().any(|import| import.holds("/old", day(-9), place))
    };
    let inside_at = confirmation + 1;
    assert_eq!(
        [(ledger.now(), 1), (ledger.now(), inside_at), (confirmation, inside_at)]
            .map(|(known, at)| holds(known, at)),
        [false, true, false]
    );
    // In lists too, and as of before the confirmation not.
    let all =
        ledger.engine.list("decisions", &Ask::all(When { known: ledger.now(), at: day(1) }, 10)).unwrap();
    let marked = all.rows.iter().filter(|found| found.row.value("imported") == Some(&inside));
    assert_eq!(marked.map(|found| found.id.as_str()).collect::<Vec<_>>(), ["inside"]);
}

#[test]
fn what_nobody_confirms_lapses_and_what_is_closed_then_ends_nothing() {
    let ledger = Ledger::new();
    let of = ledger.open(0, "user:a", "I");
    ledger.confirm(minute(1), "user:a", of);
    let closing = ledger.close(2, "I", json!({}));
    let found = ledger.import("I", ledger.now(), day(8));
    assert_eq!((found.row.state.as_str(), found.row.ended), ("lapsed", true));
    assert_eq!(found.row.ended_at, Some(day(7)));
    assert_eq!(found.row.value("ended_nothing"), Some(&json!([closing])));
    let told = &found.row.value("acts").unwrap()[0]["confirmations"][0];
    assert_eq!((&told["counts"], &told["why_not"]), (&json!(false), &json!("same-one")));
    let ask = |state: &str| Ask::all(When { known: ledger.now(), at: day(8) }, 10).with("state", state);
    let listed =
        ["lapsed", "proposed"].map(|state| ledger.engine.list("imports", &ask(state)).unwrap().rows.len());
    assert_eq!(listed, [1, 0]);
}

#[test]
fn a_window_that_had_not_ended_is_void() {
    let ledger = Ledger::new();
    let data = json!({
        "import": "I", "source": "/old", "from": day(-9).to_string(), "to": minute(1).to_string(),
    });
    let of = ledger.tell(minute(0), ("/gov", "user:a"), "import.opened", minute(0), data);
    ledger.confirm(minute(2), "user:b", of);
    ledger.decide(3, "d", day(-1));
    let found = ledger.import("I", ledger.now(), minute(5));
    assert_eq!((found.row.state.as_str(), found.row.text("why_not")), ("void", Some("window-not-over")));
    assert_eq!(ledger.imported("d"), Value::Null);
}

#[test]
fn what_corrections_take_away_or_give_back_decides_again() {
    let ledger = Ledger::new();
    let of = ledger.open(0, "user:a", "I");
    let confirmation = ledger.confirm(minute(1), "user:b", of);
    ledger.decide(2, "d", day(-9));
    assert_ne!(ledger.imported("d"), Value::Null);
    let before = ledger.now();
    let annulment = ledger.annul(3, "/gov", confirmation);
    assert_eq!(ledger.imported("d"), Value::Null);
    assert_eq!(ledger.state("I", ledger.now(), minute(4)), "proposed");
    assert_eq!(ledger.state("I", before, minute(4)), "open");
    ledger.annul(4, "/gov", annulment);
    assert_ne!(ledger.imported("d"), Value::Null);
    // The import itself is taken away.
    ledger.annul(5, "/gov", of);
    assert_eq!(ledger.imported("d"), Value::Null);
    assert!(ledger.row("imports", "I", ledger.now(), minute(6)).is_none());
    // An event that is taken away is not what makes a row one that was brought in.
    let of = ledger.open(6, "user:a", "J");
    ledger.confirm(minute(7), "user:b", of);
    let first = ledger.decide(8, "e", day(-9));
    assert_eq!(ledger.imported("e")[0]["import"], "J");
    ledger.decide(9, "e", minute(9));
    ledger.annul(10, "/old", first);
    assert_eq!(ledger.imported("e"), Value::Null);
}

#[test]
fn an_id_is_imported_once_and_who_says_it_again_changes_nothing() {
    let ledger = Ledger::new();
    let of = ledger.open(0, "user:a", "I");
    let again = ledger.tell(
        minute(1),
        ("/gov", "user:a"),
        "import.opened",
        minute(1),
        json!({"import": "I", "source": "/old", "from": day(-9).to_string(), "to": day(-2).to_string()}),
    );
    ledger.confirm(minute(2), "user:b", again);
    ledger.decide(3, "d", day(-5));
    assert_eq!(
        (ledger.state("I", ledger.now(), minute(4)), ledger.imported("d")),
        ("proposed".to_owned(), Value::Null)
    );
    ledger.confirm(minute(5), "user:b", of);
    ledger.decide(6, "e", day(-5));
    assert_eq!(ledger.imported("e")[0]["import"], "I");
}

#[test]
fn identifiers_that_are_one_are_shown_as_proposed_until_two_say_so() {
    let ledger = Ledger::new();
    let say = |at: i64| {
        let data = json!({"principal": "user:x", "other": "user:y", "reason": "merged"});
        ledger.tell(minute(at), ("/gov", "user:a"), "principal.same_as", minute(at), data)
    };
    let first = say(0);
    let state =
        |at: Timestamp| ledger.row("same-principals", "user:x@user:y", ledger.now(), at).unwrap().row.state;
    assert_eq!([minute(1), day(8)].map(state), ["proposed", "lapsed"]);
    // Proposed again, it can be confirmed again.
    ledger.confirm(minute(2), "user:a", first);
    let second = say(3);
    ledger.confirm(minute(4), "user:b", second);
    assert_eq!([minute(5), day(8)].map(state), ["same", "same"]);
    // And stays so whatever is proposed later.
    say(6);
    assert_eq!(state(day(30)), "same");
}

#[test]
fn what_is_inside_is_counted_on_from_question_to_question_and_is_the_same_after_a_restart() {
    let mut ledger = Ledger::new();
    let of = ledger.open(0, "user:a", "I");
    ledger.confirm(minute(1), "user:b", of);
    for number in 0..5 {
        ledger.decide(2, &format!("d{number}"), day(-9));
    }
    let inside = |ledger: &Ledger, known: u64| {
        ledger.import("I", known, minute(9)).row.value("inside").cloned().unwrap_or_default()
    };
    assert_eq!(inside(&ledger, ledger.now()), json!({"decision.made": 5}));
    assert_eq!(inside(&ledger, ledger.now() - 2), json!({"decision.made": 3}));
    ledger.decide(3, "d5", day(-9));
    assert_eq!(inside(&ledger, ledger.now()), json!({"decision.made": 6}));
    let dir = ledger._dir.path().to_owned();
    let rows = |ledger: &Ledger| {
        let all = Ask::all(When { known: ledger.now(), at: minute(9) }, 100);
        ["imports", "decisions"].map(|view| ledger.engine.list(view, &all).unwrap().rows)
    };
    let before = rows(&ledger);
    let Ledger { feed, engine, _dir } = ledger;
    drop(engine);
    ledger = Ledger { engine: opened(&dir, &feed), feed, _dir };
    assert_eq!(rows(&ledger), before);
}
