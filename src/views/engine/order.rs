//! The order in which the events of a row are folded: that in which they were done.
//!
//! At the same instant, events of one source come in the order in which they were recorded, and those of several sources
//! in the order of the types in the life of a row. What was done before the opening of its row was told early: the clocks
//! of two systems differ, or a stream arrived in another order. It comes right after the opening and counts from it.
//! Later openings of a row that opens once come before all that, in the order in which they were recorded.

use super::opening::Opening;
use super::row::{EARLY, RowEvent};
use super::view::View;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Puts the events of one row into the order in which they are folded, and notes which of them were told early.
#[must_use]
pub fn arrange(view: &dyn View, events: Vec<RowEvent>) -> Vec<RowEvent> {
    let types = view.types();
    let mut arranged = by_acts(&types, events);
    if types.iter().any(|ty| view.ends_round(ty)) {
        by_rounds(view, &mut arranged);
    }
    let Some(opening) = opening_of(view, &arranged) else { return arranged };
    let rest = arranged.split_off(opening.min(arranged.len()));
    let opened_at = rest.first().map(|event| event.acted_at);
    let early = arranged.into_iter().map(|mut event| {
        event.early_by = opened_at.map_or(0, |opened| opened.since(event.acted_at)).max(0);
        event
    });
    let mut rest = rest.into_iter();
    let first = rest.next();
    let (mut again, others): (Vec<RowEvent>, Vec<RowEvent>) =
        early.chain(rest).partition(|event| view.opening(&event.ty) == Opening::Once);
    // They do nothing to the row but are compared with what was recorded before them.
    again.sort_by_key(|event| (event.place, event.seq));
    first.into_iter().chain(again).chain(others).collect()
}

/// Puts events into the order in which they were done, whatever they open or end. `types` are in the order of a row's life.
pub(super) fn by_acts(types: &[String], mut events: Vec<RowEvent>) -> Vec<RowEvent> {
    events.sort_by_key(|event| (event.acted_at, event.place, event.seq));
    let mut arranged: Vec<RowEvent> = Vec::with_capacity(events.len());
    for instant in events.chunk_by(|one, other| one.acted_at == other.acted_at) {
        if instant.iter().all(|event| instant.first().is_some_and(|first| first.source == event.source)) {
            arranged.extend_from_slice(instant);
        } else {
            at_one_instant(types, instant, &mut arranged);
        }
    }
    arranged
}

/// Puts the first opening recorded before the others of its round: one that is dated back takes nobody's place. Openings
/// belong to one round if no end lies between them.
fn by_rounds(view: &dyn View, events: &mut Vec<RowEvent>) {
    let opens = |event: &RowEvent| view.opening(&event.ty) == Opening::Rounds;
    let recorded = |event: &&RowEvent| (event.place, event.seq);
    // Of another source there is an opening only where it says the same, and it begins nothing.
    let Some(source) = events.iter().filter(|event| opens(event)).min_by_key(recorded) else { return };
    let source = source.source.clone();
    let opens = |event: &RowEvent| opens(event) && event.source == source;
    let earliest = events.iter().position(opens).unwrap_or(0);
    let Some(opened) = events.get(earliest).map(|event| event.acted_at) else { return };
    // An end that counts although it was told before the first opening ends the round that this one opens.
    let ends_at_once = |event: &RowEvent| {
        view.ends_round(&event.ty) && (opened.since(event.acted_at) <= EARLY || event.effective_at >= opened)
    };
    let ends_at_once = events.iter().take(earliest).any(ends_at_once);
    let mut arranged: Vec<RowEvent> = Vec::with_capacity(events.len());
    let mut round: Vec<RowEvent> = Vec::new();
    for (place, event) in std::mem::take(events).into_iter().enumerate() {
        let ends = view.ends_round(&event.ty) || (ends_at_once && place == earliest);
        round.push(event);
        if ends {
            first_recorded_first(&mut round, &opens);
            arranged.append(&mut round);
        }
    }
    first_recorded_first(&mut round, &opens);
    arranged.append(&mut round);
    *events = arranged;
}

/// Moves openings that stand before the first one recorded right behind it.
fn first_recorded_first(round: &mut Vec<RowEvent>, opens: &dyn Fn(&RowEvent) -> bool) {
    let openings = round.iter().enumerate().filter(|(_, event)| opens(event));
    let Some((first, _)) = openings.min_by_key(|(_, event)| (event.place, event.seq)) else { return };
    let after = round.split_off(first + 1);
    let Some(opening) = round.pop() else { return };
    let (others, mut before): (Vec<RowEvent>, Vec<RowEvent>) =
        std::mem::take(round).into_iter().partition(|event| opens(event));
    before.push(opening);
    before.extend(others);
    before.extend(after);
    *round = before;
}

/// Which event opens the row: of types that open it once, the first one recorded; of others, the first one done, and where
/// other sources have rows of their own, the first one that the row's own source did.
fn opening_of(view: &dyn View, events: &[RowEvent]) -> Option<usize> {
    let opens = |(_, event): &(usize, &RowEvent)| view.opening(&event.ty) != Opening::None;
    let openings: Vec<(usize, &RowEvent)> = events.iter().enumerate().filter(opens).collect();
    let (place, first_done) = openings.first()?;
    let (recorded, first) = openings.iter().min_by_key(|(_, event)| (event.place, event.seq))?;
    let opening = view.opening(&first_done.ty);
    if opening.is_once() {
        Some(*recorded)
    } else if opening.is_of_one_source() {
        let own = openings.iter().find(|(_, event)| event.source == first.source);
        own.map(|(place, _)| *place)
    } else {
        Some(*place)
    }
}

/// Events of several sources at one instant: each source's in their order, and among those that are next the one whose
/// type comes first in the life of a row.
fn at_one_instant(types: &[String], instant: &[RowEvent], into: &mut Vec<RowEvent>) {
    let mut by_source: BTreeMap<&str, VecDeque<&RowEvent>> = BTreeMap::new();
    for event in instant {
        by_source.entry(&event.source).or_default().push_back(event);
    }
    let rank = |event: &RowEvent| types.iter().position(|ty| *ty == event.ty).unwrap_or(types.len());
    loop {
        let next = by_source.values_mut().filter(|events| !events.is_empty());
        let next = next
            .max_by_key(|events| events.front().map(|event| Reverse((rank(event), event.place, event.seq))));
        match next.and_then(VecDeque::pop_front) {
            Some(event) => into.push(event.clone()),
            None => return,
        }
    }
}
