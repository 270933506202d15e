//! A row and its events as the store keeps them, and reading them and the counts.

use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::footholds::Sum;
use super::keys::{self, Slot};
use super::micros;
use super::opening::CONFLICTS;
use super::row::{Assurance, Row, RowEvent};
use super::view::View;
use crate::catalog::Catalog;
use crate::spec::time::Timestamp;
use crate::store::{Reader, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// An event of a row: its seq, and what was kept of it, if its view keeps anything.
pub(super) type Placed = (u64, Option<Vec<u8>>);

/// Bytes that are kept of an event whose view does not keep it: the hash of its source. No JSON object of an event is so
/// short.
pub(super) const SOURCE_BYTES: usize = 8;

/// A row with what the engine has to know of its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(rename = "i")]
    pub(super) id: String,
    /// From when the event holds that is folded first.
    #[serde(rename = "1", with = "micros")]
    pub(super) opened_at: Timestamp,
    /// Act time of its last event.
    #[serde(rename = "l", with = "micros")]
    pub(super) last_act: Timestamp,
    /// Hash of the source of that event; 0 where events of several were done at that instant.
    #[serde(rename = "p")]
    pub(super) last_source: u64,
    /// The latest time from which an event of it holds.
    #[serde(rename = "t", with = "micros")]
    pub(super) latest: Timestamp,
    /// From when on the row stays as it is, by its view: see [`super::view::View::settled_from`].
    #[serde(rename = "z", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) settled: Option<Timestamp>,
    /// Hash of the source whose row it is: of the first event recorded that opens it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<u64>,
    /// How many other sources have rows under its id, if it is the first one.
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub(super) siblings: u32,
    /// The first row of its id, if this is another one.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<u64>,
    /// The latest entry that changed it, corrections included.
    #[serde(rename = "q")]
    pub(super) last_seq: u64,
    /// All its events, those that do not count included.
    #[serde(rename = "n")]
    pub(super) events: u32,
    /// One of its events holds only later than was recorded: see [`super::keys::DateKind::Ahead`].
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) ahead: bool,
    /// Which of its events are spoken of by corrections, and by which entries.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) corrected: Vec<(u64, u64)>,
    #[serde(rename = "r")]
    pub(super) row: Row,
}

impl Stored {
    pub(super) fn new(id: String, event: &RowEvent) -> Stored {
        Stored {
            id,
            opened_at: event.effective_at,
            last_act: event.acted_at,
            last_source: source_hash(&event.source),
            latest: event.effective_at,
            settled: None,
            source: None,
            siblings: 0,
            beside: None,
            last_seq: event.seq,
            events: 1,
            ahead: false,
            corrected: Vec::new(),
            row: Row::default(),
        }
    }

    /// From when on the row is as it is kept.
    pub(super) fn stays_from(&self) -> Timestamp {
        self.settled.map_or(self.latest, |settled| settled.max(self.latest))
    }
}

impl Stored {
    /// Takes from the events that count, in the order in which they are folded, where the next one has to fit. Where none is
    /// left, it is as if there had been none: whatever batches they came in, the record is the same.
    pub(super) fn follow(&mut self, events: &[RowEvent]) {
        self.opened_at = events.first().map_or(Timestamp::FIRST, |event| event.effective_at);
        // What stands in another event's place holds from another time than its own.
        let latest = events.iter().map(|event| event.effective_at).max();
        self.latest = latest.unwrap_or(Timestamp::FIRST);
        self.ahead = events.iter().any(RowEvent::is_ahead);
        self.follow_last(events);
    }

    /// The same, of the events after a foothold, of which there is at least one.
    pub(super) fn follow_after(&mut self, before: &Sum, events: &[RowEvent]) {
        self.opened_at = before.opened_at;
        self.latest = events.iter().map(|event| event.effective_at).fold(before.latest, Timestamp::max);
        self.ahead = before.ahead || events.iter().any(RowEvent::is_ahead);
        self.follow_last(events);
    }

    fn follow_last(&mut self, events: &[RowEvent]) {
        self.last_act = events.iter().map(|event| event.acted_at).max().unwrap_or(Timestamp::FIRST);
        let mut at_last = events.iter().filter(|event| event.acted_at == self.last_act);
        let source = at_last.next().map_or(0, |event| source_hash(&event.source));
        let of_one = at_last.all(|event| source_hash(&event.source) == source);
        self.last_source = if of_one { source } else { 0 };
    }

    /// The numbers of its events that corrections speak of.
    pub(super) fn targets(&self) -> HashSet<u64> {
        self.corrected.iter().map(|(target, _)| *target).collect()
    }

    /// Whether somebody said something else of its id: in the row, or in a row of another source.
    pub(super) fn in_conflict(&self) -> bool {
        self.siblings > 0 || self.beside.is_some() || self.row.fields.contains_key(CONFLICTS)
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A short name for a source.
pub(super) fn source_hash(source: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(source).into();
    // 32 bytes have a first 8; some are left out, so that JSON readers keep it, and 0 stands for none.
    hash.first_chunk::<8>().map_or(1, |bytes| (u64::from_be_bytes(*bytes) >> 12).max(1))
}

/// The hash of an event's source, where it is kept beside it.
pub(super) fn source_of(kept: Option<&[u8]>) -> Option<u64> {
    let bytes: [u8; SOURCE_BYTES] = kept?.try_into().ok()?;
    Some(u64::from_be_bytes(bytes)).filter(|source| *source != 0)
}

/// An event kept beside its row.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(rename = "t")]
    ty: String,
    #[serde(rename = "r", with = "micros")]
    recorded_at: Timestamp,
    #[serde(rename = "h", with = "micros")]
    happened_at: Timestamp,
    #[serde(rename = "e", with = "micros")]
    effective_at: Timestamp,
    #[serde(rename = "s")]
    source: String,
    #[serde(rename = "i")]
    id: String,
    #[serde(rename = "c")]
    actor: String,
    #[serde(rename = "b")]
    by: String,
    #[serde(rename = "a")]
    assurance: Assurance,
    #[serde(rename = "d")]
    data: Value,
}

impl Kept {
    pub(super) fn of(event: &RowEvent) -> Kept {
        Kept {
            ty: event.ty.clone(),
            recorded_at: event.recorded_at,
            happened_at: event.happened_at,
            effective_at: event.effective_at,
            source: event.source.clone(),
            id: event.id.clone(),
            actor: event.actor.clone(),
            by: event.by.clone(),
            assurance: event.assurance,
            data: Value::clone(&event.data),
        }
    }

    pub(super) fn event(self, seq: u64) -> RowEvent {
        let Kept { ty, recorded_at, happened_at, effective_at, source, id, actor, by, assurance, data } =
            self;
        RowEvent {
            seq,
            place: seq,
            recorded_at,
            acted_at: happened_at.min(recorded_at),
            effective_at,
            happened_at,
            early_by: 0,
            after_turn: false,
            act: None,
            ty,
            source,
            id,
            actor,
            by,
            assurance,
            data: Arc::new(data),
        }
    }
}

pub(super) fn read_stored(record: &[u8]) -> Result<Stored> {
    serde_json::from_slice(record).map_err(|_| EngineError::Unreadable("a row"))
}

/// The rows of other sources beside a row, as the store has them: hash of the source, and number.
pub(super) fn siblings_of(
    store: &dyn Reader,
    slot: Slot,
    first: u64,
    stored: &Stored,
) -> Result<Vec<(u64, u64)>> {
    let mut siblings = Vec::new();
    if stored.siblings > 0 {
        let (from, to) = keys::siblings(slot, first);
        store.scan(Table::Terms, &from, &to, false, &mut |key, value| {
            siblings.extend(keys::number_of(value).zip(keys::number_of(key)));
            ControlFlow::Continue(())
        })?;
    }
    Ok(siblings)
}

/// The entry of a view's turn, as the store has it.
pub(super) fn turn_of(store: &dyn Reader, slot: Slot, view: &dyn View) -> Result<Option<u64>> {
    if view.turn().is_none() {
        return Ok(None);
    }
    Ok(store.get(Table::Meta, &keys::turn(slot))?.and_then(|record| keys::number_of(&record)))
}

pub(super) fn read_count(store: &dyn Reader, key: &[u8]) -> Result<u64> {
    Ok(store.get(Table::Meta, key)?.and_then(|record| keys::number_of(&record)).unwrap_or(0))
}

/// Events of a row from their keys; what is taken away is left out.
pub(super) fn placed(found: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<Vec<Placed>> {
    let mut events = Vec::with_capacity(found.len());
    for (key, value) in found {
        let Some(value) = value else { continue };
        let seq = keys::number_of(&key).ok_or(EngineError::Unreadable("an event's key"))?;
        events.push((seq, Some(value)));
    }
    Ok(events)
}

/// An event of a row: as it was kept, or from the log.
pub(super) fn load(
    feed: &dyn EventFeed,
    catalog: &Catalog,
    seq: u64,
    kept: Option<Vec<u8>>,
) -> Result<RowEvent> {
    match kept.filter(|kept| kept.len() != SOURCE_BYTES) {
        Some(kept) => {
            let kept: Kept =
                serde_json::from_slice(&kept).map_err(|_| EngineError::Unreadable("a kept event"))?;
            Ok(kept.event(seq))
        }
        None => Ok(feed.event(seq)?.for_row(catalog)),
    }
}
