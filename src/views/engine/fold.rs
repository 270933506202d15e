//! Folding events into a row.

use super::opening::admits;
use super::order::arrange;
use super::row::{MAX_ACTORS, Row, RowEvent};
use super::view::{OUT_OF_ORDER, View};
use crate::spec::time::Timestamp;

/// What events come to, in whatever order they are given. The engine's own fold, and what the tests of a view call.
#[must_use]
pub fn fold(view: &dyn View, events: &[RowEvent]) -> Row {
    let mut row = Row::default();
    let mut last = Timestamp::FIRST;
    for event in arrange(view, events.to_vec()) {
        last = last.max(event.effective_at);
        advance(view, &mut row, &event);
    }
    let settled = view.settled_from(&row).map_or(last, |from| from.max(last));
    view.settle(&mut row, settled);
    row
}

/// One step of a fold, with what the engine itself keeps in a row.
pub(super) fn advance(view: &dyn View, row: &mut Row, event: &RowEvent) {
    if event.early_by > 0 {
        row.set(OUT_OF_ORDER, true);
    }
    if !admits(view.opening(&event.ty), row, event) {
        view.told_again(row, event);
        return;
    }
    row.assurance = if row.counts.is_empty() { event.assurance } else { row.assurance.min(event.assurance) };
    *row.counts.entry(event.ty.clone()).or_default() += 1;
    if row.actors.len() < MAX_ACTORS && !row.actors.contains(&event.by) {
        row.actors.insert(event.by.clone());
    }
    view.step(row, event);
    row.ended_at = if row.ended { row.ended_at.or(Some(event.effective_at)) } else { None };
}
