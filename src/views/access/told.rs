//! One use, as an event tells it.

use crate::spec::time::Timestamp;
use crate::views::engine::RowEvent;
use crate::views::stretches::EARLY;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The highest count there is: what JSON readers keep exactly.
pub(super) const MAX_COUNT: u64 = 1 << 53;

/// A use.
pub(super) struct Told {
    /// A short name for its natural key: what is told again has the same.
    pub(super) name: u64,
    /// Its first moment.
    pub(super) from: Timestamp,
    /// Its last moment, which belongs to it.
    pub(super) to: Timestamp,
    /// How often.
    pub(super) count: u64,
    /// It was refused.
    pub(super) denied: bool,
    /// What would not be accepted today.
    pub(super) irregular: Vec<&'static str>,
}

impl Told {
    /// What an event tells.
    pub(super) fn of(event: &RowEvent) -> Told {
        let mut irregular = Vec::new();
        let stated = |name: &str| event.time(name).map(|told| happened(told, event.recorded_at));
        let from = stated("from").or_else(|| stated("to")).unwrap_or(event.acted_at);
        let to = stated("to").unwrap_or(from);
        if to < from {
            irregular.push("to");
        }
        let count = event.value("count");
        let whole = count.and_then(Value::as_u64).filter(|count| *count <= MAX_COUNT);
        if count.is_some() && whole.is_none() {
            irregular.push("count");
        }
        let count = whole.or_else(|| count.and_then(Value::as_f64).map(clamped)).unwrap_or(1);
        Told {
            name: name_of(&event.source, &event.data),
            from: from.min(to),
            to: from.max(to),
            count,
            denied: event.text("outcome") == Some("denied"),
            irregular,
        }
    }
}

/// A short name for what a use is: its source, what was used, by whom, how, for what, with which outcome, when, and what
/// counted it. Times are compared as instants.
pub(super) fn name_of(source: &str, data: &Value) -> u64 {
    let mut parts = vec![source.to_owned()];
    for name in ["resource", "principal", "operation", "purpose", "outcome", "counter"] {
        parts.push(data.get(name).map(Value::to_string).unwrap_or_default());
    }
    for name in ["from", "to"] {
        let written = data.get(name).and_then(Value::as_str).unwrap_or_default();
        parts.push(Timestamp::recorded(written).map_or_else(|| written.to_owned(), |time| time.to_string()));
    }
    short_name(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What is a little ahead of its recording counts from there: clocks differ.
fn happened(told: Timestamp, recorded_at: Timestamp) -> Timestamp {
    let ahead = told.since(recorded_at);
    if ahead > 0 && ahead <= EARLY { recorded_at } else { told }
}

/// A count that is no whole number of those that are kept exactly: the nearest that is.
fn clamped(count: f64) -> u64 {
    // Between the two bounds, both of which a u64 has.
    count.clamp(0.0, MAX_COUNT as f64) as u64
}

/// A number for texts, 52 bits long, so that JSON readers keep it.
pub(super) fn short_name(parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    // 32 bytes have a first 8.
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes) >> 12)
}
