//! The history of one row: each event that made it what it is, and what the event changed.

use super::error::{EngineError, Result};
use super::fold::advance;
use super::query::When;
use super::row::{Assurance, Row, RowEvent};
use super::state::Engine;
use super::stored::siblings_of;
use crate::spec::time::Timestamp;
use serde_json::{Map, Value};

/// Events of one row that are shown at once, at most.
///
/// Reason: each is read from the log; some milliseconds.
pub const MAX_HISTORY: usize = 1_000;

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

/// The history of one row, by effective time.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Its events, those that do not count included.
    pub changes: Vec<Change>,
    /// Whether there were more than can be shown, and the earliest were left out.
    pub shortened: bool,
    /// How many entries the views had applied.
    pub applied: u64,
}

impl Engine {
    /// What made a row what it is, as of a moment; none if there is no such row then.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn history(&self, view: &str, id: &str, when: When) -> Result<Option<History>> {
        self.history_of(view, id, None, when)
    }

    /// The same of the row of this source.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn history_of(
        &self,
        view: &str,
        id: &str,
        source: Option<&str>,
        when: When,
    ) -> Result<Option<History>> {
        let reading = self.reading(view)?;
        let Some(number) = reading.number_of(id, source, when)? else { return Ok(None) };
        let Some(stored) = reading.stored(number)?.filter(|stored| stored.id == id) else { return Ok(None) };
        let siblings = siblings_of(reading.store(), reading.slot, number, &stored)?;
        let mut gathered = reading.gathered(number, &stored, &siblings, when)?;
        reading.note_acts(&mut gathered.events, when)?;
        let gone = gathered.gone.into_iter().filter(|(event, _)| event.effective_at <= when.at);
        let mut events: Vec<(RowEvent, Option<u64>)> = gone.map(|(event, by)| (event, Some(by))).collect();
        // In the order in which they are folded, and among them those that do not count.
        let gone = events.len();
        events.extend(gathered.events.into_iter().map(|event| (event, None)));
        let mut all: Vec<(RowEvent, Option<u64>)> = events.split_off(gone);
        for one in events {
            let place = all
                .partition_point(|(other, _)| (other.acted_at, other.place) < (one.0.acted_at, one.0.place));
            all.insert(place, one);
        }
        let shortened = all.len() > MAX_HISTORY;
        let shown_from = all.len().saturating_sub(MAX_HISTORY);
        let (mut row, mut shown) = (Row::default(), Row::default());
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
        for (place, (event, corrected_by)) in all.into_iter().enumerate() {
            if place == shown_from {
                shown = show(&row, holds.min(when.at))?;
            }
            if corrected_by.is_none() {
                advance(&*reading.view, &mut row, &event);
                holds = holds.max(event.effective_at);
            }
            if place < shown_from {
                continue;
            }
            let before = std::mem::replace(&mut shown, show(&row, holds.min(when.at))?).fields;
            let set = shown.fields.iter().filter(|(name, value)| before.get(*name) != Some(*value));
            let mut changed: Map<String, Value> =
                set.map(|(name, value)| (name.clone(), value.clone())).collect();
            let cleared = before.keys().filter(|name| !shown.fields.contains_key(*name));
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
                state: shown.state.clone(),
                changed,
            });
        }
        if changes.is_empty() {
            return Ok(None);
        }
        Ok(Some(History { changes, shortened, applied: reading.applied }))
    }
}
