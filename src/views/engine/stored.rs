//! A row and its events as the store keeps them, and reading them and the counts.

use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::keys;
use super::micros;
use super::row::{Assurance, Row, RowEvent};
use crate::catalog::Catalog;
use crate::spec::time::Timestamp;
use crate::store::{Store, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where an event of a row stands: effective time, seq, and what was kept of it.
pub(super) type Placed = (Timestamp, u64, Option<Vec<u8>>);

/// A row with what the engine has to know of its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(rename = "i")]
    pub(super) id: String,
    /// Effective time of the event whose seq is the row's number.
    #[serde(rename = "1", with = "micros")]
    pub(super) first: Timestamp,
    /// The last of its events: effective time, and seq.
    #[serde(rename = "l", with = "micros")]
    pub(super) last: (Timestamp, u64),
    /// The latest entry that changed it, corrections included.
    #[serde(rename = "q")]
    pub(super) last_seq: u64,
    /// All its events, those that do not count included.
    #[serde(rename = "n")]
    pub(super) events: u32,
    /// Its last event takes effect later than it was recorded: see [`super::keys::DateKind::Ahead`].
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
            first: event.effective_at,
            last: (event.effective_at, event.seq),
            last_seq: event.seq,
            events: 1,
            ahead: false,
            corrected: Vec::new(),
            row: Row::default(),
        }
    }
}

/// An event kept beside its row.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(rename = "t")]
    ty: String,
    #[serde(rename = "h", with = "micros")]
    happened_at: Timestamp,
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
            happened_at: event.happened_at,
            by: event.by.clone(),
            assurance: event.assurance,
            data: Value::clone(&event.data),
        }
    }

    pub(super) fn event(self, effective_at: Timestamp, seq: u64) -> RowEvent {
        let Kept { ty, happened_at, by, assurance, data } = self;
        RowEvent { seq, effective_at, happened_at, ty, by, assurance, data: Arc::new(data) }
    }
}

pub(super) fn read_stored(record: &[u8]) -> Result<Stored> {
    serde_json::from_slice(record).map_err(|_| EngineError::Unreadable("a row"))
}

pub(super) fn read_count(store: &dyn Store, key: &[u8]) -> Result<u64> {
    Ok(store.get(Table::Meta, key)?.and_then(|record| keys::number_of(&record)).unwrap_or(0))
}

/// Events of a row from their keys; what is taken away is left out.
pub(super) fn placed(found: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<Vec<Placed>> {
    let mut events = Vec::with_capacity(found.len());
    for (key, value) in found {
        let Some(value) = value else { continue };
        let (effective_at, seq) = keys::event_of(&key).ok_or(EngineError::Unreadable("an event's key"))?;
        events.push((effective_at, seq, Some(value)));
    }
    Ok(events)
}

/// An event of a row: as it was kept, or from the log.
pub(super) fn load(
    feed: &dyn EventFeed,
    catalog: &Catalog,
    effective_at: Timestamp,
    seq: u64,
    kept: Option<Vec<u8>>,
) -> Result<RowEvent> {
    match kept.filter(|kept| !kept.is_empty()) {
        Some(kept) => {
            let kept: Kept =
                serde_json::from_slice(&kept).map_err(|_| EngineError::Unreadable("a kept event"))?;
            Ok(kept.event(effective_at, seq))
        }
        None => Ok(feed.event(seq)?.for_row(catalog)),
    }
}
