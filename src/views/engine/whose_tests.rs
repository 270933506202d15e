//! Whose row an event is about, and which events count, against the plain models: several sources, one id, openings that
//! say the same and something else, what is told before its opening, and corrections of what follows.

use super::tests::{MemoryEvents, event};
use super::*;
use crate::catalog::Catalog;
use crate::follow::{Portion, Source as _};
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use crate::store::EngineKind;
use daybook_models::base::Entry;
use daybook_models::{corrections, rows};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

const LEDGER: [u8; 32] = [7; 32];
const START: Timestamp = Timestamp::clamped(1_800_000_000_000_000);

/// A view that remembers which events each row is made of.
struct Owned;

impl View for Owned {
    fn name(&self) -> &str {
        "owned"
    }

    fn family(&self) -> &str {
        "decision"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        ["decision.made", "decision.explained", "decision.notified"].map(str::to_owned).to_vec()
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("decision")?.as_str()?.to_owned()))
    }

    fn opening(&self, ty: &str) -> Opening {
        if ty == "decision.made" { Opening::Once } else { Opening::None }
    }

    fn is_of_one_source(&self) -> bool {
        true
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        row.state = if row.source.is_some() { "made" } else { "unopened" }.to_owned();
        row.list("made_of").push(event.seq.into());
    }

    fn lists(&self, _: &Row) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn facets(&self, _: &Row) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Kind of event, id, source, what it says, when it was done, what it corrects.
type Step = (u8, u8, u8, u8, i64, u8);

fn history(steps: &[Step]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (seq, (kind, id, source, says, shift, back)) in (0_u64..).zip(steps) {
        let recorded_at = START.saturating_add(seq as i64 * MICROS_PER_MINUTE);
        let follows: Vec<u64> = events
            .iter()
            .filter(|event| event.ty.starts_with("decision.") && event.ty != "decision.made")
            .map(|event| event.seq)
            .collect();
        let (ty, data) = match kind {
            0..4 => ("decision.made", json!({"decision": format!("D{id}"), "outcome": says})),
            4 if !follows.is_empty() => {
                let target = &events[follows[*back as usize % follows.len()] as usize];
                let target = json!({"source": target.source, "id": target.id});
                (CORRECTION, json!({"target": target, "kind": "annul", "reason": "r"}))
            }
            5 => ("decision.notified", json!({"decision": format!("D{id}"), "kind": "adverse"})),
            _ => ("decision.explained", json!({"decision": format!("D{id}"), "audience": "technical"})),
        };
        let mut event = event(seq, ty, recorded_at, data);
        event.source = format!("/{source}");
        event.happened_at = recorded_at.saturating_add(shift * MICROS_PER_MINUTE);
        events.push(event);
    }
    events
}

/// Id and source; first opening; all of its events; conflicts; confirmations.
type Shown = BTreeMap<(String, String), (Vec<u64>, Vec<u64>, Vec<u64>)>;

fn by_the_model(events: &[Event], known: u64) -> Shown {
    let entry = |event: &Event| Entry {
        seq: event.seq,
        recorded: event.recorded_at.micros(),
        actor: event.actor.clone(),
        event: json!({
            "source": event.source, "id": event.id, "type": event.ty, "time": event.happened_at.to_string(),
            "data": *event.data,
        }),
    };
    let entries: Vec<Entry> = events.iter().map(entry).collect();
    let facts = corrections::standing(&entries, known).facts;
    let mut shown = Shown::new();
    for row in rows::rows(&facts, "decision") {
        let mut made_of: Vec<u64> = row.events.iter().map(|event| event.seq).chain(row.first).collect();
        made_of.sort_unstable();
        let source = if row.unopened() { String::new() } else { row.source };
        let conflicts = sorted(row.conflicts);
        shown.insert((row.key.join("@"), source), (made_of, conflicts, sorted(row.confirmations)));
    }
    shown
}

fn sorted(mut seqs: Vec<u64>) -> Vec<u64> {
    seqs.sort_unstable();
    seqs.dedup();
    seqs
}

fn by_the_engine(engine: &Engine, known: u64) -> Shown {
    let when = When { known, at: Timestamp::LAST };
    let seqs = |row: &Row, list: &str, seq: &dyn Fn(&Value) -> Option<u64>| {
        let items = row.value(list).and_then(Value::as_array).into_iter().flatten();
        sorted(items.filter_map(seq).collect())
    };
    let mut shown = Shown::new();
    for found in engine.list("owned", &Ask::all(when, 500)).unwrap().rows {
        let row = &found.row;
        let of = |item: &Value| item["seq"].as_u64();
        let told = (
            seqs(row, "made_of", &Value::as_u64),
            seqs(row, CONFLICTS, &of),
            seqs(row, "confirmations", &of),
        );
        let source = row.source.clone().unwrap_or_default();
        // Asked for by its source, it is the same row.
        let own = row.source.as_deref();
        assert_eq!(engine.row_of("owned", &found.id, own, when).unwrap().unwrap().number, found.number);
        assert!(shown.insert((found.id, source), told).is_none());
    }
    shown
}

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::embedded().unwrap()));

fn engine(events: &[Event], batch: usize) -> (tempfile::TempDir, Engine) {
    let dir = tempfile::tempdir().unwrap();
    let feed: Arc<MemoryEvents> = Arc::default();
    feed.0.lock().unwrap().extend(events.iter().cloned());
    let view = [Projection::Rows(Arc::new(Owned))];
    let (engine, _) =
        Engine::open(dir.path(), EngineKind::Fjall, LEDGER, feed.clone(), CATALOG.clone(), &view).unwrap();
    while engine.applied() < feed.committed() {
        let mut next = Vec::new();
        let portion = Portion { entries: batch, bytes: usize::MAX, data: true };
        feed.read(engine.applied(), portion, &mut next).unwrap();
        engine.apply(&next).unwrap();
    }
    (dir, engine)
}

proptest! {
    #![proptest_config(crate::views::histories::cases(48))]

    #[test]
    fn each_source_has_the_row_that_the_plain_model_says(
        steps in prop::collection::vec((0..9_u8, 0..3_u8, 0..3_u8, 0..2_u8, -9..2_i64, any::<u8>()), 1..30),
        batch in 1..9_usize,
        earlier in any::<u8>(),
    ) {
        let events = history(&steps);
        let (_dir, engine) = engine(&events, batch);
        let end = events.len() as u64;
        for known in [end, end * u64::from(earlier) / 255] {
            prop_assert_eq!(by_the_engine(&engine, known), by_the_model(&events, known), "known: {}", known);
        }
        let (_dir, whole) = self::engine(&events, 100);
        prop_assert_eq!(engine.standing(), whole.standing());
    }
}

/// A made decision of a source, and what it says.
fn made(seq: u64, source: &str, says: u8) -> Event {
    let mut event = event(
        seq,
        "decision.made",
        START.saturating_add(seq as i64),
        json!({"decision": "D", "outcome": says}),
    );
    event.source = source.to_owned();
    event
}

#[test]
fn where_the_first_opening_is_annulled_the_earliest_that_stands_takes_its_place() {
    let annul = json!({"target": {"source": "/a", "id": "0"}, "kind": "annul", "reason": "r"});
    let events = [made(0, "/a", 1), made(1, "/b", 2), event(2, CORRECTION, START.saturating_add(9), annul)];
    let (_dir, engine) = engine(&events, 1);
    let asked = |known: u64, source: Option<&str>| {
        let when = When { known, at: Timestamp::LAST };
        engine.row_of("owned", "D", source, when).unwrap().map(|found| (found.number, found.row.source))
    };
    let row = |number: u64, source: &str| Some((number, Some(source.to_owned())));
    assert_eq!((asked(2, None), asked(3, None)), (row(0, "/a"), row(1, "/b")));
    assert_eq!((asked(3, Some("/a")), asked(3, Some("/b"))), (None, row(1, "/b")));
    let when = When { known: 3, at: Timestamp::LAST };
    assert_eq!(engine.taken_away("owned", "D", Some("/a"), when).unwrap(), Some(2));
    assert_eq!(engine.taken_away("owned", "D", Some("/b"), when).unwrap(), None);
}

#[test]
fn a_chain_of_corrections_costs_what_as_many_events_cost_and_ends_at_the_second() {
    let mut events = vec![made(0, "/a", 1)];
    for seq in 1..400_u64 {
        let source = if seq == 1 { "/a" } else { "/s" };
        let target = json!({"source": source, "id": (seq - 1).to_string()});
        let data = json!({"target": target, "kind": "annul", "reason": "r"});
        events.push(event(seq, CORRECTION, START.saturating_add(seq as i64), data));
    }
    let (_dir, engine) = engine(&events, 50);
    // The first takes the decision away, the second gives it back, and all the others have no effect.
    let stands =
        |known: u64| engine.row("owned", "D", When { known, at: Timestamp::LAST }).unwrap().is_some();
    assert_eq!([1, 2, 3, 400].map(stands), [true, false, true, true]);
    for seq in 3..400 {
        let effect = engine.effect_of(seq, 400).unwrap().unwrap();
        assert!(matches!(effect.standing, CorrectionStanding::Without(_)), "{seq}: {effect:?}");
    }
}
