//! The history of one row: each event that made it what it is, and what the event changed.

use super::error::{EngineError, Result};
use super::fold::advance;
use super::query::When;
use super::row::{Assurance, Row, RowEvent};
use super::state::Engine;
use super::stored::siblings_of;
use crate::spec::time::Timestamp;
use serde_json::{Map, Value};
use std::ops::Range;

/// Events of one row that are shown at once, at most.
///
/// Reason: each is shown with all that it changed, some hundred bytes to some thousand.
pub const MAX_HISTORY: usize = 1_000;

/// Events between two looks at the clock.
///
/// Reason: some tens of microseconds each; the clock costs less than one.
const BETWEEN_LOOKS: usize = 64;

/// What one event did to a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its entry's number.
    pub seq: u64,
    /// CloudEvents `type`.
    pub ty: String,
    /// From when it counts.
    pub effective_at: Timestamp,
    /// When it happened.
    pub happened_at: Timestamp,
    /// Who acted.
    pub by: String,
    /// See [`Assurance`].
    pub assurance: Assurance,
    /// It was recorded after an event that takes effect later.
    pub late: bool,
    /// The correction by which it does not count, if there is one.
    pub corrected_by: Option<u64>,
    /// The row's state after it.
    pub state: String,
    /// Fields of the row that it set, with their new values; null where it cleared one.
    pub changed: Map<String, Value>,
}

/// Which part of a history.
#[derive(Clone, Copy, Debug)]
pub struct HistoryPart {
    /// What follows the event of this entry, in the order asked for; none: from where that order begins.
    pub after: Option<u64>,
    /// From its end.
    pub newest_first: bool,
    /// Events at most.
    pub limit: usize,
}

/// A part of the history of one row, by effective time or from its end.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Its events, those that do not count included.
    pub changes: Vec<Change>,
    /// After the event of which entry it goes on; none at its end.
    pub next: Option<u64>,
    /// How many entries the views had applied.
    pub applied: u64,
}

impl Engine {
    /// What made a row what it is, as of a moment: of the row of this source, or of the first one. None if there is no such
    /// row then.
    ///
    /// # Errors
    /// See [`Engine::view`]; or the part is to follow an event that the history does not have.
    pub fn history_of(
        &self,
        view: &str,
        id: &str,
        source: Option<&str>,
        when: When,
        part: HistoryPart,
    ) -> Result<Option<History>> {
        let reading = self.reading(view)?;
        let Some(number) = reading.number_of(id, source, when)? else { return Ok(None) };
        let Some(stored) = reading.stored(number)?.filter(|stored| stored.id == id) else { return Ok(None) };
        let siblings = siblings_of(reading.store(), reading.slot, number, &stored)?;
        let mut gathered = reading.gathered(number, &stored, &siblings, when)?;
        reading.note_acts(&mut gathered.events, when)?;
        let gone = gathered.gone.into_iter().filter(|(event, _)| event.effective_at <= when.at);
        let all = with_gone(gathered.events, gone.collect());
        if all.is_empty() {
            return Ok(None);
        }
        let shown = part.range(&all)?;
        let last = if part.newest_first {
            Some(shown.start).filter(|start| *start > 0)
        } else {
            Some(shown.end).filter(|end| *end < all.len()).map(|end| end.saturating_sub(1))
        };
        let next = last.and_then(|last| all.get(last)).map(|(event, _)| event.seq);
        let (mut row, mut is) = (Row::default(), Row::default());
        let mut holds = Timestamp::FIRST;
        let show = |row: &Row, at: Timestamp| {
            let mut shown = row.clone();
            reading.view.settle(&mut shown, at);
            reading.view.show(&mut shown, at);
            match reading.view.judge() {
                Some(judge) => Ok::<_, EngineError>(reading.judge(judge, &shown, when)?.unwrap_or_default()),
                None => Ok(shown),
            }
        };
        let mut changes = Vec::new();
        // An event is late if a later one was recorded before it.
        let mut earliest_after: Vec<u64> = vec![u64::MAX; all.len() + 1];
        #[expect(clippy::indexing_slicing, reason = "it has one place more than there are events")]
        for (place, (event, _)) in all.iter().enumerate().rev() {
            earliest_after[place] = earliest_after[place + 1].min(event.seq);
        }
        for (place, (event, corrected_by)) in all.into_iter().enumerate().take(shown.end) {
            if place.is_multiple_of(BETWEEN_LOOKS) {
                reading.in_time()?;
            }
            if place == shown.start {
                is = show(&row, holds.min(when.at))?;
            }
            if corrected_by.is_none() {
                advance(&*reading.view, &mut row, &event);
                holds = holds.max(event.effective_at);
            }
            if place < shown.start {
                continue;
            }
            let before = std::mem::replace(&mut is, show(&row, holds.min(when.at))?).fields;
            let set = is.fields.iter().filter(|(name, value)| before.get(*name) != Some(*value));
            let mut changed: Map<String, Value> =
                set.map(|(name, value)| (name.clone(), value.clone())).collect();
            let cleared = before.keys().filter(|name| !is.fields.contains_key(*name));
            changed.extend(cleared.map(|name| (name.clone(), Value::Null)));
            changes.push(Change {
                late: earliest_after.get(place + 1).is_some_and(|after| *after < event.seq),
                seq: event.seq,
                ty: event.ty,
                effective_at: event.effective_at,
                happened_at: event.happened_at,
                by: event.by,
                assurance: event.assurance,
                corrected_by,
                state: is.state.clone(),
                changed,
            });
        }
        if part.newest_first {
            changes.reverse();
        }
        Ok(Some(History { changes, next, applied: reading.applied }))
    }
}

/// Events in the order in which they are folded, and among them those that do not count, with the correction that says so.
fn with_gone(events: Vec<RowEvent>, mut gone: Vec<(RowEvent, u64)>) -> Vec<(RowEvent, Option<u64>)> {
    let key = |event: &RowEvent| (event.acted_at, event.place);
    gone.sort_by_key(|(event, _)| (key(event), event.seq));
    let place = |one: &RowEvent| events.partition_point(|other| key(other) < key(one));
    let places: Vec<usize> = gone.iter().map(|(event, _)| place(event)).collect();
    let mut gone = places.into_iter().zip(gone).peekable();
    let mut all = Vec::with_capacity(events.len() + gone.len());
    for (place, event) in events.into_iter().enumerate() {
        while let Some((_, (event, by))) = gone.next_if(|(before, _)| *before <= place) {
            all.push((event, Some(by)));
        }
        all.push((event, None));
    }
    all.extend(gone.map(|(_, (event, by))| (event, Some(by))));
    all
}

impl HistoryPart {
    /// Which of the events of a history are in it, in their order.
    fn range(&self, all: &[(RowEvent, Option<u64>)]) -> Result<Range<usize>> {
        let place = |seq: u64| {
            let found = all.iter().position(|(event, _)| event.seq == seq);
            found.ok_or(EngineError::NotInIt)
        };
        let after = self.after.map(place).transpose()?;
        Ok(if self.newest_first {
            let end = after.unwrap_or(all.len());
            end.saturating_sub(self.limit)..end
        } else {
            let start = after.map_or(0, |after| after + 1);
            start..start.saturating_add(self.limit).min(all.len())
        })
    }
}
