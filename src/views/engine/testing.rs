//! Events for the tests of folds.

use super::row::{Assurance, RowEvent};
use crate::spec::time::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// An event that was done, holds and is recorded at one time, posted by whoever acted, of the source `/t`.
pub(in crate::views) fn event(seq: u64, at: Timestamp, ty: &str, by: &str, data: Value) -> RowEvent {
    RowEvent {
        seq,
        place: seq,
        recorded_at: at,
        acted_at: at,
        effective_at: at,
        happened_at: at,
        early_by: 0,
        after_turn: false,
        ty: ty.to_owned(),
        source: "/t".to_owned(),
        id: format!("e-{seq}"),
        actor: by.to_owned(),
        by: by.to_owned(),
        assurance: Assurance::Asserted,
        data: Arc::new(data),
    }
}
