//! Asking for what is no row: lists of entries, tallies, statistics, corrections.

use super::corrections::{self, Corrections, Counts, Effect};
use super::error::{EngineError, Result};
use super::keys::{self, Slot};
use super::lists;
use super::slots::Projection;
use super::state::{Engine, State, Still};
use super::stored::read_count;
use crate::spec::time::Day;
use crate::store::Table;
use crate::views::stats::DayStats;
use serde_json::Value;
use std::ops::ControlFlow;

/// Model, version, day, and what was counted.
pub type ModelDay = (String, String, Day, DayStats);

impl Engine {
    /// What is held still, where a list or tally stands in it, and how many entries it knows.
    fn listed(&self, name: &str) -> Result<(Still<'_>, Slot, u64)> {
        let (still, (slot, applied)) = self.still(|state| (self.slot_of(state, name), self.applied()));
        Ok((still, slot?, applied))
    }

    fn slot_of(&self, state: &State, name: &str) -> Result<Slot> {
        self.check()?;
        let member = state.members.iter().find(|member| member.projection.name() == name);
        match member {
            Some(member) if !matches!(member.projection, Projection::Rows(_)) => Ok(member.slot),
            _ => Err(self.absent(state, name)),
        }
    }

    /// Entries with numbers in `range` (from, before) that are on all of these lists, each a field and a value.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn entries(
        &self,
        name: &str,
        on: &[(&str, &str)],
        range: (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>> {
        let (still, slot, applied) = self.listed(name)?;
        let range = (range.0, range.1.min(applied));
        lists::entries(still.store(), slot, on, range, newest_first, limit)
    }

    /// How many entries below `before` are on a counted list. Fast for all that are applied, and otherwise in
    /// proportion to the list.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn count_entries(&self, name: &str, (field, value): (&str, &str), before: u64) -> Result<u64> {
        let (still, slot, applied) = self.listed(name)?;
        if before >= applied {
            return read_count(still.store(), &keys::count(slot, field, value));
        }
        lists::count_below(still.store(), slot, (field, value), before)
    }

    /// The tallies whose names begin so, in the order of their names, at most `limit`.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn tallies(&self, name: &str, prefix: &str, limit: usize) -> Result<Vec<(String, Value)>> {
        self.tallies_between(name, prefix, &format!("{prefix}\u{10ffff}"), limit)
    }

    /// The tallies whose names are in `from..to`, in their order, at most `limit`.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn tallies_between(
        &self,
        name: &str,
        from: &str,
        to: &str,
        limit: usize,
    ) -> Result<Vec<(String, Value)>> {
        let (still, slot, _) = self.listed(name)?;
        let mut found = Vec::new();
        let mut unreadable = false;
        let (from, to) = (keys::tally(slot, from), keys::tally(slot, to));
        still.store().scan(Table::Meta, &from, &to, false, &mut |key, value| {
            match keys::tally_name(key).zip(serde_json::from_slice(value).ok()) {
                Some((name, sum)) => found.push((name.to_owned(), sum)),
                None => unreadable = true,
            }
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if unreadable { Err(EngineError::Unreadable("a tally")) } else { Ok(found) }
    }

    /// The statistics of decisions: of one model or of all, of the days in `days` (from, before), where they are bounded.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn statistics(
        &self,
        view: &str,
        model: Option<&str>,
        days: (Option<Day>, Option<Day>),
    ) -> Result<Vec<ModelDay>> {
        let asked = |day: Day| days.0.is_none_or(|from| from <= day) && days.1.is_none_or(|to| day < to);
        let reading = self.reading(view)?;
        let mut found = Vec::new();
        let mut unreadable = false;
        let (from, to) = keys::all_statistics(reading.slot, model);
        reading.store().scan(Table::Meta, &from, &to, false, &mut |key, value| {
            match keys::statistics_of(key).zip(serde_json::from_slice::<DayStats>(value).ok()) {
                Some(((model, version, day), stats)) if asked(day) => {
                    found.push((model, version, day, stats));
                }
                Some(_) => {}
                None => unreadable = true,
            }
            ControlFlow::Continue(())
        })?;
        if unreadable { Err(EngineError::Unreadable("statistics")) } else { Ok(found) }
    }

    /// The correction by which an entry does not count among those below `known`, if there is one.
    ///
    /// # Errors
    /// The store failed.
    pub fn corrected_by(&self, seq: u64, known: u64) -> Result<Option<u64>> {
        self.check()?;
        let (still, ()) = self.still(|_| ());
        Corrections::new(still.store()).against(seq, known)
    }

    /// Whether an event counts among the entries below `known`, and where.
    ///
    /// # Errors
    /// The store failed.
    pub fn standing_of(&self, seq: u64, known: u64) -> Result<Counts> {
        self.check()?;
        let (still, ()) = self.still(|_| ());
        Corrections::new(still.store()).counts(seq, known)
    }

    /// What a correction does among the entries below `known`; none where the views do not know it as one.
    ///
    /// # Errors
    /// The store failed.
    pub fn effect_of(&self, correction: u64, known: u64) -> Result<Option<Effect>> {
        self.check()?;
        let (still, ()) = self.still(|_| ());
        Corrections::new(still.store()).effect(correction, known)
    }

    /// All entries that some correction speaks of, ascending.
    ///
    /// # Errors
    /// The store failed.
    pub fn spoken_of(&self) -> Result<Vec<u64>> {
        self.check()?;
        let (still, ()) = self.still(|_| ());
        corrections::spoken_of(still.store())
    }
}
