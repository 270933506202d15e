//! Applying a batch of entries: what they do to rows is worked out in memory, and written as one.

use super::corrections::{CORRECTION, Corrections};
use super::digest::Digest;
use super::event::{Event, EventFeed};
use super::keys::{self, DateKind, Slot};
use super::lists::{self, Counted, Tail};
use super::row::{Micros, Row, RowEvent};
use super::slots::{Member, Projection};
use super::stored::{Kept, Stored};
use super::tally::Tallier;
use super::view::{RowName, View, advance};
use super::{EngineError, Result};
use crate::catalog::Catalog;
use crate::views::index::{BUNDLE, Offsets};
use crate::views::stats::DayStats;
use crate::views::store::{Batch, Store, Table};
use serde_json::Value;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What an unknown alias is called until its row is known. No identifier begins so.
pub(super) const STUB: &str = "?";

/// Bytes of most rows' records: room is made for as many at once.
const ROW_BYTES: usize = 512;

/// Where an event of a row stands: effective time, seq, and what was kept of it.
pub(super) type Placed = (Micros, u64, Option<Vec<u8>>);

/// One batch on its way into the store.
pub(super) struct Session<'a> {
    store: &'a dyn Store,
    feed: &'a dyn EventFeed,
    catalog: &'a Catalog,
    corrections: Corrections<'a>,
    batch: Batch,
    /// Boxed: they are large, and moved when the map grows and when they are sorted.
    in_hand: HashMap<(Slot, u64), Box<Working>>,
    names: HashMap<[u8; 20], Option<u64>>,
    /// Events of rows that this batch writes or takes away.
    events: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// By how much counts change: of what has a facet's value, and of what has its date on a day.
    counts: HashMap<(Slot, &'static str, String), i64>,
    days: HashMap<Vec<u8>, i64>,
    statistics: HashMap<Vec<u8>, DayStats>,
    tallies: HashMap<Vec<u8>, Sum<'a>>,
    /// Entries below this are known when a row is folded anew.
    known: u64,
}

/// A row in hand.
struct Working {
    view: Arc<dyn View>,
    /// As it was in the store.
    before: Option<(Vec<u8>, Stored)>,
    stored: Stored,
    /// It has to be folded from its events: one of them is late, or was taken away.
    stale: bool,
    /// It was joined to another row.
    gone: bool,
    /// What it is to be listed under: everything that some moment may show it with, some of it several times.
    listed: Vec<(&'static str, String)>,
    dense: Vec<(&'static str, String)>,
}

impl Working {
    fn new(view: &Arc<dyn View>, before: Option<(Vec<u8>, Stored)>, stored: Stored) -> Box<Working> {
        let (listed, dense) = (Vec::new(), Vec::new());
        Box::new(Working { view: view.clone(), before, stored, stale: false, gone: false, listed, dense })
    }

    /// The next event, in order.
    fn advance(&mut self, event: &RowEvent) {
        advance(&*self.view, &mut self.stored.row, event);
        self.note_lists();
    }

    fn note_lists(&mut self) {
        self.listed.extend(self.view.lists(&self.stored.row));
        self.dense.extend(self.view.dense_lists(&self.stored.row));
    }
}

/// A tally in hand.
struct Sum<'a> {
    slot: Slot,
    name: String,
    tallier: Arc<dyn Tallier>,
    events: Vec<&'a Event>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        store: &'a dyn Store,
        feed: &'a dyn EventFeed,
        catalog: &'a Catalog,
        events: &[Event],
    ) -> Session<'a> {
        Session {
            store,
            feed,
            catalog,
            corrections: Corrections::new(store),
            batch: Batch::default(),
            in_hand: HashMap::with_capacity(events.len()),
            names: HashMap::with_capacity(events.len()),
            events: BTreeMap::new(),
            counts: HashMap::new(),
            days: HashMap::new(),
            statistics: HashMap::new(),
            tallies: HashMap::new(),
            known: events.last().map_or(0, |event| event.seq + 1),
        }
    }

    /// Works one entry into rows. `wanted` are the places in `members` of the views that want its type.
    pub(super) fn rows(&mut self, event: &'a Event, members: &[Member], wanted: &[usize]) -> Result<()> {
        if event.ty == CORRECTION {
            self.correct(event, members)?;
        }
        let mut for_row = None;
        for member in wanted.iter().filter_map(|place| members.get(*place)) {
            let Projection::Rows(view) = &member.projection else { continue };
            if let Some(name) = view.row_of(&event.ty, &event.data) {
                let at = event.recorded_at;
                let event = for_row.get_or_insert_with(|| event.for_row(self.catalog));
                self.row(member.slot, view, &name, event, at)?;
            }
        }
        Ok(())
    }

    /// Works one entry into lists and tallies.
    pub(super) fn list(
        &mut self,
        event: &'a Event,
        members: &[Member],
        wanted: &[usize],
        tails: &mut HashMap<Slot, Tail>,
    ) -> Result<()> {
        for member in wanted.iter().filter_map(|place| members.get(*place)) {
            match &member.projection {
                Projection::Rows(_) => {}
                Projection::Lists(lists) => {
                    let tail = tails.entry(member.slot).or_default();
                    for (field, value, counted) in lists.lists_of(event, self.catalog) {
                        let list = keys::entries(member.slot, field, &value);
                        tail.add(self.store, list, event.seq, &mut self.batch)?;
                        if counted == Counted::Yes {
                            *self.counts.entry((member.slot, field, value)).or_default() += 1;
                        }
                    }
                }
                Projection::Tallies(tallier) => {
                    for name in tallier.names_of(event, self.catalog) {
                        let key = keys::tally(member.slot, &name);
                        let new =
                            || Sum { slot: member.slot, name, tallier: tallier.clone(), events: Vec::new() };
                        self.tallies.entry(key).or_insert_with(new).events.push(event);
                    }
                }
            }
        }
        Ok(())
    }

    /// One event of one row.
    fn row(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        name: &RowName,
        event: &RowEvent,
        recorded_at: Micros,
    ) -> Result<()> {
        let key = keys::name(slot, name);
        let number = match self.find(key)? {
            None => {
                let id = match name {
                    RowName::Id(id) => id.clone(),
                    RowName::Alias(alias) => format!("{STUB}{alias}"),
                };
                let mut stored = Stored::new(id, event);
                stored.ahead = event.effective_at > recorded_at;
                let mut working = Working::new(view, None, stored);
                working.advance(event);
                self.in_hand.insert((slot, event.seq), working);
                self.names.insert(key, Some(event.seq));
                self.batch.put(Table::Ids, &key, &event.seq.to_be_bytes());
                if view.keeps_data() {
                    self.keep(slot, &**view, event.seq, event);
                }
                event.seq
            }
            Some(number) => {
                self.keep(slot, &**view, number, event);
                let working = self.working(slot, view, number)?;
                let stored = &mut working.stored;
                stored.events += 1;
                stored.last_seq = stored.last_seq.max(event.seq);
                let place = (event.effective_at, event.seq);
                if place < stored.last {
                    working.stale = true;
                } else {
                    stored.last = place;
                    if !working.stale {
                        working.advance(event);
                    }
                }
                working.stored.ahead = working.stored.last.0 > recorded_at;
                number
            }
        };
        for alias in view.aliases(&event.ty, &event.data) {
            self.alias(slot, view, number, RowName::Alias(alias))?;
        }
        Ok(())
    }

    /// Gives a row another name. Events that came under that name before it was known become the row's.
    fn alias(&mut self, slot: Slot, view: &Arc<dyn View>, number: u64, name: RowName) -> Result<()> {
        let key = keys::name(slot, &name);
        match self.find(key)? {
            None => {}
            Some(known) if known == number => return Ok(()),
            Some(known) => {
                // Whoever had the name first keeps it; only a row that is nothing but a name gives way.
                let stub = self.working(slot, view, known)?;
                if !stub.stored.id.starts_with(STUB) {
                    return Ok(());
                }
                stub.gone = true;
                let stub = stub.stored.clone();
                for (effective_at, seq, kept) in self.events_of(slot, &**view, known, &stub)? {
                    self.events.insert(keys::event(slot, known, effective_at, seq), None);
                    self.events
                        .insert(keys::event(slot, number, effective_at, seq), Some(kept.unwrap_or_default()));
                }
                let row = &mut self.working(slot, view, number)?.stored;
                row.events += stub.events;
                row.last = row.last.max(stub.last);
                row.last_seq = row.last_seq.max(stub.last_seq);
                row.corrected.extend(stub.corrected);
                self.working(slot, view, number)?.stale = true;
            }
        }
        self.names.insert(key, Some(number));
        self.batch.put(Table::Ids, &key, &number.to_be_bytes());
        Ok(())
    }

    /// A correction: rows that its target is an event of are folded again without it, or with it.
    fn correct(&mut self, event: &Event, members: &[Member]) -> Result<()> {
        let Some(target) = target_of(event, self.feed)? else { return Ok(()) };
        self.corrections.add(target, event.seq, &mut self.batch)?;
        let feed = self.feed;
        for touched in Corrections::touched(target, feed, &|event| target_of(event, feed))? {
            for member in members {
                let Projection::Rows(view) = &member.projection else { continue };
                let Some(name) = view.row_of(&touched.ty, &touched.data) else { continue };
                if !view.types().contains(&touched.ty) {
                    continue;
                }
                if let Some(number) = self.find(keys::name(member.slot, &name))? {
                    let working = self.working(member.slot, view, number)?;
                    working.stale = true;
                    working.stored.corrected.push((touched.seq, event.seq));
                    working.stored.last_seq = working.stored.last_seq.max(event.seq);
                }
            }
        }
        Ok(())
    }

    /// Notes an event among those of a row.
    fn keep(&mut self, slot: Slot, view: &dyn View, number: u64, event: &RowEvent) {
        let value = if view.keeps_data() {
            // A struct of texts, numbers and JSON always serialises.
            serde_json::to_vec(&Kept::of(event)).unwrap_or_default()
        } else {
            Vec::new()
        };
        self.events.insert(keys::event(slot, number, event.effective_at, event.seq), Some(value));
    }

    /// The number of the row of this name, a key of [`keys::name`].
    fn find(&mut self, key: [u8; 20]) -> Result<Option<u64>> {
        if let Some(known) = self.names.get(&key) {
            return Ok(*known);
        }
        let record = self.store.get(Table::Ids, &key)?;
        let number = record
            .map(|record| keys::number_of(&record).ok_or(EngineError::Unreadable("a row's name")))
            .transpose()?;
        self.names.insert(key, number);
        Ok(number)
    }

    /// A row that is there.
    fn working(&mut self, slot: Slot, view: &Arc<dyn View>, number: u64) -> Result<&mut Working> {
        match self.in_hand.entry((slot, number)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let record = self.store.get(Table::Rows, &keys::row(slot, number))?;
                let record = record.ok_or(EngineError::Unreadable("a row that is named and not there"))?;
                let stored = read_stored(&record)?;
                Ok(entry.insert(Working::new(view, Some((record, stored.clone())), stored)))
            }
        }
    }

    /// Where a row's events stand: effective time, seq, and what was kept.
    fn events_of(&self, slot: Slot, view: &dyn View, number: u64, stored: &Stored) -> Result<Vec<Placed>> {
        let mut found = BTreeMap::new();
        let (from, to) = keys::events(slot, number);
        self.store.scan(Table::Events, &from, &to, false, &mut |key, value| {
            found.insert(key.to_vec(), Some(value.to_vec()));
            ControlFlow::Continue(())
        })?;
        found.extend(self.events.range(from..to).map(|(key, value)| (key.clone(), value.clone())));
        let mut events = placed(found)?;
        if !view.keeps_data() {
            events.push((stored.first, number, None));
            events.sort_by_key(|(effective_at, seq, _)| (*effective_at, *seq));
        }
        Ok(events)
    }

    /// Writes everything into one batch, and carries the members' digests and numbers of rows on.
    pub(super) fn finish(mut self, members: &mut [Member], tails: &mut HashMap<Slot, Tail>) -> Result<Batch> {
        // In the order of their numbers, which is that of most of their keys: what is written side by side in a table
        // finds its place sooner.
        let mut rows: Vec<_> = std::mem::take(&mut self.in_hand).into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        let mut dense: HashMap<(Slot, &str, String, u64), Offsets> = HashMap::new();
        let place: HashMap<Slot, usize> =
            members.iter().enumerate().map(|(place, member)| (member.slot, place)).collect();
        for ((slot, number), mut working) in rows {
            let Some(member) = place.get(&slot).and_then(|place| members.get_mut(*place)) else { continue };
            if working.stale && !working.gone {
                self.fold(slot, number, &mut working)?;
            }
            self.write_row(slot, number, &mut working, member)?;
            if !working.gone {
                for (field, value) in working.dense {
                    let list = (slot, field, value, number / BUNDLE);
                    dense.entry(list).or_default().insert((number % BUNDLE) as u8);
                }
            }
        }
        for (key, value) in std::mem::take(&mut self.events) {
            let member =
                slot_of(&key).and_then(|slot| place.get(&slot)).and_then(|place| members.get_mut(*place));
            let Some(member) = member else { continue };
            if let Some(value) = value {
                // It is new: each event is applied once, and moved at most once.
                member.digest.add(&key, &value);
                self.batch.put(Table::Events, &key, &value);
            } else if let Some(before) = self.store.get(Table::Events, &key)? {
                member.digest.remove(&key, &before);
                self.batch.delete(Table::Events, &key);
            }
        }
        for (key, Sum { slot, name, tallier, events }) in std::mem::take(&mut self.tallies) {
            let before = self.store.get(Table::Meta, &key)?;
            let mut value = before.as_deref().map_or(Ok(Value::Null), |bytes| {
                serde_json::from_slice(bytes).map_err(|_| EngineError::Unreadable("a tally"))
            })?;
            tallier.add(&name, &mut value, &events, self.catalog);
            let bytes = serde_json::to_vec(&value).unwrap_or_default();
            if let Some(member) = place.get(&slot).and_then(|place| members.get_mut(*place)) {
                replace(&mut member.digest, &key, before.as_deref(), Some(&bytes));
            }
            self.batch.put(Table::Meta, &key, &bytes);
        }
        self.write_counts()?;
        for (key, stats) in std::mem::take(&mut self.statistics) {
            if stats == DayStats::default() {
                self.batch.delete(Table::Meta, &key);
            } else {
                self.batch.put(Table::Meta, &key, &serde_json::to_vec(&stats).unwrap_or_default());
            }
        }
        tails.values_mut().for_each(|tail| tail.write(&mut self.batch));
        for ((slot, field, value, bundle), offsets) in dense {
            let list = keys::entries(slot, field, &value);
            lists::add(self.store, &list, bundle, offsets, &mut self.batch)?;
        }
        Ok(self.batch)
    }

    /// Folds a row from its events, without those that do not count.
    fn fold(&self, slot: Slot, number: u64, working: &mut Working) -> Result<()> {
        let (view, corrected) = (working.view.clone(), !working.stored.corrected.is_empty());
        let mut row = Row::default();
        // With all its events: as of an earlier day it is listed by what has been corrected since.
        let mut uncorrected = Row::default();
        for (effective_at, seq, kept) in self.events_of(slot, &*view, number, &working.stored)? {
            let event = load(self.feed, self.catalog, effective_at, seq, kept)?;
            if corrected {
                advance(&*view, &mut uncorrected, &event);
                working.listed.extend(view.lists(&uncorrected));
                working.dense.extend(view.dense_lists(&uncorrected));
            }
            let spoken_of = working.stored.corrected.iter().any(|(target, _)| *target == seq);
            if spoken_of && self.corrections.against(seq, self.known)?.is_some() {
                continue;
            }
            advance(&*view, &mut row, &event);
            working.listed.extend(view.lists(&row));
            working.dense.extend(view.dense_lists(&row));
        }
        working.stored.row = row;
        Ok(())
    }

    fn write_row(
        &mut self,
        slot: Slot,
        number: u64,
        working: &mut Working,
        member: &mut Member,
    ) -> Result<()> {
        working.listed.sort_unstable();
        working.listed.dedup();
        let view = &*working.view;
        let key = keys::row(slot, number);
        let before = working.before.as_ref().map(|(_, stored)| stored);
        let after = (!working.gone).then_some(&working.stored);
        let bytes = after.map(|stored| {
            let mut bytes = Vec::with_capacity(ROW_BYTES);
            // A struct of texts, numbers and JSON always serialises, and a vector takes everything.
            let _ = serde_json::to_writer(&mut bytes, stored);
            bytes
        });
        let bytes_before = working.before.as_ref().map(|(bytes, _)| bytes.as_slice());
        replace(&mut member.digest, &key, bytes_before, bytes.as_deref());
        match &bytes {
            Some(bytes) => self.batch.put(Table::Rows, &key, bytes),
            None if before.is_some() => self.batch.delete(Table::Rows, &key),
            None => {}
        }
        match (is_there(before), is_there(after)) {
            (false, true) => member.rows += 1,
            (true, false) => member.rows = member.rows.saturating_sub(1),
            _ => {}
        }

        let (old, new) = (Marks::of(view, before), Marks::of(view, after));
        if old != new {
            for key in old.keys(slot, number) {
                self.batch.delete(Table::Terms, &key);
            }
            for key in new.keys(slot, number) {
                self.batch.put(Table::Terms, &key, &[]);
            }
            for (sign, marks) in [(-1, old), (1, new)] {
                for (kind, time) in marks.dates.iter().filter(|(kind, _)| match kind {
                    DateKind::Due => true,
                    // Counted to tell how many are expired.
                    DateKind::Until => marks.expiring,
                    DateKind::Ahead => false,
                }) {
                    *self.days.entry(keys::days(slot, *kind, keys::day(*time))).or_default() += sign;
                }
                for (facet, value) in marks.facets {
                    *self.counts.entry((slot, facet, value)).or_default() += sign;
                }
            }
        }
        for (field, value) in working.listed.iter().filter(|_| after.is_some()) {
            self.batch.put(Table::Terms, &keys::listed(slot, field, value, number), &[]);
        }
        let facts = |stored: Option<&Stored>| {
            stored.filter(|stored| is_there(Some(stored))).and_then(|stored| view.contribution(&stored.row))
        };
        let (old, new) = (facts(before), facts(after));
        if old != new {
            for (facts, add) in [(old, false), (new, true)] {
                let Some(facts) = facts else { continue };
                let key = keys::statistics(slot, &facts.model, &facts.version, facts.day);
                let stats = match self.statistics.entry(key) {
                    Entry::Occupied(stats) => stats.into_mut(),
                    Entry::Vacant(place) => {
                        let record = self.store.get(Table::Meta, place.key())?;
                        place.insert(record.map_or(Ok(DayStats::default()), |record| {
                            serde_json::from_slice(&record).map_err(|_| EngineError::Unreadable("statistics"))
                        })?)
                    }
                };
                if add { stats.add(&facts) } else { stats.remove(&facts) }
            }
        }
        Ok(())
    }

    fn write_counts(&mut self) -> Result<()> {
        let counts = std::mem::take(&mut self.counts).into_iter();
        let counts = counts.map(|((slot, facet, value), change)| (keys::count(slot, facet, &value), change));
        for (key, change) in counts.chain(std::mem::take(&mut self.days)) {
            if change == 0 {
                continue;
            }
            let before = read_count(self.store, &key)?;
            match before.saturating_add_signed(change) {
                0 => self.batch.delete(Table::Meta, &key),
                after => self.batch.put(Table::Meta, &key, &after.to_be_bytes()),
            }
        }
        Ok(())
    }
}

/// By what a row is found and counted as it is now.
#[derive(Default, PartialEq)]
struct Marks {
    state: Option<String>,
    dates: Vec<(DateKind, Micros)>,
    expiring: bool,
    facets: Vec<(&'static str, String)>,
}

impl Marks {
    fn of(view: &dyn View, stored: Option<&Stored>) -> Marks {
        let Some(stored) = stored.filter(|stored| is_there(Some(stored))) else { return Marks::default() };
        let row = &stored.row;
        let common = view.common_state() == Some(row.state.as_str());
        let mut dates = Vec::new();
        if !row.ended {
            dates.extend(row.due_at.map(|time| (DateKind::Due, time)));
            dates.extend(row.valid_until.map(|time| (DateKind::Until, time)));
        }
        if stored.ahead {
            dates.push((DateKind::Ahead, stored.last.0));
        }
        let mut facets = vec![("state", row.state.clone())];
        facets.extend(view.facets(row));
        let expiring = view.expires(&row.state);
        Marks { state: (!common).then(|| row.state.clone()), dates, expiring, facets }
    }

    fn keys(&self, slot: Slot, number: u64) -> impl Iterator<Item = Vec<u8>> {
        let state = self.state.iter().map(move |state| keys::state(slot, state, number));
        state.chain(self.dates.iter().map(move |(kind, time)| keys::date(slot, *kind, *time, number)))
    }
}

/// Whether a row is anything: corrections may have taken all of its events away.
fn is_there(stored: Option<&Stored>) -> bool {
    stored.is_some_and(|stored| !stored.row.counts.is_empty())
}

fn replace(digest: &mut Digest, key: &[u8], before: Option<&[u8]>, after: Option<&[u8]>) {
    if before != after {
        before.iter().for_each(|bytes| digest.remove(key, bytes));
        after.iter().for_each(|bytes| digest.add(key, bytes));
    }
}

fn slot_of(key: &[u8]) -> Option<Slot> {
    key.first_chunk::<4>().map(|bytes| Slot::from_be_bytes(*bytes))
}

/// The entry that a correction speaks of: one that was recorded before it.
fn target_of(event: &Event, feed: &dyn EventFeed) -> Result<Option<u64>> {
    let part = |name: &str| event.data.get("target")?.get(name)?.as_str();
    let Some((source, id)) = part("source").zip(part("id")) else { return Ok(None) };
    Ok(feed.find(&crate::log::identity(source, id), event.seq)?)
}

pub(super) fn read_stored(record: &[u8]) -> Result<Stored> {
    serde_json::from_slice(record).map_err(|_| EngineError::Unreadable("a row"))
}

pub(super) fn read_count(store: &dyn Store, key: &[u8]) -> Result<u64> {
    Ok(store.get(Table::Meta, key)?.and_then(|record| keys::number_of(&record)).unwrap_or(0))
}

/// Events of a row from their keys; what is taken away is left out.
pub(super) fn placed(found: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<Vec<Placed>> {
    let mut events = Vec::with_capacity(found.len());
    for (key, value) in found {
        let Some(value) = value else { continue };
        let (effective_at, seq) = keys::event_of(&key).ok_or(EngineError::Unreadable("an event's key"))?;
        events.push((effective_at, seq, Some(value)));
    }
    Ok(events)
}

/// An event of a row: as it was kept, or from the log.
pub(super) fn load(
    feed: &dyn EventFeed,
    catalog: &Catalog,
    effective_at: Micros,
    seq: u64,
    kept: Option<Vec<u8>>,
) -> Result<RowEvent> {
    match kept.filter(|kept| !kept.is_empty()) {
        Some(kept) => {
            let kept: Kept =
                serde_json::from_slice(&kept).map_err(|_| EngineError::Unreadable("a kept event"))?;
            Ok(kept.event(effective_at, seq))
        }
        None => Ok(feed.event(seq)?.for_row(catalog)),
    }
}
