//! Where the rows of a list come from, in the order asked for, before it is looked whether they fit.

use super::asked::{Ask, EXPIRED, Part, Place, Sort, When};
use super::reading::Reading;
use crate::spec::time::Timestamp;
use crate::store::Table;
use crate::views::engine::error::Result;
use crate::views::engine::keys::{self, DateKind};
use crate::views::engine::lists;
use crate::views::engine::view::CONFLICT;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Instant;

/// Candidates read at once, at most.
pub(super) const CHUNK: usize = 512;

/// Rows ahead of their time that are put into their places one by one.
///
/// Reason: each is folded again, some tens of microseconds. Of more, all rows are sorted.
const MAX_AHEAD: usize = 2_000;

/// Where candidates come from, in the order asked for.
pub(super) enum Source {
    /// Keys that end in a row's number, one list of them.
    Numbers { table: Table, from: Vec<u8>, to: Vec<u8>, also: BTreeSet<u64>, descending: bool },
    /// A list that is kept a bit a row.
    Postings { list: (&'static str, String), before: u64, descending: bool },
    /// Keys of dates, and the places of rows that are ahead of their time: what is kept of those is not yet so.
    Dates { kind: DateKind, from: Vec<u8>, to: Vec<u8>, descending: bool, ahead: Ahead },
    /// Places that were found and sorted beforehand, of one part of all rows.
    Sorted { places: Vec<Place>, descending: bool, part: Part },
}

/// Rows that are ahead of their time.
pub(super) struct Ahead {
    numbers: BTreeSet<u64>,
    /// Where they belong as things are, in this order.
    places: Vec<Place>,
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
            // What is kept in order is as things are now; as of another day, rows are sorted here.
            let is_kept = view.judge().is_none() && !past && !reading.engine.is_past(at);
            let ahead = if is_kept { reading.places_ahead(ask)? } else { None };
            let Some(ahead) = ahead else { return Source::sorted(reading, ask) };
            return Ok(Source::Dates { kind, from, to, descending, ahead });
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
        let (mut places, part) = reading.sorted(ask)?;
        if ask.descending {
            places.reverse();
        }
        Ok(Source::Sorted { places, descending: ask.descending, part })
    }

    /// Where the next part of all rows begins, where they are sorted part by part and this one has ended.
    pub(super) fn next_part(&self) -> Option<Place> {
        let Source::Sorted { part, descending, .. } = self else { return None };
        if part.to == u64::MAX {
            return None;
        }
        let part = Part { from: part.to, to: u64::MAX };
        // Before all of its rows: none of them has the number 0.
        let (date, number) = if *descending { (Timestamp::LAST, u64::MAX) } else { (Timestamp::FIRST, 0) };
        Some(Place { date, number, part })
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
                places.extend(numbers.into_iter().map(Place::numbered));
            }
            Source::Postings { list: (field, value), before, descending } => {
                let (from, to) = match after {
                    Some(place) if *descending => (0, place.number.min(*before)),
                    Some(place) => (place.number.saturating_add(1), *before),
                    None => (0, *before),
                };
                let on = [(*field, value.as_str())];
                let numbers = lists::entries(store, reading.slot, &on, (from, to), *descending, wanted)?;
                places.extend(numbers.into_iter().map(Place::numbered));
            }
            Source::Dates { kind, from, to, descending, ahead } => {
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
                    let kept = keys::date_of(key).filter(|(_, number)| !ahead.numbers.contains(number));
                    places.extend(kept.map(|(date, number)| Place { date, ..Place::numbered(number) }));
                    if places.len() < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                let last = places.last().copied().filter(|_| places.len() == wanted);
                let in_reach = |place: &Place| {
                    after.is_none_or(|after| follows(place, &after, *descending))
                        && last.is_none_or(|last| follows(&last, place, *descending))
                };
                places.extend(ahead.places.iter().copied().filter(in_reach));
                places.sort_by_key(|place| (place.date, place.number));
                if *descending {
                    places.reverse();
                }
            }
            Source::Sorted { places: sorted, descending, .. } => {
                let beyond = |place: &Place| after.is_none_or(|after| follows(place, &after, *descending));
                places.extend(sorted.iter().copied().filter(beyond).take(wanted));
            }
        }
        Ok(places)
    }
}

/// Whether a place comes after another one.
fn follows(place: &Place, other: &Place, descending: bool) -> bool {
    let (place, other) = ((place.date, place.number), (other.date, other.number));
    if descending { place < other } else { place > other }
}

impl Reading<'_> {
    /// The rows ahead of their time and their places as things are; none where there are too many of them.
    fn places_ahead(&self, ask: &Ask) -> Result<Option<Ahead>> {
        let numbers = self.ahead_numbers(ask.when.at)?;
        if numbers.len() > MAX_AHEAD {
            return Ok(None);
        }
        let mut places = Vec::new();
        for number in &numbers {
            let date = self.found(*number, ask.when)?.and_then(|found| found.date(ask.sort, ask.when.at));
            places.extend(date.map(|date| Place { date, ..Place::numbered(*number) }));
        }
        places.sort_by_key(|place| (place.date, place.number));
        Ok(Some(Ahead { numbers, places }))
    }

    /// The places of the rows that fit, in their order, of one part of all rows: of the one that a page goes on in, or of as
    /// many as are sorted together. Each page of a list finds them again, so that they are bounded.
    pub(in crate::views::engine) fn sorted(&self, ask: &Ask) -> Result<(Vec<Place>, Part)> {
        let Part { from, mut to } = ask.after.map_or(Part::WHOLE, |after| after.part);
        let after = from.checked_sub(1).map(Place::numbered);
        let mut all = Ask { sort: Sort::Recorded, after, descending: false, ..ask.clone() };
        // What is found has to be answered too: a part that takes long is a small one.
        let half = ask.ends.map(|ends| Instant::now() + ends.saturating_duration_since(Instant::now()) / 2);
        let (mut places, mut searched) = (Vec::new(), 0);
        loop {
            let walked = self.walk(&all, &mut |found| {
                let is_in = found.number < to;
                let date = found.date(ask.sort, ask.when.at).filter(|_| is_in);
                places.extend(date.map(|date| Place { date, ..Place::numbered(found.number) }));
                is_in && places.len() < self.bounds.sorted
            })?;
            searched += walked.looked_at;
            let is_enough = places.len() >= self.bounds.sorted
                || searched >= self.bounds.searched
                || half.is_some_and(|half| Instant::now() >= half);
            match walked.next {
                Some(next) if next.number < to => {
                    if is_enough {
                        to = next.number.saturating_add(1);
                        break;
                    }
                    all.after = Some(next);
                }
                _ => break,
            }
        }
        let part = Part { from, to };
        places.iter_mut().for_each(|place| place.part = part);
        places.sort_by_key(|place| (place.date, place.number));
        Ok((places, part))
    }
}
