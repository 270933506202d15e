//! How many rows there are of a kind, as things are at a time.
//!
//! Counts are kept of rows with all their events. Rows that are ahead of the time, and dates that have passed since, are
//! made up for here.

use super::asked::{EXPIRED, Found, When};
use super::reading::Reading;
use crate::spec::time::{Day, Timestamp};
use crate::store::Table;
use crate::views::engine::error::Result;
use crate::views::engine::keys::{self, DateKind};
use crate::views::engine::row::Row;
use crate::views::engine::stored::Stored;
use crate::views::engine::view::{CONFLICT, View};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Instant;

impl Reading<'_> {
    /// Rows whose last event takes effect only after `at`, with what they are at `at`.
    pub(super) fn ahead(&self, at: Timestamp) -> Result<Vec<(Stored, Option<Found>)>> {
        let mut found = Vec::new();
        for number in self.ahead_numbers(at)? {
            let Some(stored) = self.stored(number)? else { continue };
            let now = self.as_of(number, stored.clone(), When { known: self.applied, at })?;
            found.push((stored, now));
        }
        Ok(found)
    }

    pub(super) fn ahead_numbers(&self, at: Timestamp) -> Result<BTreeSet<u64>> {
        let from = keys::dates_to(self.slot, DateKind::Ahead, at);
        let to = keys::dates_to(self.slot, DateKind::Ahead, Timestamp::LAST);
        let mut numbers = BTreeSet::new();
        self.store().scan(Table::Terms, &from, &to, false, &mut |key, _| {
            numbers.extend(keys::number_of(key));
            ControlFlow::Continue(())
        })?;
        Ok(numbers)
    }

    /// How many rows have a date that has passed, as they are kept.
    pub(super) fn passed(
        &self,
        kind: DateKind,
        at: Timestamp,
        counts: &dyn Fn(&Stored) -> bool,
    ) -> Result<u64> {
        let today = at.day();
        let mut count = 0;
        let (from, to) = (keys::days(self.slot, kind, Day::FIRST), keys::days(self.slot, kind, today));
        self.store().scan(Table::Meta, &from, &to, false, &mut |_, value| {
            count += keys::number_of(value).unwrap_or(0);
            ControlFlow::Continue(())
        })?;
        let from = keys::date(self.slot, kind, today.start(), 0);
        let to = keys::dates_to(self.slot, kind, at);
        let mut numbers = Vec::new();
        self.store().scan(Table::Terms, &from, &to, false, &mut |key, _| {
            numbers.extend(keys::number_of(key));
            ControlFlow::Continue(())
        })?;
        for number in numbers {
            count += u64::from(self.stored(number)?.is_some_and(|stored| counts(&stored)));
        }
        Ok(count)
    }

    /// The same of rows that are judged one by one.
    pub(super) fn judged_counts(
        &self,
        facet: &str,
        at: Timestamp,
        ends: Option<Instant>,
    ) -> Result<Vec<(String, u64)>> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let view = &*self.view;
        self.each(at, ends, &mut |found| {
            let values = match facet {
                "state" => vec![found.state(view, at).to_owned()],
                _ => facet_values(view, &found.row, facet, found.conflict()),
            };
            values.into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
        })?;
        Ok(counts.into_iter().collect())
    }

    pub(super) fn counts(&self, facet: &str, at: Timestamp) -> Result<Vec<(String, u64)>> {
        let (from, to, start) = keys::counts(self.slot, facet);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        self.store().scan(Table::Meta, &from, &to, false, &mut |key, value| {
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
            for value in facet_values(view, &stored.row, facet, stored.in_conflict()) {
                let kept = kept_state(view, &stored, at, facet, value);
                change(kept, -1);
            }
            let Some(found) = found else { continue };
            if facet == "state" {
                change(found.state(view, at).to_owned(), 1);
            } else {
                facet_values(view, &found.row, facet, found.conflict())
                    .into_iter()
                    .for_each(|value| change(value, 1));
            }
        }
        Ok(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

/// The value under which a kept row has been counted, expiry included.
fn kept_state(view: &dyn View, stored: &Stored, at: Timestamp, facet: &str, value: String) -> String {
    let row = &stored.row;
    let over = !row.ended && row.valid_until.is_some_and(|until| until <= at);
    if facet == "state" && over && view.expires(&row.state) { EXPIRED.to_owned() } else { value }
}

fn facet_values(view: &dyn View, row: &Row, facet: &str, in_conflict: bool) -> Vec<String> {
    if facet == CONFLICT {
        return if in_conflict { vec!["true".to_owned()] } else { Vec::new() };
    }
    if facet == "state" {
        return vec![row.state.clone()];
    }
    view.facets(row).into_iter().filter(|(name, _)| *name == facet).map(|(_, value)| value).collect()
}
