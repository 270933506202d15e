//! Applying a batch of entries: what they do to rows is worked out in memory, and written as one.

mod finish;
mod marks;

use super::corrections::{CORRECTION, Corrections};
use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::keys::{self, Slot};
use super::lists::{Counted, Tail};
use super::row::RowEvent;
use super::slots::{Member, Projection};
use super::stored::{Kept, Placed, Stored, placed, read_stored};
use super::tally::Tallier;
use super::view::{RowName, View, advance};
use crate::catalog::Catalog;
use crate::follow::Event;
use crate::spec::time::Timestamp;
use crate::store::{Batch, Store, Table};
use crate::views::stats::DayStats;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What an unknown alias is called until its row is known. No identifier begins so.
pub(super) const STUB: &str = "?";

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
        events: &[Arc<Event>],
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
        recorded_at: Timestamp,
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
}

/// The entry that a correction speaks of: one that was recorded before it.
fn target_of(event: &Event, feed: &dyn EventFeed) -> Result<Option<u64>> {
    let part = |name: &str| event.data.get("target")?.get(name)?.as_str();
    let Some((source, id)) = part("source").zip(part("id")) else { return Ok(None) };
    Ok(feed.find(&crate::log::identity(source, id), event.seq)?)
}
