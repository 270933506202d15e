//! One view held still, and its rows as of a moment.

use super::asked::{Found, When};
use crate::spec::time::Timestamp;
use crate::store::Table;
use crate::views::engine::corrections::Corrections;
use crate::views::engine::error::{EngineError, Result};
use crate::views::engine::keys::{self, Slot};
use crate::views::engine::row::Row;
use crate::views::engine::session::STUB;
use crate::views::engine::slots::Projection;
use crate::views::engine::state::{Engine, State};
use crate::views::engine::stored::{Placed, Stored, load, placed, read_stored};
use crate::views::engine::view::{RowName, View, advance};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// One view, held still while it is asked.
pub(in crate::views::engine) struct Reading<'a> {
    pub(in crate::views::engine) engine: &'a Engine,
    pub(in crate::views::engine) state: std::sync::RwLockReadGuard<'a, State>,
    pub(in crate::views::engine) slot: Slot,
    pub(in crate::views::engine) view: Arc<dyn View>,
    pub(in crate::views::engine) applied: u64,
    pub(in crate::views::engine) rows: u64,
}

impl Engine {
    /// The view of this name, as it answers now.
    ///
    /// # Errors
    /// There is none; or it is being built and has no older version.
    pub(in crate::views::engine) fn reading(&self, name: &str) -> Result<Reading<'_>> {
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
    /// The number of the row of this id.
    pub(in crate::views::engine) fn number(&self, id: &str) -> Result<Option<u64>> {
        let name = match id.strip_prefix(STUB) {
            Some(alias) => RowName::Alias(alias.to_owned()),
            None => RowName::Id(id.to_owned()),
        };
        let key = keys::name(self.slot, &name);
        Ok(self.engine.store.get(Table::Ids, &key)?.and_then(|record| keys::number_of(&record)))
    }

    pub(in crate::views::engine) fn stored(&self, number: u64) -> Result<Option<Stored>> {
        let record = self.engine.store.get(Table::Rows, &keys::row(self.slot, number))?;
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
    pub(in crate::views::engine) fn events(&self, number: u64, stored: &Stored) -> Result<Vec<Placed>> {
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
}
