//! The order in which the events of a row are folded: that in which they were done.
//!
//! At the same instant, events of one source come in the order in which they were recorded, and those of several sources
//! in the order of the types in the life of a row. What was done before the opening of its row was told early: the clocks
//! of two systems differ, or a stream arrived in another order. It comes right after the opening and counts from it.
//! Later openings of a row that opens once come before all that, in the order in which they were recorded.

use super::opening::Opening;
use super::row::RowEvent;
use super::view::View;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Puts the events of one row into the order in which they are folded, and notes which of them were told early.
#[must_use]
pub fn arrange(view: &dyn View, mut events: Vec<RowEvent>) -> Vec<RowEvent> {
    events.sort_by_key(|event| (event.acted_at, event.place, event.seq));
    let types = view.types();
    let mut arranged: Vec<RowEvent> = Vec::with_capacity(events.len());
    for instant in events.chunk_by(|one, other| one.acted_at == other.acted_at) {
        if instant.iter().all(|event| instant.first().is_some_and(|first| first.source == event.source)) {
            arranged.extend_from_slice(instant);
        } else {
            at_one_instant(&types, instant, &mut arranged);
        }
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

/// Which event opens the row: of types that open it once, the first one recorded; of others, the first one done.
fn opening_of(view: &dyn View, events: &[RowEvent]) -> Option<usize> {
    let opens = |event: &&(usize, &RowEvent)| view.opening(&event.1.ty) != Opening::None;
    let openings: Vec<(usize, &RowEvent)> = events.iter().enumerate().collect();
    let mut openings = openings.iter().filter(opens).peekable();
    let once = openings.peek().is_some_and(|(_, event)| view.opening(&event.ty).is_once());
    let found = if once {
        openings.min_by_key(|(place, event)| (event.place, event.seq, *place))
    } else {
        openings.next()
    };
    found.map(|(place, _)| *place)
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
