//! Where the rows of a list come from, in the order asked for, before it is looked whether they fit.

use super::asked::{Ask, EXPIRED, Place, Sort, When};
use super::reading::Reading;
use crate::spec::time::Timestamp;
use crate::store::Table;
use crate::views::engine::error::{EngineError, Result};
use crate::views::engine::keys::{self, DateKind};
use crate::views::engine::lists;
use crate::views::engine::view::CONFLICT;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Candidates read at once, at most.
pub(super) const CHUNK: usize = 512;

/// Rows that are sorted for one answer, at most.
///
/// Reason: 24 bytes each, so some megabytes while the answer is made.
const MAX_SORTED: usize = 100_000;

/// Rows that are looked at for them, at most.
///
/// Reason: some seconds; a filter that is kept as a list has few of them looked at.
const MAX_LOOKED_AT: usize = 200_000;

/// Where candidates come from, in the order asked for.
pub(super) enum Source {
    /// Keys that end in a row's number, one list of them.
    Numbers { table: Table, from: Vec<u8>, to: Vec<u8>, also: BTreeSet<u64>, descending: bool },
    /// A list that is kept a bit a row.
    Postings { list: (&'static str, String), before: u64, descending: bool },
    /// Keys of dates.
    Dates { kind: DateKind, from: Vec<u8>, to: Vec<u8>, descending: bool },
    /// Places that were found and sorted beforehand.
    Sorted { places: Vec<Place>, descending: bool },
}

impl Source {
    pub(super) fn of(reading: &Reading<'_>, ask: &Ask) -> Result<Source> {
        let slot = reading.slot;
        let view = &*reading.view;
        let When { known, at } = ask.when;
        let known = known.min(reading.applied);
        let past = known < reading.applied;
        let descending = ask.descending;
        let kind = match ask.sort {
            Sort::Recorded => None,
            // No list of all rows is kept in the order of these.
            Sort::Opened | Sort::Changed | Sort::Ended => return Source::sorted(reading, ask),
            Sort::Due => Some(DateKind::Due),
            Sort::Until => Some(DateKind::Until),
        };
        if let Some(kind) = kind {
            let (from, to) = if kind == DateKind::Due { ask.due } else { ask.until };
            let last = if kind == DateKind::Due && ask.overdue == Some(true) { at } else { Timestamp::LAST };
            let from = keys::date(slot, kind, from.unwrap_or(Timestamp::FIRST), 0);
            let to = to.map_or_else(|| keys::dates_to(slot, kind, last), |to| keys::date(slot, kind, to, 0));
            // What is kept in order is as things are now; of another day, or where rows are ahead of their time, they
            // are sorted here.
            if view.judge().is_some()
                || past
                || !reading.ahead_numbers(at)?.is_empty()
                || reading.engine.is_past(at)
            {
                return Source::sorted(reading, ask);
            }
            return Ok(Source::Dates { kind, from, to, descending });
        }
        let single = |field: &str| {
            ask.filters.iter().find_map(|(name, values)| match values.as_slice() {
                [value] if name == field => Some(value.as_str()),
                _ => None,
            })
        };
        let in_conflict = single(CONFLICT).filter(|value| *value == "true").map(|value| (CONFLICT, value));
        let listed = view.list_fields().iter().find_map(|field| Some((*field, single(field)?)));
        let listed = in_conflict.or(listed);
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
        let state = single("state").filter(|state| view.common_state() != Some(*state) && !past);
        let state = state.filter(|state| *state != EXPIRED || view.judge().is_some());
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

    fn sorted(reading: &Reading<'_>, ask: &Ask) -> Result<Source> {
        let mut places = reading.sorted(ask, MAX_SORTED)?;
        if ask.descending {
            places.reverse();
        }
        Ok(Source::Sorted { places, descending: ask.descending })
    }

    /// The next candidates after a place, about `wanted` of them; none at the end.
    pub(super) fn next(
        &mut self,
        reading: &Reading<'_>,
        after: Option<Place>,
        wanted: usize,
    ) -> Result<Vec<Place>> {
        let store = reading.store();
        let mut places = Vec::new();
        match self {
            Source::Numbers { table, from, to, also, descending } => {
                let bound = |base: &Vec<u8>, number: u64| {
                    let mut key = base.clone();
                    key.truncate(base.len().saturating_sub(8));
                    key.extend(number.to_be_bytes());
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
                    if numbers.len() < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                let full = numbers.len() == wanted;
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
                places.extend(numbers.into_iter().map(|number| Place { date: Timestamp::EPOCH, number }));
            }
            Source::Postings { list: (field, value), before, descending } => {
                let (from, to) = match after {
                    Some(place) if *descending => (0, place.number.min(*before)),
                    Some(place) => (place.number.saturating_add(1), *before),
                    None => (0, *before),
                };
                let on = [(*field, value.as_str())];
                let numbers = lists::entries(store, reading.slot, &on, (from, to), *descending, wanted)?;
                places.extend(numbers.into_iter().map(|number| Place { date: Timestamp::EPOCH, number }));
            }
            Source::Dates { kind, from, to, descending } => {
                let (mut low, mut high) = (from.clone(), to.clone());
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
                    if places.len() < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
            }
            Source::Sorted { places: sorted, descending } => {
                let beyond = |place: &Place| {
                    after.is_none_or(|after| {
                        let (a, b) = ((place.date, place.number), (after.date, after.number));
                        if *descending { a < b } else { a > b }
                    })
                };
                places.extend(sorted.iter().copied().filter(beyond).take(wanted));
            }
        }
        Ok(places)
    }
}

impl Reading<'_> {
    /// The places of all rows that fit, at most so many, in their order. Each page of a list finds them again, so that they
    /// are bounded.
    ///
    /// # Errors
    /// More of them fit, or more are to be looked at than are for one answer.
    pub(in crate::views::engine) fn sorted(&self, ask: &Ask, most: usize) -> Result<Vec<Place>> {
        let mut all = Ask { sort: Sort::Recorded, after: None, descending: false, ..ask.clone() };
        let (mut places, mut looked_at) = (Vec::new(), 0);
        loop {
            let walked = self.walk(&all, &mut |found| {
                let date = found.date(ask.sort, ask.when.at);
                places.extend(date.map(|date| Place { date, number: found.number }));
                places.len() < most
            })?;
            looked_at += walked.looked_at;
            match walked.next {
                Some(_) if places.len() >= most || looked_at >= MAX_LOOKED_AT => {
                    return Err(EngineError::TooManyToSort);
                }
                Some(next) => all.after = Some(next),
                None => break,
            }
        }
        places.sort_by_key(|place| (place.date, place.number));
        Ok(places)
    }
}
