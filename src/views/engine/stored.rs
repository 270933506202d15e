//! A row as the store keeps it.

use super::row::{Assurance, Micros, Row, RowEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// A row with what the engine has to know of its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(rename = "i")]
    pub(super) id: String,
    /// Effective time of the event whose seq is the row's number.
    #[serde(rename = "1")]
    pub(super) first: Micros,
    /// The last of its events: effective time, and seq.
    #[serde(rename = "l")]
    pub(super) last: (Micros, u64),
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
    #[serde(rename = "h")]
    happened_at: Micros,
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

    pub(super) fn event(self, effective_at: Micros, seq: u64) -> RowEvent {
        let Kept { ty, happened_at, by, assurance, data } = self;
        RowEvent { seq, effective_at, happened_at, ty, by, assurance, data: Arc::new(data) }
    }
}
