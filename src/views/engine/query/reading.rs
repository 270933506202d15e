//! One view held still, and its rows as of a moment.

use super::asked::{Found, SCHEDULED, Scheduled, When};
use super::remembered::Remembered;
use crate::catalog::Catalog;
use crate::store::{Reader, Table};
use crate::views::engine::acts::listed::ACTS;
use crate::views::engine::corrections::Corrections;
use crate::views::engine::error::{EngineError, Result};
use crate::views::engine::fold::advance;
use crate::views::engine::gather::{Gathered, Gathering};
use crate::views::engine::keys::{self, Slot};
use crate::views::engine::row::{Row, RowEvent};
use crate::views::engine::slots::{Member, Projection};
use crate::views::engine::state::{Engine, State, Still};
use crate::views::engine::stored::{Placed, Stored, placed, read_stored, siblings_of, source_hash, turn_of};
use crate::views::engine::view::{RowName, STUB, View};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sources that use one id, looked at to find the first that stands, at most.
///
/// Reason: more are nobody's mistake; each is one row read.
const MAX_SOURCES: usize = 64;

/// One view, held still while it is asked.
pub(in crate::views::engine) struct Reading<'a> {
    pub(in crate::views::engine) engine: &'a Engine,
    still: Still<'a>,
    /// By which rows are folded.
    pub(in crate::views::engine) catalog: Arc<Catalog>,
    /// Where the lists stand that the view's judge looks at.
    pub(super) lists: Option<Slot>,
    /// Where the lists stand about acts of two and imports; none in a ledger that keeps none.
    pub(super) acts: Option<Slot>,
    pub(in crate::views::engine) slot: Slot,
    pub(in crate::views::engine) view: Arc<dyn View>,
    pub(in crate::views::engine) applied: u64,
    pub(in crate::views::engine) rows: u64,
    /// What has been read of entries that are not about its rows.
    pub(in crate::views::engine) remembered: Remembered,
    /// From when on nobody waits for the answer any more.
    ends: Option<Instant>,
    /// How much is looked at for one answer.
    pub(in crate::views::engine) bounds: Bounds,
}

/// How much is looked at for one answer. Beyond, it says where to go on.
#[derive(Clone, Copy, Debug)]
pub(in crate::views::engine) struct Bounds {
    /// Rows looked at for one page.
    ///
    /// Reason: some tens of milliseconds. A filter that fits next to nothing gives a short page.
    pub(in crate::views::engine) scanned: usize,
    /// Rows that are sorted together.
    ///
    /// Reason: some ten bytes each, so some megabytes while the answer is made.
    pub(in crate::views::engine) sorted: usize,
    /// Rows that are looked at for them.
    ///
    /// Reason: some seconds; a filter that is kept as a list has few of them looked at.
    pub(in crate::views::engine) searched: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { scanned: 20_000, sorted: 100_000, searched: 200_000 }
    }
}

/// How long a question about one row may take that does not say it itself.
///
/// Reason: as long as anybody waits for an answer. A row of a hundred thousand events is folded in some seconds.
const LONGEST: Duration = Duration::from_secs(10);

impl Engine {
    /// The view of this name, as it answers now.
    ///
    /// # Errors
    /// There is none; or it is being built and has no older version.
    pub(in crate::views::engine) fn reading(&self, name: &str) -> Result<Reading<'_>> {
        self.check()?;
        let (still, seen) = self.still(|state| {
            let member = state.members.iter().find(|member| member.projection.name() == name);
            let Some((member, Projection::Rows(view))) = member.map(|member| (member, &member.projection))
            else {
                return Err(self.absent(state, name));
            };
            let lists_of = |name: &str| {
                let is_it = |member: &&Member| {
                    name == member.projection.name() && matches!(member.projection, Projection::Lists(_))
                };
                state.members.iter().find(is_it).map(|member| member.slot)
            };
            let acts = lists_of(ACTS);
            let lists = view.judge().and_then(|judge| lists_of(judge.lists()));
            // Judged without lists that are being made it would be another one.
            if view.judge().is_some()
                && acts.is_none()
                && state.building.iter().any(|other| other.projection.name() == ACTS)
            {
                return Err(self.absent(state, ACTS));
            }
            let (catalog, view) = (state.catalog.clone(), view.clone());
            Ok((member.slot, member.rows, view, (lists, acts), catalog, self.applied()))
        });
        let (slot, rows, view, (lists, acts), catalog, applied) = seen?;
        let remembered = Remembered::default();
        let ends = Some(Instant::now() + LONGEST);
        let bounds = Bounds::default();
        Ok(Reading {
            engine: self,
            still,
            catalog,
            lists,
            acts,
            slot,
            view,
            applied,
            rows,
            remembered,
            ends,
            bounds,
        })
    }

    pub(in crate::views::engine) fn absent(&self, state: &State, name: &str) -> EngineError {
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
}

impl Reading<'_> {
    /// The same, until this moment; without one, it is worked on to its end.
    pub(in crate::views::engine) fn until(self, ends: Option<Instant>) -> Self {
        Reading { ends, ..self }
    }

    /// Ends a question that has taken too long.
    pub(in crate::views::engine) fn in_time(&self) -> Result<()> {
        if self.ends.is_some_and(|ends| Instant::now() >= ends) {
            return Err(EngineError::TookTooLong);
        }
        Ok(())
    }

    /// What is asked.
    pub(in crate::views::engine) fn store(&self) -> &dyn Reader {
        self.still.store()
    }

    /// The number of the row of this id.
    pub(in crate::views::engine) fn number(&self, id: &str) -> Result<Option<u64>> {
        let name = match id.strip_prefix(STUB) {
            Some(alias) => RowName::Alias(alias.to_owned()),
            None => RowName::Id(id.to_owned()),
        };
        let key = keys::name(self.slot, &name);
        Ok(self.store().get(Table::Ids, &key)?.and_then(|record| keys::number_of(&record)))
    }

    /// The numbers of all rows of this id, the first one recorded first.
    pub(in crate::views::engine) fn numbers(&self, id: &str, known: u64) -> Result<Vec<u64>> {
        let Some(first) = self.number(id)? else { return Ok(Vec::new()) };
        let mut numbers = vec![first];
        if let Some(stored) = self.stored(first)? {
            let siblings = siblings_of(self.store(), self.slot, first, &stored)?;
            numbers.extend(siblings.into_iter().map(|(_, number)| number).take(MAX_SOURCES));
        }
        numbers.retain(|number| *number < known);
        Ok(numbers)
    }

    /// The number of the row of this id that is asked for: of a source, or the first one recorded of those that stand.
    pub(in crate::views::engine) fn number_of(
        &self,
        id: &str,
        source: Option<&str>,
        when: When,
    ) -> Result<Option<u64>> {
        let Some(first) = self.number(id)? else { return Ok(None) };
        if let Some(source) = source {
            let own = keys::name_of_source(self.slot, id, source);
            let own = self.store().get(Table::Ids, &own)?.and_then(|record| keys::number_of(&record));
            if own.is_some() {
                return Ok(own);
            }
            let of = |stored: &Stored| stored.source == Some(source_hash(source));
            return Ok(self.stored(first)?.filter(of).map(|_| first));
        }
        if self.stored(first)?.is_none_or(|stored| stored.siblings == 0) {
            return Ok(Some(first));
        }
        for number in self.numbers(id, when.known)? {
            if self.found(number, when)?.is_some_and(|found| found.row.source.is_some()) {
                return Ok(Some(number));
            }
        }
        Ok(Some(first))
    }

    pub(in crate::views::engine) fn stored(&self, number: u64) -> Result<Option<Stored>> {
        let record = self.store().get(Table::Rows, &keys::row(self.slot, number))?;
        record.map(|record| read_stored(&record)).transpose()
    }

    /// A row as of a moment.
    pub(in crate::views::engine) fn found(&self, number: u64, when: When) -> Result<Option<Found>> {
        let Some(stored) = self.stored(number)? else { return Ok(None) };
        self.as_of(number, stored, when)
    }

    pub(super) fn as_of(&self, number: u64, stored: Stored, when: When) -> Result<Option<Found>> {
        if number >= when.known {
            return Ok(None);
        }
        let siblings = siblings_of(self.store(), self.slot, number, &stored)?;
        let others = siblings.iter().filter(|(_, number)| *number < when.known).count() as u64;
        let others = others + u64::from(stored.beside.is_some());
        if self.view.has_acts_of_two() {
            return self.with_acts(number, stored, (&siblings, others), when);
        }
        if let Some(judge) = self.view.judge() {
            return self.judged(judge, number, stored, (&siblings, others), when);
        }
        let whole = stored.last_seq < when.known && stored.stays_from() <= when.at;
        if whole {
            if stored.row.counts.is_empty() {
                // Everything about it has been taken away.
                return Ok(None);
            }
            let mut row = stored.row;
            self.view.show(&mut row, when.at);
            return Ok(Some(Found {
                id: stored.id,
                number,
                last_seq: stored.last_seq,
                changed_at: stored.latest,
                opened_at: stored.opened_at,
                corrected: stored.corrected,
                others,
                scheduled: Vec::new(),
                row,
            }));
        }
        let gathered = self.gathered(number, &stored, &siblings, when)?;
        Ok(self.made_of(number, stored, gathered, others, when))
    }

    /// What the gathered events of a row make of it as of a moment; none if it is not there by then.
    pub(super) fn made_of(
        &self,
        number: u64,
        stored: Stored,
        gathered: Gathered,
        others: u64,
        when: When,
    ) -> Option<Found> {
        let mut row = Row::default();
        // What holds only later is shown as such, and never as if it were not there.
        let events = if gathered.events.is_empty() { &gathered.later } else { &gathered.events };
        let is_there = |event: &&RowEvent| event.acted_at <= when.at || event.effective_at <= when.at;
        let reckoned = |event: &RowEvent| self.view.is_reckoned(&event.ty);
        if !events.iter().any(|event| is_there(&event)) {
            return None;
        }
        let mut opened_at = None;
        for event in events.iter().filter(|event| is_there(event) || reckoned(event)) {
            opened_at = opened_at.or(Some(event.effective_at));
            advance(&*self.view, &mut row, event);
        }
        let opened_at = opened_at?;
        let holding = events.iter().map(|event| event.effective_at).filter(|from| *from <= when.at);
        let later = gathered.events.iter().filter(|event| event.effective_at > when.at);
        let later = gathered.later.iter().chain(later).filter(|event| event.acted_at <= when.at);
        let scheduled: Vec<Scheduled> = later.map(Scheduled::of).collect();
        if gathered.events.is_empty() {
            row.state = SCHEDULED.to_owned();
            (row.ended, row.ended_at) = (false, None);
        }
        self.view.settle(&mut row, when.at);
        self.view.show(&mut row, when.at);
        let corrected: Vec<(u64, u64)> =
            stored.corrected.into_iter().filter(|(_, correction)| *correction < when.known).collect();
        let last_seq = corrected.iter().map(|(_, correction)| *correction).fold(gathered.last_seq, u64::max);
        let changed_at = holding.max().unwrap_or(opened_at);
        Some(Found {
            id: stored.id,
            number,
            last_seq,
            changed_at,
            opened_at,
            corrected,
            others,
            scheduled,
            row,
        })
    }

    pub(in crate::views::engine) fn corrections(&self) -> Corrections<'_> {
        Corrections::new(self.store())
    }

    pub(in crate::views::engine) fn gathered(
        &self,
        number: u64,
        stored: &Stored,
        siblings: &[(u64, u64)],
        when: When,
    ) -> Result<Gathered> {
        let corrections = self.corrections();
        let gathering = Gathering {
            view: &*self.view,
            stored,
            siblings,
            turn: turn_of(self.store(), self.slot, &*self.view)?,
            corrections: &corrections,
            feed: &*self.engine.feed,
            catalog: &self.catalog,
            ends: self.ends,
        };
        gathering.gather(self.events(number)?, when)
    }

    /// A row's events in the order of recording, and what was kept of them.
    pub(super) fn events(&self, number: u64) -> Result<Vec<Placed>> {
        let mut found = BTreeMap::new();
        let (from, to) = keys::events(self.slot, number);
        self.store().scan(Table::Events, &from, &to, false, &mut |key, value| {
            found.insert(key.to_vec(), Some(value.to_vec()));
            ControlFlow::Continue(())
        })?;
        let mut events = placed(found)?;
        if !self.view.keeps_data() {
            events.push((number, None));
            events.sort_by_key(|(seq, _)| *seq);
        }
        Ok(events)
    }
}
