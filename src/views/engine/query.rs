//! Asking for rows: one, or those that fit, as they are now, as they were known, and as they held at a time.

use super::corrections::Corrections;
use super::keys::{self, DateKind, Slot};
use super::lists;
use super::row::{Micros, Row, parse_time};
use super::session::{Placed, STUB, load, placed, read_stored};
use super::slots::Projection;
use super::stored::Stored;
use super::view::{RowName, View, advance};
use super::{Engine, EngineError, Result, State};
use crate::views::store::Table;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Rows looked at for one page, at most.
///
/// Reason: some tens of milliseconds. A filter that fits next to nothing gives a short page and where to go on.
const MAX_SCANNED: usize = 20_000;

/// Candidates read at once.
const CHUNK: usize = 512;

/// The state that a row is shown in once its time is over, where its view says so.
pub const EXPIRED: &str = "expired";

/// As of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Entries below this number are known.
    pub known: u64,
    /// What took effect by this time counts; and "overdue", "expired" mean: at this time.
    pub at: Micros,
}

/// The order of a list. Ties are broken by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The order in which rows came to the ledger.
    #[default]
    Opened,
    /// By `due_at`; rows without one, and rows that are done, are left out.
    Due,
    /// By `valid_until`; rows without one, and rows that are done, are left out.
    Until,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The date by which the list is sorted; 0 if by number.
    pub date: Micros,
    /// The row's number.
    pub number: u64,
}

/// Which rows.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Field and the values of which one has to fit: a field of the row, or one that the view lists or counts rows by;
    /// besides `state`, `owner` and `id`.
    pub filters: Vec<(String, Vec<String>)>,
    /// Only rows that are overdue, or only others.
    pub overdue: Option<bool>,
    /// Only rows whose `valid_from` and `valid_until` say so: `not-yet`, `in-force`, `expired`.
    pub validity: Option<String>,
    /// Only rows with `due_at` in this stretch.
    pub due: (Option<Micros>, Option<Micros>),
    /// Only rows with `valid_until` in this stretch.
    pub until: (Option<Micros>, Option<Micros>),
    /// Only rows of which the time in this field lies before that.
    pub before: Option<(String, Micros)>,
    /// As of when.
    pub when: When,
    /// In which order …
    pub sort: Sort,
    /// … and whether from its end.
    pub descending: bool,
    /// From where on.
    pub after: Option<Place>,
    /// Rows at most.
    pub limit: usize,
}

impl Ask {
    /// All rows as of a moment, the first ones first.
    #[must_use]
    pub fn all(when: When, limit: usize) -> Ask {
        Ask {
            filters: Vec::new(),
            overdue: None,
            validity: None,
            due: (None, None),
            until: (None, None),
            before: None,
            when,
            sort: Sort::Opened,
            descending: false,
            after: None,
            limit,
        }
    }

    /// The same with one more filter.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Ask {
        self.filters.push((field.to_owned(), vec![value.to_owned()]));
        self
    }
}

/// A row as of a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// The seq of the first entry about it.
    pub number: u64,
    /// The seq of the last entry that changed it, as known.
    pub last_seq: u64,
    /// When its last event took effect.
    pub changed_at: Micros,
    /// When its first event took effect.
    pub opened_at: Micros,
    /// Which of its events were taken away or given back by corrections, as known: target and correction.
    pub corrected: Vec<(u64, u64)>,
    /// Its state.
    pub row: Row,
}

impl Found {
    /// Whether its due date has passed and it is not done.
    #[must_use]
    pub fn overdue(&self, at: Micros) -> bool {
        !self.row.ended && self.row.due_at.is_some_and(|due| due <= at)
    }

    /// Whether it counts yet, or still: `not-yet`, `in-force`, `expired`; none for rows that know no such dates or are
    /// done.
    #[must_use]
    pub fn validity(&self, at: Micros) -> Option<&'static str> {
        let Row { valid_from, valid_until, ended, .. } = &self.row;
        if *ended || (valid_from.is_none() && valid_until.is_none()) {
            return None;
        }
        Some(if valid_until.is_some_and(|until| until <= at) {
            EXPIRED
        } else if valid_from.is_some_and(|from| at < from) {
            "not-yet"
        } else {
            "in-force"
        })
    }

    /// The state that it is shown in.
    #[must_use]
    pub fn state(&self, view: &dyn View, at: Micros) -> &str {
        let row = &self.row;
        let over = !row.ended && row.valid_until.is_some_and(|until| until <= at);
        if over && view.expires(&row.state) { EXPIRED } else { &row.state }
    }
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// In the order asked for.
    pub rows: Vec<Found>,
    /// Where to go on; none at the end. A page may be short and have a next one.
    pub next: Option<Place>,
    /// How many entries the views had applied.
    pub applied: u64,
}

/// One view, held still while it is asked.
pub(super) struct Reading<'a> {
    pub(super) engine: &'a Engine,
    pub(super) state: std::sync::RwLockReadGuard<'a, State>,
    pub(super) slot: Slot,
    pub(super) view: Arc<dyn View>,
    pub(super) applied: u64,
    pub(super) rows: u64,
}

impl Engine {
    /// The view of this name, as it answers now.
    ///
    /// # Errors
    /// There is none; or it is being built and has no older version.
    pub(super) fn reading(&self, name: &str) -> Result<Reading<'_>> {
        self.check()?;
        let state = self.state();
        let applied = self.applied();
        let member = state.members.iter().find(|member| member.projection.name() == name);
        match member.map(|member| (member.slot, member.rows, member.projection.clone())) {
            Some((slot, rows, Projection::Rows(view))) => {
                Ok(Reading { engine: self, state, slot, view, applied, rows })
            }
            _ => Err(self.absent(&state, name)),
        }
    }

    pub(super) fn absent(&self, state: &State, name: &str) -> EngineError {
        let building = state.building.iter().find(|member| member.projection.name() == name);
        match building {
            Some(member) => EngineError::Building {
                name: name.to_owned(),
                applied: member.building.unwrap_or(0),
                of: self.applied(),
            },
            None => EngineError::NoSuchView(name.to_owned()),
        }
    }

    /// The definition of a view, as it answers now.
    ///
    /// # Errors
    /// As for every question: there is none, it is being built, or the views have failed.
    pub fn view(&self, name: &str) -> Result<Arc<dyn View>> {
        Ok(self.reading(name)?.view.clone())
    }

    /// The row of this id.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn row(&self, view: &str, id: &str, when: When) -> Result<Option<Found>> {
        let reading = self.reading(view)?;
        match reading.number(id)? {
            // What was asked for by another name than its own is not there: the name led to a row since.
            Some(number) => Ok(reading.found(number, when)?.filter(|found| found.id == id)),
            None => Ok(None),
        }
    }

    /// Rows that fit.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn list(&self, view: &str, ask: &Ask) -> Result<Page> {
        self.reading(view)?.list(ask)
    }

    /// How many rows have each value of a facet (`state`, or one that the view counts by), as things are at a time;
    /// of what is recorded, everything counts. In the order of the values.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn counts(&self, view: &str, facet: &str, at: Micros) -> Result<Vec<(String, u64)>> {
        self.reading(view)?.counts(facet, at)
    }

    /// How many rows are overdue at a time.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn overdue(&self, view: &str, at: Micros) -> Result<u64> {
        let reading = self.reading(view)?;
        let mut count = reading.passed(DateKind::Due, at, &|_| true)?;
        for (stored, found) in reading.ahead(at)? {
            let kept = !stored.row.ended && stored.row.due_at.is_some_and(|due| due <= at);
            let is = found.is_some_and(|found| found.overdue(at));
            count = count.saturating_add_signed(i64::from(is) - i64::from(kept));
        }
        Ok(count)
    }

    /// How many rows a view has.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn rows(&self, view: &str) -> Result<u64> {
        Ok(self.reading(view)?.rows)
    }
}

impl Reading<'_> {
    /// The number of the row of this id.
    pub(super) fn number(&self, id: &str) -> Result<Option<u64>> {
        let name = match id.strip_prefix(STUB) {
            Some(alias) => RowName::Alias(alias.to_owned()),
            None => RowName::Id(id.to_owned()),
        };
        let key = keys::name(self.slot, &name);
        Ok(self.engine.store.get(Table::Ids, &key)?.and_then(|record| keys::number_of(&record)))
    }

    pub(super) fn stored(&self, number: u64) -> Result<Option<Stored>> {
        let record = self.engine.store.get(Table::Rows, &keys::row(self.slot, number))?;
        record.map(|record| read_stored(&record)).transpose()
    }

    /// A row as of a moment.
    pub(super) fn found(&self, number: u64, when: When) -> Result<Option<Found>> {
        let Some(stored) = self.stored(number)? else { return Ok(None) };
        self.as_of(number, &stored, when)
    }

    fn as_of(&self, number: u64, stored: &Stored, when: When) -> Result<Option<Found>> {
        if number >= when.known {
            return Ok(None);
        }
        let whole = stored.last_seq < when.known && stored.last.0 <= when.at;
        if whole {
            if stored.row.counts.is_empty() {
                // Everything about it has been taken away.
                return Ok(None);
            }
            return Ok(Some(Found {
                id: stored.id.clone(),
                number,
                last_seq: stored.last_seq,
                changed_at: stored.last.0,
                opened_at: stored.first,
                corrected: stored.corrected.clone(),
                row: stored.row.clone(),
            }));
        }
        let corrections = Corrections::new(&*self.engine.store);
        let mut row = Row::default();
        let mut last = (Micros::MIN, 0);
        for (effective_at, seq, kept) in self.events(number, stored)? {
            if seq >= when.known || effective_at > when.at {
                continue;
            }
            last = (effective_at.max(last.0), seq.max(last.1));
            let spoken_of = stored.corrected.iter().any(|(target, _)| *target == seq);
            if spoken_of && corrections.against(seq, when.known)?.is_some() {
                continue;
            }
            let event = load(&*self.engine.feed, &self.state.catalog, effective_at, seq, kept)?;
            advance(&*self.view, &mut row, &event);
        }
        if row.counts.is_empty() {
            return Ok(None);
        }
        let corrected: Vec<(u64, u64)> =
            stored.corrected.iter().copied().filter(|(_, correction)| *correction < when.known).collect();
        let last_seq = corrected.iter().map(|(_, correction)| *correction).fold(last.1, u64::max);
        Ok(Some(Found {
            id: stored.id.clone(),
            number,
            last_seq,
            changed_at: last.0,
            opened_at: stored.first,
            corrected,
            row,
        }))
    }

    /// Where a row's events stand, in order: effective time, seq, and what was kept.
    pub(super) fn events(&self, number: u64, stored: &Stored) -> Result<Vec<Placed>> {
        let mut found = BTreeMap::new();
        let (from, to) = keys::events(self.slot, number);
        self.engine.store.scan(Table::Events, &from, &to, false, &mut |key, value| {
            found.insert(key.to_vec(), Some(value.to_vec()));
            ControlFlow::Continue(())
        })?;
        let mut events = placed(found)?;
        if !self.view.keeps_data() {
            events.push((stored.first, number, None));
            events.sort_by_key(|(effective_at, seq, _)| (*effective_at, *seq));
        }
        Ok(events)
    }

    pub(super) fn list(&self, ask: &Ask) -> Result<Page> {
        let mut page = Page { rows: Vec::new(), next: None, applied: self.applied };
        let mut source = Source::of(self, ask)?;
        let mut scanned = 0;
        let mut last = ask.after;
        loop {
            let chunk = source.next(self, last)?;
            if chunk.is_empty() {
                return Ok(page);
            }
            for place in chunk {
                if page.rows.len() == ask.limit || scanned >= MAX_SCANNED {
                    page.next = last;
                    return Ok(page);
                }
                scanned += 1;
                last = Some(place);
                let Some(found) = self.found(place.number, ask.when)? else { continue };
                // The date by which it is kept in order is that of the row with all its events.
                if self.fits(ask, &found) {
                    page.rows.push(found);
                }
            }
        }
    }

    fn fits(&self, ask: &Ask, found: &Found) -> bool {
        let at = ask.when.at;
        let view = &*self.view;
        let within = |date: Option<Micros>, (from, to): (Option<Micros>, Option<Micros>)| {
            (from.is_none() && to.is_none())
                || date
                    .is_some_and(|date| from.is_none_or(|from| from <= date) && to.is_none_or(|to| date < to))
        };
        ask.overdue.is_none_or(|overdue| overdue == found.overdue(at))
            && ask.validity.as_deref().is_none_or(|wanted| found.validity(at) == Some(wanted))
            && within(found.row.due_at.filter(|_| !found.row.ended), ask.due)
            && within(found.row.valid_until.filter(|_| !found.row.ended), ask.until)
            && ask.before.as_ref().is_none_or(|(field, before)| {
                found.row.text(field).and_then(parse_time).is_some_and(|time| time < *before)
            })
            && ask.filters.iter().all(|(field, values)| has(view, found, at, field, values))
    }

    /// Rows whose last event takes effect only after `at`, with what they are at `at`.
    fn ahead(&self, at: Micros) -> Result<Vec<(Stored, Option<Found>)>> {
        let mut found = Vec::new();
        for number in self.ahead_numbers(at)? {
            let Some(stored) = self.stored(number)? else { continue };
            let now = self.as_of(number, &stored, When { known: self.applied, at })?;
            found.push((stored, now));
        }
        Ok(found)
    }

    fn ahead_numbers(&self, at: Micros) -> Result<BTreeSet<u64>> {
        let from = keys::date(self.slot, DateKind::Ahead, at.saturating_add(1), 0);
        let to = keys::date(self.slot, DateKind::Ahead, Micros::MAX, u64::MAX);
        let mut numbers = BTreeSet::new();
        self.engine.store.scan(Table::Terms, &from, &to, false, &mut |key, _| {
            numbers.extend(keys::number_of(key));
            ControlFlow::Continue(())
        })?;
        Ok(numbers)
    }

    /// How many rows have a date that has passed, as they are kept.
    fn passed(&self, kind: DateKind, at: Micros, counts: &dyn Fn(&Stored) -> bool) -> Result<u64> {
        let today = keys::day(at);
        let mut count = 0;
        let (from, to) = (keys::days(self.slot, kind, i64::MIN), keys::days(self.slot, kind, today));
        self.engine.store.scan(Table::Meta, &from, &to, false, &mut |_, value| {
            count += keys::number_of(value).unwrap_or(0);
            ControlFlow::Continue(())
        })?;
        let from = keys::date(self.slot, kind, keys::day_start(today), 0);
        let to = keys::date(self.slot, kind, at.saturating_add(1), 0);
        let mut numbers = Vec::new();
        self.engine.store.scan(Table::Terms, &from, &to, false, &mut |key, _| {
            numbers.extend(keys::number_of(key));
            ControlFlow::Continue(())
        })?;
        for number in numbers {
            count += u64::from(self.stored(number)?.is_some_and(|stored| counts(&stored)));
        }
        Ok(count)
    }

    fn counts(&self, facet: &str, at: Micros) -> Result<Vec<(String, u64)>> {
        let (from, to, start) = keys::counts(self.slot, facet);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        self.engine.store.scan(Table::Meta, &from, &to, false, &mut |key, value| {
            let name = key.get(start..).unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            counts.insert(name, keys::number_of(value).unwrap_or(0));
            ControlFlow::Continue(())
        })?;
        let view = &*self.view;
        let mut change = |value: String, by: i64| {
            let count = counts.entry(value).or_default();
            *count = count.saturating_add_signed(by);
        };
        if let Some(state) = view.expiring_state().filter(|_| facet == "state") {
            let in_state = |stored: &Stored| stored.row.state == state;
            let over = self.passed(DateKind::Until, at, &in_state)?;
            change(state.to_owned(), -(over as i64));
            change(EXPIRED.to_owned(), over as i64);
        }
        for (stored, found) in self.ahead(at)? {
            for value in facet_values(view, &stored.row, facet) {
                let kept = kept_state(view, &stored, at, facet, value);
                change(kept, -1);
            }
            let Some(found) = found else { continue };
            if facet == "state" {
                change(found.state(view, at).to_owned(), 1);
            } else {
                facet_values(view, &found.row, facet).into_iter().for_each(|value| change(value, 1));
            }
        }
        Ok(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

/// The value under which a kept row has been counted, expiry included.
fn kept_state(view: &dyn View, stored: &Stored, at: Micros, facet: &str, value: String) -> String {
    let row = &stored.row;
    let over = !row.ended && row.valid_until.is_some_and(|until| until <= at);
    if facet == "state" && over && view.expires(&row.state) { EXPIRED.to_owned() } else { value }
}

fn facet_values(view: &dyn View, row: &Row, facet: &str) -> Vec<String> {
    if facet == "state" {
        return vec![row.state.clone()];
    }
    view.facets(row).into_iter().filter(|(name, _)| *name == facet).map(|(_, value)| value).collect()
}

/// Whether a row has one of these values in a field.
fn has(view: &dyn View, found: &Found, at: Micros, field: &str, values: &[String]) -> bool {
    if view.flags().contains(&field) {
        let is = stands_in(view, found, at, field, &["true".to_owned()]);
        return values.iter().any(|value| value == if is { "true" } else { "false" });
    }
    stands_in(view, found, at, field, values)
}

fn stands_in(view: &dyn View, found: &Found, at: Micros, field: &str, values: &[String]) -> bool {
    let one_of = |text: &str| values.iter().any(|value| value == text);
    match field {
        "state" => one_of(found.state(view, at)),
        "id" => one_of(&found.id),
        "owner" => found.row.owner.as_deref().is_some_and(one_of),
        _ => {
            found.row.value(field).is_some_and(|value| value_is_one_of(value, &one_of))
                || view.lists(&found.row).iter().any(|(name, value)| *name == field && one_of(value))
                || view.dense_lists(&found.row).iter().any(|(name, value)| *name == field && one_of(value))
                || view.facets(&found.row).iter().any(|(name, value)| *name == field && one_of(value))
        }
    }
}

fn value_is_one_of(value: &Value, one_of: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => one_of(text),
        Value::Bool(_) | Value::Number(_) => one_of(&value.to_string()),
        Value::Array(items) => items.iter().any(|item| value_is_one_of(item, one_of)),
        Value::Object(_) | Value::Null => false,
    }
}

/// Where candidates come from, in the order asked for.
enum Source {
    /// Keys that end in a row's number, one list of them.
    Numbers { table: Table, from: Vec<u8>, to: Vec<u8>, also: BTreeSet<u64>, descending: bool },
    /// A list that is kept a bit a row.
    Postings { list: (&'static str, String), before: u64, descending: bool },
    /// Keys of dates.
    Dates { kind: DateKind, from: Micros, to: Micros, descending: bool },
    /// Places that were found and sorted beforehand.
    Sorted { places: Vec<Place>, descending: bool },
}

impl Source {
    fn of(reading: &Reading<'_>, ask: &Ask) -> Result<Source> {
        let slot = reading.slot;
        let view = &*reading.view;
        let When { known, at } = ask.when;
        let known = known.min(reading.applied);
        let past = known < reading.applied;
        let descending = ask.descending;
        let kind = match ask.sort {
            Sort::Opened => None,
            Sort::Due => Some(DateKind::Due),
            Sort::Until => Some(DateKind::Until),
        };
        if let Some(kind) = kind {
            let (from, to) = if kind == DateKind::Due { ask.due } else { ask.until };
            let upto = if kind == DateKind::Due && ask.overdue == Some(true) {
                Some(at.saturating_add(1))
            } else {
                None
            };
            let (from, to) = (from.unwrap_or(Micros::MIN), to.or(upto).unwrap_or(Micros::MAX));
            // What is kept in order is as things are now; of another day, or where rows are ahead of their time, they
            // are sorted here.
            if past || !reading.ahead_numbers(at)?.is_empty() || reading.engine.is_past(at) {
                return Source::sorted(reading, ask, kind);
            }
            return Ok(Source::Dates { kind, from, to, descending });
        }
        let single = |field: &str| {
            ask.filters.iter().find_map(|(name, values)| match values.as_slice() {
                [value] if name == field => Some(value.as_str()),
                _ => None,
            })
        };
        let listed = view.list_fields().iter().find_map(|field| Some((*field, single(field)?)));
        if let Some((field, value)) = listed {
            let from = keys::listed(slot, field, value, 0);
            let to = keys::listed(slot, field, value, known);
            return Ok(Source::Numbers { table: Table::Terms, from, to, also: BTreeSet::new(), descending });
        }
        let dense = view.dense_fields().into_iter().find_map(|field| Some((field, single(field)?)));
        if let Some((field, value)) = dense {
            let list = (field, value.to_owned());
            return Ok(Source::Postings { list, before: known, descending });
        }
        let state =
            single("state").filter(|state| *state != EXPIRED && view.common_state() != Some(*state) && !past);
        if let Some(state) = state
            && !reading.engine.is_past(at)
        {
            let (from, to) = (keys::state(slot, state, 0), keys::state(slot, state, known));
            let also = reading.ahead_numbers(at)?;
            return Ok(Source::Numbers { table: Table::Terms, from, to, also, descending });
        }
        let (from, to) = (keys::row(slot, 0), keys::row(slot, known));
        Ok(Source::Numbers { table: Table::Rows, from, to, also: BTreeSet::new(), descending })
    }

    fn sorted(reading: &Reading<'_>, ask: &Ask, kind: DateKind) -> Result<Source> {
        let mut all =
            Ask { sort: Sort::Opened, after: None, descending: false, limit: usize::MAX, ..ask.clone() };
        let mut places = Vec::new();
        loop {
            let page = reading.list(&all)?;
            places.extend(page.rows.iter().filter(|found| !found.row.ended).filter_map(|found| {
                let date = if kind == DateKind::Due { found.row.due_at } else { found.row.valid_until };
                Some(Place { date: date?, number: found.number })
            }));
            match page.next {
                Some(next) => all.after = Some(next),
                None => break,
            }
        }
        places.sort_by_key(|place| (place.date, place.number));
        if ask.descending {
            places.reverse();
        }
        Ok(Source::Sorted { places, descending: ask.descending })
    }

    /// The next candidates after a place; none at the end.
    fn next(&mut self, reading: &Reading<'_>, after: Option<Place>) -> Result<Vec<Place>> {
        let store = &*reading.engine.store;
        let mut places = Vec::new();
        match self {
            Source::Numbers { table, from, to, also, descending } => {
                let bound = |base: &Vec<u8>, number: u64| {
                    let mut key = base.clone();
                    let start = key.len() - 8;
                    key[start..].copy_from_slice(&number.to_be_bytes());
                    key
                };
                let (low, high) = match after {
                    Some(place) if *descending => (from.clone(), bound(from, place.number)),
                    Some(place) => (bound(from, place.number.saturating_add(1)), to.clone()),
                    None => (from.clone(), to.clone()),
                };
                let mut numbers = Vec::new();
                store.scan(*table, &low, &high, *descending, &mut |key, _| {
                    numbers.extend(keys::number_of(key));
                    if numbers.len() < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                let full = numbers.len() == CHUNK;
                let in_reach = |number: u64| {
                    let beyond_after = after.is_none_or(|place| {
                        if *descending { number < place.number } else { number > place.number }
                    });
                    let before_last = !full
                        || numbers
                            .last()
                            .is_none_or(|last| if *descending { number > *last } else { number < *last });
                    beyond_after && before_last
                };
                let more: Vec<u64> = also.iter().copied().filter(|number| in_reach(*number)).collect();
                numbers.extend(more);
                numbers.sort_unstable();
                numbers.dedup();
                if *descending {
                    numbers.reverse();
                }
                places.extend(numbers.into_iter().map(|number| Place { date: 0, number }));
            }
            Source::Postings { list: (field, value), before, descending } => {
                let (from, to) = match after {
                    Some(place) if *descending => (0, place.number.min(*before)),
                    Some(place) => (place.number.saturating_add(1), *before),
                    None => (0, *before),
                };
                let on = [(*field, value.as_str())];
                let numbers = lists::entries(store, reading.slot, &on, (from, to), *descending, CHUNK)?;
                places.extend(numbers.into_iter().map(|number| Place { date: 0, number }));
            }
            Source::Dates { kind, from, to, descending } => {
                let (mut low, mut high) =
                    (keys::date(reading.slot, *kind, *from, 0), keys::date(reading.slot, *kind, *to, 0));
                match after {
                    Some(place) if *descending => {
                        high = keys::date(reading.slot, *kind, place.date, place.number)
                    }
                    Some(place) => {
                        low = keys::date(reading.slot, *kind, place.date, place.number.saturating_add(1));
                    }
                    None => {}
                }
                store.scan(Table::Terms, &low, &high, *descending, &mut |key, _| {
                    places.extend(keys::date_of(key).map(|(date, number)| Place { date, number }));
                    if places.len() < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
            }
            Source::Sorted { places: sorted, descending } => {
                let beyond = |place: &Place| {
                    after.is_none_or(|after| {
                        let (a, b) = ((place.date, place.number), (after.date, after.number));
                        if *descending { a < b } else { a > b }
                    })
                };
                places.extend(sorted.iter().copied().filter(beyond).take(CHUNK));
            }
        }
        Ok(places)
    }
}
