//! The engine against a plain model: random histories, in random batches, with late events, corrections of corrections,
//! names that are known late, stops in between and newer versions; every question of every moment.

use super::query::Reading;
use super::*;
use crate::catalog::Catalog;
use crate::follow::testing::ENGINES;
use crate::follow::{FeedError, Portion, Source};
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use crate::store::{Batch, Table};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

const LEDGER: [u8; 32] = [9; 32];

/// A log of events in memory.
#[derive(Default)]
pub(in crate::views) struct MemoryEvents(pub Mutex<Vec<Event>>);

/// Stands for the digest of an event that no log holds.
pub(in crate::views) fn said(event: &Event) -> [u8; 32] {
    let said = format!("{} {} {} {}", event.source, event.id, event.ty, event.data);
    <sha2::Sha256 as sha2::Digest>::digest(said).into()
}

/// With the hash of what it says by now: tests change events.
fn hashed(event: &Event) -> Arc<Event> {
    let said = format!("{} {} {}", event.seq, event.ty, event.data);
    let text_hash = <sha2::Sha256 as sha2::Digest>::digest(said).into();
    Arc::new(Event { text_hash, ..event.clone() })
}

impl Source for MemoryEvents {
    fn ledger(&self) -> std::result::Result<[u8; 32], FeedError> {
        Ok(LEDGER)
    }

    fn committed(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }

    fn read(
        &self,
        from: u64,
        portion: Portion,
        out: &mut Vec<Arc<Event>>,
    ) -> std::result::Result<(), FeedError> {
        out.extend(self.0.lock().unwrap().iter().skip(from as usize).take(portion.entries).map(hashed));
        Ok(())
    }

    fn event(&self, seq: u64) -> std::result::Result<Event, FeedError> {
        let events = self.0.lock().unwrap();
        let event = events.get(seq as usize).map(|event| Event::clone(&hashed(event)));
        event.ok_or_else(|| FeedError("no such entry".into()))
    }

    fn digest(&self, seq: u64) -> std::result::Result<[u8; 32], FeedError> {
        Ok(said(&self.event(seq)?))
    }
}

impl EventFeed for MemoryEvents {
    fn find(&self, identity: &[u8; 16], before: u64) -> std::result::Result<Option<u64>, FeedError> {
        let events = self.0.lock().unwrap();
        let found = events.iter().find(|event| crate::log::identity(&event.source, &event.id) == *identity);
        Ok(found.map(|event| event.seq).filter(|seq| *seq < before))
    }
}

/// An event made by hand.
pub(in crate::views) fn event(seq: u64, ty: &str, recorded_at: Timestamp, data: Value) -> Event {
    Event {
        seq,
        recorded_at,
        happened_at: recorded_at,
        source: "/s".into(),
        id: seq.to_string(),
        ty: ty.into(),
        subject: None,
        sequence: None,
        actor: "app:x".into(),
        text_hash: [0; 32],
        data: data.into(),
    }
}

/// A view that remembers which events it has seen, in which order.
struct Toy {
    version: u64,
    keeps_data: bool,
}

impl View for Toy {
    fn name(&self) -> &str {
        if self.keeps_data { "kept" } else { "toys" }
    }

    fn family(&self) -> &str {
        "toy"
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn types(&self) -> Vec<String> {
        ["toy.moved", "toy.named", "toy.heard"].map(str::to_owned).to_vec()
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        let text = |name: &str| data.get(name)?.as_str().map(str::to_owned);
        text("toy").map(RowName::Id).or_else(|| text("called").map(RowName::Alias))
    }

    fn aliases(&self, ty: &str, data: &Value) -> Vec<String> {
        let name = data.get("name").and_then(Value::as_str).filter(|_| ty == "toy.named");
        name.map(str::to_owned).into_iter().collect()
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        row.list("log").push(event.seq.into());
        if row.state.is_empty() {
            row.state = "new".into();
        }
        if let Some(state) = event.text("state") {
            row.state = state.to_owned();
            row.ended = state == "done";
            row.due_at = event.time("due");
            row.valid_until = event.time("until");
            row.copy(event, &["tag"]);
        }
        if self.version > 1 {
            row.set("v", self.version);
        }
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        row.text("tag").map(|tag| ("tag", tag.to_owned())).into_iter().collect()
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["tag"]
    }

    fn dense_lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        row.text("tag").map(|tag| ("dense", tag.to_owned())).into_iter().collect()
    }

    fn dense_fields(&self) -> Vec<&'static str> {
        vec!["dense"]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        vec![("size", row.value("log").and_then(Value::as_array).map_or(0, Vec::len).min(2).to_string())]
    }

    fn common_state(&self) -> Option<&str> {
        Some("new")
    }

    fn expiring_state(&self) -> Option<&str> {
        Some("live")
    }

    fn keeps_data(&self) -> bool {
        self.keeps_data
    }
}

/// Lists of entries by tag, and a count of each kind.
struct Beside;

impl EntryLists for Beside {
    fn name(&self) -> &str {
        "tags"
    }

    fn version(&self) -> u64 {
        1
    }

    fn lists_of(
        &self,
        event: &Event,
        _: &Catalog,
        _: &dyn Earlier,
    ) -> Result<Vec<(&'static str, String, Counted)>> {
        let tag = event.data["tag"].as_str().map(|tag| ("tag", tag.to_owned(), Counted::Yes));
        Ok(tag.into_iter().chain([("kind", event.ty.clone(), Counted::No)]).collect())
    }
}

impl Tallier for Beside {
    fn name(&self) -> &str {
        "kinds"
    }

    fn version(&self) -> u64 {
        1
    }

    fn names_of(&self, event: &Event, _: &Catalog) -> Vec<String> {
        vec![event.ty.clone()]
    }

    fn add(&self, _: &str, sum: &mut Value, events: &[&Event], _: &Catalog) -> Vec<(String, Value)> {
        let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
        if sum.is_null() {
            *sum = json!([]);
        }
        sum.as_array_mut().unwrap().extend(seqs.into_iter().map(Value::from));
        Vec::new()
    }
}

/// A row of the model.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    id: String,
    number: u64,
    log: Vec<u64>,
    state: String,
    tag: Option<String>,
    opened: Timestamp,
    changed: Timestamp,
    due: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Plain {
    fn shown(&self, at: Timestamp) -> &str {
        let over = self.state == "live" && self.until.is_some_and(|until| until <= at);
        if over { EXPIRED } else { &self.state }
    }

    fn overdue(&self, at: Timestamp) -> bool {
        self.state != "done" && self.due.is_some_and(|due| due <= at)
    }
}

/// Where an entry counts among the entries below `known`; none where it does not.
///
/// All corrections in their order: of an event (the first sixteen with an effect), of a correction of an event (once); what
/// goes deeper has no effect. The last one that stands decides.
fn place(events: &[Event], seq: u64, known: u64) -> Option<u64> {
    /// Correction, its target, what takes the target's place, and what took the correction back.
    #[derive(Clone)]
    struct Done(u64, u64, Option<u64>, Option<u64>);
    let named = |event: &Event, member: &str| {
        event.data[member]["id"].as_str().and_then(|id| id.parse::<u64>().ok()).filter(|id| *id < event.seq)
    };
    let of_event = |seq: u64| events.get(seq as usize).filter(|event| event.ty != CORRECTION);
    let mut done: Vec<Done> = Vec::new();
    for event in events.iter().filter(|event| event.ty == CORRECTION && event.seq < known) {
        let (target, replacement) = (named(event, "target"), named(event, "replacement"));
        let replaces = event.data.get("replacement").is_some();
        let Some(target) = target else { continue };
        if let Some(taken_back) = done.iter_mut().find(|done| done.0 == target) {
            if !replaces && taken_back.3.is_none() {
                taken_back.3 = Some(event.seq);
            }
            continue;
        }
        let stands_elsewhere = |seq: u64| done.iter().any(|done| done.2 == Some(seq));
        let annulled = |seq: u64| done.iter().any(|done| done.1 == seq && done.3.is_none());
        let of_this = done.iter().filter(|done| done.1 == target).count();
        if of_event(target).is_none() || stands_elsewhere(target) || of_this >= 16 {
            continue;
        }
        let mut fits = None;
        if replaces {
            let one = of_event(target);
            let other = replacement.and_then(of_event);
            let free = |seq: u64| seq != target && !stands_elsewhere(seq) && !annulled(seq);
            let alike = one.zip(other).is_some_and(|(one, other)| {
                one.ty == other.ty
                    && ["toy", "called"].iter().all(|name| one.data[*name] == other.data[*name])
            });
            fits = replacement.filter(|seq| free(*seq) && alike);
            if fits.is_none() {
                continue;
            }
        }
        done.push(Done(event.seq, target, fits, None));
    }
    let deciding = |target: u64| done.iter().rfind(|done| done.1 == target && done.3.is_none());
    if let Some(Done(correction, target, ..)) = done.iter().find(|done| done.2 == Some(seq)) {
        return deciding(*target).is_some_and(|done| done.0 == *correction).then_some(*target);
    }
    if deciding(seq).is_some() { None } else { Some(seq) }
}

/// All rows as of a moment, computed from everything.
fn model(events: &[Event], when: When) -> Vec<Plain> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for event in events.iter().filter(|event| event.ty == "toy.named") {
        let name = event.data["name"].as_str().unwrap().to_owned();
        names.entry(name).or_insert_with(|| event.data["toy"].as_str().unwrap().to_owned());
    }
    let id_of = |event: &Event| {
        if let Some(id) = event.data["toy"].as_str() {
            return Some(id.to_owned());
        }
        let called = event.data["called"].as_str()?;
        Some(names.get(called).cloned().unwrap_or_else(|| format!("?{called}")))
    };
    let acted = |event: &Event| event.happened_at.min(event.recorded_at);
    let mut rows: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.ty != CORRECTION) {
        if let Some(id) = id_of(event) {
            rows.entry(id).or_default().push(event);
        }
    }
    // A name leads to a row from when it was given.
    let given: BTreeSet<&str> = events
        .iter()
        .filter(|event| event.ty == "toy.named" && event.seq < when.known)
        .filter_map(|event| event.data["name"].as_str())
        .collect();
    let mut found = Vec::new();
    for (id, of_row) in rows {
        let of_row: Vec<&Event> = of_row
            .into_iter()
            .filter(|event| {
                id.starts_with('?') || event.data["called"].as_str().is_none_or(|name| given.contains(name))
            })
            .collect();
        let named = |event: &&&Event| event.data["toy"].is_string() || id.starts_with('?');
        let number = of_row.iter().filter(named).map(|event| event.seq).min().unwrap();
        if number >= when.known {
            continue;
        }
        // Act time, place, effective time, and the event.
        let mut placed = Vec::new();
        for event in of_row {
            if event.seq < when.known
                && let Some(place) = place(events, event.seq, when.known)
            {
                let act = acted(&events[place as usize]);
                let effective = event.data["effective_at"].as_str().and_then(Timestamp::recorded);
                placed.push((act, place, effective.unwrap_or(act), event));
            }
        }
        placed.sort_by_key(|(act, place, ..)| (*act, *place));
        let scheduled = !placed.iter().any(|(_, _, effective, _)| *effective <= when.at);
        if scheduled {
            placed.retain(|(act, ..)| *act <= when.at);
        } else {
            placed.retain(|(_, _, effective, _)| *effective <= when.at);
        }
        let effective: Vec<Timestamp> = placed.iter().map(|(_, _, effective, _)| *effective).collect();
        let of_row: Vec<&Event> = placed.into_iter().map(|(.., event)| event).collect();
        if of_row.is_empty() {
            continue;
        }
        let moved = of_row.iter().rev().find(|event| event.ty == "toy.moved");
        let of = |name: &str| moved.and_then(|event| Timestamp::recorded(event.data[name].as_str()?));
        let tags = of_row.iter().rev().find_map(|event| event.data["tag"].as_str().map(str::to_owned));
        found.push(Plain {
            id,
            number,
            log: of_row.iter().map(|event| event.seq).collect(),
            state: if scheduled {
                SCHEDULED.to_owned()
            } else {
                moved.map_or("new", |event| event.data["state"].as_str().unwrap()).to_owned()
            },
            tag: tags,
            opened: effective[0],
            changed: if scheduled { effective[0] } else { *effective.iter().max().unwrap() },
            due: of("due"),
            until: of("until"),
        });
    }
    found.sort_by_key(|row| row.number);
    found
}

fn plain(found: &Found) -> Plain {
    let row = &found.row;
    let log = row.value("log").and_then(Value::as_array).cloned().unwrap_or_default();
    Plain {
        id: found.id.clone(),
        number: found.number,
        log: log.iter().filter_map(Value::as_u64).collect(),
        state: row.state.clone(),
        tag: row.text("tag").map(str::to_owned),
        opened: found.opened_at,
        changed: found.changed_at,
        due: row.due_at,
        until: row.valid_until,
    }
}

const HOUR: i64 = 60 * MICROS_PER_MINUTE;
pub(super) const START: Timestamp = Timestamp::clamped(1_800_000_000_000_000);

/// What happens at one entry.
fn step() -> impl Strategy<Value = (u8, u8, u8, i64, u8, i64, i64)> {
    (0..10_u8, 0..5_u8, 0..3_u8, -40..6_i64, 0..3_u8, -30..60_i64, -30..60_i64)
}

fn history(steps: &[(u8, u8, u8, i64, u8, i64, i64)]) -> Vec<Event> {
    let mut events = Vec::new();
    for (seq, (kind, toy, name, shift, pick, due, until)) in (0_u64..).zip(steps) {
        let recorded_at = START.saturating_add(seq as i64 * HOUR);
        // A third is recorded as it happens, a third holds from another time, a third was done at another time.
        let shifted = recorded_at.saturating_add(shift * HOUR);
        let toy = format!("t{toy}");
        let mut data = json!({"by": "app:x"});
        if shift.rem_euclid(3) == 1 {
            data["effective_at"] = json!(shifted.to_string());
        }
        let ty = match kind {
            0 | 1 if seq > 0 => {
                let back = (*due + 31) as u64 % seq.min(6) + 1;
                data["target"] = json!({"source": "/s", "id": (seq - back).to_string()});
                if until % 3 == 0 {
                    let back = (*until + 33) as u64 % seq.min(6) + 1;
                    data["replacement"] = json!({"source": "/s", "id": (seq - back).to_string()});
                }
                CORRECTION
            }
            2 => {
                data["toy"] = json!(toy);
                data["name"] = json!(format!("n{name}"));
                "toy.named"
            }
            3 | 4 => {
                data["called"] = json!(format!("n{name}"));
                "toy.heard"
            }
            _ => {
                data["toy"] = json!(toy);
                data["state"] = json!(["live", "new", "done"][usize::from(*pick)]);
                data["tag"] = json!(format!("g{name}"));
                if due % 2 == 0 {
                    data["due"] = json!(recorded_at.saturating_add(due * HOUR).to_string());
                }
                if until % 2 == 0 {
                    data["until"] = json!(recorded_at.saturating_add(until * HOUR).to_string());
                }
                "toy.moved"
            }
        };
        let mut event = event(seq, ty, recorded_at, data);
        if shift.rem_euclid(3) == 2 {
            event.happened_at = shifted;
        }
        events.push(event);
    }
    events
}

pub(super) struct Bench {
    dir: tempfile::TempDir,
    kind: EngineKind,
    pub(super) feed: Arc<MemoryEvents>,
    catalog: Arc<Catalog>,
}

use crate::store::EngineKind;

pub(super) fn toys(version: u64) -> Vec<Projection> {
    vec![
        Projection::Rows(Arc::new(Toy { version, keeps_data: false })),
        Projection::Rows(Arc::new(Toy { version: 1, keeps_data: true })),
        Projection::Lists(Arc::new(Beside)),
        Projection::Tallies(Arc::new(Beside)),
    ]
}

fn up_to(entries: usize) -> Portion {
    Portion { entries, bytes: usize::MAX, data: true }
}

impl Bench {
    pub(super) fn new(kind: EngineKind) -> Bench {
        static CATALOG: std::sync::LazyLock<Arc<Catalog>> =
            std::sync::LazyLock::new(|| Arc::new(Catalog::embedded().unwrap()));
        let dir = tempfile::tempdir().unwrap();
        Bench { dir, kind, feed: Arc::default(), catalog: CATALOG.clone() }
    }

    pub(super) fn open(&self, projections: &[Projection]) -> (Engine, crate::store::opening::OpenReport) {
        let feed: Arc<dyn EventFeed> = self.feed.clone();
        Engine::open(self.dir.path(), self.kind, LEDGER, feed, self.catalog.clone(), projections).unwrap()
    }

    pub(super) fn catch_up(&self, engine: &Engine, max: usize) {
        while engine.applied() < self.feed.committed() {
            let mut events = Vec::new();
            self.feed.read(engine.applied(), up_to(max), &mut events).unwrap();
            engine.apply(&events).unwrap();
        }
    }
}

fn ask_everything(
    engine: &Engine,
    events: &[Event],
    view: &str,
    when: When,
) -> std::result::Result<(), TestCaseError> {
    let expected = model(events, when);
    let rows = |ask: &Ask| -> Vec<Plain> {
        let mut ask = Ask { limit: 3, ..ask.clone() };
        let mut rows = Vec::new();
        loop {
            let page = engine.list(view, &ask).unwrap();
            rows.extend(page.rows.iter().map(plain));
            match page.next {
                Some(next) => ask.after = Some(next),
                None => return rows,
            }
        }
    };
    let all = Ask::all(when, 3);
    prop_assert_eq!(&rows(&all), &expected);
    let mut backwards = rows(&Ask { descending: true, ..all.clone() });
    backwards.reverse();
    prop_assert_eq!(&backwards, &expected);
    for row in &expected {
        let found = engine.row(view, &row.id, when).unwrap().as_ref().map(plain);
        prop_assert_eq!(found.as_ref(), Some(row));
    }
    let listed = |fits: &dyn Fn(&Event) -> bool| -> Vec<u64> {
        events.iter().filter(|event| event.seq < when.known && fits(event)).map(|event| event.seq).collect()
    };
    let tagged = listed(&|event| event.data["tag"] == "g1");
    let on = |lists: &[(&str, &str)], newest: bool| {
        engine.entries("tags", lists, (0, when.known), newest, 99).unwrap()
    };
    prop_assert_eq!(&on(&[("tag", "g1")], false), &tagged);
    let mut newest = on(&[("tag", "g1"), ("kind", "toy.moved")], true);
    newest.reverse();
    prop_assert_eq!(newest, listed(&|event| event.data["tag"] == "g1" && event.ty == "toy.moved"));
    prop_assert_eq!(engine.count_entries("tags", ("tag", "g1"), when.known).unwrap(), tagged.len() as u64);
    for (kind, seqs) in engine.tallies("kinds", "", 99).unwrap() {
        let all: Vec<u64> = events.iter().filter(|event| event.ty == kind).map(|event| event.seq).collect();
        prop_assert_eq!(seqs, json!(all));
    }
    let keep = |fits: &dyn Fn(&Plain) -> bool| -> Vec<Plain> {
        expected.iter().filter(|row| fits(row)).cloned().collect()
    };
    for state in ["live", "new", "done", EXPIRED] {
        prop_assert_eq!(rows(&all.clone().with("state", state)), keep(&|row| row.shown(when.at) == state));
    }
    prop_assert_eq!(rows(&all.clone().with("tag", "g1")), keep(&|row| row.tag.as_deref() == Some("g1")));
    let dense = keep(&|row| row.tag.as_deref() == Some("g2"));
    prop_assert_eq!(rows(&all.clone().with("dense", "g2")), dense);
    let both = all.clone().with("tag", "g1").with("state", "live");
    let fits = |row: &Plain| row.tag.as_deref() == Some("g1") && row.shown(when.at) == "live";
    prop_assert_eq!(rows(&both), keep(&fits));
    for descending in [false, true] {
        let mut due = keep(&|row| row.state != "done" && row.due.is_some());
        due.sort_by_key(|row| (row.due, row.number));
        let mut until = keep(&|row| row.state != "done" && row.until.is_some());
        until.sort_by_key(|row| (row.until, row.number));
        let mut overdue: Vec<Plain> = due.iter().filter(|row| row.overdue(when.at)).cloned().collect();
        if descending {
            due.reverse();
            until.reverse();
            overdue.reverse();
        }
        let by_due = Ask { sort: Sort::Due, descending, ..all.clone() };
        prop_assert_eq!(rows(&by_due), due);
        prop_assert_eq!(rows(&Ask { overdue: Some(true), ..by_due }), overdue);
        prop_assert_eq!(rows(&Ask { sort: Sort::Until, descending, ..all.clone() }), until);
        let (mut opened, mut changed) = (expected.clone(), expected.clone());
        opened.sort_by_key(|row| (row.opened, row.number));
        changed.sort_by_key(|row| (row.changed, row.number));
        // One that was done, or whose time was over.
        let ends = |row: &Plain| engine.row(view, &row.id, when).unwrap().unwrap().ended_at(when.at);
        let mut ended = keep(&|row| row.state == "done" || row.until.is_some_and(|until| until <= when.at));
        ended.sort_by_key(|row| (ends(row), row.number));
        if descending {
            opened.reverse();
            changed.reverse();
            ended.reverse();
        }
        for (sort, sorted) in [(Sort::Opened, opened), (Sort::Changed, changed), (Sort::Ended, ended)] {
            prop_assert_eq!(rows(&Ask { sort, descending, ..all.clone() }), sorted);
        }
    }
    Ok(())
}

fn ask_counts(
    engine: &Engine,
    events: &[Event],
    view: &str,
    at: Timestamp,
) -> std::result::Result<(), TestCaseError> {
    let expected = model(events, When { known: events.len() as u64, at });
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for row in &expected {
        *states.entry(row.shown(at).to_owned()).or_default() += 1;
        *sizes.entry(row.log.len().min(2).to_string()).or_default() += 1;
    }
    prop_assert_eq!(engine.counts(view, "state", at, None).unwrap(), states.into_iter().collect::<Vec<_>>());
    prop_assert_eq!(engine.counts(view, "size", at, None).unwrap(), sizes.into_iter().collect::<Vec<_>>());
    let overdue = expected.iter().filter(|row| row.overdue(at)).count() as u64;
    prop_assert_eq!(engine.overdue(view, at, None).unwrap(), overdue);
    Ok(())
}

pub(super) fn digests(engine: &Engine) -> Vec<(String, String, u64)> {
    let mut digests: Vec<_> =
        engine.standing().into_iter().map(|view| (view.name, view.digest, view.rows)).collect();
    digests.sort();
    digests
}

fn check(
    kind: EngineKind,
    steps: &[(u8, u8, u8, i64, u8, i64, i64)],
    batches: &[usize],
    moments: &[(u8, i64)],
) -> std::result::Result<(), TestCaseError> {
    let events = history(steps);
    let bench = Bench::new(kind);
    bench.feed.0.lock().unwrap().extend(events.iter().cloned());
    let (mut engine, _) = bench.open(&toys(1));
    let mut sizes = batches.iter().cycle();
    while engine.applied() < events.len() as u64 {
        let size = *sizes.next().unwrap();
        if size == 0 {
            drop(engine);
            (engine, _) = bench.open(&toys(1));
            continue;
        }
        let mut next = Vec::new();
        bench.feed.read(engine.applied(), up_to(size), &mut next).unwrap();
        engine.apply(&next).unwrap();
    }
    let end = events.len() as u64;
    let now = events.last().map_or(START, |event| event.recorded_at);
    for view in ["toys", "kept"] {
        ask_everything(&engine, &events, view, When { known: end, at: now.saturating_add(HOUR) })?;
        ask_counts(&engine, &events, view, now)?;
        ask_counts(&engine, &events, view, now.saturating_add(20 * HOUR))?;
        for (known, back) in moments {
            let known = end * u64::from(*known) / 255;
            ask_everything(&engine, &events, view, When { known, at: now.saturating_add(-back * HOUR) })?;
        }
    }
    // All at once gives the same, and so does a newer version that is built beside.
    let whole = Bench {
        dir: tempfile::tempdir().unwrap(),
        feed: bench.feed.clone(),
        catalog: bench.catalog.clone(),
        kind,
    };
    let (other, _) = whole.open(&toys(1));
    whole.catch_up(&other, 10_000);
    prop_assert_eq!(digests(&engine), digests(&other));
    drop(other);
    let (other, _) = whole.open(&toys(2));
    let building = matches!(other.rows("toys"), Err(EngineError::Building { .. }));
    prop_assert!(end == 0 || building);
    while other.has_more_to_do() {
        prop_assert_eq!(other.rows("kept").unwrap(), engine.rows("kept").unwrap());
        other.build(7).unwrap();
    }
    ask_everything(&other, &events, "toys", When { known: end, at: now.saturating_add(HOUR) })?;
    ask_counts(&other, &events, "toys", now)
}

proptest! {
    #![proptest_config(crate::views::histories::cases(96))]

    #[test]
    fn a_view_is_what_the_plain_model_says(
        steps in prop::collection::vec(step(), 0..40),
        batches in prop::collection::vec(prop::sample::select(vec![0, 1, 1, 2, 5, 30]), 1..8).prop_filter("goes on", |sizes| sizes.iter().any(|size| *size > 0)),
        moments in prop::collection::vec((any::<u8>(), -10..45_i64), 3),
    ) {
        for kind in ENGINES {
            check(*kind, &steps, &batches, &moments)?;
        }
    }
}

#[test]
fn a_version_set_at_run_time_is_built_beside_the_one_that_answers() {
    let bench = Bench::new(EngineKind::Fjall);
    let steps: Vec<_> =
        (0..30_u8).map(|n| (5 + n % 5, n % 5, n % 3, i64::from(n) - 20, n % 3, 10, 12)).collect();
    bench.feed.0.lock().unwrap().extend(history(&steps));
    let (engine, _) = bench.open(&toys(1));
    bench.catch_up(&engine, 8);
    let before = engine.rows("toys").unwrap();
    engine.set(bench.catalog.clone(), &toys(3)).unwrap();
    let v = |engine: &Engine| {
        let when = When { known: 30, at: START.saturating_add(1_000 * HOUR) };
        engine.row("toys", "t1", when).unwrap().unwrap().row.value("v").cloned()
    };
    let mut rounds = 0;
    while engine.standing().iter().any(|view| view.building) {
        assert_eq!((engine.rows("toys").unwrap(), v(&engine)), (before, None));
        engine.build(7).unwrap();
        rounds += 1;
    }
    assert!(rounds > 3);
    assert_eq!((engine.rows("toys").unwrap(), v(&engine)), (before, Some(json!(3))));
    // The old one is cleared away.
    while engine.has_more_to_do() {
        engine.build(7).unwrap();
    }
    let slots: BTreeSet<u32> =
        slots::read_all(&*engine.store).unwrap().into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(slots.len(), 4);
    for table in Table::ALL {
        let mut left = BTreeSet::new();
        engine
            .store
            .scan(table, &[0; 4], &[0, 1], false, &mut |key, _| {
                left.extend(
                    key.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)).filter(|slot| *slot > 0),
                );
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(left.is_subset(&slots), "{table:?}: {left:?} and {slots:?}");
    }
    // And it is there after a restart, without building anything.
    drop(engine);
    let (engine, report) = bench.open(&toys(3));
    assert_eq!((report.behind, engine.has_more_to_do(), v(&engine)), (0, false, Some(json!(3))));
}

#[test]
fn what_a_store_has_lost_is_built_anew_and_what_knows_another_history_is_kept() {
    for kind in ENGINES {
        let bench = Bench::new(*kind);
        let steps: Vec<_> = (0..20_u8).map(|n| (5, n % 5, 0, 0, n % 3, 10, 12)).collect();
        bench.feed.0.lock().unwrap().extend(history(&steps));
        let (engine, _) = bench.open(&toys(1));
        bench.catch_up(&engine, 8);
        let digest = digests(&engine);
        let mut batch = Batch::default();
        batch.delete(Table::Rows, &keys::row(1, 0));
        engine.store.apply(batch).unwrap();
        drop(engine);
        let (engine, report) = bench.open(&toys(1));
        assert!(matches!(report.opened, crate::store::opening::Opened::Rebuilt(_)), "{:?}", report.opened);
        bench.catch_up(&engine, 100);
        assert_eq!(digests(&engine), digest);
        drop(engine);
        // Another history: an entry that the log does not have any more. What knows better is kept as the proof.
        bench.feed.0.lock().unwrap()[19].ty = "toy.other".into();
        let feed: Arc<dyn EventFeed> = bench.feed.clone();
        let again = || {
            let feed = feed.clone();
            Engine::open(bench.dir.path(), *kind, LEDGER, feed, bench.catalog.clone(), &toys(1)).map(|_| ())
        };
        assert!(matches!(again(), Err(EngineError::KnowsMore(_))), "{:?}", again());
        bench.feed.0.lock().unwrap()[19].ty = "toy.moved".into();
        let (engine, report) = bench.open(&toys(1));
        assert_eq!((report.behind, digests(&engine)), (0, digest));
    }
}

#[test]
fn a_folder_of_nobody_knows_what_is_not_taken_for_views() {
    let bench = Bench::new(EngineKind::Fjall);
    let (engine, _) = bench.open(&toys(1));
    let feed: Arc<dyn EventFeed> = bench.feed.clone();
    let again = Engine::open(bench.dir.path(), EngineKind::Fjall, LEDGER, feed, bench.catalog.clone(), &[]);
    assert!(matches!(again, Err(EngineError::InUse)));
    drop(engine);
    let folder: &Path = bench.dir.path();
    assert!(folder.join("lock").exists());
}

#[test]
fn what_is_sorted_for_an_answer_is_bounded_and_a_filter_makes_it_fewer() {
    let bench = Bench::new(EngineKind::Fjall);
    let steps: Vec<_> = (0..10_u8).map(|n| (5, n % 5, n % 5 / 2, 0, 0, 10, 12)).collect();
    bench.feed.0.lock().unwrap().extend(history(&steps));
    let (engine, _) = bench.open(&toys(1));
    bench.catch_up(&engine, 8);
    let ask = Ask { sort: Sort::Changed, ..Ask::all(When { known: 10, at: Timestamp::LAST }, 3) };
    let sorted = |ask: &Ask, most: usize| {
        let mut reading = engine.reading("toys").unwrap();
        reading.bounds.sorted = most;
        let (places, part) = reading.sorted(ask).unwrap();
        (places.iter().map(|place| place.number).collect::<Vec<_>>(), part)
    };
    assert_eq!(sorted(&ask, 6), (vec![0, 1, 2, 3, 4], Part::WHOLE));
    assert_eq!(sorted(&ask, 4), (vec![0, 1, 2, 3], Part { from: 0, to: 4 }));
    assert_eq!(sorted(&ask.with("tag", "g1"), 4), (vec![2, 3], Part::WHOLE));
}

#[test]
fn lists_keep_what_they_had_when_the_store_is_closed_within_a_bundle() {
    // More than two bundles of 256 entries, closed in the first, at the end of it, within the second and in the third.
    let steps: Vec<_> = (0..620_u32).map(|n| (5, (n % 5) as u8, (n % 3) as u8, 0, 0, 1, 1)).collect();
    let all = history(&steps);
    let bench = Bench::new(EngineKind::Fjall);
    for closed_at in [100, 256, 300, 400, 600, 620] {
        let known = bench.feed.committed() as usize;
        bench.feed.0.lock().unwrap().extend_from_slice(&all[known..closed_at]);
        let (engine, _) = bench.open(&toys(1));
        bench.catch_up(&engine, 7);
        for name in ["g0", "g1", "g2"] {
            let expected: Vec<u64> = all[..closed_at]
                .iter()
                .filter(|event| event.data["tag"] == name)
                .map(|event| event.seq)
                .collect();
            let range = (0, closed_at as u64);
            let listed = engine.entries("tags", &[("tag", name)], range, false, 1_000).unwrap();
            assert_eq!(listed, expected, "{name}, closed at {closed_at}");
        }
    }
}

#[test]
fn a_long_question_keeps_nobody_waiting_and_sees_one_state() {
    let bench = Bench::new(EngineKind::Fjall);
    let steps: Vec<_> = (0..40_u8).map(|n| (5, n % 5, 0, 0, n % 3, 10, 12)).collect();
    let events = history(&steps);
    bench.feed.0.lock().unwrap().extend(events[..4].iter().cloned());
    let (engine, _) = bench.open(&toys(1));
    let engine = Arc::new(engine);
    bench.catch_up(&engine, 8);
    let when = When { known: 40, at: START.saturating_add(1_000 * HOUR) };
    let rows = |reading: &Reading<'_>| reading.list(&Ask::all(when, 100)).unwrap().rows.len();
    // Somebody asks, and goes on asking.
    let reading = engine.reading("toys").unwrap();
    assert_eq!(rows(&reading), 4);
    let (done, hears) = std::sync::mpsc::channel();
    bench.feed.0.lock().unwrap().extend(events[4..].iter().cloned());
    let (feed, writer) = (bench.feed.clone(), engine.clone());
    std::thread::spawn(move || {
        while writer.applied() < feed.committed() {
            let mut next = Vec::new();
            feed.read(writer.applied(), up_to(8), &mut next).unwrap();
            writer.apply(&next).unwrap();
        }
        done.send(()).unwrap();
    });
    hears.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!((engine.applied(), rows(&reading)), (40, 4));
    let log = |reading: &Reading<'_>| {
        let found = reading.found(reading.number("t0").unwrap().unwrap(), when).unwrap().unwrap();
        found.row.value("log").cloned()
    };
    assert_eq!(log(&reading), Some(json!([0])));
    let after = engine.reading("toys").unwrap();
    assert_eq!(rows(&after), 5);
    assert_eq!(log(&after), Some(json!([0, 5, 10, 15, 20, 25, 30, 35])));
}
