//! The history of one row: each event that made it what it is, and what the event changed.

use super::corrections::Corrections;
use super::error::Result;
use super::query::When;
use super::row::{Assurance, Row};
use super::state::Engine;
use super::stored::load;
use super::view::advance;
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
        let reading = self.reading(view)?;
        let Some(number) = reading.number(id)? else { return Ok(None) };
        let Some(stored) = reading.stored(number)?.filter(|stored| stored.id == id) else { return Ok(None) };
        let corrections = Corrections::new(&*self.store);
        let mut events = reading.events(number, &stored)?;
        events.retain(|(effective_at, seq, _)| *seq < when.known && *effective_at <= when.at);
        let shortened = events.len() > MAX_HISTORY;
        let shown_from = events.len().saturating_sub(MAX_HISTORY);
        let mut row = Row::default();
        let mut changes = Vec::new();
        // An event is late if a later one by effective time was recorded before it.
        let mut earliest_after: Vec<u64> = vec![u64::MAX; events.len() + 1];
        #[expect(clippy::indexing_slicing, reason = "it has one place more than there are events")]
        for (place, (_, seq, _)) in events.iter().enumerate().rev() {
            earliest_after[place] = earliest_after[place + 1].min(*seq);
        }
        for (place, (effective_at, seq, kept)) in events.into_iter().enumerate() {
            let event = load(&*self.feed, &reading.state.catalog, effective_at, seq, kept)?;
            let spoken_of = stored.corrected.iter().any(|(target, _)| *target == seq);
            let corrected_by = if spoken_of { corrections.against(seq, when.known)? } else { None };
            let before = row.fields.clone();
            if corrected_by.is_none() {
                advance(&*reading.view, &mut row, &event);
            }
            if place < shown_from {
                continue;
            }
            let set = row.fields.iter().filter(|(name, value)| before.get(*name) != Some(*value));
            let mut changed: Map<String, Value> =
                set.map(|(name, value)| (name.clone(), value.clone())).collect();
            let cleared = before.keys().filter(|name| !row.fields.contains_key(*name));
            changed.extend(cleared.map(|name| (name.clone(), Value::Null)));
            changes.push(Change {
                seq,
                ty: event.ty,
                effective_at,
                happened_at: event.happened_at,
                by: event.by,
                assurance: event.assurance,
                late: earliest_after.get(place + 1).is_some_and(|after| *after < seq),
                corrected_by,
                state: row.state.clone(),
                changed,
            });
        }
        if changes.is_empty() {
            return Ok(None);
        }
        Ok(Some(History { changes, shortened, applied: reading.applied }))
    }
}
