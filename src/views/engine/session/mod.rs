//! Applying a batch of entries: what they do to rows is worked out in memory, and written as one.

mod back;
mod correcting;
mod finish;
mod folding;
mod marks;
mod names;
mod turn;
mod whose;

use super::corrections::{CORRECTION, Corrections};
use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::fold::advance;
use super::keys::{self, Slot};
use super::lists::{Counted, Tail};
use super::opening::Opening;
use super::row::RowEvent;
use super::slots::{Member, Projection};
use super::stored::{Kept, Placed, Stored, placed, read_stored, source_hash};
use super::tally::Tallier;
use super::view::{RowName, STUB, View};
use crate::catalog::Catalog;
use crate::follow::Event;
use crate::spec::time::Timestamp;
use crate::store::{Batch, Store, Table};
use crate::views::stats::DayStats;
use back::{Back, Looked};
use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

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
    /// Rows of other sources that this batch began beside first rows: hash of the source, and number.
    siblings: HashMap<(Slot, u64), Vec<(u64, u64)>>,
    /// The entries of views' turns, as far as they were looked up.
    turns: HashMap<Slot, Option<u64>>,
    /// Events of rows that this batch writes or takes away.
    events: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// By how much counts change: of what has a facet's value, and of what has its date on a day.
    counts: HashMap<(Slot, &'static str, String), i64>,
    days: HashMap<Vec<u8>, i64>,
    statistics: HashMap<Vec<u8>, DayStats>,
    tallies: HashMap<Vec<u8>, Sum<'a>>,
    looked: Looked,
    /// Entries below this are known when a row is folded anew.
    known: u64,
    /// When the last of them was recorded.
    recorded_at: Timestamp,
    /// What openings of first rows say, as far as it was looked at.
    said: HashMap<(Slot, u64), Said>,
    /// Events that were read again, because one came late or was corrected.
    read_again: u64,
}

/// A row in hand.
struct Working {
    view: Arc<dyn View>,
    /// As it was in the store.
    before: Option<(Vec<u8>, Stored)>,
    stored: Stored,
    /// Whether it has to be folded from its events: one of them is late, or was taken away.
    again: Again,
    /// It was joined to another row.
    gone: bool,
    /// What it is to be listed under: everything that some moment may show it with, some of it several times.
    listed: Vec<(&'static str, String)>,
    dense: Vec<(&'static str, String)>,
}

impl Working {
    fn new(view: &Arc<dyn View>, before: Option<(Vec<u8>, Stored)>, stored: Stored) -> Box<Working> {
        let (listed, dense) = (Vec::new(), Vec::new());
        let again = Again::Not;
        Box::new(Working { view: view.clone(), before, stored, again, gone: false, listed, dense })
    }

    /// All of its events are folded again.
    fn fold_whole(&mut self) {
        self.again = Again::Whole;
    }

    /// Those that were done from a time on are folded again.
    fn fold_from(&mut self, at: Timestamp) {
        self.again = match self.again {
            Again::Not => Again::From(at),
            Again::From(other) => Again::From(other.min(at)),
            Again::Whole => Again::Whole,
        };
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

/// Which of its events a row is folded from again.
#[derive(Clone, Copy, PartialEq)]
enum Again {
    /// It is as it should be.
    Not,
    /// From those that were done at or after this time: before it nothing has changed.
    From(Timestamp),
    /// From all of them.
    Whole,
}

/// Which row an event is about.
enum Whose {
    Row(u64),
    /// One that is not there yet, under this id.
    Nobodys(String),
}

/// What the openings of a first row say, of those that are looked at: read once a batch, however many events ask it.
struct Said {
    /// The source whose openings they are.
    of: Option<u64>,
    looked_at: usize,
    says: HashSet<[u8; 32]>,
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
            siblings: HashMap::new(),
            turns: HashMap::new(),
            events: BTreeMap::new(),
            counts: HashMap::new(),
            days: HashMap::new(),
            statistics: HashMap::new(),
            tallies: HashMap::new(),
            looked: Looked::default(),
            known: events.last().map_or(0, |event| event.seq + 1),
            recorded_at: events.last().map_or(Timestamp::FIRST, |event| event.recorded_at),
            said: HashMap::new(),
            read_again: 0,
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
            if let Some(name) = view.row_of_source(&event.ty, &event.source, &event.data) {
                let event = for_row.get_or_insert_with(|| event.for_row(self.catalog));
                event.after_turn = self.turn(member.slot, &**view, event)?;
                let effective_at = view.effective_at(event);
                if effective_at == event.effective_at {
                    self.row(member.slot, view, &name, event)?;
                } else {
                    let event = RowEvent { effective_at, ..event.clone() };
                    self.row(member.slot, view, &name, &event)?;
                }
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
                    let (store, feed, slot, looked) = (self.store, self.feed, member.slot, &self.looked);
                    let back = Back { store, feed, slot, looked };
                    for (field, value, counted) in lists.lists_of(event, self.catalog, &back)? {
                        if lists.looks_back().contains(&field) {
                            back.note(field, &value, event)?;
                        }
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
    fn row(&mut self, slot: Slot, view: &Arc<dyn View>, name: &RowName, event: &RowEvent) -> Result<()> {
        let key = keys::name(slot, name);
        // A name that its own source gave to a row leads there, whoever had the name first.
        let own = match name {
            RowName::Alias(alias) => self.find(keys::alias_of_source(slot, alias, &event.source))?,
            RowName::Id(_) => None,
        };
        let number = match own.map_or_else(|| self.find(key), |own| Ok(Some(own)))? {
            None => {
                let id = match name {
                    RowName::Id(id) => id.clone(),
                    RowName::Alias(alias) => format!("{STUB}{alias}"),
                };
                self.begin(slot, view, Stored::new(id, event), event);
                self.named(key, event.seq);
                event.seq
            }
            Some(first) => match self.whose(slot, view, first, name, event)? {
                Whose::Row(number) => {
                    self.join(slot, view, number, event)?;
                    number
                }
                Whose::Nobodys(id) => {
                    self.begin_beside(slot, view, first, id, event)?;
                    event.seq
                }
            },
        };
        for alias in view.aliases(&event.ty, &event.data) {
            let own = keys::alias_of_source(slot, &alias, &event.source);
            if self.find(own)?.is_none() {
                self.named(own, number);
                self.take_own(slot, view, number, &alias, event)?;
            }
            self.alias(slot, view, number, RowName::Alias(alias))?;
        }
        Ok(())
    }

    /// A new row.
    fn begin(&mut self, slot: Slot, view: &Arc<dyn View>, mut stored: Stored, event: &RowEvent) {
        stored.ahead = event.is_ahead();
        if view.opening(&event.ty) != Opening::None {
            stored.source = Some(source_hash(&event.source));
        }
        let mut working = Working::new(view, None, stored);
        working.advance(event);
        self.in_hand.insert((slot, event.seq), working);
        if view.keeps_data() {
            self.keep(slot, &**view, event.seq, event);
        }
    }

    /// One more event of a row that is there.
    fn join(&mut self, slot: Slot, view: &Arc<dyn View>, number: u64, event: &RowEvent) -> Result<()> {
        self.keep(slot, &**view, number, event);
        self.say(slot, &**view, number, event);
        let opens = view.opening(&event.ty) != Opening::None;
        let source = source_hash(&event.source);
        let working = self.working(slot, view, number)?;
        let stored = &mut working.stored;
        stored.events += 1;
        stored.last_seq = stored.last_seq.max(event.seq);
        stored.latest = stored.latest.max(event.effective_at);
        stored.ahead |= event.is_ahead();
        if opens && stored.source.is_none() {
            stored.source = Some(source);
        }
        let next = match event.acted_at.cmp(&stored.last_act) {
            Ordering::Less => false,
            // Events of several sources at one instant have an order that is not that of recording.
            Ordering::Equal => stored.last_source == source,
            Ordering::Greater => {
                (stored.last_act, stored.last_source) = (event.acted_at, source);
                true
            }
        };
        if !next && stored.last_act == event.acted_at {
            stored.last_source = 0;
        }
        // What was told before its opening comes after it; and of a row of which nothing is left this is the first event.
        let opens_late = opens && stored.row.source.is_none();
        if opens_late || stored.row.counts.is_empty() {
            working.fold_whole();
        } else if !next {
            working.fold_from(event.acted_at);
        } else if working.again == Again::Not {
            working.advance(event);
        }
        Ok(())
    }

    /// Notes an event among those of a row.
    fn keep(&mut self, slot: Slot, view: &dyn View, number: u64, event: &RowEvent) {
        let value = if view.keeps_data() {
            // A struct of texts, numbers and JSON always serialises.
            serde_json::to_vec(&Kept::of(event)).unwrap_or_default()
        } else {
            source_hash(&event.source).to_be_bytes().to_vec()
        };
        self.events.insert(keys::event(slot, number, event.seq), Some(value));
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

    /// A row's events in the order of recording, and what was kept of them.
    fn events_of(&self, slot: Slot, view: &dyn View, number: u64) -> Result<Vec<Placed>> {
        self.events_from(slot, view, number, 0)
    }

    /// The same of those that were recorded from a number on.
    fn events_from(&self, slot: Slot, view: &dyn View, number: u64, first: u64) -> Result<Vec<Placed>> {
        let mut found = BTreeMap::new();
        let (_, to) = keys::events(slot, number);
        let from = keys::event(slot, number, first);
        self.store.scan(Table::Events, &from, &to, false, &mut |key, value| {
            found.insert(key.to_vec(), Some(value.to_vec()));
            ControlFlow::Continue(())
        })?;
        found.extend(self.events.range(from..to).map(|(key, value)| (key.clone(), value.clone())));
        let mut events = placed(found)?;
        if !view.keeps_data() && first <= number {
            events.push((number, None));
            events.sort_by_key(|(seq, _)| *seq);
        }
        Ok(events)
    }

    fn named(&mut self, key: [u8; 20], number: u64) {
        self.names.insert(key, Some(number));
        self.batch.put(Table::Ids, &key, &number.to_be_bytes());
    }
}
