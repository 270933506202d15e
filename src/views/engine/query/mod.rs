//! Asking for rows: one, or those that fit, as they are now, as they were known, and as they held at a time.

mod counts;
mod fits;
mod source;

use super::corrections::Corrections;
use super::keys::{self, DateKind, Slot};
use super::row::Row;
use super::session::STUB;
use super::slots::Projection;
use super::stored::{Placed, Stored, load, placed, read_stored};
use super::view::{RowName, View, advance};
use super::{Engine, EngineError, Result, State};
use crate::spec::time::Timestamp;
use crate::store::Table;
use source::Source;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// Rows looked at for one page, at most.
///
/// Reason: some tens of milliseconds. A filter that fits next to nothing gives a short page and where to go on.
const MAX_SCANNED: usize = 20_000;

/// Rows looked at between two looks at the clock.
///
/// Reason: some tens of microseconds each, where a row is folded again; the clock costs less than one.
const BETWEEN_LOOKS: usize = 64;

/// The state that a row is shown in once its time is over, where its view says so.
pub const EXPIRED: &str = "expired";

/// As of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Entries below this number are known.
    pub known: u64,
    /// What took effect by this time counts; and "overdue", "expired" mean: at this time.
    pub at: Timestamp,
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
    /// The date by which the list is sorted; 1970-01-01 if by number.
    pub date: Timestamp,
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
    pub due: (Option<Timestamp>, Option<Timestamp>),
    /// Only rows with `valid_until` in this stretch.
    pub until: (Option<Timestamp>, Option<Timestamp>),
    /// Only rows of which the time in this field lies before that.
    pub before: Option<(String, Timestamp)>,
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
    /// From when on nobody waits for the answer any more; none: it is worked on to its end.
    pub ends: Option<Instant>,
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
            ends: None,
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
    pub changed_at: Timestamp,
    /// When its first event took effect.
    pub opened_at: Timestamp,
    /// Which of its events were taken away or given back by corrections, as known: target and correction.
    pub corrected: Vec<(u64, u64)>,
    /// Its state.
    pub row: Row,
}

impl Found {
    /// Whether its due date has passed and it is not done.
    #[must_use]
    pub fn overdue(&self, at: Timestamp) -> bool {
        !self.row.ended && self.row.due_at.is_some_and(|due| due <= at)
    }

    /// Whether it counts yet, or still: `not-yet`, `in-force`, `expired`; none for rows that know no such dates or are
    /// done.
    #[must_use]
    pub fn validity(&self, at: Timestamp) -> Option<&'static str> {
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
    pub fn state(&self, view: &dyn View, at: Timestamp) -> &str {
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
    pub fn counts(&self, view: &str, facet: &str, at: Timestamp) -> Result<Vec<(String, u64)>> {
        self.reading(view)?.counts(facet, at)
    }

    /// How many rows are overdue at a time.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn overdue(&self, view: &str, at: Timestamp) -> Result<u64> {
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
        self.as_of(number, stored, when)
    }

    fn as_of(&self, number: u64, stored: Stored, when: When) -> Result<Option<Found>> {
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
                id: stored.id,
                number,
                last_seq: stored.last_seq,
                changed_at: stored.last.0,
                opened_at: stored.first,
                corrected: stored.corrected,
                row: stored.row,
            }));
        }
        let corrections = Corrections::new(&*self.engine.store);
        let mut row = Row::default();
        let mut last = (Timestamp::FIRST, 0);
        for (effective_at, seq, kept) in self.events(number, &stored)? {
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
            stored.corrected.into_iter().filter(|(_, correction)| *correction < when.known).collect();
        let last_seq = corrected.iter().map(|(_, correction)| *correction).fold(last.1, u64::max);
        Ok(Some(Found {
            id: stored.id,
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
                if scanned % BETWEEN_LOOKS == 0 && ask.ends.is_some_and(|ends| Instant::now() >= ends) {
                    return Err(EngineError::TookTooLong);
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
}
