//! Histories for the tests that hold folds against the plain models: events as they are recorded, the rows that the engine
//! makes of them, and the facts that a model reads.

use super::engine::{Ask, Engine, Event, EventFeed, Found, Projection, View, When, tests::MemoryEvents};
use crate::catalog::Catalog;
use crate::follow::{Portion, Source};
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use crate::store::EngineKind;
use daybook_models::base::{Fact, Moment};
use proptest::prelude::ProptestConfig;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// Noon of 1 March 2026: acts are counted in minutes from here.
pub(crate) const NOON: Timestamp = Timestamp::clamped(1_772_366_400_000_000);

/// How many histories a property is tried on: so many, or with `DAYBOOK_SOAK` twenty times as many.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let times = if std::env::var_os("DAYBOOK_SOAK").is_some() { 20 } else { 1 };
    ProptestConfig { cases: cases * times, ..ProptestConfig::default() }
}

/// So many minutes after noon.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    NOON.saturating_add(minutes * MICROS_PER_MINUTE)
}

/// The same as a text.
pub(crate) fn text(minutes: i64) -> String {
    minute(minutes).to_string()
}

/// Something done at a minute by a source: its place in the history is that of its recording, long after.
pub(crate) fn told(source: &str, ty: &str, minutes: i64, data: Value) -> Event {
    Event {
        seq: 0,
        recorded_at: minute(0),
        happened_at: minute(minutes),
        source: source.to_owned(),
        id: String::new(),
        ty: ty.to_owned(),
        subject: None,
        sequence: None,
        actor: format!("app:{}", source.trim_start_matches('/')),
        text_hash: [0; 32],
        data: data.into(),
    }
}

/// A history in the order in which it is recorded.
pub(crate) fn recorded(told: Vec<Event>) -> Vec<Event> {
    let number = |(seq, event): (u64, Event)| Event {
        seq,
        id: format!("e-{seq}"),
        recorded_at: minute(100_000 + seq as i64),
        ..event
    };
    (0_u64..).zip(told).map(number).collect()
}

/// What a model reads of a history in which nothing is corrected.
pub(crate) fn facts(events: &[Event]) -> Vec<Fact> {
    let fact = |event: &Event| Fact {
        seq: event.seq,
        place: event.seq,
        recorded: event.recorded_at.micros(),
        act: event.acted_at().micros(),
        source: event.source.clone(),
        id: event.id.clone(),
        ty: event.ty.clone(),
        actor: event.actor.clone(),
        by: event.by().to_owned(),
        subject: None,
        data: Value::clone(&event.data),
        imported: false,
    };
    events.iter().map(fact).collect()
}

/// The moment of a model.
pub(crate) fn moment(known: u64, at: Timestamp) -> Moment {
    Moment { at: at.micros(), known, now: minute(200_000).micros() }
}

/// The rows of a view after a history that is applied so many entries at once, as of several moments.
pub(crate) fn rows(view: Arc<dyn View>, events: &[Event], at_once: usize, asked: &[When]) -> Vec<Vec<Found>> {
    static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::embedded().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let feed = Arc::new(MemoryEvents::default());
    *feed.0.lock().unwrap() = events.to_vec();
    let (name, catalog) = (view.name().to_owned(), CATALOG.clone());
    let of_log: Arc<dyn EventFeed> = feed.clone();
    let ledger = feed.ledger().unwrap();
    let views = [Projection::Rows(view)];
    let (engine, _) =
        Engine::open(dir.path(), EngineKind::default(), ledger, of_log, catalog, &views).unwrap();
    while engine.applied() < feed.committed() {
        let mut batch = Vec::new();
        let portion = Portion { entries: at_once.max(1), bytes: usize::MAX, data: true };
        feed.read(engine.applied(), portion, &mut batch).unwrap();
        engine.apply(&batch).unwrap();
    }
    let found = |when: &When| engine.list(&name, &Ask::all(*when, usize::MAX)).unwrap().rows;
    asked.iter().map(found).collect()
}

/// The entries in a list of a row's field, ascending.
pub(crate) fn entries(found: &Found, field: &str, member: &str) -> Vec<u64> {
    let items = found.row.value(field).and_then(Value::as_array).into_iter().flatten();
    let mut entries: Vec<u64> = items.filter_map(|item| item.get(member)?.as_u64()).collect();
    entries.sort_unstable();
    entries
}
