//! The rows that views make of a history in an order of recording, as far as they are compared.

use super::book::{DAY, DAYS, Dice, History};
use super::ties::Ties;
use crate::catalog::Catalog;
use crate::follow::{FeedError, Portion, Source};
use crate::log::identity;
use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::store::EngineKind;
use crate::views::engine::tests::said;
use crate::views::engine::{Ask, Engine, Event, EventFeed, Found, Projection, When};
use crate::views::histories::minute;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

/// Members that hold the number of an entry, and lists of such numbers: an entry is another one in every order.
const ENTRY: [&str; 4] = ["seq", "entry", "asked", "vote"];
const ENTRIES: [&str; 2] = ["told_again", "ended_nothing"];

pub(super) static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::embedded().unwrap()));

/// A history as it is recorded in one order, long after everything in it was done.
struct Recorded {
    events: Vec<Arc<Event>>,
    places: HashMap<[u8; 16], u64>,
}

impl Recorded {
    fn new(history: &History, order: &[usize]) -> Recorded {
        let recorded = |(seq, place): (u64, &usize)| {
            let recorded_at = minute(100_000).saturating_add(seq as i64 * MICROS_PER_SECOND);
            Arc::new(Event { seq, recorded_at, ..history.events[*place].clone() })
        };
        let events: Vec<Arc<Event>> = (0..).zip(order).map(recorded).collect();
        let places = events.iter().map(|event| (identity(&event.source, &event.id), event.seq)).collect();
        Recorded { events, places }
    }
}

impl Source for Recorded {
    fn ledger(&self) -> Result<[u8; 32], FeedError> {
        Ok([7; 32])
    }

    fn committed(&self) -> u64 {
        self.events.len() as u64
    }

    fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError> {
        out.extend(self.events.iter().skip(from as usize).take(portion.entries).cloned());
        Ok(())
    }

    fn event(&self, seq: u64) -> Result<Event, FeedError> {
        let event = self.events.get(seq as usize);
        event.map(|event| Event::clone(event)).ok_or_else(|| FeedError("no such entry".into()))
    }

    fn digest(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        Ok(said(&self.event(seq)?))
    }
}

impl EventFeed for Recorded {
    fn find(&self, identity: &[u8; 16], before: u64) -> Result<Option<u64>, FeedError> {
        Ok(self.places.get(identity).copied().filter(|seq| *seq < before))
    }
}

/// A row by its view, id and source.
pub(super) type Row = (String, Value);

/// All rows after the history is recorded in this order and applied in batches of random sizes: as they are now, or as they
/// held in the middle of it. In the order of their names.
pub(super) fn rows(
    views: &[Projection],
    history: &History,
    order: &[usize],
    (ties, now): (&Ties, bool),
    dice: &mut Dice,
) -> Vec<Row> {
    let dir = tempfile::tempdir().unwrap();
    let feed = Arc::new(Recorded::new(history, order));
    let ledger = feed.ledger().unwrap();
    let of_log: Arc<dyn EventFeed> = feed.clone();
    let (engine, _) =
        Engine::open(dir.path(), EngineKind::default(), ledger, of_log, CATALOG.clone(), views).unwrap();
    let all = feed.committed();
    // Some alone at both ends, so that rows are changed one event at a time as well as by many.
    let alone = all.min(dice.below(12) as u64);
    let mut cuts: BTreeSet<u64> = (1..=alone).chain(all - alone..=all).collect();
    cuts.extend((0..dice.below(4)).map(|_| dice.number() % all));
    for cut in cuts.range(1..) {
        let entries = (cut - engine.applied()) as usize;
        let mut batch = Vec::new();
        feed.read(engine.applied(), Portion { entries, bytes: usize::MAX, data: true }, &mut batch).unwrap();
        engine.apply(&batch).unwrap();
    }
    let at = if now { minute(200_000) } else { minute(DAYS * DAY / 120) };
    let mut rows = Vec::new();
    for view in views.iter().filter(|view| matches!(view, Projection::Rows(_))) {
        let page = engine.list(view.name(), &Ask::all(When { known: all, at }, usize::MAX)).unwrap();
        assert!(page.next.is_none(), "there are more rows than are looked at");
        rows.extend(page.rows.iter().map(|found| seen(view.name(), found, &feed.events, ties)));
    }
    rows.sort_by_cached_key(|(name, row)| (name.clone(), row.to_string()));
    rows
}

/// A row without what is tied to recording.
fn seen(view: &str, found: &Found, events: &[Arc<Event>], ties: &Ties) -> Row {
    let identity = |seq: u64| Value::from(events[seq as usize].id.as_str());
    let row = &found.row;
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let mut corrected: Vec<Value> =
        found.corrected.iter().map(|(target, by)| json!([identity(*target), identity(*by)])).collect();
    let mut scheduled: Vec<Value> = found
        .scheduled
        .iter()
        .map(|one| json!([identity(one.seq), one.ty, one.effective_at.to_string()]))
        .collect();
    for list in [&mut corrected, &mut scheduled] {
        list.sort_by_key(Value::to_string);
        list.dedup();
    }
    let plain = Plain { ties, identity: &identity };
    let shown = json!({
        "state": row.state, "ended": row.ended, "due_at": time(row.due_at), "valid_from": time(row.valid_from),
        "valid_until": time(row.valid_until), "ended_at": time(row.ended_at), "owner": row.owner,
        "actors": row.actors, "counts": row.counts, "assurance": row.assurance, "fields": plain.object(&row.fields),
        "opened_at": found.opened_at.to_string(), "changed_at": found.changed_at.to_string(), "others": found.others,
        "corrected": corrected, "scheduled": scheduled,
    });
    (format!("{view} {} of {}", found.id, row.source.as_deref().unwrap_or("nobody")), shown)
}

/// How members of a row are compared.
struct Plain<'a> {
    ties: &'a Ties,
    identity: &'a dyn Fn(u64) -> Value,
}

impl Plain<'_> {
    fn object(&self, members: &Map<String, Value>) -> Value {
        let compared = members.iter().filter(|(name, _)| !self.ties.not_compared.contains(name.as_str()));
        compared.map(|(name, value)| (name.clone(), self.member(name, value))).collect()
    }

    fn member(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::Object(members) => self.object(members),
            Value::Array(items) => {
                let item = |item: &Value| match item.as_u64().filter(|_| ENTRIES.contains(&name)) {
                    Some(entry) => (self.identity)(entry),
                    None => self.member("", item),
                };
                let mut items: Vec<Value> = items.iter().map(item).collect();
                if self.ties.in_any_order.contains(name) {
                    items.sort_by_key(Value::to_string);
                }
                items.into()
            }
            _ => match value.as_u64().filter(|_| ENTRY.contains(&name)) {
                Some(entry) => (self.identity)(entry),
                None => value.clone(),
            },
        }
    }
}
